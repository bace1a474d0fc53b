"""A circuit breaker: who is down is left alone for a while, and then asked by one caller only."""

import time
from collections.abc import Callable


class Breaker:
    """Refuses after *threshold* failures in a row; after *pause* seconds it lets one through, and goes by that one."""

    def __init__(self, *, threshold: int = 5, pause: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0
        self._probing = False

    @property
    def refuses(self) -> bool:
        """Tell whether an attempt would be refused now."""
        if self._failures < self._threshold:
            return False
        return self._probing or self._clock() < self._closed_until

    def admit(self) -> bool:
        """Tell whether an attempt may be made; whoever makes one reports how it went."""
        if self.refuses:
            return False
        self._probing = self._failures >= self._threshold
        return True

    def report(self, healthy: bool | None, *, pause: float = 0.0) -> None:
        """Learn from an attempt: it found the other side healthy or not, or (None) nobody can tell.

        *pause* is how long the other side itself asked to be left alone.
        """
        self._probing = False
        if healthy:
            self._failures = 0
        elif healthy is False:
            self._failures += 1
            self._closed_until = self._clock() + max(self._pause, pause)
