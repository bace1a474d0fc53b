"""A client that knows what every answer of the server must be like, and bytes for when no client would do."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientResponse
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tests.conftest import Server

# What a library or Python itself would say; none of it belongs into an answer.
FOREIGN = ("pydantic", "Traceback", "asyncpg", "orjson", "psycopg", 'File "', "input_value", "TypeError", "aiohttp")
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> Any:
        """The error of a REST answer."""
        return self.json["error"]

    @property
    def result(self) -> Any:
        """The result of a single JSON-RPC answer."""
        return self.json["result"]

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with each field, by either way in."""
        said = self.json
        problems = (said.get("error") or said["result"]["structuredContent"])["fields"]
        return {problem["field"]: problem["problem"] for problem in problems}


def checked(answer: Answer) -> Answer:
    """Return *answer*, having asserted what holds for each one."""
    text = answer.body.decode()
    assert not [word for word in FOREIGN if word in text], text
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Server"] == "crm-mcp"
    if answer.status == 204:
        assert not answer.body
        return answer
    assert answer.headers["Content-Type"] == "application/json"
    # A refused JSON-RPC call and /ready have shapes of their own, and the answer to HEAD has no body.
    if answer.status >= 400 and answer.body and not {"jsonrpc", "dependencies"} & set(answer.json):
        assert set(answer.json) == {"error"}
        assert answer.error["code"] and answer.error["message"]
        assert answer.error["request_id"] == answer.headers["X-Request-Id"]
    return answer


class Client:
    """Sends to one server, as one caller; every answer is `checked`."""

    def __init__(self, server: Server, tenant: str = "demo") -> None:
        self.server = server
        self.tenant = tenant

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        permissions: tuple[str, ...] | None = ("*",),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; *permissions* of None means without a token."""
        bearer = {} if permissions is None else self.server.bearer(self.tenant, permissions)
        url = URL(f"{self.server.url}{path}", encoded=True)  # as it stands: nothing is tidied up on the way
        sent = CIMultiDict(bearer)
        sent.extend(headers or {})
        async with (
            asyncio.timeout(PATIENCE),
            self.server.session.request(
                method, url, data=None if body is None else BytesIO(body), headers=sent, allow_redirects=False
            ) as response,
        ):
            return checked(await _read(response))

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.send("GET", path, **options)

    async def rpc(self, body: Any, **options: Any) -> Answer:
        """POST to /rpc; bytes are sent as they are."""
        return await self.send("POST", "/rpc", body if isinstance(body, bytes) else orjson.dumps(body), **options)

    async def call(self, name: str, arguments: Any = None, **options: Any) -> Answer:
        """Call a tool through /rpc."""
        return await self.rpc(request("tools/call", {"name": name, "arguments": arguments}), **options)

    async def execute(self, name: str, arguments: Any = None, **options: Any) -> Answer:
        """Call a tool through /v1/tools/execute."""
        return await self.post_execute({"tool_name": name, "arguments": arguments}, **options)

    async def post_execute(self, body: Any, **options: Any) -> Answer:
        """POST to /v1/tools/execute; bytes are sent as they are."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.send("POST", "/v1/tools/execute", data, **options)


def request(method: str, params: Any = None, id: Any = 1) -> dict[str, Any]:
    """Return a JSON-RPC request; `...` as its id makes it a notification."""
    members = {"jsonrpc": "2.0", "method": method, "params": {} if params is None else params, "id": id}
    return {name: value for name, value in members.items() if value is not ...}


async def _read(response: ClientResponse) -> Answer:
    return Answer(response.status, response.headers, await response.read())


async def exchange(server: Server, data: bytes, *, answers: int = 1, eof: bool = False) -> list[Answer]:
    """Send bytes as they are and return what comes back, up to *answers*; fewer where the server hangs up."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    received = b""
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(data)
            if eof:
                writer.write_eof()
            while len(found := _answers(received)) < answers:
                chunk = await reader.read(65536)
                if not chunk:
                    break
                received += chunk
    except ConnectionError:
        found = _answers(received)
    finally:
        writer.close()
    return found


class _Bytes:
    """Lets http.client read from memory."""

    def __init__(self, stream: BytesIO) -> None:
        self._stream = stream

    def makefile(self, mode: str) -> BytesIO:
        return self._stream


def _answers(received: bytes) -> list[Answer]:
    """Return the whole answers in *received*."""
    found: list[Answer] = []
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        parsed = HTTPResponse(_Bytes(BytesIO(head + b"\r\n\r\n")))  # type: ignore[arg-type]
        parsed.begin()
        length = int(parsed.headers.get("Content-Length", "0"))
        if len(rest) < length:
            break
        headers = CIMultiDictProxy(CIMultiDict(parsed.headers.items()))
        found.append(checked(Answer(parsed.status, headers, rest[:length])))
        received = rest[length:]
    return found
