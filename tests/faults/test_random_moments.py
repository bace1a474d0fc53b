"""At any moment, while several clients change the same contacts, two of them with the same keys."""

import asyncio
import time
from collections.abc import Sequence
from random import Random

from tests.faults.changes import Change
from tests.faults.conftest import RANDOM_STRIKES, Stand, Weapon

CLIENTS = 4
CHANGES_EACH = 3


async def test_a_server_killed_at_any_moment_loses_and_doubles_nothing(stand: Stand, sigkill: Weapon) -> None:
    await strikes(stand, sigkill)

    assert set(stand.client.troubles) <= {"cut off"}
    assert stand.servers.killed >= RANDOM_STRIKES


async def test_backends_terminated_at_any_moment_lose_and_double_nothing(stand: Stand, terminate: Weapon) -> None:
    await strikes(stand, terminate)

    assert set(stand.client.troubles) <= {"dependency_unavailable"}
    assert stand.servers.killed == 0


async def strikes(stand: Stand, weapon: Weapon) -> None:
    """Strike at any moment of a burst of changes until enough strikes have hit some; nothing is lost or doubled."""
    rng = Random(2)
    seconds = await calm_seconds(stand, weapon)
    strikes = hits = 0
    while hits < RANDOM_STRIKES:
        troubles = stand.client.troubles.total()
        await asyncio.gather(burst(stand), strike_after(rng.uniform(0, seconds), weapon))
        strikes += 1
        hits += stand.client.troubles.total() > troubles
    await stand.assert_all_made_once(f"{weapon.name} at random moments, {strikes} times, {hits} of them amid changes")


async def calm_seconds(stand: Stand, weapon: Weapon) -> float:
    """Return how long a burst takes that nobody disturbs, after a strike as all are."""
    taken = []
    for _ in range(3):
        await weapon.strike(None)
        await stand.servers.ready()
        begun = time.monotonic()
        await burst(stand)
        taken.append(time.monotonic() - begun)
    return sorted(taken)[1]


async def burst(stand: Stand) -> None:
    """Make several changes one after the other, in several places at the same time, in two of them the same."""
    await stand.servers.ready()
    places = [[stand.plan.change() for _ in range(CHANGES_EACH)] for _ in range(CLIENTS)]
    await asyncio.gather(*(in_turn(stand, changes) for changes in [*places, places[-1]]))


async def in_turn(stand: Stand, changes: Sequence[Change]) -> None:
    for change in changes:
        await stand.client.make(change)


async def strike_after(seconds: float, weapon: Weapon) -> None:
    await asyncio.sleep(seconds)
    await weapon.strike(None)
