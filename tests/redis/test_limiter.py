"""Limits: exact, the same on all replicas, and nobody pays for another."""

import asyncio

import pytest

from rpc_server.backends.memory_limiter import MemoryLimiter
from rpc_server.contract.limit import WINDOW_SECONDS
from tests.redis.conftest import Kind, Replica, Replicas
from tests.redis.polling import lives_of, until


async def test_exactly_the_limit_passes_over_three_replicas_and_twenty_callers_at_a_time(replicas: Replicas) -> None:
    limiters = [(await replicas.start()).limiter for _ in range(3)]

    async def calls(number: int) -> int:
        limiter = limiters[number % 3]
        return sum([(await limiter.take("tenant", "user", "read", 100)).passes for _ in range(10)])

    assert sum(await asyncio.gather(*(calls(number) for number in range(20)))) == 100


async def test_a_decision_says_what_is_left_and_when_there_is_more(replica: Replica) -> None:
    decisions = [await replica.limiter.take("tenant", "user", "write", 3) for _ in range(5)]

    assert [decision.passes for decision in decisions] == [True, True, True, False, False]
    assert [decision.remaining for decision in decisions] == [2, 1, 0, 0, 0]
    assert {decision.limit for decision in decisions} == {3}
    assert all(0 < decision.reset_seconds <= WINDOW_SECONDS for decision in decisions)
    assert all(1 <= decision.retry_after <= 60 for decision in decisions)


async def test_tenants_users_and_classes_are_counted_apart(replica: Replica) -> None:
    await replica.limiter.take("tenant", "user", "read", 1)

    assert not (await replica.limiter.take("tenant", "user", "read", 1)).passes
    assert (await replica.limiter.take("other", "user", "read", 1)).passes
    assert (await replica.limiter.take("tenant", "other", "read", 1)).passes
    assert (await replica.limiter.take("tenant", "user", "write", 1)).passes


HOSTILE = [
    ("a", "b:c"),
    ("a:b", "c"),
    ('a", "b', "c"),
    ("{a}", "b"),
    ("a\x00b", ""),
    ("a", "\x00b"),
    ("é*?[", "\ud800"),
]


async def test_no_two_names_are_taken_for_one_whatever_they_contain(replica: Replica) -> None:
    for tenant, user in HOSTILE:
        assert (await replica.limiter.take(tenant, user, "read", 1)).passes, (tenant, user)
    for tenant, user in HOSTILE:
        assert not (await replica.limiter.take(tenant, user, "read", 1)).passes, (tenant, user)


async def test_a_tenant_has_so_many_places_on_all_replicas_together(replica: Replica, another: Replica) -> None:
    first = await replica.limiter.enter("tenant", 2, 60)
    second = await another.limiter.enter("tenant", 2, 60)
    assert first is not None and second is not None

    assert await replica.limiter.enter("tenant", 2, 60) is None
    assert await another.limiter.enter("tenant", 2, 60) is None
    assert await replica.limiter.enter("other", 2, 60) is not None
    await first()
    assert await another.limiter.enter("tenant", 2, 60) is not None
    assert await another.limiter.enter("tenant", 2, 60) is None


async def test_no_more_than_the_places_are_taken_at_once(replicas: Replicas) -> None:
    limiters = [(await replicas.start()).limiter for _ in range(3)]

    entered = await asyncio.gather(*(limiters[n % 3].enter("tenant", 4, 60) for n in range(30)))

    assert sum(leave is not None for leave in entered) == 4


async def test_a_place_whose_process_died_is_free_when_its_time_is_over(replica: Replica, another: Replica) -> None:
    assert await replica.limiter.enter("tenant", 1, 0.001) is not None

    await until(lambda: another.limiter.enter("tenant", 1, 60))


@pytest.mark.parametrize("kind", ["redis"], indirect=True)
async def test_nothing_stays_in_redis_longer_than_it_counts(kind: Kind, replica: Replica) -> None:
    await replica.limiter.take("tenant", "user", "read", 5)
    await replica.limiter.enter("tenant", 5, 30)

    lives = {key.split(":")[1]: life for key, life in (await lives_of(replica.redis)).items()}

    assert 0 < lives["calls"] <= 60_000
    assert 0 < lives["analyses"] <= 30_000


async def test_the_window_slides_and_is_not_reset_at_once() -> None:
    now = 1000.0
    limiter = MemoryLimiter(lambda: now)
    for moment in (1000.0, 1030.0):
        now = moment
        assert (await limiter.take("tenant", "user", "read", 2)).passes
    now = 1059.9
    refused = await limiter.take("tenant", "user", "read", 2)
    assert (refused.passes, refused.retry_after) == (False, 1)
    now = 1060.0
    assert (await limiter.take("tenant", "user", "read", 2)).passes
    assert not (await limiter.take("tenant", "user", "read", 2)).passes


async def test_a_process_does_not_remember_callers_for_ever() -> None:
    now = 0.0
    limiter = MemoryLimiter(lambda: now, most_callers=10)
    for number in range(100):
        await limiter.take("tenant", str(number), "read", 1)
    assert len(limiter._passed) == 10
    now = 100.0
    for _ in range(10):
        await limiter.take("tenant", "another", "read", 100)

    assert len(limiter._passed) == 1
