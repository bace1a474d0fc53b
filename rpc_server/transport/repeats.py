"""Requests that have come before, byte by byte but for their ids: they are answered again without being read again.

Whoever asks the same twice has been found to be who they are, to speak the protocol, and to ask for what they may
have. As long as that holds (the token, the session, the stage that the server is in) only what differs from one time to
the next is done anew: the limit is counted, the kept answer looked for, the call logged and measured, and the answer
gets its id and its age. Everything else goes the long way, and so does a repeated request whose answer is not kept.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias

import orjson
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.typedefs import Handler

from rpc_server.backends.verifier import Proof, Verifier
from rpc_server.calls.cache import Entry
from rpc_server.calls.log_context import logged_with
from rpc_server.calls.measures import HTTP_REQUESTS
from rpc_server.calls.recall import NOT_KEPT, Ask, Kept, Looked, Recall, SharedRecall
from rpc_server.calls.telemetry import Metrics
from rpc_server.contract.result import Result
from rpc_server.transport.body import BODY
from rpc_server.transport.connection import Connection
from rpc_server.transport.lifecycle import Lifecycle
from rpc_server.transport.metrics import GONE, request_labels
from rpc_server.transport.middleware import bearer
from rpc_server.transport.request_ids import chosen_id
from rpc_server.transport.whole import WholeResponse

_MOST_REMEMBERED: Final = 1000
_MOST_BODY_BYTES: Final = 4096
# A body that takes longer to come is waited for by whoever reads it.
_BODY_SECONDS: Final = 0.1
# Longer answers are made anew each time, so that what is remembered has a bound.
_MOST_ANSWER_BYTES: Final = 16 * 1024
# What differs from one time to the next and is no part of the question.
_PASSED_OVER: Final = frozenset({b"content-length", b"traceparent", b"tracestate", b"x-request-id"})
# With these the answer, or the way to it, is another one.
_NEVER: Final = (hdrs.ORIGIN, hdrs.UPGRADE)
# An id that is written back as it came.
_ID: Final = re.compile(rb'"id"\s*:\s*("[\w.:+/=-]{1,100}"|0|[1-9]\d{0,17})(?=\s*[,}])')
# JSON has none of these, unless they are escaped: they stand for what is filled in.
_BLANK: Final = re.compile(rb"([\x00-\x02])")


class Blanks(NamedTuple):
    """What an answer from the cache says anew each time: its request's id, how old it is, and what time it is."""

    id: Any
    cache: dict[str, Any] | None
    now: Any


_TO_FILL_IN: Final = Blanks(
    orjson.Fragment(b"\x00"), {"hit": True, "age_seconds": orjson.Fragment(b"\x01")}, orjson.Fragment(b'"\x02"')
)

# The headers' digest, the path, and the body before and behind its id.
_Key: TypeAlias = tuple[bytes, str, bytes, bytes]

# Makes the body of an answer.
Encode: TypeAlias = Callable[[Result, Blanks], bytes]


class Repeatable(NamedTuple):
    """What an endpoint says of a request that it answers from the cache.

    *still* tells whether what it found of the request holds, beside the caller's token; None: that does not change.
    """

    ask: Ask
    encode: Encode
    id: Any
    still: Callable[[], Awaitable[bool]] | None


REPEATABLE = web.RequestKey("repeatable", Repeatable)
# What came of a look before a request went the long way: its call was counted, and may not be counted twice.
LOOKED = web.RequestKey[Looked]("looked")


def repeatable(
    request: web.Request,
    kept: Kept,
    encode: Encode,
    *,
    id: Any = None,
    still: Callable[[], Awaitable[bool]] | None = None,
) -> None:
    """Have *request*, which is answered with what was *kept*, answered in short the next time."""
    request[REPEATABLE] = Repeatable(kept.ask, encode, id, still)


def kept_answer(
    request: web.Request,
    kept: Kept,
    encode: Encode,
    *,
    id: Any = None,
    still: Callable[[], Awaitable[bool]] | None = None,
) -> WholeResponse:
    """Answer *request* with what was *kept*, and the next time in short."""
    repeatable(request, kept, encode, id=id, still=still)
    body = encode(kept.entry.result, Blanks(id, kept.outcome.cache, datetime.now(UTC)))
    return WholeResponse(body, kept.limit)


class _Repeat:
    """A request that has come before: what is asked, what must hold, and the answer with blanks."""

    __slots__ = ("_encode", "_entry", "_parts", "ask", "labels", "proof", "still")

    def __init__(self, of: Repeatable, proof: Proof, labels: tuple[str, ...]) -> None:
        self.ask: Ask = of.ask
        self.still = of.still
        self.proof = proof
        self.labels = labels
        self._encode = of.encode
        self._entry: Entry | None = None
        self._parts: list[bytes] = []

    def body(self, kept: Kept, id: bytes) -> bytes:
        """Return the answer to a request of this *id*, as it was written."""
        entry = kept.entry
        if entry is self._entry or entry == self._entry:
            parts = self._parts.copy()
        else:
            parts = _BLANK.split(self._encode(entry.result, _TO_FILL_IN))
            if sum(map(len, parts)) <= _MOST_ANSWER_BYTES:
                self._entry, self._parts = entry, parts.copy()
        for place in range(1, len(parts), 2):
            parts[place] = _filled(parts[place], kept.age_seconds, id)
        return b"".join(parts)


def _filled(blank: bytes, age_seconds: float, id: bytes) -> bytes:
    if blank == b"\x00":
        return id or b"null"  # the only one that is not cut out of its body
    if blank == b"\x01":
        return b"%.1f" % age_seconds
    return datetime.now(UTC).isoformat().encode()


class Repeats:
    """Answers requests that have come before, and has *handle* answer all others."""

    def __init__(
        self,
        recall: Recall | SharedRecall,
        verifier: Verifier,
        lifecycle: Lifecycle,
        metrics: Metrics,
        report: Callable[[BaseException], str],
    ) -> None:
        self._recall = recall
        self._verifier = verifier
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._report = report
        self._known: dict[_Key, _Repeat] = {}

    def before(self, handle: Handler) -> Handler:
        """Return a handler that looks here before it has *handle* answer."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if not _is_usual(request) or not (request.content.is_eof() or await self._has_come(request)):
                return await handle(request)
            if not self._lifecycle.is_ready:
                return await handle(request)
            key, id, body = _asked(request)
            repeat = self._known.get(key)
            response = None if repeat is None else await self._again(request, key, repeat, id)
            if response is not None:
                return response
            request[BODY] = body
            answered = await handle(request)
            self._learn(request, answered, key, id)
            return answered

        return answer

    async def _has_come(self, request: web.Request) -> bool:
        """Wait a moment for a body that was sent apart from its head, as many clients do; never fail."""
        self._lifecycle.begin(request)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                await request.content.wait_eof()
        except Exception:  # noqa: BLE001 - the long way meets it too, and knows what to say
            return False
        finally:
            self._lifecycle.end(request)
        return True

    async def _again(self, request: web.Request, key: _Key, repeat: _Repeat, id: bytes) -> WholeResponse | None:
        """Answer a request that has come before; None: it has to go the long way."""
        began = perf_counter()
        if not self._verifier.holds(repeat.proof):
            del self._known[key]
            return None
        request_id, looked = chosen_id(request.headers.get("X-Request-Id")), None
        try:
            if self._recall.waits or repeat.still is not None:
                looked = await self._waited(request, repeat, request_id, began)
            else:
                looked = await self._recall.answer(repeat.ask, request_id, began)
            if isinstance(looked, Kept):
                response = WholeResponse(repeat.body(looked, id), looked.limit, request_id=request_id)
                self._lifecycle.part(request, response)  # it may have begun to leave meanwhile
                if self._known.get(key) is repeat:
                    self._known[key] = self._known.pop(key)  # the last to be forgotten
                self._metrics.count(HTTP_REQUESTS, *repeat.labels)
                return response
        except Exception as error:  # noqa: BLE001 - nobody foresaw it, and there is another way
            self._report(error)
            self._known.pop(key, None)
        if looked is not None:
            request[LOOKED] = looked
        return None

    async def _waited(self, request: web.Request, repeat: _Repeat, request_id: str, began: float) -> Looked:
        """Look where that may take a while, in which the server may be told to stop."""
        self._lifecycle.begin(request)
        try:
            with logged_with(request_id=request_id):
                if repeat.still is not None and not await repeat.still():
                    return NOT_KEPT  # and it is not asked whether it is a call at all
                return await self._recall.answer(repeat.ask, request_id, began)
        except asyncio.CancelledError:
            self._metrics.count(HTTP_REQUESTS, *repeat.labels[:-1], GONE)
            raise
        finally:
            self._lifecycle.end(request)

    def _learn(self, request: web.Request, answered: web.StreamResponse, key: _Key, id: bytes) -> None:
        """Remember a request that was answered from the cache, if it can be told from all that are not the same."""
        of = request.get(REPEATABLE)
        if of is None or any(name in request.headers for name in _NEVER):
            return
        proof = self._verifier.proof(bearer(request))
        if proof is None or not _is_id(of.id, id, request[BODY]):
            return
        self._known.pop(key, None)
        self._known[key] = _Repeat(of, proof, request_labels(request, answered))
        if len(self._known) > _MOST_REMEMBERED:
            del self._known[next(iter(self._known))]


REPEATS = web.AppKey[Repeats | None]("repeats")


def _is_usual(request: web.Request) -> bool:
    """Tell whether a request is a small POST on a connection that stays open."""
    length = request.content_length
    return (
        request.method == hdrs.METH_POST
        and request.version == HttpVersion11
        and request.keep_alive
        and length is not None
        and 0 < length <= _MOST_BODY_BYTES
        and request.content.exception() is None
        and hdrs.CONTENT_ENCODING not in request.headers
        and hdrs.EXPECT not in request.headers  # whose body comes when it is asked for
    )


def _asked(request: web.Request) -> tuple[_Key, bytes, bytes]:
    """Return all that a request says but its id, that id, and the body, which has come."""
    body = request.content.read_nowait()
    found = _ID.search(body)
    start, end = found.span(1) if found else (len(body), len(body))
    return (_digest(request), request.raw_path, body[:start], body[end:]), body[start:end], body


def _digest(request: web.Request) -> bytes:
    """Return a digest of the headers, which hold a token; mostly they are those of the request before."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    before, digest = connection.headers_before
    if request.raw_headers != before:
        said = [part for pair in request.raw_headers if pair[0].lower() not in _PASSED_OVER for part in pair]
        # Neither a name nor a value holds a line's end.
        digest = hashlib.sha256(b"\n".join(said)).digest()
        connection.headers_before = request.raw_headers, digest
    return digest


def _is_id(id: Any, written: bytes, body: bytes) -> bool:
    """Tell whether what was cut out of *body* is the request's id, and nothing else of it can be taken for one."""
    if not written:
        return id is None
    return body.count(b'"id"') == 1 and b"\\" not in body and type(id) in (int, str) and orjson.dumps(id) == written
