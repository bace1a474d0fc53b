"""Many callers change a few contacts at once, on two servers: it ends as if they had come one after the other.

Each round has a seed of its own, so that a failure can be seen again: WRITE_SEED=7. More rounds than
usual: WRITE_ROUNDS=500.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import structlog

from handlers import CATALOG
from rpc_server.app import LAYERS
from rpc_server.backends.postgres import Postgres
from rpc_server.calls.call import Calls
from rpc_server.contract.errors import ToolError
from tests.tools.office import Line, Office
from tests.tools.serial_order import Judge, Made

FIRST = int(os.environ.get("WRITE_SEED", "0"))
ROUNDS = int(os.environ.get("WRITE_ROUNDS", "15"))
# What may come of a call when nothing is amiss; a lost deadlock or a lock time-out is not among it.
EXPECTED = {"version_conflict", "idempotency_mismatch"}


class Rush:
    """A round: some calls, who of their callers goes away, and when a connection is lost."""

    def __init__(self, seed: int, office: Office) -> None:
        self.rng = Random(seed)
        self.office = office
        self.is_calm = seed % 3 != 0
        self.calls: list[Made] = []
        for _ in range(self.rng.randint(20, 40)):
            again = [call for call in self.calls if call.key] if self.rng.random() < 0.4 else []
            self.calls.append(self.rng.choice(again) if again else self._call())
        self.made: list[Made] = []

    def _call(self) -> Made:
        rng, office = self.rng, self.office
        contact = rng.choice(office.world.contacts)
        tool = rng.choice(("qualify_lead", "update_pipeline_stage", "assign_to_agent"))
        if tool == "qualify_lead":
            arguments = office.qualification(contact, status=rng.choice(("qualified", "unqualified")))
            arguments |= {"reason": "x" * rng.randint(0, 2), "bant_scores": {"need": rng.choice((None, 3, 9))}}
        elif tool == "update_pipeline_stage":
            arguments = office.move(rng.choice(("new", "talking", "won")), contact)
        else:
            arguments = office.assignment(rng.choice((office.ana, office.bia)), contact)
            arguments["priority"] = rng.choice((None, "high"))
        if rng.random() < 0.5:
            arguments["idempotency_key"] = rng.choice("abcdefgh")
        if rng.random() < 0.15:
            arguments["dry_run"] = True
        if rng.random() < 0.2:
            arguments["expected_version"] = rng.randint(1, 6)
        return Made(tool, arguments, rng.choice(("ana", "bia")))

    async def run(self) -> None:
        """Make all calls at once."""
        async with self._lines() as lines:
            tasks = [
                asyncio.create_task(self._make(self.rng.choice(lines), call, self.rng.uniform(0, 0.05)))
                for call in self.calls
            ]
            for task in self.rng.sample(tasks, len(tasks) // 8):
                asyncio.get_running_loop().call_later(self.rng.uniform(0, 0.2), task.cancel)
            if not self.is_calm:
                await self._lose_connections()
            await asyncio.wait(tasks)

    @asynccontextmanager
    async def _lines(self) -> AsyncIterator[list[Line]]:
        """Give two servers, each with fewer connections than callers."""
        async with AsyncExitStack() as stack:
            lines = []
            for _ in range(2):
                postgres = Postgres(self.office.crm.server_url, size=self.rng.randint(1, 4), acquire_seconds=20)
                await stack.enter_async_context(postgres)
                calls = Calls(CATALOG, LAYERS, postgres, lambda: datetime.now(UTC))
                lines.append(Line(await stack.enter_async_context(calls), self.office.tenant))
            yield lines

    async def _make(self, line: Line, call: Made, after: float) -> None:
        outcome: dict[str, Any] = {}
        try:
            await asyncio.sleep(after)
            outcome["answer"] = await line.call(call.tool, call.arguments, user=call.user)
        except ToolError as error:
            outcome["code"] = error.code
        finally:
            self.made.append(Made(call.tool, call.arguments, call.user, **outcome))

    async def _lose_connections(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            await asyncio.sleep(self.rng.uniform(0, 0.05))
            await self.office.lose_connections(1)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS))
async def test_changes_at_once_end_as_if_made_one_after_the_other(office: Office, seed: int) -> None:
    rush = Rush(seed, office)
    with structlog.testing.capture_logs() as logs:
        await rush.run()

    codes = {call.code for call in rush.made} - {None}
    assert codes <= (EXPECTED if rush.is_calm else EXPECTED | {"dependency_unavailable"})
    # Locks are taken in one order, so nobody has to lose.
    assert [log for log in logs if log["event"] in ("transaction lost", "lock not available", "incident")] == []
    await Judge(office, rush.made).judge()
    if rush.is_calm:
        await _refusals_are_on_record(office, rush)


async def _refusals_are_on_record(office: Office, rush: Rush) -> None:
    """Whoever was refused stands in the trail; so does, without having heard of it, some caller who went away."""
    outcomes = [entry["outcome"] for entry in await office.trail()]
    for code in EXPECTED:
        assert outcomes.count(code) == sum(call.code == code for call in rush.made)
    tried = sum(call.answer["dry_run"] for call in rush.made if call.answer is not None)
    gone = sum(call.answer is None and call.code is None for call in rush.made)
    entries = [entry for entry in await office.trail() if entry["outcome"] not in EXPECTED]
    assert tried <= sum(entry["dry_run"] for entry in entries) <= tried + gone
