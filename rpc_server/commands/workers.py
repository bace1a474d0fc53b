"""Several processes serve on one port: a parent starts them, replaces those that die, and ends them all.

They share one listening socket, so that a connection that waits to be taken is not lost with the
process that dies. The parent runs no event loop: it forks, and only waits.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from rpc_server.backends.logs import flush_logs

logger = structlog.get_logger("workers")

# A worker's status when there is no sense in starting another.
MISCONFIGURED = 78
# A worker that has lived so long died of something new, and is replaced at once.
_STEADY_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0

# Serves on the port until SIGTERM, or until nothing is behind that descriptor any more; returns a status.
Work = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class _Worker:
    number: int
    started: float


class Workers:
    """The parent of *number* processes that do *work*; those that do not end in time are killed.

    Where it dies itself, however, the pipe that it holds tells the workers, and they end as well.
    """

    def __init__(self, work: Work, number: int, *, listener: socket.socket, end_seconds: float) -> None:
        self._work = work
        self._number = number
        self._listener = listener
        self._end_seconds = end_seconds
        self._running: dict[int, _Worker] = {}
        # When the next worker of a number is to be started, and how long to wait should it die young.
        self._due = dict.fromkeys(range(number), 0.0)
        self._pauses = dict.fromkeys(range(number), _FIRST_PAUSE)
        self._told_to_end = False
        self._failed = False

    def run(self) -> int:
        """Keep them running until SIGTERM or SIGINT, then end them; return the exit status."""
        self._alive, self._held = os.pipe()
        self._signals, woken = socket.socketpair()
        with self._signals, woken:
            for end in (self._signals, woken):
                end.setblocking(False)
            signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
            signal.signal(signal.SIGCHLD, lambda *_: None)
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, self._tell)
            while not self._told_to_end:
                self._start_due()
                self._wait(self._seconds_to_next())
                self._reap()
            return self._end()

    def _tell(self, *_: object) -> None:
        self._told_to_end = True

    def _start_due(self) -> None:
        now = time.monotonic()
        for number, due in list(self._due.items()):
            if due <= now:
                del self._due[number]
                self._start(number)

    def _seconds_to_next(self) -> float | None:
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None

    def _wait(self, seconds: float | None) -> None:
        """Return after a signal, or after *seconds*."""
        select.select([self._signals], [], [], seconds)
        try:
            while self._signals.recv(1024):
                pass
        except BlockingIOError:
            return

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid:
            self._running[pid] = _Worker(number, time.monotonic())
            logger.info("worker started", worker=number, pid=pid)
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            os.close(self._held)
            status = self._work(self._alive)
        except BaseException:  # the parent's code above must not go on in here
            logger.exception("worker failed", worker=number)
        finally:
            flush_logs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        """Take note of the workers that have ended, and have them replaced."""
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            worker = self._running.pop(pid)
            if self._told_to_end:
                # One that had not begun to listen to signals yet was ended by this one.
                self._failed |= code not in (0, -signal.SIGTERM)
                continue
            if code == MISCONFIGURED:
                self._told_to_end = self._failed = True
                continue
            pause = self._pause_of(worker)
            self._due[worker.number] = time.monotonic() + pause
            logger.error("worker died", worker=worker.number, pid=pid, status=code, restarts_in_seconds=pause)

    def _pause_of(self, worker: _Worker) -> float:
        if time.monotonic() - worker.started >= _STEADY_SECONDS:
            self._pauses[worker.number] = _FIRST_PAUSE
            return 0.0
        pause = self._pauses[worker.number]
        self._pauses[worker.number] = min(2 * pause, _LONGEST_PAUSE)
        return pause

    def _end(self) -> int:
        """End all workers; connections that nobody would take any more are refused from now on."""
        self._listener.close()
        logger.info("stopping", workers=len(self._running))
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + self._end_seconds
        while self._running and (left := until - time.monotonic()) > 0:
            self._wait(left)
            self._reap()
        for pid, worker in self._running.items():
            logger.error("worker killed: it did not end in time", worker=worker.number, pid=pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._failed = True
        return 1 if self._failed else 0
