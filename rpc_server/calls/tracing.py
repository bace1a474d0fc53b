"""Spans: what a request went through, told to whoever traces it; to nobody where nobody asked."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

SpanKind: TypeAlias = Literal["server", "client", "internal"]
Attributes: TypeAlias = Mapping[str, str | int]

# W3C Trace Context: 55 characters, or more in versions to come; and 512.
_MOST_PARENT = 128
_MOST_STATE = 512


class Remote(NamedTuple):
    """Where a trace began before it came here: traceparent and tracestate as they were sent, not judged yet."""

    traceparent: str
    tracestate: str = ""

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> "Remote | None":
        """Return what headers, or the `_meta` of a request, say of it; None where that cannot be it."""
        parent, state = sent.get("traceparent"), sent.get("tracestate", "")
        if not isinstance(parent, str) or len(parent) > _MOST_PARENT:
            return None
        return cls(parent, state if isinstance(state, str) and len(state) <= _MOST_STATE else "")


class Wire(NamedTuple):
    """How a call came over the wire, as far as its span is to tell."""

    request_id: str
    protocol_version: str = ""
    remote: Remote | None = None


WIRE: ContextVar[Wire | None] = ContextVar("wire", default=None)
"""Set by the way in that the call came through, in the request's own task."""


class Span(Protocol):
    """A piece of work under way."""

    @property
    def trace_id(self) -> str:
        """Return the id under which the whole trace is found; empty where nobody traces."""
        ...

    def set(self, name: str, value: str | int) -> None:
        """Say something about it; never what a caller or a customer wrote."""
        ...

    def failed(self, error_type: str) -> None:
        """Say that it failed, and how, in a word of a closed set."""
        ...


class Traces(Protocol):
    """Makes spans; one that is made while another is open is its child."""

    def span(
        self, name: str, attributes: Attributes, *, kind: SpanKind = "internal", remote: Remote | None = None
    ) -> AbstractContextManager[Span]:
        """Return a context that is the span; an exception that leaves it makes it a failed one.

        A valid *remote* is its parent, and then the span around it becomes a link.
        """
        ...


class _NoSpan:
    trace_id = ""

    def set(self, name: str, value: str | int) -> None:
        pass

    def failed(self, error_type: str) -> None:
        pass

    def __enter__(self) -> "_NoSpan":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


_NO_SPAN = _NoSpan()


class NoTraces:
    """Traces nothing."""

    def span(
        self, name: str, attributes: Attributes, *, kind: SpanKind = "internal", remote: Remote | None = None
    ) -> AbstractContextManager[Span]:
        """Return a span that nobody sees."""
        return _NO_SPAN


NO_TRACES = NoTraces()
