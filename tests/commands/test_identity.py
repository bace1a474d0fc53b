"""What `serve` refuses to start with: whoever may issue tokens must be told, strongly and without contradiction."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rpc_server.backends.tokens import Tokens
from rpc_server.secret_files import secret_names
from rpc_server.settings import ROOT, Settings
from tests.commands.program import Said, command
from tests.conftest import SECRET
from tests.wire.issuer import ec_signer, rsa_signer
from tests.wire.test_tokens import CLAIMS, signed

RSA, EC = rsa_signer(), ec_signer()
# No address of PostgreSQL, which is found after all that is refused here; so nothing ever starts.
DATABASE = "mysql://crm_mcp:hunter2hunter2@127.0.0.1/crm"
URL = "https://id.example.com/keys"
REMOTE = {
    "JWT_ISSUER": "https://id.example.com/",
    "JWT_AUDIENCE": "https://crm.example.com/mcp",
    "JWT_JWKS_URL": URL,
    "PUBLIC_URL": "https://crm.example.com",
    "SESSION_SECRET": SECRET,
}
LISTED = {"issuer": "https://id.example.com/", "audience": "crm", "jwks_url": URL}


def serve(**environment: str) -> Said:
    return command("serve", PORT="0", **{"DATABASE_URL": DATABASE, **environment})


def listing(*issuers: dict[str, Any], **environment: str) -> dict[str, str]:
    rest = {"SESSION_SECRET": SECRET, "PUBLIC_URL": "https://crm.example.com"}
    return {"JWT_ISSUERS": json.dumps(issuers), **rest, **environment}


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "nobody": ({}, "Set JWT_SECRET, or use 'serve --dev'"),
    "a short secret": (
        {"JWT_SECRET": "short"},
        "JWT_SECRET must have at least 32 bytes; it has 5. A good one: openssl",
    ),
    "a repeated secret": ({"JWT_SECRET": "secret" * 10}, "JWT_SECRET must be random"),
    "a public key as secret": ({"JWT_SECRET": RSA.pem.decode()}, "JWT_SECRET must be a random text, not a key in PEM"),
    "a public key as secret, in base64": (
        {"JWT_SECRET": base64.b64encode(RSA.der).decode()},
        "JWT_SECRET must be a random text, not a key in PEM, DER",
    ),
    "a secret for RS256": (
        {"JWT_SECRET": SECRET, "JWT_ALGORITHMS": "RS256"},
        "JWT_ALGORITHMS: RS256 does not go with the key, which is for HS256.",
    ),
    "an algorithm that is none": (
        {"JWT_SECRET": SECRET, "JWT_ALGORITHMS": "HS256,none"},
        "JWT_ALGORITHMS: none is not one of HS256, RS256, ES256.",
    ),
    "an algorithm in lower case": ({"JWT_SECRET": SECRET, "JWT_ALGORITHMS": "hs256"}, "hs256 is not one of HS256"),
    "an algorithm that is not taken": ({**REMOTE, "JWT_ALGORITHMS": "PS256"}, "PS256 is not one of HS256"),
    "public keys for HS256": (
        {**REMOTE, "JWT_ALGORITHMS": "RS256,HS256"},
        "JWT_ALGORITHMS: HS256 does not go with the key, which is for RS256 or ES256.",
    ),
    "two sources": (
        {**REMOTE, "JWT_SECRET": SECRET},
        "Set only one of JWT_SECRET, JWT_JWKS_URL: an issuer has one source of keys",
    ),
    "keys without an issuer": ({**REMOTE, "JWT_ISSUER": ""}, "JWT_JWKS_URL needs JWT_ISSUER: without"),
    "keys without an audience": ({**REMOTE, "JWT_AUDIENCE": " , "}, "JWT_JWKS_URL needs JWT_AUDIENCE: without"),
    "keys over plain HTTP": ({**REMOTE, "JWT_JWKS_URL": "http://id.example.com/keys"}, "must begin with https://"),
    "keys from a file": ({**REMOTE, "JWT_JWKS_URL": "file:///etc/keys"}, "JWT_JWKS_URL must begin with https://"),
    "keys from nowhere": ({**REMOTE, "JWT_JWKS_URL": "https:///keys"}, "JWT_JWKS_URL must be an address such as"),
    "keys from half an address": ({**REMOTE, "JWT_JWKS_URL": "https://[::1/keys"}, "JWT_JWKS_URL must be an address"),
    "keys behind a login": (
        {**REMOTE, "JWT_JWKS_URL": "https://ana:hunter2hunter2@id.example.com/keys"},
        "JWT_JWKS_URL must be an address such as https://id.example.com/jwks.json, without a login.",
    ),
    "keys, but no address of one's own": ({**REMOTE, "PUBLIC_URL": ""}, "Set PUBLIC_URL to the address that clients"),
    "keys, but nothing to seal sessions with": (
        {**REMOTE, "SESSION_SECRET": ""},
        "Set SESSION_SECRET to a random text",
    ),
    "an address that is none": (
        {"JWT_SECRET": SECRET, "PUBLIC_URL": "crm.example.com"},
        "PUBLIC_URL: must be an address",
    ),
    "an address with a query": ({"JWT_SECRET": SECRET, "PUBLIC_URL": "https://x.example/?a"}, "PUBLIC_URL: must be an"),
    "proxies that are none": ({"JWT_SECRET": SECRET, "TRUSTED_PROXIES": "10.0.0.0/8, nginx"}, "TRUSTED_PROXIES.1: "),
    "issuers that are no JSON": ({"JWT_ISSUERS": "[{'issuer'}]"}, "JWT_ISSUERS: must be JSON: a list of objects"),
    "issuers that are no list": ({"JWT_ISSUERS": '{"issuer":"a"}'}, "JWT_ISSUERS: Input should be a valid tuple."),
    "a secret among them": (
        listing({"issuer": "a", "secret": SECRET}),
        "JWT_ISSUERS.0.SECRET: Extra inputs are not permitted.",
    ),
    "two of one name": (listing(LISTED, LISTED), "Two issuers in JWT_ISSUERS have the same issuer"),
    "one without a name": (
        listing({"audience": "crm", "jwks_url": URL}),
        "Every object in JWT_ISSUERS needs an issuer",
    ),
    "one without keys": (listing({"issuer": "a"}), "Set one of secret_file of a in JWT_ISSUERS, public_key_file of a"),
    "one without an audience": (
        listing({"issuer": "a", "jwks_url": URL}),
        "jwks_url of a in JWT_ISSUERS needs audience of a in JWT_ISSUERS",
    ),
    "one over plain HTTP": (
        listing(LISTED | {"jwks_url": "http://id.example.com"}),
        "jwks_url of https://id.example.com/ in JWT_ISSUERS must begin with https://",
    ),
    "several, and one more beside": (
        listing(LISTED, JWT_SECRET=SECRET, JWT_TENANT_CLAIM="tenant"),
        "Unset JWT_SECRET and JWT_TENANT_CLAIM: JWT_ISSUERS says all",
    ),
}


@pytest.mark.parametrize(("environment", "sentence"), REFUSED.values(), ids=REFUSED)
def test_it_does_not_start(environment: dict[str, str], sentence: str) -> None:
    said = serve(**environment).refused(sentence)

    assert not [secret for secret in (SECRET, "hunter2", "MII") if secret in said]
    assert len(said.splitlines()) == 1


def test_what_is_whole_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "pem").write_bytes(EC.pem)
    whole = [
        {"JWT_SECRET": SECRET, "JWT_ISSUER": "a", "JWT_AUDIENCE": "b,c", "TRUSTED_PROXIES": "10.0.0.0/8, ::1"},
        REMOTE,
        {**REMOTE, "JWT_ALGORITHMS": "ES256", "JWT_JWKS_URL": "http://localhost:8080/keys"},
        {"JWT_PUBLIC_KEY_FILE": str(tmp_path / "pem"), "JWT_ALGORITHMS": "ES256", "SESSION_SECRET": SECRET},
        listing(LISTED, {"issuer": "b", "public_key_file": str(tmp_path / "pem"), "tenants": ["t"]}),
    ]
    for environment in whole:
        serve(**environment).refused("DATABASE_URL must be like postgresql://")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "key"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (RSA.private_pem, "JWT_PUBLIC_KEY_FILE holds a private key; the server needs the public one only."),
        (rsa_signer("weak", 1024).pem, "JWT_PUBLIC_KEY_FILE must hold an RSA key of 2048 to 8192 bits"),
        (SECRET.encode(), "JWT_PUBLIC_KEY_FILE does not hold a public key or a certificate in PEM format."),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_it_does_not_start_with_such_a_key_file(file: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        file.write_bytes(content)

    said = serve(JWT_PUBLIC_KEY_FILE=str(file), SESSION_SECRET=SECRET).refused(sentence)

    assert "MII" not in said


def test_an_algorithm_must_go_with_the_key_of_the_file(file: Path) -> None:
    file.write_bytes(RSA.pem)
    environment = {"JWT_PUBLIC_KEY_FILE": str(file), "SESSION_SECRET": SECRET}
    for algorithm in ("HS256", "ES256"):
        sentence = f"JWT_ALGORITHMS: {algorithm} does not go with the key, which is for RS256."
        serve(**environment, JWT_ALGORITHMS=algorithm).refused(sentence)


def test_two_issuers_must_not_share_a_secret(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(SECRET)
    issuers = [{"issuer": name, "secret_file": str(tmp_path / name)} for name in ("one", "two")]
    serve(**listing(*issuers)).refused("Two issuers in JWT_ISSUERS have the same secret")


# --- secrets in files ---------------------------------------------------------------------------


def test_every_secret_can_be_in_a_file_and_the_page_names_them_all() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

    names = secret_names(Settings.model_fields)

    assert {"database_url", "database_owner_url", "jwt_secret", "session_secret"} <= set(names)
    assert [name for name in names if f"`{name.upper()}_FILE`" not in page] == []
    assert [
        name for name in Settings.model_fields if ("secret" in name or "password" in name) and name not in names
    ] == []


def test_a_secret_in_a_file_is_a_secret(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f"{SECRET}\r\n")
    for name in secret_names(Settings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(f"{name.upper()}_FILE", str(file))

    settings = Settings()

    for name in secret_names(Settings.model_fields):
        assert getattr(settings, name) == SecretStr(SECRET)
    assert SECRET not in repr(settings)


def test_what_is_given_in_code_goes_before_a_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SECRET)
    monkeypatch.setenv("SESSION_SECRET_FILE", str(file))

    assert Settings(session_secret=SecretStr("x" * 40)).session_secret == SecretStr("x" * 40)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"", "must hold 1 to 65536 bytes; it holds 0."),
        (b"\n", "must hold 1 to 65536 bytes; it holds 1."),
        (b"x" * 70_000, "must hold 1 to 65536 bytes"),
        (b"\xff\xfe" * 32, "does not hold text; write the secret as text."),
    ],
)
def test_a_file_without_a_secret_is_refused(file: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        file.write_bytes(content)

    serve(JWT_SECRET_FILE=str(file)).refused("JWT_SECRET_FILE: ", sentence)


def test_a_secret_is_set_once(file: Path) -> None:
    file.write_text(SECRET)

    said = serve(JWT_SECRET=SECRET, JWT_SECRET_FILE=str(file))

    said.refused("JWT_SECRET and JWT_SECRET_FILE are both set: unset one of them.")


def test_a_weak_secret_in_a_file_is_refused_too(file: Path) -> None:
    file.write_text("short\n")

    serve(JWT_SECRET_FILE=str(file)).refused("JWT_SECRET must have at least 32 bytes; it has 5.")


# --- tokens for development ---------------------------------------------------------------------


def test_a_development_token_says_what_the_server_asks_for(file: Path) -> None:
    file.write_text(SECRET)
    asked = {"JWT_ISSUER": "dev", "JWT_AUDIENCE": "crm, other", "JWT_TENANT_CLAIM": "/app/tenant"}
    made = command("token", "--tenant", "aurora", JWT_SECRET_FILE=str(file), **asked).out.strip()

    payload = made.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(f"{payload}=="))
    assert (claims["iss"], claims["aud"], claims["app"]) == ("dev", "crm", {"tenant": "aurora"})


@pytest.mark.parametrize("arguments", [("token", "--tenant", "aurora"), ("serve", "--dev")])
def test_where_somebody_else_issues_tokens_none_is_made(arguments: tuple[str, ...], tmp_path: Path) -> None:
    said = command(*arguments, PORT="0", DATA_DIR=str(tmp_path), **REMOTE)

    said.refused("JWT_JWKS_URL is set, so tokens come from whoever it names.")
    assert not list(tmp_path.iterdir())


def test_tokens_made_here_are_like_those_made_by_hand() -> None:
    tokens = Tokens(SECRET)

    made = tokens.verify(tokens.sign("demo", "ana", ["*"], timedelta(minutes=1)))

    assert made == tokens.verify(signed(CLAIMS))
