"""Cached answers that pass by the layers: nobody can tell them from those that go through them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from structlog.testing import capture_logs

import rpc_server.app
from rpc_server.calls.log_context import with_context
from rpc_server.calls.recall import Kept, Recall, SharedRecall
from tests.redis.conftest import redis_url
from tests.wire.client import Client
from tests.wire.conftest import Serving
from tests.wire.mcp import EVERY, McpClient
from tests.wire.test_metrics import scraped, series

__all__ = ["redis_url"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

MONTH = {"period": "custom", "start_date": "2026-10-01", "end_date": "2026-10-31"}
# By the way in, what is asked and with which permissions; most of them are asked twice.
ASKED: list[tuple[str, Any, tuple[str, ...]]] = [
    ("get_leads_count", MONTH, ("*",)),
    ("get_leads_count", MONTH, ("*",)),
    ("get_leads_count", {**MONTH, "period": "custom"}, ("*",)),
    ("get_leads_count", MONTH, ("analytics.*",)),
    ("get_leads_count", MONTH, ("analytics.*",)),
    ("get_leads_count", {"period": "today"}, ("*",)),
    ("get_leads_count", {"period": "today"}, ("*",)),
    ("get_leads_count", MONTH, ("members.view",)),
    ("get_leads_count", {**MONTH, "end_date": 31}, ("*",)),
    ("get_leads_count", None, ("*",)),
    ("get_leads_count", [], ("*",)),
    ("get_leads_count", {**MONTH, "status": None}, ("*",)),
    ("list_agents", {}, ("*",)),
    ("list_agents", {}, ("*",)),
    ("get_leads", {}, ("*",)),
]
COUNTED = ("crm_mcp_calls", "crm_mcp_call_duration_seconds_count", "crm_mcp_cache", "crm_mcp_limit", "crm_mcp_http")
_OF_THE_MOMENT = {"timestamp", "request_id"}


@pytest_asyncio.fixture(loop_scope="session", params=["memory", "redis"])
async def both(
    serving: Serving, redis_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Client]]:
    """A server that recalls, and one all of whose calls go through the layers; both let eleven calls pass."""
    kept: dict[str, Any] = {"cache": "memory", "rate_limit_read": 11}
    if request.param == "redis":
        kept |= {"cache": "auto", "redis_url": SecretStr(redis_url), "redis_timeout_seconds": 5.0}
    async with AsyncExitStack() as running:
        recalling = serving(**kept, redis_prefix=f"test-{token_hex(6)}")
        clients = [await running.enter_async_context(recalling)]
        monkeypatch.setattr(rpc_server.app, "_recall", lambda *_: None)
        layered = serving(**kept, redis_prefix=f"test-{token_hex(6)}")
        yield [*clients, await running.enter_async_context(layered)]


@pytest.fixture
def recalls(monkeypatch: pytest.MonkeyPatch) -> list[Kept]:
    """What came of the calls that passed by the layers."""
    seen: list[Kept] = []
    given = Recall._given

    def watched(self: Recall, *arguments: Any) -> Kept:
        seen.append(given(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(Recall, "_given", watched)
    monkeypatch.setattr(SharedRecall, "_given", watched)
    return seen


def _same(value: Any) -> Any:
    """Return an answer without what is another each time."""
    if isinstance(value, dict):
        return {name: _same(inner) for name, inner in value.items() if name not in _OF_THE_MOMENT}
    return [_same(inner) for inner in value] if isinstance(value, list) else value


async def _told(client: Client, way: str) -> list[Any]:
    """Ask all there is to ask, and return what whoever asks and whoever runs the server see of it."""
    found: list[Any] = []
    mcp = await McpClient(client.server, way).start() if way in EVERY else None
    for name, arguments, permissions in ASKED:
        with capture_logs(processors=[with_context]) as lines:
            if mcp is None:
                ask = client.execute if way == "REST" else client.call
                answer: Any = await ask(name, arguments, permissions=permissions)
            else:
                mcp.permissions = permissions
                answer = await mcp.ask("tools/call", {"name": name, "arguments": arguments})
        for line in lines:
            assert line.pop("duration_ms") > 0
            assert line.pop("request_id") == answer.headers["X-Request-Id"]
        limit = [answer.headers.get(f"RateLimit-{what}") for what in ("Limit", "Remaining")]
        found.append((answer.status, limit, "RateLimit-Reset" in answer.headers, _same(answer.json), lines))
    counted = {key: value for key, value in (await scraped(client)).items() if key[0].startswith(COUNTED)}
    return [*found, counted]


@pytest.mark.parametrize("way", ["REST", "/rpc", *EVERY])
async def test_a_cached_answer_is_counted_limited_logged_and_given_like_any_other(
    both: list[Client], way: str, recalls: list[Kept]
) -> None:
    recalled, layered = [await _told(client, way) for client in both]

    assert recalled == layered
    assert len(recalls) >= 4
    outcomes = [line["outcome"] for *_, lines in recalled[:-1] for line in lines]
    assert {"ok", "permission_denied", "invalid_arguments", "rate_limited"} == set(outcomes)
    assert recalled[-1][series("crm_mcp_cache_lookups_total", tool="get_leads_count", result="hit")] == len(recalls)
