"""The well-known ways to be wrong with a JWT, one by one, and what is decided on each.

The server trusts one issuer, for one audience, by a set of keys (JWKS): an RSA key, an EC key, and a lot that
is not to be used. `test_tokens` asks the same of a shared secret.
"""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import SECRET
from tests.wire.bearer import present, refused
from tests.wire.client import Client
from tests.wire.conftest import Serving
from tests.wire.issuer import AUDIENCE, ISSUER, Publisher, Signer, claims, ec_signer, publishing, rsa_signer, segment

pytestmark = pytest.mark.asyncio(loop_scope="session")

TENANT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
RSA, EC = rsa_signer(), ec_signer()
TWICE, NOBODY = rsa_signer("twice"), rsa_signer("nobody's")
WEAK, OTHER_CURVE = rsa_signer("weak", 1024), Signer("other curve", ec.generate_private_key(ec.SECP384R1()))
LEAKED = ec_signer("leaked")

UNUSABLE: list[Any] = [
    {"kty": "oct", "kid": "symmetric", "k": segment(SECRET.encode()), "alg": "HS256"},
    RSA.named("for encryption").jwk | {"use": "enc"},
    RSA.named("to sign with").jwk | {"key_ops": ["sign"]},
    RSA.named("of RS512").jwk | {"alg": "RS512"},
    RSA.named("said to be HS256").jwk | {"alg": "HS256"},
    RSA.named("without n").jwk | {"n": None},
    RSA.named("of an empty n").jwk | {"n": ""},
    RSA.named("of e = 1").jwk | {"e": "AQ"},
    EC.named("off the curve").jwk | {"y": EC.jwk["x"]},
    EC.named("of no curve").jwk | {"crv": "P-257"},
    RSA.named("x").jwk | {"kid": 7},
    {"kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": segment(b"x" * 32)},
    OTHER_CURVE.jwk,
    WEAK.jwk,
    {"kid": "empty"},
    "no object",
    None,
    [],
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as publisher:
        leaked = LEAKED.jwk | {"d": segment(b"d" * 32)}
        publisher.publish(*UNUSABLE, RSA.jwk, TWICE.jwk, NOBODY.named("twice").jwk, EC.jwk, leaked)
        yield publisher


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(serving: Serving, publisher: Publisher) -> AsyncIterator[Client]:
    """A client of a server that trusts the publisher."""
    async with serving(
        jwt_secret=None,
        session_secret=SECRET,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwt_jwks_url=publisher.url,
        public_url="https://crm.example.com",
    ) as client:
        yield client


def said(**changes: Any) -> Callable[[], str]:
    return lambda: RSA.token(claims(**changes))


def written(**members: str) -> Callable[[], str]:
    """Claims whose JSON is given as it stands, behind the good ones."""
    more = ",".join(f'"{name}":{value}' for name, value in members.items())
    return lambda: RSA.token(f"{json.dumps(claims())[:-1]},{more}}}".encode())


def headed(**members: Any) -> Callable[[], str]:
    return lambda: RSA.token(**members)


def keyed(secret: bytes, **header: Any) -> Callable[[], str]:
    """A token whose HMAC was made with something that is no secret."""

    def make() -> str:
        content = f"{segment({'alg': 'HS256', 'typ': 'JWT', **header})}.{segment(claims())}"
        return f"{content}.{segment(hmac.new(secret, content.encode(), hashlib.sha256).digest())}"

    return make


def unsigned(alg: str, signature: str = "") -> Callable[[], str]:
    return lambda: f"{segment({'alg': alg, 'kid': 'rsa-1'})}.{segment(claims())}.{signature}"


def resigned(signature: bytes, signer: Signer = EC) -> Callable[[], str]:
    return lambda: f"{signer.token().rpartition('.')[0]}.{segment(signature)}"


def soon(**seconds: float) -> Callable[[], str]:
    return lambda: RSA.token(claims(**{name: int(time.time()) + offset for name, offset in seconds.items()}))


INVALID = "not a valid JWT"
UNKNOWN = "of a key that its issuer does not have"
NUMBER = "must be a number of seconds since 1970"
TEXT = "must be a printable text of 1 to 512 characters"
STRANGER = "issuer (iss) is not one that this server trusts"
ELSEWHERE = "not meant for this server"
TAKEN = None

DECISIONS: dict[str, tuple[Callable[[], str], str | None]] = {
    # Shape
    "good, RS256": (RSA.token, TAKEN),
    "good, ES256": (EC.token, TAKEN),
    "2 parts": (lambda: RSA.token().rpartition(".")[0], INVALID),
    "4 parts": (lambda: f"{RSA.token()}.e30", INVALID),
    "5 parts, as an encrypted token has": (lambda: f"{RSA.token()}.e30.e30", INVALID),
    "bad base64": (lambda: RSA.token().replace(".", ".$", 1), INVALID),
    "no JSON": (lambda: RSA.token(b"hello"), INVALID),
    "no object": (lambda: RSA.token([1]), INVALID),
    "a claim twice: the last counts": (written(exp="1"), "has expired"),
    "over 8 KB": (said(note="x" * 5600), "longer than 8000 characters"),
    # How deep Python reads depends on its version; what it has read is refused for another reason.
    "deep nesting": (lambda: RSA.token(b'{"a":%s%s}' % (b"[" * 2000, b"]" * 2000)), ""),
    "nesting that Python could read": (said(a=json.loads("[" * 40 + "]" * 40)), INVALID),
    # Algorithm
    "alg none": (unsigned("none"), INVALID),
    "alg None": (unsigned("None", "e30"), INVALID),
    "alg NONE": (unsigned("NONE", "e30"), INVALID),
    "alg nOnE": (unsigned("nOnE", "e30"), INVALID),
    "alg none, with a good signature": (headed(alg="none"), INVALID),
    "no alg": (headed(alg=...), INVALID),
    "HS256 with the PEM of the public key": (keyed(RSA.pem, kid="rsa-1"), INVALID),
    "HS256 with the DER of the public key": (keyed(RSA.der, kid="rsa-1"), INVALID),
    "HS256 with the JWK of the public key": (keyed(json.dumps(RSA.jwk).encode(), kid="rsa-1"), INVALID),
    "HS256 with a symmetric key that the issuer publishes": (keyed(SECRET.encode(), kid="symmetric"), INVALID),
    "HS256 with an empty secret": (keyed(b""), INVALID),
    "RS512": (headed(alg="RS512"), INVALID),
    "PS256": (headed(alg="PS256"), INVALID),
    "ES256 by an RSA key": (headed(alg="ES256"), UNKNOWN),
    "RS256 by an EC key": (lambda: EC.token(alg="RS256"), UNKNOWN),
    "a list of algs": (headed(alg=["RS256"]), INVALID),
    "crit that is unknown": (headed(crit=["x"], x=1), INVALID),
    "crit of a known name": (headed(crit=["exp"]), INVALID),
    "an unencoded payload (b64)": (headed(b64=False, crit=["b64"]), INVALID),
    "its own key in jwk": (lambda: NOBODY.token(kid="rsa-1", jwk=NOBODY.jwk), INVALID),
    "its own key in jwk, no kid": (lambda: NOBODY.token(kid=..., jwk=NOBODY.jwk), UNKNOWN),
    "its own keys at jku": (lambda: NOBODY.token(kid="rsa-1", jku="http://127.0.0.1:1/keys"), INVALID),
    "its own keys at x5u": (lambda: NOBODY.token(kid="rsa-1", x5u="http://127.0.0.1:1/keys"), INVALID),
    "its own certificate in x5c": (lambda: NOBODY.token(kid="rsa-1", x5c=[segment(NOBODY.der)]), INVALID),
    "signed well, and jwk, jku, x5u beside": (headed(jwk=NOBODY.jwk, jku="http://127.0.0.1:1", x5u="x"), TAKEN),
    "ES256, a signature of zeros": (resigned(bytes(64)), INVALID),
    "ES256, an empty signature": (resigned(b""), INVALID),
    "ES256, a signature in DER": (lambda: _with_der_signature(), INVALID),
    "ES256, half a signature": (resigned(b"x" * 32), INVALID),
    "RS256, a signature of zeros": (resigned(bytes(256), RSA), INVALID),
    "RS256, another token's signature": (
        lambda: f"{RSA.token(claims(sub='eva')).rpartition('.')[0]}.{RSA.token().rpartition('.')[2]}",
        INVALID,
    ),
    # Type
    "typ at+jwt": (headed(typ="at+jwt"), TAKEN),
    "typ application/AT+JWT": (headed(typ="application/AT+JWT"), TAKEN),
    "no typ": (headed(typ=...), TAKEN),
    "typ of a log-out": (headed(typ="logout+jwt"), INVALID),
    "typ of a number": (headed(typ=1), INVALID),
    # Key
    "unknown kid": (headed(kid="other"), UNKNOWN),
    "kid in another case": (headed(kid="RSA-1"), UNKNOWN),
    "kid of a number": (headed(kid=1), INVALID),
    "kid of a list": (headed(kid=["rsa-1"]), INVALID),
    "kid empty": (headed(kid=""), UNKNOWN),
    "kid of 4,000 characters": (headed(kid="k" * 4000), UNKNOWN),
    "kid that is a path": (headed(kid="../../../../dev/null"), UNKNOWN),
    "kid that is SQL": (headed(kid="' union select 'secret"), UNKNOWN),
    "kid that is an address": (headed(kid="http://127.0.0.1:1/key"), UNKNOWN),
    "no kid, several keys of that algorithm": (headed(kid=...), UNKNOWN),
    "a kid that two keys have": (lambda: TWICE.token(), UNKNOWN),
    "a kid that two keys have, by the other": (lambda: NOBODY.token(kid="twice"), UNKNOWN),
    "a key for encryption": (headed(kid="for encryption"), UNKNOWN),
    "a key to sign with": (headed(kid="to sign with"), UNKNOWN),
    "a key of another algorithm": (headed(kid="of RS512"), UNKNOWN),
    "a key of 1,024 bits": (lambda: WEAK.token(), UNKNOWN),
    "a key on another curve": (headed(kid="other curve", alg="ES256"), UNKNOWN),
    "a key whose private half is published too": (lambda: LEAKED.token(), TAKEN),
    # Time
    "expired": (soon(exp=-3600), "has expired"),
    "no exp": (said(exp=...), "has no exp"),
    "exp null": (said(exp=None), f"exp {NUMBER}"),
    "exp text": (said(exp="9999999999"), f"exp {NUMBER}"),
    "exp with a fraction": (lambda: RSA.token(claims(exp=time.time() + 600.5)), TAKEN),
    "exp negative": (said(exp=-1), f"exp {NUMBER}"),
    "exp 1e308": (written(exp="1e308"), f"exp {NUMBER}"),
    "exp beyond floats": (written(exp="1e999"), f"exp {NUMBER}"),
    "exp NaN": (written(exp="NaN"), f"exp {NUMBER}"),
    "exp true": (said(exp=True), f"exp {NUMBER}"),
    "nbf in the future": (soon(nbf=3600), "not valid yet"),
    "nbf text": (said(nbf="0"), f"nbf {NUMBER}"),
    "nbf negative": (said(nbf=-1), f"nbf {NUMBER}"),
    "nbf 1e308": (written(nbf="1e308"), f"nbf {NUMBER}"),
    "iat in the future": (soon(iat=3600), TAKEN),
    "iat text": (said(iat="now"), f"iat {NUMBER}"),
    "iat negative": (said(iat=-1), f"iat {NUMBER}"),
    "iat 1e308": (written(iat="1e308"), f"iat {NUMBER}"),
    "expired 20 s ago": (soon(exp=-20), TAKEN),
    "expired 40 s ago": (soon(exp=-40), "has expired"),
    "nbf in 20 s": (soon(nbf=20), TAKEN),
    "nbf in 45 s": (soon(nbf=45), "not valid yet"),
    # Identity
    "another aud": (said(aud="https://other.example.com"), ELSEWHERE),
    "aud with a slash more": (said(aud=f"{AUDIENCE}/"), ELSEWHERE),
    "no aud": (said(aud=...), ELSEWHERE),
    "aud null": (said(aud=None), ELSEWHERE),
    "aud in a list with others": (said(aud=["https://other.example.com", AUDIENCE]), TAKEN),
    "aud in a list of others": (said(aud=["https://other.example.com"]), ELSEWHERE),
    "aud in a list with a number": (said(aud=[AUDIENCE, 1]), ELSEWHERE),
    "aud of an empty list": (said(aud=[]), ELSEWHERE),
    "aud of an object": (said(aud={AUDIENCE: 1}), ELSEWHERE),
    "aud of a number": (said(aud=1), ELSEWHERE),
    "another iss": (said(iss="https://evil.example.com/"), STRANGER),
    "iss without its slash": (said(iss=ISSUER.rstrip("/")), STRANGER),
    "no iss": (said(iss=...), STRANGER),
    "iss of a list": (said(iss=[ISSUER]), STRANGER),
    "iss twice, the last another": (written(iss='"https://evil.example.com/"'), STRANGER),
    "an id_token: it is meant for the client": (said(aud="client-1", nonce="n", at_hash="h"), ELSEWHERE),
    "sub empty": (said(sub=""), f"sub {TEXT}"),
    "sub of a number": (said(sub=7), f"sub {TEXT}"),
    "no sub, no user_id": (said(sub=...), "has no user_id or sub"),
    "no tenant": (said(tenant_id=...), "has no tenant_id"),
    "tenant null": (said(tenant_id=None), "has no tenant_id"),
    "tenant empty": (said(tenant_id=""), f"tenant_id {TEXT}"),
    "tenant blank": (said(tenant_id=" \t"), f"tenant_id {TEXT}"),
    "tenant in a list": (said(tenant_id=["demo"]), f"tenant_id {TEXT}"),
    "tenant of a number": (said(tenant_id=1), f"tenant_id {TEXT}"),
    "tenant that is no UUID: a tenant is any text": (said(tenant_id="user-1d98bbd3"), TAKEN),
    "tenant of an upper-case UUID: another one than in lower case": (said(tenant_id=TENANT.upper()), TAKEN),
    "tenant that is gone: it sees nothing": (said(tenant_id="deleted"), TAKEN),
    "permissions null": (said(permissions=None), "permissions must be a list of text"),
    "permissions of text": (said(permissions="*"), "permissions must be a list of text"),
    "permissions of numbers": (said(permissions=[1]), "permissions must be a list of text"),
    "permissions that nobody knows: they grant nothing": (said(permissions=["root"]), TAKEN),
    "roles instead: they grant nothing": (said(permissions=..., roles=["admin"]), TAKEN),
    "scope of a list": (said(permissions=..., scope=["*"]), "scope must be a text of words"),
    "scp, where scope is meant: it grants nothing": (said(permissions=..., scp="*"), TAKEN),
    "no jti": (said(jti=...), TAKEN),
    "a revoked jti: nobody is asked, a token lives until its exp": (said(jti="revoked"), TAKEN),
}


def _with_der_signature() -> str:
    content = EC.token().rpartition(".")[0]
    return f"{content}.{segment(EC.der_signature(content))}"


@pytest.mark.parametrize(("token", "sentence"), DECISIONS.values(), ids=DECISIONS)
async def test_each_token_is_decided_on(client: Client, token: Callable[[], str], sentence: str | None) -> None:
    answer = await present(client, f"Bearer {token()}")

    if sentence is TAKEN:
        assert answer.status == 200, answer.body
    else:
        assert sentence in refused(answer)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({"permissions": ["*"]}, True),
        ({"permissions": ["members.view"]}, True),
        ({"permissions": ..., "scope": "openid members.view"}, True),
        ({"permissions": ["root", "admin", "members", "members.", "*.*", "members.view "]}, False),
        ({"permissions": ..., "roles": ["*"]}, False),
        ({"permissions": ..., "scp": "*"}, False),
        ({"permissions": ...}, False),
    ],
)
async def test_what_a_token_grants(client: Client, changes: dict[str, Any], may: bool) -> None:
    answer = await present(client, f"Bearer {RSA.token(claims(**changes))}")

    assert ("list_agents" in [tool["name"] for tool in answer.json["tools"]]) == may


@pytest.mark.parametrize("tenant", [TENANT, TENANT.upper(), "DEMO", "demo ", "deleted"])
async def test_a_tenant_is_the_text_that_the_token_says_and_no_other(client: Client, tenant: str) -> None:
    headers = {"Authorization": f"Bearer {RSA.token(claims(tenant_id=tenant))}"}

    answer = await client.execute("find_contacts", permissions=None, headers=headers)

    assert answer.json["result"]["contacts"] == []


async def test_the_shared_secret_of_sessions_signs_no_token(client: Client) -> None:
    assert INVALID in refused(await present(client, f"Bearer {keyed(SECRET.encode())()}"))


async def test_all_these_tokens_made_the_server_ask_its_issuer_only_a_few_times(
    client: Client, publisher: Publisher
) -> None:
    before, begun = publisher.asked, time.monotonic()
    for n in range(50):
        await present(client, f"Bearer {RSA.token(kid=f'made up {n}')}")

    # Once in ten seconds, and once in five minutes unasked.
    assert publisher.asked - before <= 2 + (time.monotonic() - begun) // 10
