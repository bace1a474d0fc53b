"""What every log line of a request or of a call says besides its own words; bound once, and gone with it."""

from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from typing import Any

# One variable for all: structlog's own, one for each key, take 20 times as long to set.
_BOUND: ContextVar[Mapping[str, str]] = ContextVar("log_context", default={})  # noqa: B039 - never changed, only replaced


class _Bound:
    """The context of `logged_with`: a class, because a generator takes three times as long."""

    __slots__ = ("_token", "_values")

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __enter__(self) -> None:
        self._token: Token[Mapping[str, str]] = _BOUND.set({**_BOUND.get(), **self._values})

    def __exit__(self, *exception: object) -> None:
        _BOUND.reset(self._token)


def logged_with(**values: str) -> _Bound:
    """Have each log line that is written meanwhile bear *values* too."""
    return _Bound(values)


def bound() -> Mapping[str, str]:
    """Return what is bound now."""
    return _BOUND.get()


def with_context(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add what is bound, as a processor of structlog; what the line says itself stands."""
    for name, value in _BOUND.get().items():
        event.setdefault(name, value)
    return event
