"""One request of MCP: carried out, with all that is said of it meanwhile written into its log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, NamedTuple

import orjson

from rpc_server.backends.session_memory import Log
from rpc_server.calls.call import Calls, Running
from rpc_server.calls.outcome import Outcome
from rpc_server.calls.recall import NOT_KEPT, Looked
from rpc_server.calls.streams import Event
from rpc_server.calls.tracing import WIRE, Remote, Wire
from rpc_server.contract.caller import Caller
from rpc_server.contract.client import CLIENT, LogLevel
from rpc_server.contract.errors import PermissionDenied, ProtocolError, ToolError, UnknownTool
from rpc_server.contract.limit import Decision
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Tool
from rpc_server.protocol.errors import NOT_GRANTED, REQUEST_CANCELLED, STATUS, Refusal, invalid_params, no_such_method
from rpc_server.protocol.jsonrpc import INTERNAL_ERROR, Id, encode
from rpc_server.protocol.mcp_message import error_message, notification, only_page, result_message, tool_call
from rpc_server.protocol.mcp_modern import completed, discovery, listing
from rpc_server.protocol.server_info import ServerInfo, is_heard
from rpc_server.protocol.sieve import call_failure, call_result, listed_tool
from rpc_server.protocol.versions import VERSIONS, Version
from rpc_server.transport.repeats import Blanks


@dataclass(slots=True)
class Asked:
    """A request that was found well-formed, who sent it, and where to write what is said before the answer.

    *looked* is what came of the look for a kept answer, where there has been one.
    """

    method: str
    id: Id
    params: dict[str, Any]
    version: Version
    caller: Caller
    request_id: str
    progress_token: str | int | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    log_level: str | None = None
    is_in_batch: bool = False
    log: Log = field(default_factory=Log)
    looked: Looked | None = None

    def say(self, method: str, params: dict[str, Any]) -> None:
        """Tell the client something before the answer."""
        self.log.append(encode(notification(method, params)))


class Answer(NamedTuple):
    """The last message of a request, with its HTTP status and what belongs into headers."""

    body: bytes
    status: int = 200
    denied: PermissionDenied | None = None
    limit: Decision | None = None

    @classmethod
    def result(cls, id: Id, result: dict[str, Any]) -> "Answer":
        """Return the answer to a request that succeeded; raises TypeError for what JSON cannot hold."""
        return cls(encode(result_message(id, result)))

    @classmethod
    def error(cls, id: Id, code: int, message: str, data: object = None, *, status: int = 200) -> "Answer":
        """Return the answer to a request that failed; without an id where none is known (None)."""
        return cls(encode(error_message(id, code, message, data)), status)

    @classmethod
    def refused(cls, id: Id, refusal: Refusal, *, status: int = 200) -> "Answer":
        """Return the answer to a request that is refused."""
        return cls.error(id, refusal.code, refusal.message, refusal.data, status=status)


def cancelled(asked: Asked) -> Answer:
    """Return the answer to a request that was called off."""
    return Answer.error(asked.id, REQUEST_CANCELLED, "The request was cancelled.")


class _Listener:
    """The client of a call, as its tool sees it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.capabilities = asked.capabilities

    def log(self, level: LogLevel, data: Any, logger: str | None = None) -> None:
        if is_heard(level, self._asked.log_level):
            named = {} if logger is None else {"logger": logger}
            self._asked.say("notifications/message", {"level": level, **named, "data": data})

    def release(self) -> None:
        if self._asked.version.primes_streams:
            self._asked.log.release()


class Answering:
    """Answers the methods that both eras have; what is a version's own is its endpoint's."""

    def __init__(self, calls: Calls, info: ServerInfo, report: Callable[[BaseException], str]) -> None:
        """*report* logs what nobody foresaw and returns the incident id that the client is told."""
        self._calls = calls
        self._info = info
        self._report = report
        self._lists = info.empty_lists
        # Encoded once: a list is most of what a server without sessions is asked for.
        self._shown = {
            version.name: {tool.name: orjson.Fragment(orjson.dumps(listed_tool(tool, version))) for tool in self.tools}
            for version in VERSIONS.values()
        }

    @property
    def tools(self) -> list[Tool]:
        """Return all tools, whoever may call them."""
        return list(self._calls.tools.values())

    @property
    def methods(self) -> list[str]:
        """Return the names of the methods."""
        return ["tools/list", "tools/call", *self._lists]

    async def __call__(self, asked: Asked) -> Answer:
        """Answer a request; raises nothing but CancelledError."""
        try:
            if asked.method == "tools/call":
                return await self._call(asked)
            return Answer.result(asked.id, self._listed(asked))
        except Refusal as refusal:
            status = refusal.status if asked.version.is_stateless else 200
            return Answer.refused(asked.id, refusal, status=status)
        except Exception as error:  # noqa: BLE001 - it is logged, and the client must not see it
            incident = {"incident": self._report(error)}
            return Answer.error(asked.id, INTERNAL_ERROR, "Internal error", incident)

    def _listed(self, asked: Asked) -> dict[str, Any]:
        if asked.version.is_stateless and asked.method == "server/discover":
            return discovery(self._info)
        if asked.method == "tools/list":
            shown = self._shown[asked.version.name]
            content: dict[str, Any] = {"tools": [shown[tool.name] for tool in self._calls.listed_for(asked.caller)]}
        elif asked.method in self._lists:
            content = self._lists[asked.method]
        else:
            raise no_such_method(asked.method, self.methods)
        only_page(asked.params)
        return listing(self._info, content) if asked.version.is_stateless else content

    async def look(self, params: dict[str, Any], caller: Caller, request_id: str) -> Looked:
        """Look for the answer to a `tools/call`, before anything is made ready to wait for it."""
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, dict | NoneType):
            return NOT_KEPT
        return await self._calls.look(name, arguments, caller, request_id)

    def kept(self, version: Version, result: Result, blanks: Blanks) -> bytes:
        """Return the answer to a `tools/call` of *version* whose result was kept."""
        return self._encoded(blanks.id, version, call_result(result, version, blanks.cache))

    async def _call(self, asked: Asked) -> Answer:
        name, arguments = tool_call(asked.params)
        # Of this request's own task, and of what it starts.
        CLIENT.set(_Listener(asked))
        WIRE.set(Wire(str(asked.id), asked.version.name, Remote.of(asked.params.get("_meta", {}))))
        try:
            outcome = await self._outcome(asked, name, arguments)
        except UnknownTool as unknown:
            raise invalid_params(unknown.message, unknown.details) from None
        if outcome.error is not None:
            return self._failed(asked, outcome.error)._replace(limit=outcome.limit)
        assert outcome.result is not None
        result = call_result(outcome.result, asked.version, outcome.cache)
        return Answer(self._encoded(asked.id, asked.version, result), limit=outcome.limit)

    async def _outcome(self, asked: Asked, name: str, arguments: Any) -> Outcome:
        aliases = [str(name) for name in (asked.progress_token, asked.id) if name is not None]
        tool = self._calls.tools.get(name)
        if asked.progress_token is None or tool is None or not tool.streams:
            return await self._calls.run(name, arguments, asked.caller, asked.request_id, aliases, asked.looked)
        async with self._calls.running(name, arguments, asked.caller, asked.request_id, aliases) as running:
            return await _followed(running, asked) if isinstance(running, Running) else running

    def _encoded(self, id: Id, version: Version, result: dict[str, Any]) -> bytes:
        shown = completed(self._info, result) if version.is_stateless else result
        return encode(result_message(id, shown))

    def _failed(self, asked: Asked, error: ToolError) -> Answer:
        if isinstance(error, ProtocolError):
            status = STATUS.get(error.rpc_code, 200) if asked.version.is_stateless else 200
            return Answer.error(asked.id, error.rpc_code, error.message, error.data, status=status)
        if isinstance(error, PermissionDenied) and not asked.is_in_batch:
            # An error rather than a result: clients show the text of an error that comes with a 403.
            message = error_message(asked.id, NOT_GRANTED, error.message, error.as_dict())
            return Answer(encode(message), STATUS[NOT_GRANTED], error)
        return Answer(self._encoded(asked.id, asked.version, call_failure(error, asked.version)))


async def _followed(running: Running, asked: Asked) -> Outcome:
    """Tell the client of each step, and return what came of it."""
    async for event in running.events:
        if event.stage != "error":
            asked.say("notifications/progress", _progress(event, asked.progress_token))
    return await running.outcome


def _progress(event: Event, token: str | int | None) -> dict[str, Any]:
    message = orjson.loads(event.body)["message"]
    return {"progressToken": token, "progress": event.progress, "total": 1, "message": message}
