"""A moment to wait for, and what to do when it comes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


class Moment(Enum):
    """When, of a statement on its way to PostgreSQL and back."""

    ASKED = auto()  # the server has sent it; it goes no further
    PASSED_ON = auto()  # it has just been passed on to PostgreSQL
    DONE = auto()  # PostgreSQL has answered; the answer goes no further
    ANSWERED = auto()  # the server has just been given the answer
    REPLIED = auto()  # not of a statement: the server has replied to its client; the reply goes no further


@dataclass(frozen=True, slots=True)
class Stop:
    """A moment of the statement that starts with *statement*, in a transaction that ran *within* before."""

    statement: str
    moment: Moment
    # Whether the change is committed by then; None: nobody can tell.
    committed: bool | None
    within: str = ""


# Strikes at once at the backend of that process id, or at all of them where it is None; over when the future is.
Strike = Callable[[int | None], "asyncio.Future[None]"]


class Trap:
    """Strikes once, when its moment has come."""

    def __init__(self, stop: Stop, strike: Strike, *, cuts: bool) -> None:
        """*cuts*: nothing passes the connection any more after the strike."""
        self.stop = stop
        self._cuts = cuts or stop.moment in (Moment.DONE, Moment.REPLIED)
        self._strike = strike
        self._struck: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fits(self, statement: str, transaction: set[str]) -> bool:
        """Tell whether *statement* is the one that is waited for, after those of its *transaction* so far."""
        return statement.startswith(self.stop.statement) and (not self.stop.within or self.stop.within in transaction)

    async def spring(self, backend: int | None) -> bool:
        """Strike, and tell whether the connection still stands; a cancelled caller does not cancel the strike."""
        striking = self._strike(backend)
        striking.add_done_callback(self._report)
        await asyncio.shield(striking)
        return not self._cuts

    async def struck(self) -> None:
        """Return when it has struck; it is a TimeoutError where the moment never came."""
        async with asyncio.timeout(10):
            await self._struck

    def _report(self, striking: asyncio.Future[None]) -> None:
        if (error := striking.exception()) is not None:
            self._struck.set_exception(error)
        else:
            self._struck.set_result(None)
