"""A server that trusts issuers: their keys come and go, their servers fail, and clients are told whom to ask."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from handlers import CATALOG
from rpc_server.backends import issuers, jwks
from rpc_server.backends.jwks import Pace, RemoteKeys
from tests.conftest import SECRET
from tests.wire.bearer import present, refused
from tests.wire.client import Answer, Client
from tests.wire.conftest import Serving
from tests.wire.issuer import AUDIENCE, ISSUER, Publisher, claims, ec_signer, publishing, rsa_signer
from tests.wire.test_tokens import signed

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD, NEW = rsa_signer("old"), ec_signer("new")
PUBLIC = "https://crm.example.com"
UNKNOWN = "The token is of a key that its issuer does not have."
SCOPES = sorted({permission for tool in CATALOG.values() for permission in tool.permissions})

Trusting = Callable[..., Any]


@pytest.fixture
def trusting(serving: Serving) -> Trusting:
    """Start a server that trusts the issuer of a publisher; keyword arguments are settings."""

    @asynccontextmanager
    async def start(publisher: Publisher, **changed: Any) -> AsyncIterator[Client]:
        values = {
            "jwt_secret": None,
            "session_secret": SECRET,
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "jwt_jwks_url": publisher.url,
            "public_url": PUBLIC,
            "allowed_hosts": "127.0.0.1",
        }
        async with serving(**values | changed) as client:
            yield client

    return start


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask issuers as often as there is a reason to."""

    class Hasty(RemoteKeys):
        def __init__(self, url: str, issuer: str) -> None:
            super().__init__(url, issuer, pace=Pace(unknown=0.0, answer=2.0))

    monkeypatch.setattr(issuers, "RemoteKeys", Hasty)


async def with_token(client: Client, token: str) -> Answer:
    return await present(client, f"Bearer {token}")


def undecided(answer: Answer) -> None:
    """Check that it was not told whether the token is good."""
    assert (answer.status, answer.error["code"]) == (503, "dependency_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in answer.headers


# --- keys that come and go ----------------------------------------------------------------------


async def test_a_new_key_is_taken_at_once_and_one_that_is_gone_no_more_not_even_from_memory(trusting: Trusting) -> None:
    old, new = OLD.token(), NEW.token()
    async with publishing(OLD) as publisher, trusting(publisher) as client:
        assert (await with_token(client, old)).status == 200
        assert (await with_token(client, old)).status == 200
        publisher.publish(NEW.jwk)

        assert (await with_token(client, new)).status == 200
        assert refused(await with_token(client, old)) == UNKNOWN


async def test_while_both_keys_are_published_both_are_taken(trusting: Trusting) -> None:
    async with publishing(OLD) as publisher, trusting(publisher) as client:
        assert (await with_token(client, OLD.token())).status == 200
        publisher.publish(OLD.jwk, NEW.jwk)

        assert [(await with_token(client, signer.token())).status for signer in (NEW, OLD)] == [200, 200]


async def test_an_only_key_without_an_id_verifies_tokens_without_one(trusting: Trusting) -> None:
    nameless = OLD.named(None)
    async with publishing(nameless) as publisher, trusting(publisher) as client:
        assert (await with_token(client, nameless.token())).status == 200
        assert refused(await with_token(client, OLD.token())) == UNKNOWN


async def test_tokens_with_made_up_keys_make_one_question_of_many(trusting: Trusting) -> None:
    async with publishing(OLD) as publisher, trusting(publisher) as client:
        assert (await with_token(client, OLD.token())).status == 200
        begun = time.monotonic()
        made_up = [OLD.token(kid=f"made up {n}") for n in range(40)]
        answers = await asyncio.gather(*(with_token(client, token) for token in made_up))

        assert {refused(answer) for answer in answers} == {UNKNOWN}
        assert publisher.asked <= 3 + (time.monotonic() - begun) // 10
        assert (await with_token(client, OLD.token())).status == 200


# --- issuers that fail --------------------------------------------------------------------------

FAULTS: dict[str, Callable[[Publisher], None]] = {
    "500": lambda publisher: publisher.say(b"{}", 500),
    "404": lambda publisher: publisher.say(b"{}", 404),
    "no JSON": lambda publisher: publisher.say(b"<html>"),
    "no UTF-8": lambda publisher: publisher.say(b"\xff\xfe"),
    "nothing": lambda publisher: publisher.say(b""),
    "no object": lambda publisher: publisher.say(b"[]"),
    "no list": lambda publisher: publisher.say(b'{"keys":{"kid":"new"}}'),
    "nested deep": lambda publisher: publisher.say(b'{"keys":' + b"[" * 100_000),
    "no keys": lambda publisher: publisher.publish(),
    "no usable keys": lambda publisher: publisher.publish({"kty": "oct", "kid": "new", "k": "c2VjcmV0"}),
    "101 keys": lambda publisher: publisher.publish(*[NEW.named(f"{n}").jwk for n in range(100)], NEW.jwk),
    "300 KiB": lambda publisher: publisher.publish(NEW.jwk | {"note": "x" * 300 * 1024}),
    "5 MiB": lambda publisher: publisher.publish(NEW.jwk | {"note": "x" * 5 * 1024 * 1024}),
    "a redirect": lambda publisher: publisher.redirect(OLD.jwk, NEW.jwk),
    "half an answer": lambda publisher: publisher.do(_broken_off),
}


async def _broken_off() -> web.Response:
    return web.Response(body=b'{"keys":[', headers={"Content-Encoding": "gzip"}, content_type="application/json")


@pytest.mark.parametrize("fail", FAULTS.values(), ids=FAULTS)
async def test_an_issuer_that_fails_is_a_503_for_new_keys_and_nothing_for_known_ones(
    trusting: Trusting, hasty: None, fail: Callable[[Publisher], None]
) -> None:
    async with publishing(OLD) as publisher, trusting(publisher) as client:
        assert (await with_token(client, OLD.token())).status == 200
        fail(publisher)

        undecided(await with_token(client, NEW.token()))
        assert (await with_token(client, OLD.token(claims(sub="eva")))).status == 200

        publisher.publish(OLD.jwk, NEW.jwk)
        assert (await with_token(client, NEW.token())).status == 200


async def test_a_server_starts_without_its_issuer_and_heals_when_it_comes(trusting: Trusting, hasty: None) -> None:
    async with publishing() as publisher:
        publisher.say(b"", 503)
        async with trusting(publisher) as client:
            assert (await client.get("/health", permissions=None)).status == 200
            undecided(await with_token(client, OLD.token()))

            publisher.publish(OLD.jwk)
            assert (await with_token(client, OLD.token())).status == 200


async def test_an_issuer_out_of_reach_is_a_503(trusting: Trusting, hasty: None) -> None:
    async with publishing(OLD) as publisher:
        pass
    async with trusting(publisher) as client:
        undecided(await with_token(client, OLD.token()))


async def test_a_slow_issuer_keeps_nobody_waiting_whose_key_is_known(trusting: Trusting) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> web.Response:
        asked.set()
        await go_on.wait()
        return web.json_response({"keys": [OLD.jwk, NEW.jwk]})

    async with publishing(OLD) as publisher, trusting(publisher) as client:
        assert (await with_token(client, OLD.token())).status == 200
        publisher.do(slowly)
        waiting = [asyncio.create_task(with_token(client, NEW.token())) for _ in range(3)]
        await asked.wait()

        assert (await with_token(client, OLD.token(claims(sub="eva")))).status == 200
        assert not any(task.done() for task in waiting)
        go_on.set()
        assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
        assert publisher.asked == 2


async def test_an_issuer_that_never_answers_is_given_up(trusting: Trusting, monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(RemoteKeys):
        def __init__(self, url: str, issuer: str) -> None:
            super().__init__(url, issuer, pace=Pace(answer=0.05))

    async def never() -> web.Response:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    monkeypatch.setattr(issuers, "RemoteKeys", Impatient)
    async with publishing() as publisher:
        publisher.do(never)
        async with trusting(publisher) as client:
            undecided(await with_token(client, OLD.token()))


# --- the pace, by a clock of our own ------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def asked_of(keys: RemoteKeys, publisher: Publisher) -> int:
    """Ask for a key that nobody has; return how often the issuer has been asked in all."""
    assert keys.find("RS256", "made up") is None
    await keys.renewed()
    return publisher.asked


async def test_in_a_minute_of_made_up_keys_an_issuer_is_asked_six_times() -> None:
    clock = Clock()
    async with publishing(OLD) as publisher, RemoteKeys(publisher.url, ISSUER, clock=clock) as keys:
        first = await asked_of(keys, publisher)
        for _ in range(240):
            clock.now += 0.25
            last = await asked_of(keys, publisher)

    assert last - first == 6


async def test_an_issuer_that_is_down_is_not_asked_more_often() -> None:
    clock = Clock()
    async with publishing() as publisher, RemoteKeys(publisher.url, ISSUER, clock=clock) as keys:
        publisher.say(b"", 500)
        for _ in range(240):
            clock.now += 0.25
            with pytest.raises(jwks.KeysUnavailable):
                await keys.renewed()

    assert publisher.asked <= 8


async def test_known_keys_outlive_their_issuer_by_a_day() -> None:
    clock = Clock()
    async with publishing(OLD) as publisher, RemoteKeys(publisher.url, ISSUER, clock=clock) as keys:
        assert await keys.renewed()
        version = keys.version
        publisher.say(b"", 500)
        clock.now += 86_400
        assert keys.find("RS256", "old")
        assert keys.version == version
        clock.now += 1
        assert keys.find("RS256", "old") is None
        assert keys.version != version
        with pytest.raises(jwks.KeysUnavailable):
            await keys.renewed()


async def test_keys_are_fetched_again_without_anybody_asking() -> None:
    pace = Pace(refresh=0.01)
    async with publishing(OLD) as publisher, RemoteKeys(publisher.url, ISSUER, pace=pace) as keys:
        publisher.publish(NEW.jwk)
        async with asyncio.timeout(10):
            while keys.find("ES256", "new") is None:  # noqa: ASYNC110 - the other side of a socket sets no event
                await asyncio.sleep(0.01)

        assert keys.find("RS256", "old") is None


async def test_the_same_keys_again_are_no_change() -> None:
    clock = Clock()
    async with publishing(OLD, NEW) as publisher, RemoteKeys(publisher.url, ISSUER, clock=clock) as keys:
        assert await keys.renewed()
        version = keys.version
        publisher.publish(NEW.jwk, OLD.jwk)
        clock.now += 60
        assert await keys.renewed()

        assert keys.version == version


# --- a key in a file ----------------------------------------------------------------------------


@pytest.mark.parametrize("signer", [OLD, NEW], ids=["RS256", "ES256"])
async def test_a_key_of_a_file_verifies_whatever_the_token_calls_it(
    serving: Serving, tmp_path: Path, signer: Any
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(signer.pem)
    settings: dict[str, Any] = {"jwt_secret": None, "session_secret": SECRET, "jwt_public_key_file": file}
    async with serving(**settings) as client:
        for kid in (signer.kid, "other", ...):
            assert (await with_token(client, signer.token(claims(iss=..., aud=...), kid=kid))).status == 200
        other = NEW if signer is OLD else OLD
        for forged in (other.token(), other.token(alg=signer.algorithm), signed(claims()), signed(claims(), secret="")):
            assert "not a valid JWT" in refused(await with_token(client, forged))
        for public in (signer.pem, signer.der):
            forged = signed(claims(), secret=public.decode("latin-1"))
            assert "not a valid JWT" in refused(await with_token(client, forged))


# --- several issuers ----------------------------------------------------------------------------


async def test_each_issuer_signs_for_itself_alone(serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "pem").write_bytes(NEW.pem)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    async with publishing(OLD) as publisher:
        listed = [
            {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": publisher.url, "tenant_claim": "/app/tenant"},
            {"issuer": "acme", "public_key_file": str(tmp_path / "pem"), "tenants": ["acme", "demo"]},
            {"issuer": "scripts", "secret_file": str(tmp_path / "secret"), "permissions_claim": "scp"},
        ]
        settings: dict[str, Any] = {"jwt_secret": None, "session_secret": SECRET, "public_url": PUBLIC}
        async with serving(**settings, jwt_issuers=listed) as client:
            at_home = {"tenant_id": ..., "app": {"tenant": "demo"}}
            good = [
                OLD.token(claims(**at_home)),
                NEW.token(claims(iss="acme", aud=...)),
                signed(claims(iss="scripts", aud=..., permissions=..., scp=["members.view"])),
                signed(claims(iss="scripts", aud=..., permissions=..., scp="members.view pipelines.view")),
            ]
            for token in good:
                tools = (await with_token(client, token)).json["tools"]
                assert "list_agents" in [tool["name"] for tool in tools]

            bad = {
                OLD.token(claims(**at_home, iss="acme")): "not a valid JWT",
                NEW.token(claims(**at_home)): "key that its issuer does not have",
                NEW.token(claims(iss="scripts")): "not a valid JWT",
                signed(claims(iss="acme")): "not a valid JWT",
                signed(claims(**at_home)): "not a valid JWT",
                NEW.token(claims(iss="acme", tenant_id="aurora")): "does not speak for that tenant",
                OLD.token(claims()): "has no /app/tenant",
                OLD.token(claims(tenant_id=..., app="demo")): "has no /app/tenant",
                OLD.token(claims(**at_home, aud="other")): "not meant for this server",
                signed(claims(iss="nobody")): "not one that this server trusts",
                signed(claims(iss=...)): "not one that this server trusts",
                signed(claims(iss=["scripts"])): "not one that this server trusts",
                signed(claims(iss="scripts", scp=7)): "scp must be a text of words",
                signed(claims(iss="scripts", scp=[7])): "scp must be a list of text",
            }
            for token, sentence in bad.items():
                assert sentence in refused(await with_token(client, token))


async def test_claims_can_have_other_names(serving: Serving) -> None:
    settings: dict[str, Any] = {
        "jwt_tenant_claim": "https://crm.example.com/tenant",
        "jwt_permissions_claim": "/resource_access/a~1b/roles",
    }
    access = {"resource_access": {"a/b": {"roles": ["members.view"]}}}
    async with serving(**settings) as client:
        named = {"https://crm.example.com/tenant": "demo", "tenant_id": "other", "permissions": ["*"]}
        answer = await with_token(client, signed(claims(**named, **access)))
        assert [tool["name"] for tool in answer.json["tools"]] == ["list_agents"]
        assert (await with_token(client, signed(claims(**named)))).json["tools"] == []
        missing = refused(await with_token(client, signed(claims(**access))))
        assert "has no https://crm.example.com/tenant" in missing


# --- what clients are told ----------------------------------------------------------------------

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize("path", ["", "/mcp"])
async def test_the_metadata_names_the_resource_and_whom_to_ask(trusting: Trusting, path: str) -> None:
    async with publishing(OLD) as publisher, trusting(publisher, public_url=f"{PUBLIC}/") as client:
        answer = await client.get(WELL_KNOWN + path, permissions=None, headers={"Origin": "https://anywhere.example"})

        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.json == {
            "resource": PUBLIC + path,
            "resource_name": "CRM",
            "authorization_servers": [ISSUER],
            "scopes_supported": SCOPES,
            "bearer_methods_supported": ["header"],
        }
        preflight = await client.send(
            "OPTIONS",
            WELL_KNOWN + path,
            permissions=None,
            headers={"Origin": "https://anywhere.example", "Access-Control-Request-Method": "GET"},
        )
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "*"
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET, OPTIONS"
        assert (await client.send("POST", WELL_KNOWN + path, b"", permissions=None)).status == 405


@pytest.mark.parametrize("path", ["", "/mcp", "/other"])
async def test_without_an_authorization_server_there_is_no_metadata(client: Client, path: str) -> None:
    status = 401 if path == "/other" else 404

    assert (await client.get(WELL_KNOWN + path, permissions=None)).status == status


@pytest.mark.parametrize(
    ("method", "path", "metadata"),
    [("POST", "/mcp", "/mcp"), ("GET", "/mcp", "/mcp"), ("POST", "/rpc", ""), ("GET", "/v1/tools/list", "")],
)
async def test_a_401_says_where_the_metadata_is_and_which_scopes_there_are(
    trusting: Trusting, method: str, path: str, metadata: str
) -> None:
    told = f'resource_metadata="{PUBLIC}{WELL_KNOWN}{metadata}", scope="{" ".join(SCOPES)}"'
    async with publishing(OLD) as publisher, trusting(publisher) as client:
        answer = await client.send(method, path, permissions=None)
        assert answer.headers["WWW-Authenticate"] == f'Bearer realm="crm-mcp", {told}'

        bad = {"Authorization": "Bearer a.b.c"}
        challenge = (await client.send(method, path, permissions=None, headers=bad)).headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="crm-mcp", error="invalid_token", error_description="')
        assert challenge.endswith(told)


@pytest.mark.parametrize("path", ["/v1/tools/execute", "/rpc"])
async def test_a_403_names_every_scope_that_the_tool_needs_and_where_the_metadata_is(
    trusting: Trusting, path: str
) -> None:
    tool = max(CATALOG.values(), key=lambda tool: len(tool.permissions))
    headers = {"Authorization": f"Bearer {OLD.token(claims(permissions=['contacts.view']))}"}
    async with publishing(OLD) as publisher, trusting(publisher) as client:
        way = client.call if path == "/rpc" else client.execute
        answer = await way(tool.name, {}, permissions=None, headers=headers)

    assert answer.status == 403
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="crm-mcp", error="insufficient_scope", scope="{" ".join(sorted(tool.permissions))}", '
        f'resource_metadata="{PUBLIC}{WELL_KNOWN}"'
    )
