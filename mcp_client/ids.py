"""Names that the client makes: of requests, and of changes that are safe to repeat."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import uuid4

AUTO = "auto"
"""As an `idempotency_key`: the client makes one. It is never sent itself."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,120}")
_TOOL_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


def make_idempotency_key() -> str:
    """Return a key that nobody had before, for a change that may have to be asked for more than once."""
    return str(uuid4())


def with_key(arguments: Mapping[str, Any] | None, key: str | None) -> dict[str, Any]:
    """Return the arguments with *key* among them, made here where it is "auto"."""
    given = dict(arguments or {})
    if key is not None and given.get("idempotency_key") not in (None, key):
        raise ValueError("The arguments hold another idempotency_key than the keyword does: give one of them.")
    chosen = key if key is not None else given.get("idempotency_key")
    if chosen is not None:
        given["idempotency_key"] = make_idempotency_key() if chosen == AUTO else chosen
    return given


class RequestIds:
    """An id for each attempt at one call: *first*, else a new one; then the same with a number.

    The server refuses an id that is still in use, so an attempt cannot have that of the one before.
    """

    def __init__(self, first: str | None = None) -> None:
        if first is not None and not _REQUEST_ID.fullmatch(first):
            raise ValueError("A request_id is 1 to 120 of the characters A-Z a-z 0-9 . _ : -")
        self.first = first or uuid4().hex
        self._attempts = count(1)

    def __next__(self) -> str:
        attempt = next(self._attempts)
        return self.first if attempt == 1 else f"{self.first}-{attempt}"


def request_segment(request_id: str) -> str:
    """Return *request_id* as part of an address."""
    return _segment(request_id, _REQUEST_ID, "request_id")


def tool_segment(name: str) -> str:
    """Return the name of a tool as part of an address."""
    return _segment(name, _TOOL_NAME, "tool's name")


def _segment(text: str, form: re.Pattern[str], what: str) -> str:
    # Of dots alone, it would lead to another address.
    if not form.fullmatch(text) or not text.strip("."):
        raise ValueError(f"{text[:80]!r} cannot be a {what}.")
    return text
