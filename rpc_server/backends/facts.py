"""Keeps facts fresh: takes the marks that changes leave behind, so that answers find narrow facts to count.

Whoever is slow here, or stops, costs no answer its truth: of marked contacts the rows themselves are asked.
"""

import asyncio
from contextlib import suppress
from typing import Self

import asyncpg
import structlog

from rpc_server.backends.postgres import Postgres
from rpc_server.calls.measures import FACTS_WAITING
from rpc_server.calls.telemetry import NO_METRICS, Metrics
from rpc_server.contract.query import query

ESTIMATE_MARKS = query("facts/estimate_marks")
REFRESH_FACTS = query("facts/refresh_facts")

# A transaction of at most so many marks takes a second or less, and its locks concern nobody but its like.
MARKS_AT_A_TIME = 1000
_IDLE_SECONDS = 2.0
_FAILED_SECONDS = 30.0

logger = structlog.get_logger("facts")


class FactsRefresher:
    """A task beside the calls, which takes a connection now and then; several servers take turns by themselves."""

    def __init__(self, postgres: Postgres, metrics: Metrics = NO_METRICS) -> None:
        """*metrics* are told how many marks wait; nothing, where the database keeps no facts."""
        self._postgres = postgres
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None
        self.is_failing = False

    async def __aenter__(self) -> Self:
        """Begin, soon."""
        self._task = asyncio.create_task(self._keep_fresh(), name="facts")
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop; what is under way is undone and left to others."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def ended(self) -> None:
        """Wait until there is nothing to do, ever: the database keeps no facts."""
        assert self._task is not None
        await asyncio.shield(self._task)

    async def refresh(self) -> int:
        """Take some marks and return how many; 0 where another server is at it."""
        async with self._postgres.transaction("", lambda: None) as database:
            marks = await database.first(ESTIMATE_MARKS)
            # Before they are taken, which may fail: then all the more is it to be seen.
            if marks is not None:
                self._metrics.put(FACTS_WAITING, marks["waiting"])
            row = await database.first(REFRESH_FACTS, most=MARKS_AT_A_TIME)
            await database.commit()
        return 0 if row is None or row["taken"] is None else int(row["taken"])

    async def _keep_fresh(self) -> None:
        pause = _IDLE_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                taken = await self.refresh()
            except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError):
                return  # another CRM's database, which keeps no facts
            except Exception as error:  # noqa: BLE001 - whatever it is, calls do without, and the next try may succeed
                self._failed(error)
                pause = _FAILED_SECONDS
            else:
                self.is_failing = False
                pause = 0 if taken == MARKS_AT_A_TIME else _IDLE_SECONDS

    def _failed(self, error: Exception) -> None:
        if not self.is_failing:
            logger.warning("facts not refreshed", error=type(error).__name__)
        self.is_failing = True
