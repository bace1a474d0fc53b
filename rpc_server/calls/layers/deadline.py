"""No call runs for ever."""

import asyncio
from types import TracebackType

from rpc_server.calls.layers import Next
from rpc_server.contract.errors import DeadlineExceeded
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

# What has begun to be written is not stopped any more.
_OF_A_WRITE = (
    "It may or may not have been done: call again with the same idempotency_key, or read before you change it again."
)


async def deadline(proceed: Next, call: Call) -> Result:
    """End the call with DeadlineExceeded when its tool's time is over; its SQL is told the same time."""
    seconds = call.tool.timeout_seconds
    call.deadline = asyncio.get_running_loop().time() + seconds
    try:
        with _Limit(call.deadline):
            return await proceed(call)
    except TimeoutError:
        advice = _OF_A_WRITE if call.tool.writes else "Ask for a shorter period or fewer agents."
        raise DeadlineExceeded(f"{call.tool.name} did not finish within {seconds:g} s. {advice}") from None


class _Limit:
    """What asyncio.timeout_at does for the running task, in a third of the time; it is paid by every call."""

    __slots__ = ("_before", "_is_over", "_task", "_timer")

    def __init__(self, when: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._before = task.cancelling()
        self._is_over = False
        self._timer = asyncio.get_running_loop().call_at(when, self._end)

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # Whoever else has called it off comes first.
        if self._is_over and self._task.uncancel() <= self._before and isinstance(error, asyncio.CancelledError):
            raise TimeoutError
