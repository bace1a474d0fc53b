"""An event loop in a thread of its own, for callers that block."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from threading import Lock, Thread, current_thread
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Started: TypeAlias = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]

_STOPPING_SECONDS = 5.0


class LoopThread:
    """Runs coroutines for any number of threads; the thread starts with the first of them."""

    def __init__(self, at_end: Callable[[], Awaitable[None]]) -> None:
        """Take what the loop has to do last, once nothing else runs in it."""
        self._at_end = at_end
        self._lock = Lock()
        self._thread: Thread | None = None
        self._started: Started = Future()
        self._process = 0
        self._stopped = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what *work* returns; interrupting the wait ends the work."""
        try:
            running = self._begun(work)
        except BaseException:
            work.close()
            raise
        try:
            return running.result()
        except CancelledError:
            raise RuntimeError("The client was closed while it waited for an answer.") from None
        except BaseException:
            running.cancel()
            raise

    def stop(self) -> None:
        """End the loop and what still runs in it; harmless if repeated."""
        if self._is_of_another_process():
            return
        with self._lock:
            thread, stopped, self._stopped = self._thread, self._stopped, True
            if thread is None or stopped:
                return
            loop, end = self._started.result()
            loop.call_soon_threadsafe(end.set)
        # The garbage collector may call this in the loop's own thread.
        if thread is not current_thread():
            thread.join(_STOPPING_SECONDS)

    def _begun(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._is_of_another_process():
            # Threads do not survive a fork: the call would wait for ever.
            raise RuntimeError("This client was used before the process forked: make one in each process.")
        # Under the lock, so that nothing is begun behind the loop's end, where nobody would ever finish it.
        with self._lock:
            if self._stopped:
                raise RuntimeError("The client is closed.")
            if self._thread is None:
                self._process = os.getpid()
                self._thread = Thread(target=_serve, args=(self._started, self._at_end), name="mcp-client", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._started.result()[0])

    def _is_of_another_process(self) -> bool:
        # Looked at before the lock, which a fork may have left locked for good.
        return self._process not in (0, os.getpid())


def _serve(started: Started, at_end: Callable[[], Awaitable[None]]) -> None:
    async def until_stopped() -> None:
        end = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), end))
        await end.wait()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await at_end()

    try:
        asyncio.run(until_stopped())
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)
