"""Knows whether PostgreSQL answers, so that not every caller has to find out by waiting."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

import structlog

logger = structlog.get_logger("postgres")

# Between two probes while it is down: from the first to the second number, doubling.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
# So many probes in a row without a word, and what still waits for an answer is given up.
_SILENT_PROBES = 2
# How often it is looked, while an answer is due, whether it is overdue.
_LOOKS = 10


class Watch:
    """Probes as soon as somebody suspects something, and goes on until PostgreSQL answers again.

    While all is well it does nothing. *probe* asks PostgreSQL on a connection of its own and raises
    where it cannot; after *patience* seconds without an answer it is silent. *give_up* ends what
    waits for a silent PostgreSQL: a machine that is gone, or a process that is stopped.
    """

    def __init__(
        self, probe: Callable[[], Awaitable[None]], *, patience: float, give_up: Callable[[], Awaitable[None]]
    ) -> None:
        self._probe = probe
        self._patience = patience
        self._give_up = give_up
        self._task: asyncio.Task[None] | None = None
        self._asked: asyncio.Future[bool] | None = None
        self._heard_at = float("-inf")
        self._down_since: float | None = None
        # What is waited for, and since when; the oldest first.
        self._due: dict[object, float] = {}
        self._looking: asyncio.TimerHandle | None = None

    @property
    def is_down(self) -> bool:
        """Tell whether callers need not try."""
        return self._down_since is not None

    @property
    def silence(self) -> float:
        """Return for how many seconds nobody has had an answer, or has asked; endless while there is a suspicion."""
        is_suspected = self._task is not None and not self._task.done()
        return float("inf") if is_suspected else self._now() - self._heard_at

    def heard(self) -> None:
        """Take note of an answer."""
        self._heard_at = self._now()

    def suspect(self) -> None:
        """Have PostgreSQL probed until it answers, unless that is under way."""
        if self._task is None or self._task.done():
            # Of no call in particular, be it one that first suspected something.
            self._task = asyncio.create_task(
                self._until_it_answers(), name="probes of postgres", context=contextvars.Context()
            )

    async def ask(self) -> bool:
        """Tell whether PostgreSQL answers a probe: a new one, or the one under way."""
        self.suspect()
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._asked)

    def awaited(self) -> AbstractContextManager[None]:
        """Return a context in which an answer is due: it suspects something whenever that is overdue."""
        return _Awaited(self)

    def expect(self, answer: object) -> None:
        """Begin to wait for *answer*."""
        self._due[answer] = self._now()
        if self._looking is None:
            self._look_later()

    def expect_no_more(self, answer: object) -> None:
        """Wait for it no longer."""
        del self._due[answer]

    async def stop(self) -> None:
        """Probe no more."""
        if self._looking is not None:
            self._looking.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._asked is not None:
            self._asked.cancel()

    def _look_later(self) -> None:
        """Look after what is due: one timer for all, because one for each statement costs more than it does."""
        self._looking = asyncio.get_running_loop().call_later(
            self._patience / _LOOKS, self._look, context=contextvars.Context()
        )

    def _look(self) -> None:
        self._looking = None
        if self._due:
            if self._now() - next(iter(self._due.values())) >= self._patience:
                self.suspect()
            self._look_later()

    async def _until_it_answers(self) -> None:
        pause, silent, since = _FIRST_PAUSE, 0, self._now()
        while (trouble := await self._trouble()) is not None:
            if trouble:
                silent = 0
                self._down(trouble)
            elif self._heard_at < since:
                silent += 1
                self._down(f"no answer for {self._patience:g} s")
                if silent == _SILENT_PROBES:
                    await self._give_up()
            else:  # others hear from it: it is slow, or a pooler has no turn for the probe
                silent, since = 0, self._now()
            self._tell()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._up()
        self._tell()

    def _tell(self) -> None:
        """Answer those who ask."""
        if self._asked is not None:
            self._asked.set_result(not self.is_down)
            self._asked = None

    async def _trouble(self) -> str | None:
        """Probe, and return what is wrong: None for nothing, "" where there was no answer at all."""
        try:
            async with asyncio.timeout(self._patience):
                await self._probe()
        except TimeoutError:
            return ""
        except Exception as error:  # noqa: BLE001 - whatever it is, callers would meet it too
            return f"{type(error).__name__}: {error}"
        return None

    def _down(self, reason: str) -> None:
        if self._down_since is None:
            self._down_since = self._now()
            logger.error("postgres is unavailable", reason=reason)

    def _up(self) -> None:
        self.heard()
        if self._down_since is not None:
            logger.warning("postgres is available again", seconds=round(self._now() - self._down_since, 1))
            self._down_since = None

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class _Awaited:
    """An answer that is due."""

    __slots__ = ("_watch",)

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._watch.expect(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._watch.expect_no_more(self)
        if kind is None:
            self._watch.heard()
