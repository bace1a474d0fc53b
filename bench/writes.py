"""Audited, idempotent stage changes beside a bare update: `python -m bench.writes`.

Both run against the same throw-away database on the server of DATABASE_OWNER_URL, with the same
number of callers and connections, in turns; a change moves one contact to another stage with a key of
its own, the bare update increments the same contact's version in one transaction.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Annotated
from uuid import UUID

import asyncpg
import typer
import uvloop

from bench.support_threads import throw_away_database
from handlers import CATALOG
from handlers.demo import DemoPlan
from rpc_server.app import LAYERS
from rpc_server.backends.logs import configure_logs
from rpc_server.backends.postgres import Postgres
from rpc_server.calls.call import Calls
from rpc_server.commands.demo import load
from rpc_server.contract.caller import Caller
from rpc_server.settings import Settings

TENANT = "bench"
CONTACTS = 500
_KEYS = count()

Change = Callable[[UUID], Awaitable[None]]


async def rate(change: Change, contacts: list[UUID], callers: int, seconds: float) -> float:
    """Return how many changes a second *callers* make, each over contacts of its own."""
    until = time.perf_counter() + seconds

    async def keep_changing(mine: list[UUID]) -> int:
        done = 0
        while time.perf_counter() < until:
            await change(mine[done % len(mine)])
            done += 1
        return done

    started = time.perf_counter()
    done = await asyncio.gather(*(keep_changing(contacts[caller::callers]) for caller in range(callers)))
    return sum(done) / (time.perf_counter() - started)


async def stage_change(calls: Calls) -> Change:
    """Return a change that moves a contact to and fro, each time under a new key."""
    caller = Caller(TENANT, "bench", frozenset("*"))
    listed = await calls.run("list_pipelines", {}, caller, "bench")
    pipeline = listed.result.model_dump(mode="json")["pipelines"][0]  # type: ignore[union-attr]
    stages = [stage["stage_id"] for stage in pipeline["stages"]]
    moved: dict[UUID, int] = {}

    async def change(contact_id: UUID) -> None:
        moved[contact_id] = moved.get(contact_id, 0) + 1
        arguments = {
            "contact_id": str(contact_id),
            "pipeline_id": pipeline["pipeline_id"],
            "stage_id": stages[moved[contact_id] % len(stages)],
            "idempotency_key": f"key-{next(_KEYS)}",
        }
        outcome = await calls.run("update_pipeline_stage", arguments, caller, "bench")
        assert outcome.error is None, outcome.error

    return change


def bare_update(pool: "asyncpg.Pool[asyncpg.Record]") -> Change:
    """Return the least that a change could be: one update in one transaction."""

    async def change(contact_id: UUID) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("update public.contacts set version = version + 1 where id = $1", contact_id)

    return change


async def _nothing(connection: object) -> None:
    """Leave a connection as it is: the tools' pool has no reset either."""


async def measure(rounds: int, seconds: float) -> None:
    """Print the rates and their ratio at one and at sixteen callers."""
    settings = Settings()
    server = settings.database_owner_url or settings.database_url
    if server is None:
        raise SystemExit("Set DATABASE_OWNER_URL to a login that may create a database.")
    async with throw_away_database(server.get_secret_value()) as url:
        owner = await asyncpg.connect(url)
        plan = DemoPlan(TENANT, CONTACTS, seed=1, until=datetime.now(UTC).replace(microsecond=0))
        await load(owner, plan, lambda done: None)
        contacts = [row["id"] for row in await owner.fetch("select id from contacts where deleted_at is null")]
        await owner.close()
        for callers in (1, 16):
            async with (
                Postgres(url, size=callers, acquire_seconds=30) as postgres,
                asyncpg.create_pool(url, min_size=callers, max_size=callers, reset=_nothing) as pool,
                Calls(CATALOG, LAYERS, postgres, lambda: datetime.now(UTC)) as calls,
            ):
                audited, bare = await stage_change(calls), bare_update(pool)
                await rate(audited, contacts, callers, 0.5)
                pairs = [
                    (
                        await rate(audited, contacts, callers, seconds),
                        await rate(bare, contacts, callers, seconds),
                    )
                    for _ in range(rounds)
                ]
            ratio = statistics.median(one / other for one, other in pairs)
            print(
                f"{callers:2} callers: {statistics.median(one for one, _ in pairs):7.0f} audited changes/s, "
                f"{statistics.median(other for _, other in pairs):7.0f} bare updates/s, ratio {ratio:.2f} "
                f"(medians of {rounds} rounds of {seconds:g} s)"
            )


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, in turns.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each time.")] = 2.0,
) -> None:
    """Measure audited, idempotent stage changes beside a bare update."""
    configure_logs("json", "error")
    uvloop.run(measure(rounds, seconds))


if __name__ == "__main__":
    typer.run(main)
