"""Ids for requests that bring none, or none that may be written into a log."""

import os
import re
from typing import Final

_SANE: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_BYTES: Final = 16
_AT_A_TIME: Final = 256


class _Chance:
    """Random bytes, taken from the system for many ids at once: it takes 5 µs to ask, and 16 bytes are little."""

    def __init__(self) -> None:
        self._left: list[bytes] = []
        # Two processes must not draw the same.
        os.register_at_fork(after_in_child=lambda: self._left.clear())

    def draw(self) -> bytes:
        """Return 16 bytes that nobody else has."""
        if not self._left:
            many = os.urandom(_BYTES * _AT_A_TIME)
            self._left = [many[at : at + _BYTES] for at in range(0, len(many), _BYTES)]
        return self._left.pop()


_CHANCE: Final = _Chance()


def new_id() -> str:
    """Return an id that nobody can guess."""
    return _CHANCE.draw().hex()


def chosen_id(given: str | None) -> str:
    """Return the id that a request brings, if it is sane, and else a new one."""
    return given if given and _SANE.fullmatch(given) else new_id()
