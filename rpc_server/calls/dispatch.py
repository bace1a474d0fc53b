"""From a method's name to its async function, through jsonrpcserver, and back to bytes.

This is the only module that knows jsonrpcserver. The library finds, awaits and pairs; the envelope is
judged before it (`protocol.jsonrpc`), and what it says of errors is never shown, because it quotes
exceptions.
"""

import asyncio
import inspect
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from rpc_server.protocol import jsonrpc
from rpc_server.protocol.jsonrpc import NO_ID, Fault, Id, Member, Parsed, Request

if TYPE_CHECKING:
    from jsonrpcserver import Result

# Takes the caller's context first, then the params by name or by position; returns what JSON can hold.
Method: TypeAlias = Callable[..., Awaitable[object]]

# From a body's context, one of its requests and its place in a batch (None outside one) to the method's context.
MemberContext: TypeAlias = Callable[[Any, Request, int | None], object]

# Answers nest up to 254 levels, and an answer may carry a request's params back within it.
DEEPEST_ALLOWED: Final = 200

_TAKES_POSITION: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_TAKES_REST: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

# jsonrpcserver asks for a method's signature at each call; one that stands ready saves a fifth of its time.
_ANYTHING: Final = inspect.Signature(
    [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY),
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


@cache
def _library() -> Any:
    """Load jsonrpcserver with the first call: it takes a twentieth of the start, and not everybody needs it."""
    with warnings.catch_warnings():
        # On Python 3.11 and 3.12 it reads its schema in a deprecated way as it is imported.
        warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
        import jsonrpcserver
        import jsonrpcserver.response
    return jsonrpcserver


class MethodError(Exception):
    """What a method raises to be answered with a JSON-RPC error; the client sees all three parts."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Dispatcher:
    """Answers JSON-RPC bodies from a fixed registry of methods.

    `max_batch` bounds the members of a batch, `max_depth` the levels of a member (1 to 200),
    `concurrency` how many members of one batch run at a time. `member_context` makes what a method gets
    of the body's context, the request and its place in a batch. `on_internal_error` logs an unforeseen
    exception and returns the incident id that the client is given instead of it.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        *,
        max_batch: int = 50,
        max_depth: int = 64,
        concurrency: int = 4,
        member_context: MemberContext = lambda context, request, place: context,
        on_internal_error: Callable[[BaseException], str],
    ) -> None:
        if max_batch < 1 or concurrency < 1 or not 1 <= max_depth <= DEEPEST_ALLOWED:
            raise ValueError(f"max_batch and concurrency start at 1, max_depth is 1 to {DEEPEST_ALLOWED}")
        self._max_batch = max_batch
        self._max_depth = max_depth
        self._concurrency = concurrency
        self._member_context = member_context
        self._on_internal_error = on_internal_error
        self._methods = {name: self._guarded(name, method) for name, method in methods.items()}

    async def handle(self, body: bytes, context: object) -> bytes | None:
        """Answer a body; None where nobody waits for an answer."""
        return await self.run(self.parse(body), context)

    def parse(self, body: bytes) -> Parsed:
        """Judge a body by this dispatcher's bounds, never raising."""
        return jsonrpc.parse(body, max_batch=self._max_batch, max_depth=self._max_depth)

    async def run(self, parsed: Parsed, context: object) -> bytes | None:
        """Call what was parsed; answers stand in the order of the requests.

        Cancelling it cancels all members; a member that is cancelled from within cancels it.
        """
        if not parsed.is_batch:
            return await self._answer(parsed.members[0], context, None)
        answers = [answer for answer in await self._answer_each(parsed, context) if answer is not None]
        return jsonrpc.encode([orjson.Fragment(answer) for answer in answers]) if answers else None

    async def _answer_each(self, parsed: Parsed, context: object) -> list[bytes | None]:
        answers: list[bytes | None] = [None] * len(parsed.members)
        waiting = iter(enumerate(parsed.members))
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(self._work(waiting, answers, context))
                for _ in range(min(self._concurrency, len(answers)))
            ]
        if any(worker.cancelled() for worker in workers):
            raise asyncio.CancelledError  # a task group passes over tasks that were cancelled from within
        return answers

    async def _work(
        self, waiting: Iterator[tuple[int, Request | Fault]], answers: list[bytes | None], context: object
    ) -> None:
        try:
            for place, member in waiting:
                answers[place] = await self._answer(member, context, place)
        except asyncio.CancelledError:
            for _ in waiting:  # what has not begun shall not begin
                pass
            raise

    async def _answer(self, member: Request | Fault, context: object, place: int | None) -> bytes | None:
        if isinstance(member, Fault):
            return jsonrpc.encode(jsonrpc.error_member(member.id, member.code, member.message, member.data))
        outcome = await self._call(member, self._member_context(context, member, place))
        return None if member.id is NO_ID else self._encoded(member.id, outcome)

    def _encoded(self, id: Id, outcome: object) -> bytes:
        try:
            return jsonrpc.encode(_answer_member(id, outcome))
        except TypeError as error:
            return jsonrpc.encode(_answer_member(id, self._internal(error)))

    async def _call(self, request: Request, context: object) -> object:
        """Return the method's result, or the `MethodError` to answer with."""
        member: dict[str, Any] = {"method": request.method, "params": request.params}
        if request.id is not NO_ID:
            member["id"] = request.id
        response: Any = await _library().async_dispatch_to_response(
            "",
            self._methods,
            context=context,
            deserializer=lambda _: member,
            validator=lambda judged: judged,
            post_process=_library().response.to_serializable_one,
        )
        if response is None:
            return None
        if "error" not in response:
            return response["result"]
        error = response["error"]
        data = error.get("data")
        # Our own errors travel as their `data`; any other is the library's, and its text stays here.
        if isinstance(data, MethodError):
            return data
        if error["code"] == jsonrpc.METHOD_NOT_FOUND:
            return self._not_found(request.method)
        return self._internal(RuntimeError(f"jsonrpcserver failed: {data}"))

    def _guarded(self, name: str, method: Method) -> Callable[..., Awaitable["Result"]]:
        """Wrap a method so that jsonrpcserver can call it with anything and sees no exception of it."""
        signature = inspect.signature(method)
        misfit = _misfit(name, signature)

        async def guarded(context: object, /, *args: object, **kwargs: object) -> "Result":
            try:
                signature.bind(context, *args, **kwargs)
            except TypeError:
                return _failed(misfit)
            try:
                return _library().Success(await method(context, *args, **kwargs))
            except MethodError as error:
                return _failed(error)
            except Exception as error:  # noqa: BLE001 - it is logged, and the client must not see it
                return _failed(self._internal(error))

        guarded.__signature__ = _ANYTHING  # type: ignore[attr-defined]
        return guarded

    def _not_found(self, name: str) -> MethodError:
        return MethodError(
            jsonrpc.METHOD_NOT_FOUND,
            f'There is no method "{name}"; the methods are listed in data.',
            {"methods": sorted(self._methods)},
        )

    def _internal(self, error: BaseException) -> MethodError:
        return MethodError(jsonrpc.INTERNAL_ERROR, "Internal error", {"incident": self._on_internal_error(error)})


def _failed(error: MethodError) -> "Result":
    return _library().Error(error.code, error.message, error)


def _answer_member(id: Id, outcome: object) -> Member:
    if isinstance(outcome, MethodError):
        return jsonrpc.error_member(id, outcome.code, outcome.message, outcome.data)
    return jsonrpc.success_member(id, outcome)


def _misfit(name: str, signature: inspect.Signature) -> MethodError:
    """Prepare the answer to params that do not fit; raises TypeError for a method without a context."""
    params = list(signature.parameters.values())
    if not params or params[0].kind not in _TAKES_POSITION:
        raise TypeError(f'the method "{name}" must take the context as its first positional argument')
    named = [param for param in params[1:] if param.kind not in _TAKES_REST]
    required = [param.name for param in named if param.default is param.empty]
    optional = [param.name for param in named if param.default is not param.empty]
    takes = f"required are {_listed(required)}; optional are {_listed(optional)}"
    return MethodError(
        jsonrpc.INVALID_PARAMS,
        f'The params do not fit "{name}": {takes}.',
        {"required": required, "optional": optional},
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
