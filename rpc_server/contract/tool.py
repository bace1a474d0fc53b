"""A tool: one async function, and above it the policy that the server enforces around it."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rpc_server.contract.arguments import Arguments
from rpc_server.contract.caller import Caller
from rpc_server.contract.client import CLIENT, Client
from rpc_server.contract.limit import Decision
from rpc_server.contract.model import Model
from rpc_server.contract.progress import Progress, Unwatched
from rpc_server.contract.query import Database, WritableDatabase
from rpc_server.contract.result import Result
from rpc_server.contract.schema import input_schema, output_schema

DEFAULT_TIMEOUT_SECONDS = 60.0
_PERMISSION = re.compile(r"[a-z]+\.[a-z]+")


_UNWATCHED = Unwatched()


def _no_store(*_: Any) -> Any:
    raise RuntimeError("only a tool that streams keeps something beside the CRM")


def _uncounted(*_: Any) -> None:
    pass


@dataclass(slots=True)
class Call:
    """One call of a tool, whoever asked for it and however it came in.

    *now* is the moment that the whole answer refers to; *deadline* is on the event loop's clock;
    *note* has an entry written to a tenant's audit trail, soon. A tool that streams also has
    *progress*, *model* (None where none is configured), and *store*: a short transaction for what
    the server itself keeps beside the CRM, such as scores. *digest* makes a keyed hash of a text.
    *over_budget* counts a request that was not sent to the model, by whose budget of tokens was spent.
    *limit* is what the caller's limit said of it; *age_seconds* how old an answer from the cache is.
    """

    tool: "Tool"
    caller: Caller
    raw_arguments: Any
    request_id: str
    now: datetime
    db: Database
    note: Callable[[str, dict[str, Any]], None]
    arguments: Arguments | None = None
    deadline: float | None = None
    progress: Progress = _UNWATCHED
    model: Model | None = None
    store: Callable[[], AbstractAsyncContextManager[WritableDatabase]] = _no_store
    digest: Callable[[str], bytes] = _no_store
    over_budget: Callable[[Literal["call", "day"]], None] = _uncounted
    limit: Decision | None = None
    age_seconds: float | None = None

    @property
    def client(self) -> Client:
        """Return the program that called, for what it can do beyond waiting for the answer."""
        return CLIENT.get()


ToolFunction = Callable[[Call, Any], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function and all that the server must know to offer it."""

    name: str
    title: str
    description: str
    permissions: frozenset[str]
    cache_seconds: int
    timeout_seconds: float
    streams: bool
    writes: bool
    arguments: type[Arguments]
    result: type[Result]
    run: ToolFunction
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None

    @property
    def annotations(self) -> dict[str, Any]:
        """Return MCP's hints: a write here is repeatable and never leaves the CRM."""
        return {
            "title": self.title,
            "readOnlyHint": not self.writes,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": False,
        }


def tool(
    *,
    title: str,
    permission: str | Sequence[str],
    cache_seconds: int = 0,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    streams: bool = False,
    writes: bool = False,
    schema: dict[str, Any] | None = None,
) -> Callable[[ToolFunction], Tool]:
    """Declare a function as a tool of its own name; its docstring is what a model reads.

    *schema* is shown, exactly as it stands, in place of the arguments' own (see AnyArguments).

    A contradiction (a cached write, a missing docstring, wrong annotations, …) is a ValueError at import.
    """
    permissions = frozenset([permission] if isinstance(permission, str) else permission)

    def declare(function: ToolFunction) -> Tool:
        name = function.__name__
        signature = inspect.signature(function, eval_str=True)
        parameters = list(signature.parameters.values())
        if len(parameters) != 2 or parameters[0].annotation is not Call:
            raise ValueError(f"{name} must take (call: Call, arguments: <Arguments>)")
        arguments, result = parameters[1].annotation, signature.return_annotation
        if not _is_kind(arguments, Arguments) or not _is_kind(result, Result):
            raise ValueError(f"{name} must take Arguments and return a Result")
        if not inspect.iscoroutinefunction(function):
            raise ValueError(f"{name} must be an async function")
        if inspect.isabstract(result):
            raise ValueError(f"{name} returns {result.__name__}, which has no text()")
        if not inspect.cleandoc(function.__doc__ or ""):
            raise ValueError(f"{name} needs a docstring: a model reads it")
        if writes and cache_seconds:
            raise ValueError(f"{name} writes, so it cannot be cached")
        if cache_seconds and not result.has_fields:
            raise ValueError(f"{name} answers in content blocks, so it cannot be cached")
        if not permissions or not all(_PERMISSION.fullmatch(permission) for permission in permissions):
            raise ValueError(f"{name} needs a permission such as analytics.view")
        return Tool(
            name=name,
            title=title,
            description=inspect.cleandoc(function.__doc__ or ""),
            permissions=permissions,
            cache_seconds=cache_seconds,
            timeout_seconds=timeout_seconds,
            streams=streams,
            writes=writes,
            arguments=arguments,
            result=result,
            run=function,
            input_schema=input_schema(arguments) if schema is None else schema,
            output_schema=output_schema(result) if result.has_fields else None,
        )

    return declare


def _is_kind(annotation: Any, kind: type) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, kind)


Catalog = Mapping[str, Tool]


def catalog(*families: Iterable[Tool]) -> Catalog:
    """Return the tools by name, in the order given; a name used twice or unfit for MCP is a ValueError."""
    tools: dict[str, Tool] = {}
    for member in (member for family in families for member in family):
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", member.name):
            raise ValueError(f"{member.name!r} is no name for a tool")
        if member.name in tools:
            raise ValueError(f"two tools are called {member.name}")
        tools[member.name] = member
    return tools
