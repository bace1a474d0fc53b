"""Two budgets of tokens: what one call may use of the model, and what the tenant may in a UTC day.

Each request takes its estimate from both before it is sent, and puts it right when its cost is
known. The day's budget is one row in the database, so it holds across processes; what a process
reserved and never settled, because it died or was stopped, counts as spent.
"""

from datetime import UTC

from rpc_server.contract.query import WritableDatabase, query
from rpc_server.contract.tool import Call

RESERVE_TOKENS = query("messages/reserve_tokens")
SETTLE_TOKENS = query("messages/settle_tokens")


class TokenBudget:
    """What is left for a call, and of its tenant's day: the day on which the call began."""

    def __init__(self, call: Call, *, of_call: int, of_day: int) -> None:
        self._call = call
        self._of_call = of_call
        self._of_day = of_day
        self._day = call.now.astimezone(UTC).date()
        self.spent = 0

    async def reserve(self, tokens: int) -> bool:
        """Take *tokens* from both budgets, or from neither where one of them has not so many left."""
        if self.spent + tokens > self._of_call:
            self._call.over_budget("call")
            return False
        # Before anything is awaited: other requests of this call ask at the same time.
        self.spent += tokens
        try:
            reserved = await self._reserve_of_day(tokens)
        except BaseException:
            self.spent -= tokens
            raise
        if not reserved:
            self.spent -= tokens
            self._call.over_budget("day")
        return reserved

    async def settle(self, db: WritableDatabase, *, reserved: int, spent: int) -> None:
        """Put a reservation right, in a transaction that the caller commits."""
        self.spent += spent - reserved
        await db.all(SETTLE_TOKENS, day=self._day, correction=spent - reserved)

    async def _reserve_of_day(self, tokens: int) -> bool:
        async with self._call.store() as db:
            row = await db.first(RESERVE_TOKENS, day=self._day, tokens=tokens, budget=self._of_day)
            await db.commit()
        return row is not None
