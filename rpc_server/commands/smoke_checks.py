"""What `smoke` asks of a server, from outside and as a stranger to its code: each check tells what it saw or fails."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import orjson

from rpc_server import VERSION
from rpc_server.backends.bounded_http import BoundedResponse
from rpc_server.protocol.versions import LATEST_WITH_SESSIONS, V2026_07_28

# More than the longest deadline of a tool: what takes longer hangs.
CALL_SECONDS = 90.0
_LONGEST_LINE = 4 * 1024 * 1024
_CLIENT = {"name": "crm-mcp smoke", "version": VERSION}
_BOTH = "application/json, text/event-stream"
_META = "io.modelcontextprotocol/"


class CheckFailed(Exception):
    """The server did not do as it should; the message says what it did."""


class NothingToTry(Exception):
    """The tenant lacks what the check needs; the message says what."""


class Checks:
    """The checks of one server as one caller; later ones use ids that earlier ones have found."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._bearer = {"Authorization": f"Bearer {token}"}
        self._tools: Sequence[str] = ()

    def all(self) -> Sequence[tuple[str, Callable[[], Awaitable[str]]]]:
        """Return all checks by their names, in the order in which they are to be made."""
        return (
            ("health", self.health),
            ("ready", self.ready),
            ("a stranger is refused", self.refusal),
            ("tools/list", self.tools_list),
            ("a read", self.read),
            ("a write, as a dry run", self.dry_run),
            ("a stream, to its end", self.stream),
            ("MCP with sessions", self.mcp_with_sessions),
            ("MCP without sessions", self.mcp_without_sessions),
        )

    async def health(self) -> str:
        """Ask whether it is alive."""
        return str((await self._answer("GET", "/health", headers={}))["status"])

    async def ready(self) -> str:
        """Ask whether it is ready. Degraded will do, as it does for a balancer; what is degraded is told."""
        answer = await self._answer("GET", "/ready", headers={})
        dependencies = answer.get("dependencies", {})
        return ", ".join([str(answer["status"]), *(f"{name} {state}" for name, state in dependencies.items())])

    async def refusal(self) -> str:
        """See that it asks for a token."""
        async with self._session.get(f"{self._url}/v1/tools/list") as response:
            if response.status != 401:
                raise CheckFailed(f"/v1/tools/list without a token was answered with HTTP {response.status}, not 401")
        return "401"

    async def tools_list(self) -> str:
        """Ask which tools the caller may call."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        self._tools = [tool["name"] for tool in (await self._answer("POST", "/rpc", body))["result"]["tools"]]
        if not self._tools:
            raise CheckFailed("none: the token grants nothing")
        return f"{len(self._tools)} tools"

    async def read(self) -> str:
        """Have it count."""
        result = await self._called("get_leads_count", {"period": "month"})
        return f"get_leads_count: {result['total_leads']} leads this month"

    async def dry_run(self) -> str:
        """Have it try a change of a lead; nothing changes but the audit trail, which tells of the attempt."""
        found = (await self._called("find_contacts", {"limit": 1}))["contacts"]
        if not found:
            raise NothingToTry("the tenant has no contact")
        arguments = {"contact_id": found[0]["contact_id"], "status": "qualified", "dry_run": True}
        result = await self._called("qualify_lead", arguments)
        if result["dry_run"] is not True:
            raise CheckFailed("qualify_lead does not say that it was a dry run")
        return f"qualify_lead: {'would change' if result['changed'] else 'would leave'} {result['contact_id']}"

    async def stream(self) -> str:
        """Follow a long call from its first event to its last."""
        agents = (await self._called("list_agents", {}))["agents"]
        if not agents:
            raise NothingToTry("the tenant has no agent")
        arguments = {"agent_id": agents[0]["agent_id"], "sample_size": 1}
        events, reached = 0, -1.0
        async for event in self._events("analyze_agent_messages", arguments):
            events += 1
            if event["stage"] == "error":
                raise CheckFailed(f"analyze_agent_messages: {_said(event['data'])}")
            if event["progress"] <= reached:
                raise CheckFailed(f"the progress went from {reached} to {event['progress']}")
            reached = event["progress"]
        if reached != 1:
            raise CheckFailed(f"the stream ended after {events} events, at {max(reached, 0):.0%}")
        return f"analyze_agent_messages: {events} events"

    async def mcp_with_sessions(self) -> str:
        """Shake hands, as versions up to 2025-11-25 do."""
        version = LATEST_WITH_SESSIONS.name
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": _CLIENT}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        async with self._session.post(f"{self._url}/mcp", json=body, headers=self._headers()) as response:
            result = _result(response, await response.read())
            session = response.headers.get("Mcp-Session-Id", "")
        spoken = {"Mcp-Session-Id": session, "MCP-Protocol-Version": result["protocolVersion"]}
        async with self._session.delete(f"{self._url}/mcp", headers=self._headers(**spoken)) as response:
            if response.status >= 300:
                raise CheckFailed(f"its session could not be ended: HTTP {response.status}")
        return f"initialize: {result['protocolVersion']}"

    async def mcp_without_sessions(self) -> str:
        """Ask what it can do, as version 2026-07-28 does."""
        version = V2026_07_28.name
        meta = {f"{_META}protocolVersion": version, f"{_META}clientCapabilities": {}, f"{_META}clientInfo": _CLIENT}
        body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}}
        headers = self._headers(**{"MCP-Protocol-Version": version, "Mcp-Method": "server/discover"})
        async with self._session.post(f"{self._url}/mcp", json=body, headers=headers) as response:
            result = _result(response, await response.read())
        return f"server/discover: {', '.join(result['supportedVersions'])}"

    def _headers(self, **more: str) -> dict[str, str]:
        return {**self._bearer, "Accept": _BOTH, **more}

    async def _called(self, tool: str, arguments: dict[str, Any]) -> Any:
        """Call a tool by REST and return its result."""
        if tool not in self._tools:
            raise CheckFailed(f"the token does not grant {tool}")
        return (await self._answer("POST", "/v1/tools/execute", {"tool_name": tool, "arguments": arguments}))["result"]

    async def _answer(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Ask, and return the answer's JSON."""
        sent = self._bearer if headers is None else headers
        async with self._session.request(method, f"{self._url}{path}", json=body, headers=sent) as response:
            return _parsed(response, await response.read())

    async def _events(self, tool: str, arguments: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Run a tool by its stream and yield what the events say."""
        if tool not in self._tools:
            raise CheckFailed(f"the token does not grant {tool}")
        url = f"{self._url}/v1/tools/{tool}/stream"
        async with self._session.post(url, json=arguments, headers=self._bearer) as response:
            if response.status != 200:
                _parsed(response, await response.read())
            if response.content_type != "text/event-stream":
                raise CheckFailed(f"{tool} was answered with {response.content_type}, not with a stream")
            # The server writes an event's data on one line.
            while line := await response.content.readuntil(b"\n"):
                if line.startswith(b"data:"):
                    yield orjson.loads(line.removeprefix(b"data:"))


def session() -> aiohttp.ClientSession:
    """Return a session whose answers are bounded in time and size; a stream by its lines."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=10)
    return aiohttp.ClientSession(
        timeout=timeout, trust_env=True, read_bufsize=_LONGEST_LINE, response_class=BoundedResponse
    )


def _parsed(response: aiohttp.ClientResponse, body: bytes) -> Any:
    """Return the JSON of a good answer; raises CheckFailed with what the server says of a bad one."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if response.status != 200 or not isinstance(answer, dict):
        raise CheckFailed(f"HTTP {response.status} for {response.url.path}{_told(answer)}")
    return answer


def _result(response: aiohttp.ClientResponse, body: bytes) -> Any:
    """Return the result of an answer of MCP, which may be a stream of one event."""
    if response.status == 200 and response.content_type == "text/event-stream":
        body = b"".join(line.removeprefix(b"data:") for line in body.splitlines() if line.startswith(b"data: {"))
    answer = _parsed(response, body)
    if "result" not in answer:
        raise CheckFailed(_said(answer.get("error")))
    return answer["result"]


def _told(answer: Any) -> str:
    """Return what an answer says of its failure, if it is one of this server's."""
    if not isinstance(answer, dict):
        return ", which is not JSON"
    return f": {_said(answer['error'])}" if "error" in answer else f": {answer.get('status', 'no reason given')}"


def _said(error: Any) -> str:
    if not isinstance(error, dict):
        return "it does not say why"
    return f"{error.get('code', 'error')}: {error.get('message', 'no reason given')}"
