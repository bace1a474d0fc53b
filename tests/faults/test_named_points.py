"""At each named point, again and again: the client's retry settles it."""

import pytest

from tests.faults.conftest import ROUNDS, Stand, Weapon
from tests.faults.points import POINTS, Point
from tests.faults.trap import Stop

every_point = pytest.mark.parametrize("point", POINTS, ids=[point.name.replace(" ", "-") for point in POINTS])


@every_point
async def test_a_killed_server_loses_and_doubles_nothing(stand: Stand, sigkill: Weapon, point: Point) -> None:
    await strikes_at(stand, point, sigkill)

    assert set(stand.client.troubles) <= {"cut off"}
    assert stand.servers.killed >= ROUNDS


@every_point
async def test_a_terminated_backend_loses_and_doubles_nothing(stand: Stand, terminate: Weapon, point: Point) -> None:
    await strikes_at(stand, point, terminate)

    assert set(stand.client.troubles) <= {"cut off", "dependency_unavailable"}
    assert stand.servers.killed == 0


@every_point
async def test_a_cut_connection_loses_and_doubles_nothing(stand: Stand, cut: Weapon, point: Point) -> None:
    await strikes_at(stand, point, cut)

    assert set(stand.client.troubles) <= {"cut off", "dependency_unavailable"}
    assert stand.servers.killed == 0


async def strikes_at(stand: Stand, point: Point, weapon: Weapon) -> None:
    """Strike as often as asked for, and at each moment of *point* at least once; nothing is lost or doubled."""
    await stand.client.make(stand.plan.change())  # what a server does only once, it has done then
    rounds = max(ROUNDS, len(point.stops))
    for number in range(rounds):
        await one_strike(stand, point.stops[number % len(point.stops)], weapon, replays=point.replays)
    await stand.assert_all_made_once(f"{weapon.name} {point.name}, {rounds} times")


async def one_strike(stand: Stand, stop: Stop, weapon: Weapon, *, replays: bool) -> None:
    """Make a change that is struck at *stop*; see that its answer tells the truth about when it was made."""
    change = stand.plan.change()
    if replays:
        await stand.client.make(change)
    troubles = stand.client.troubles.total()
    trap = stand.arm(stop, weapon)
    answer = await stand.client.make(change)
    await trap.struck()
    heard_at_once = stand.client.troubles.total() == troubles
    assert not (weapon.kills and heard_at_once)
    assert answer["changed"]
    if stop.committed is not None:
        assert answer["idempotency"]["replayed"] is (replays or (stop.committed and not heard_at_once))
