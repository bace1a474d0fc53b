"""What a limit says of one call."""

from math import ceil
from typing import NamedTuple

WINDOW_SECONDS = 60.0


class Decision(NamedTuple):
    """Whether a call passes, and what is left: at most *limit* calls pass in any WINDOW_SECONDS.

    In *reset_seconds* the oldest of the counted calls stops counting, and its place is free.
    """

    passes: bool
    limit: int
    remaining: int
    reset_seconds: float

    @property
    def retry_after(self) -> int:
        """Return whole seconds after which a place is free."""
        return max(1, ceil(self.reset_seconds))
