"""Tracebacks for the log: where it happened and what kind of error it was, without what the error says.

An error's message quotes what it could not handle: an argument, a customer's name, a row. The kind of
error and the lines of code that led to it tell whoever mends it enough.
"""

import traceback
from collections.abc import Iterator

from structlog.typing import ExcInfo

# Their messages name types, attributes and modules.
_SPEAK_OF_CODE = (ArithmeticError, AttributeError, ImportError, MemoryError, NameError, NotImplementedError, TypeError)
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"
_MOST_LINKS = 10
_MOST_MEMBERS = 5


def outlined(exc_info: ExcInfo) -> str:
    """Return a traceback in Python's usual form, its chain too, with the messages left out."""
    return "".join(_outline(exc_info[1], _MOST_LINKS)).rstrip("\n")


def _outline(error: BaseException | None, links: int) -> Iterator[str]:
    if error is None or links == 0:
        return
    if error.__cause__ is not None:
        yield from _outline(error.__cause__, links - 1)
        yield _CAUSE
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _outline(error.__context__, links - 1)
        yield _CONTEXT
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    yield f"{_named(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions[:_MOST_MEMBERS]:
            yield "\nOne of the group:\n\n"
            yield from _outline(member, links - 1)


def _named(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    told = _told(error)
    return f"{name}: {told}" if told else name


def _told(error: BaseException) -> str | None:
    """Return what can be said of an error: its message where that speaks of code, else a code or a reason."""
    if isinstance(error, _SPEAK_OF_CODE):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror if isinstance(error.strerror, str) else None
    # PostgreSQL's errors; their messages and details quote rows.
    parts = [getattr(error, name, None) for name in ("sqlstate", "table_name", "column_name", "constraint_name")]
    return " ".join(part for part in parts if isinstance(part, str)) or None
