"""The limiter of one process, exact; also what counts while Redis is out of reach."""

from collections import OrderedDict, deque
from collections.abc import Callable

from rpc_server.calls.limits import Leave, ToolClass
from rpc_server.contract.limit import WINDOW_SECONDS, Decision


class MemoryLimiter:
    """Remembers the moments of the calls that passed, and the analyses that run."""

    def __init__(self, clock: Callable[[], float], *, most_callers: int = 100_000) -> None:
        """*clock* is monotonic, in seconds; of more than *most_callers* the one seen longest ago is forgotten."""
        self._clock = clock
        self._most_callers = most_callers
        # In the order of their last calls that passed.
        self._passed: OrderedDict[tuple[str, str, ToolClass], deque[float]] = OrderedDict()
        # Before that, nobody has not called for a window.
        self._forgets_at = 0.0
        self._entered: dict[str, dict[object, float]] = {}

    async def take(self, tenant_id: str, user_id: str, kind: ToolClass, limit: int) -> Decision:
        """Count one call, unless it is one too many."""
        return self.count(tenant_id, user_id, kind, limit)

    def count(self, tenant_id: str, user_id: str, kind: ToolClass, limit: int) -> Decision:
        """Do the same without anything to wait for."""
        now = self._clock()
        key = (tenant_id, user_id, kind)
        passed = self._passed.get(key)
        if passed is None:
            passed = self._passed[key] = deque()
        while passed and passed[0] <= now - WINDOW_SECONDS:
            passed.popleft()
        passes = len(passed) < limit
        if passes:
            passed.append(now)
            self._passed.move_to_end(key)
            if now >= self._forgets_at or len(self._passed) > self._most_callers:
                self._forget(now)
        return Decision(passes, limit, max(0, limit - len(passed)), passed[0] + WINDOW_SECONDS - now)

    async def enter(self, tenant_id: str, most: int, seconds: float) -> Leave | None:
        """Take one of the tenant's places."""
        now = self._clock()
        entered = {place: until for place, until in self._entered.get(tenant_id, {}).items() if until > now}
        if len(entered) >= most:
            return None
        place = object()
        self._entered[tenant_id] = {**entered, place: now + seconds}

        async def leave() -> None:
            entered = self._entered.get(tenant_id, {})
            entered.pop(place, None)
            if not entered:
                self._entered.pop(tenant_id, None)

        return leave

    def _forget(self, now: float) -> None:
        """Drop those that have not called for a window, a few at a time, and whoever is one too many."""
        for _ in range(2):
            oldest, passed = next(iter(self._passed.items()))
            if len(self._passed) <= self._most_callers and passed[-1] > now - WINDOW_SECONDS:
                self._forgets_at = passed[-1] + WINDOW_SECONDS
                return
            del self._passed[oldest]
