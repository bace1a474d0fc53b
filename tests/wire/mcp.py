"""A client of /mcp that speaks every version, and holds each message of the server against that version's schema."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientResponse
from jsonschema.protocols import Validator  # type: ignore[import-untyped]
from jsonschema.validators import validator_for  # type: ignore[import-untyped]
from multidict import CIMultiDict, CIMultiDictProxy

from tests.conftest import Server
from tests.wire.client import FOREIGN, PATIENCE

LEGACY = ["2025-03-26", "2025-06-18", "2025-11-25"]
MODERN = "2026-07-28"
EVERY = [*LEGACY, MODERN]
ACCEPT = "application/json, text/event-stream"
META = "io.modelcontextprotocol/"

_RESULTS = {
    "initialize": "InitializeResult",
    "server/discover": "DiscoverResult",
    "ping": "EmptyResult",
    "logging/setLevel": "EmptyResult",
    "tools/list": "ListToolsResult",
    "tools/call": "CallToolResult",
    "resources/list": "ListResourcesResult",
    "resources/templates/list": "ListResourceTemplatesResult",
    "prompts/list": "ListPromptsResult",
}


@cache
def _validator(version: str, name: str) -> Validator:
    """Return what holds an instance against a definition of the published schema."""
    schema = orjson.loads((Path(__file__).parent / "schemas" / f"{version}.json").read_bytes())
    kind = "$defs" if "$defs" in schema else "definitions"
    whole = {"$schema": schema["$schema"], "$ref": f"#/{kind}/{name}", kind: schema[kind]}
    validator: Validator = validator_for(whole)(whole)
    return validator


def fits(version: str, name: str, instance: Any) -> None:
    """Assert that *instance* is what the version's schema calls *name*."""
    problems = [
        f"{list(error.absolute_path)}: {error.message}" for error in _validator(version, name).iter_errors(instance)
    ]
    assert not problems, problems[:3]


def _check(version: str, message: Any, methods: Mapping[Any, str]) -> None:
    """Assert that the schema of *version* knows a message, and that its result is its method's."""
    if "method" in message:
        fits(version, "ServerNotification", message)
    elif "error" in message:
        # Before 2025-11-25 an error had to have an id; where none is known there is none to give.
        known = message if "id" in message else {**message, "id": 0}
        fits(version, "JSONRPCError" if version < "2025-11-25" else "JSONRPCErrorResponse", known)
    else:
        fits(version, "JSONRPCResponse" if version < "2025-11-25" else "JSONRPCResultResponse", message)
        fits(version, _RESULTS[methods[message["id"]]], message["result"])


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    events: list[dict[str, str]] = field(default_factory=list)

    @property
    def json(self) -> Any:
        """The answer, wherever it stands."""
        return self.messages[-1] if self.events else orjson.loads(self.body)

    @property
    def messages(self) -> list[Any]:
        """All messages of a stream in their order, or the only one."""
        if not self.events:
            return [self.json] if self.body else []
        return [orjson.loads(event["data"]) for event in self.events if event["data"]]

    @property
    def result(self) -> Any:
        return self.json["result"]

    @property
    def code(self) -> int:
        """The code of an error."""
        return int(self.json["error"]["code"])

    @property
    def notes(self) -> list[tuple[str, Any]]:
        """What was said before the answer."""
        return [(message["method"], message["params"]) for message in self.messages if "method" in message]


def _events(body: bytes) -> list[dict[str, str]]:
    """Return the events of a stream as their fields; comments are none."""
    found = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            found.append({name.rstrip(":"): value for name, _, value in lines})
    return found


class McpClient:
    """Speaks one version as one caller; `start` shakes hands where the version wants that."""

    def __init__(self, server: Server, version: str, *, tenant: str = "demo", user: str = "tester") -> None:
        self.server = server
        self.version = version
        self.tenant = tenant
        self.user = user
        self.permissions: tuple[str, ...] = ("*",)
        self.session: str | None = None
        self.known: dict[Any, str] = {}

    @property
    def is_modern(self) -> bool:
        return self.version == MODERN

    def headers(self, **changed: str | None) -> CIMultiDict[str]:
        """Return the headers that go with every message; None takes one out, `_` stands for `-`."""
        headers: dict[str, str | None] = {
            **self.server.bearer(self.tenant, self.permissions, self.user),
            "Accept": ACCEPT,
            "Content-Type": "application/json",
            "MCP-Protocol-Version": None if self.version == "2025-03-26" else self.version,
            "Mcp-Session-Id": self.session,
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        return CIMultiDict({name: value for name, value in headers.items() if value is not None})

    def message(self, method: str, params: Any = None, id: Any = 1, **meta: Any) -> dict[str, Any]:
        """Return a message of this version; `...` as its id makes it a notification."""
        if params is None:
            params = {}
        if isinstance(params, dict):
            own = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}} if self.is_modern else {}
            params = {**params, "_meta": {**own, **meta}} if own or meta else params
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        return {name: value for name, value in message.items() if value is not ...}

    async def ask(
        self,
        method: str,
        params: Any = None,
        *,
        id: Any = 1,
        meta: Any = None,
        **headers: str | None,
    ) -> Reply:
        """Send a request or a notification with the headers that belong to it."""
        own: dict[str, str | None] = {}
        if self.is_modern:
            own = {"Mcp-Method": method}
            if method == "tools/call" and isinstance(params, dict) and isinstance(params.get("name"), str):
                own["Mcp-Name"] = params["name"]
        return await self.post(self.message(method, params, id, **(meta or {})), **{**own, **headers})

    async def call(self, tool: str, arguments: Any = None, **options: Any) -> Reply:
        """Call a tool."""
        return await self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, **options)

    async def post(self, body: Any, **headers: str | None) -> Reply:
        """POST a body, as it stands if it is bytes."""
        self._remember(body)
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.send("POST", data, **headers)

    async def send(self, method: str, data: bytes | None = None, **headers: str | None) -> Reply:
        """Send a request of HTTP and check every message that comes back."""
        url = f"{self.server.url}/mcp"
        async with (
            asyncio.timeout(PATIENCE),
            self.server.session.request(
                method, url, data=None if data is None else BytesIO(data), headers=self.headers(**headers)
            ) as response,
        ):
            return self.checked(await _read(response))

    async def start(self) -> "McpClient":
        """Shake hands, if this version does."""
        if not self.is_modern:
            reply = await self.hello()
            self.session = reply.headers["Mcp-Session-Id"]
            assert (await self.ask("notifications/initialized", id=...)).status == 202
        return self

    async def hello(self, version: str | None = None, **headers: str | None) -> Reply:
        """Send `initialize`."""
        params = {
            "protocolVersion": version or self.version,
            "capabilities": {},
            "clientInfo": {"name": "tests", "version": "0"},
        }
        return await self.ask("initialize", params, id=0, **{"MCP_Protocol_Version": None, **headers})

    def checked(self, reply: Reply) -> Reply:
        """Return *reply*, having asserted what holds for each one."""
        text = reply.body.decode()
        assert not [word for word in FOREIGN if word in text], text
        assert reply.headers["X-Request-Id"]
        if reply.status >= 400:
            assert "Mcp-Session-Id" not in reply.headers
        for message in reply.messages:
            for member in message if isinstance(message, list) else [message]:
                if "jsonrpc" in member:
                    _check(self.version, member, self.known)
        return reply

    def _remember(self, body: Any) -> None:
        for message in body if isinstance(body, list) else [body]:
            if isinstance(message, dict) and isinstance(message.get("id"), str | int):
                self.known[message["id"]] = message.get("method", "")


async def _read(response: ClientResponse) -> Reply:
    body = await response.read()
    is_stream = response.content_type == "text/event-stream"
    return Reply(response.status, response.headers, body, _events(body) if is_stream else [])
