"""Who is let in: tokens made here from scratch, so that no library decides what one looks like."""

import base64
import hmac
import json
import time
from typing import Any

import pytest

from tests.conftest import SECRET
from tests.wire.bearer import present, refused
from tests.wire.client import Client

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOW = int(time.time())
CLAIMS: dict[str, Any] = {"tenant_id": "demo", "user_id": "ana", "permissions": ["*"], "exp": NOW + 86_400}
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}


def segment(content: Any) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims: Any, header: Any = HEADER, *, secret: str = SECRET, digest: str = "sha256") -> str:
    """Return a token; bytes stand for JSON as it is."""
    return sealed(f"{segment(header)}.{segment(claims)}", secret, digest)


def sealed(content: str, secret: str = SECRET, digest: str = "sha256") -> str:
    """Return any text with a signature that fits it."""
    return f"{content}.{segment(hmac.new(secret.encode(), content.encode(), digest).digest())}"


def token(**changes: Any) -> str:
    """Return a good token with some claims changed; `...` leaves a claim out."""
    claims = CLAIMS | changes
    return signed({name: value for name, value in claims.items() if value is not ...})


def raw(**changes: str) -> str:
    """Return a token with claims whose JSON is given as it stands."""
    claims = {name: json.dumps(value) for name, value in CLAIMS.items()} | changes
    members = ",".join(f'"{name}":{value}' for name, value in claims.items())
    return signed(f"{{{members}}}".encode())


def headed(**members: Any) -> str:
    return signed(CLAIMS, HEADER | members)


def unsigned(alg: str, signature: str = "") -> str:
    return f"{segment({'alg': alg, 'typ': 'JWT'})}.{segment(CLAIMS)}.{signature}"


INVALID = "The token is not a valid JWT of this server."
ONE = "The Authorization header must be one 'Bearer <token>'."

# --- the header ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_a_good_token_is_taken_whatever_the_case_of_its_scheme(client: Client, scheme: str) -> None:
    assert (await present(client, f"{scheme} {token()}")).json["count"] > 0


async def test_without_a_token_the_challenge_names_no_error(client: Client) -> None:
    answer = await present(client)

    assert "send 'Authorization: Bearer <token>'" in refused(answer)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="crm-mcp"'


@pytest.mark.parametrize(
    "authorization",
    [
        ("",),
        ("Bearer",),
        ("Bearer  ",),
        ("Basic YW5hOnNlZ3JlZG8=",),
        (f"Token {token()}",),
        (token(),),
        (f"Bearer:{token()}",),
        (f"Bearer {token()}", f"Bearer {token()}"),
        (f"Bearer {token()}", "Basic YW5hOnNlZ3JlZG8="),
    ],
)
async def test_any_other_header_is_refused(client: Client, authorization: tuple[str, ...]) -> None:
    answer = await present(client, *authorization)

    assert refused(answer) == ONE
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "jwt"])
async def test_a_token_in_the_address_is_no_token(client: Client, name: str) -> None:
    assert "send 'Authorization: " in refused(await present(client, path=f"/v1/tools/list?{name}={token()}"))


async def test_a_token_that_is_too_long_even_for_a_header_is_told_so(client: Client) -> None:
    answer = await present(client, f"Bearer {token(note='x' * 9000)}")

    assert (answer.status, answer.error["code"]) == (431, "header_too_large")


# --- refused ------------------------------------------------------------------------------------

A_NUMBER = "must be a number of seconds since 1970"
AN_ID = "must be a printable text of 1 to 512 characters"

REFUSED: dict[str, tuple[str, str]] = {
    "one part": ("abc", INVALID),
    "two parts": (token().rpartition(".")[0], INVALID),
    "four parts": (f"{token()}.abc", INVALID),
    "four parts, signed": (sealed(f"{segment(HEADER)}.{segment(CLAIMS)}.e30"), INVALID),
    "five parts": (f"{token()}.abc.def", INVALID),
    "empty parts": ("..", INVALID),
    "an empty signature": (token().rpartition(".")[0] + ".", INVALID),
    "no base64": ("a$b.c%d.e&f", INVALID),
    "more than base64": (f"{token()}!!", INVALID),
    "padding": (f"{token()}==", INVALID),
    "a header that is no JSON": (signed(CLAIMS, b"hello"), INVALID),
    "a header that is no object": (signed(CLAIMS, [1]), INVALID),
    "a header that is not UTF-8": (signed(CLAIMS, b"\xff\xfe"), INVALID),
    "claims that are no JSON": (signed(b"hello"), INVALID),
    "claims that are no object": (signed(["tenant_id"]), INVALID),
    "claims that are not UTF-8": (signed(b"\xff\xfe"), INVALID),
    "a header that nests deep": (f"{segment(b'[' * 2500 + b']' * 2500)}.e30.e30", INVALID),
    "claims that nest deep": (signed(b'{"a":%s%s}' % (b"[" * 2500, b"]" * 2500)), INVALID),
    "a number of 5,000 digits": (raw(exp="9" * 5000), INVALID),
    "too long": (token(note="x" * 5900), "The token is longer than 8000 characters."),
    "alg none": (unsigned("none"), INVALID),
    "alg None, with a signature": (unsigned("None", "e30"), INVALID),
    "alg nOnE, with a signature": (unsigned("nOnE", "e30"), INVALID),
    "alg NONE, signed": (signed(CLAIMS, {"alg": "NONE"}), INVALID),
    "no alg": (signed(CLAIMS, {"typ": "JWT"}), INVALID),
    "alg empty": (headed(alg=""), INVALID),
    "alg hs256": (headed(alg="hs256"), INVALID),
    "alg of a list": (headed(alg=["HS256"]), INVALID),
    "alg of an object": (headed(alg={"HS256": 1}), INVALID),
    "alg HS512": (signed(CLAIMS, {"alg": "HS512"}, digest="sha512"), INVALID),
    "alg RS256 with the secret as its key": (headed(alg="RS256"), INVALID),
    "alg ES256 with the secret as its key": (headed(alg="ES256"), INVALID),
    "HS512 called HS256": (signed(CLAIMS, digest="sha512"), INVALID),
    "another secret": (signed(CLAIMS, secret="another secret, of more than 32 bytes too"), INVALID),
    "an empty secret": (signed(CLAIMS, secret=""), INVALID),
    "other claims under an old signature": (
        ".".join([token().split(".")[0], segment(CLAIMS | {"tenant_id": "other"}), token().split(".")[2]]),
        INVALID,
    ),
    "its own key in it": (
        signed(CLAIMS, HEADER | {"jwk": {"kty": "oct", "k": segment(b"mine" * 8)}}, secret="mine" * 8),
        INVALID,
    ),
    "something critical": (headed(crit=["exp"], exp=1), INVALID),
    "nothing critical": (headed(crit=[]), INVALID),
    "expired": (token(exp=NOW - 3600), "The token has expired."),
    "exp 0": (token(exp=0), "The token has expired."),
    "no exp": (token(exp=...), "The token has no exp: it must say when it expires."),
    "exp of text": (token(exp=str(NOW + 86_400)), f"exp {A_NUMBER}"),
    "exp of null": (token(exp=None), f"exp {A_NUMBER}"),
    "exp of a boolean": (token(exp=True), f"exp {A_NUMBER}"),
    "exp of a list": (token(exp=[NOW + 86_400]), f"exp {A_NUMBER}"),
    "exp negative": (token(exp=-1), f"exp {A_NUMBER}"),
    "exp beyond all calendars": (raw(exp="1e308"), f"exp {A_NUMBER}"),
    "exp beyond floats": (raw(exp="1e400"), f"exp {A_NUMBER}"),
    "exp of 400 digits": (raw(exp="9" * 400), f"exp {A_NUMBER}"),
    "exp that is no number": (raw(exp="NaN"), f"exp {A_NUMBER}"),
    "exp infinite": (raw(exp="Infinity"), f"exp {A_NUMBER}"),
    "not valid yet": (token(nbf=NOW + 86_400), "The token is not valid yet (nbf)."),
    "nbf of text": (token(nbf="0"), f"nbf {A_NUMBER}"),
    "nbf of null": (token(nbf=None), f"nbf {A_NUMBER}"),
    "iat of text": (token(iat="now"), f"iat {A_NUMBER}"),
    "no tenant": (token(tenant_id=...), "The token has no tenant_id."),
    "a tenant of null": (token(tenant_id=None), "The token has no tenant_id."),
    "an empty tenant": (token(tenant_id=""), f"tenant_id {AN_ID}"),
    "a blank tenant": (token(tenant_id="  "), f"tenant_id {AN_ID}"),
    "a list of tenants": (token(tenant_id=["demo"]), f"tenant_id {AN_ID}"),
    "a number for a tenant": (token(tenant_id=1), f"tenant_id {AN_ID}"),
    "a boolean for a tenant": (token(tenant_id=True), f"tenant_id {AN_ID}"),
    "a NUL in the tenant": (token(tenant_id="de\0mo"), f"tenant_id {AN_ID}"),
    "a line break in the tenant": (token(tenant_id="demo\n"), f"tenant_id {AN_ID}"),
    "half a character in the tenant": (token(tenant_id="\ud800"), f"tenant_id {AN_ID}"),
    "an invisible character in the tenant": (token(tenant_id="demo\u200b"), f"tenant_id {AN_ID}"),
    "a tenant of 600 characters": (token(tenant_id="t" * 600), f"tenant_id {AN_ID}"),
    "no user": (token(user_id=...), "The token has no user_id or sub."),
    "an empty user beside a sub": (token(user_id="", sub="ana"), f"user_id {AN_ID}"),
    "a number for a user": (token(user_id=7), f"user_id {AN_ID}"),
    "a number for a sub": (token(user_id=..., sub=7), f"sub {AN_ID}"),
    "permissions of null": (token(permissions=None), "permissions must be a list of text"),
    "permissions of text": (token(permissions="*"), "permissions must be a list of text"),
    "nested permissions": (token(permissions=[["*"]]), "permissions must be a list of text"),
    "permissions of numbers": (token(permissions=["*", 1]), "permissions must be a list of text"),
    "a list for a scope": (token(permissions=..., scope=["*"]), "scope must be a text of words"),
}


@pytest.mark.parametrize(("presented", "sentence"), REFUSED.values(), ids=REFUSED)
async def test_a_bad_token_is_refused_with_a_sentence(client: Client, presented: str, sentence: str) -> None:
    answer = await present(client, f"Bearer {presented}")

    assert sentence in refused(answer)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/rpc", "/v1/tools/execute", "/no/such"])
async def test_every_protected_address_refuses_in_the_same_way(client: Client, path: str) -> None:
    headers = {"Authorization": f"Bearer {token(exp=NOW - 3600)}"}
    answer = await client.send("POST", path, b"not even JSON", permissions=None, headers=headers)

    assert refused(answer) == "The token has expired."


# --- taken --------------------------------------------------------------------------------------

TAKEN: dict[str, str] = {
    "exp with a fraction": token(exp=NOW + 86_400.5),
    "issued in the future": token(iat=NOW + 3600),
    "sub instead of user_id": token(user_id=..., sub="ana"),
    "null for user_id, and a sub": token(user_id=None, sub="ana"),
    "scope instead of permissions": token(permissions=..., scope="members.view *"),
    "an audience, where none is configured": token(aud=["somebody"]),
    "claims of others": token(iss="x", jti="1", roles=[{"a": 1}], tenant="other"),
    "its own key in it, and signed with ours": headed(jwk={"kty": "oct", "k": segment(b"mine" * 8)}),
    "a place to get keys from": headed(jku="http://127.0.0.1:1/keys", x5u="http://127.0.0.1:1/keys"),
    "a key's name that is a path": headed(kid="../../../../dev/null"),
    "a key's name that is SQL": headed(kid="' union select 'secret"),
    "no typ": signed(CLAIMS, {"alg": "HS256"}),
    "nearly too long": token(note="x" * 5700),
}


@pytest.mark.parametrize("presented", TAKEN.values(), ids=TAKEN)
async def test_a_good_token_is_taken(client: Client, presented: str) -> None:
    assert (await present(client, f"Bearer {presented}")).json["count"] > 0


@pytest.mark.parametrize(
    ("claim", "seconds", "status"), [("exp", -20, 200), ("exp", -35, 401), ("nbf", 20, 200), ("nbf", 40, 401)]
)
async def test_clocks_may_differ_by_thirty_seconds(client: Client, claim: str, seconds: int, status: int) -> None:
    presented = token(**{claim: int(time.time()) + seconds})

    assert (await present(client, f"Bearer {presented}")).status == status


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({"permissions": []}, False),
        ({"permissions": ..., "scope": ""}, False),
        ({"permissions": ...}, False),
        ({"permissions": [], "scope": "*"}, False),
        ({"permissions": ["members.view"]}, True),
        ({"permissions": ..., "scope": "openid members.*"}, True),
    ],
)
async def test_what_a_token_grants_is_in_its_permissions_else_in_its_scope(
    client: Client, changes: dict[str, Any], may: bool
) -> None:
    tools = (await present(client, f"Bearer {token(**changes)}")).json["tools"]

    assert [tool["name"] for tool in tools] == (["list_agents"] if may else [])


@pytest.mark.parametrize(
    "tenant",
    [
        "t" * 300,
        "t" * 512,
        "a b",
        "'; drop table contacts; --",
        r"\' or 1=1 --",
        "$1",
        "%s",
        "ação",
        "\N{GRINNING FACE}",
    ],
)
async def test_a_tenant_of_any_name_sees_its_own_and_that_is_nothing(client: Client, tenant: str) -> None:
    headers = {"Authorization": f"Bearer {token(tenant_id=tenant)}"}

    answer = await client.execute("find_contacts", permissions=None, headers=headers)

    assert answer.json["result"]["contacts"] == []


async def test_of_a_claim_given_twice_the_last_counts(client: Client) -> None:
    claims = json.dumps(CLAIMS | {"tenant_id": "nobody"}).encode()[:-1] + b',"tenant_id":"demo"}'

    answer = await client.execute(
        "find_contacts", permissions=None, headers={"Authorization": f"Bearer {signed(claims)}"}
    )

    assert answer.json["result"]["contacts"]


@pytest.mark.parametrize("place", ["argument", "header", "query", "param"])
async def test_the_tenant_comes_from_the_token_and_from_nowhere_else(client: Client, place: str) -> None:
    nobody = Client(client.server, tenant="nobody")
    match place:
        case "argument":
            answer = await nobody.execute("find_contacts", {"tenant_id": "demo"})
            assert answer.fields == {"tenant_id": "is not an argument of this tool"}
        case "header":
            answer = await nobody.execute("find_contacts", headers={"X-Tenant-Id": "demo", "Tenant": "demo"})
            assert answer.json["result"]["contacts"] == []
        case "query":
            answer = await nobody.send("POST", "/v1/tools/execute?tenant_id=demo", b'{"tool_name":"find_contacts"}')
            assert answer.json["result"]["contacts"] == []
        case _:
            params = {"name": "find_contacts", "_meta": {"tenant_id": "demo"}}
            answer = await nobody.rpc({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            assert answer.result["structuredContent"]["contacts"] == []
