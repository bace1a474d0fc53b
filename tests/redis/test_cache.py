"""Cached answers: never another's, never older than a change, asked for once, and gone in time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from rpc_server.backends.memory_cache import MemoryCache
from rpc_server.calls.cache import Cache, Entry, Looked
from rpc_server.calls.layers.cache import Caching
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import DeadlineExceeded, NotFound
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, Tool, tool
from tests.redis.conftest import Kind, Replica
from tests.redis.polling import lives_of, until

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


class Question(Arguments):
    """What is asked."""

    about: str = "everything"


class Figure(Result):
    """What is answered; it holds until *midnight*."""

    figure: int
    midnight: datetime | None = None

    def text(self) -> str:
        return f"The figure is {self.figure}: olá."

    def changes_at(self) -> datetime | None:
        return self.midnight


@tool(title="Count", permission="analytics.view", cache_seconds=300)
async def count(call: Call, arguments: Question) -> Figure:
    """Count."""
    raise AssertionError


@tool(title="Count anew", permission="analytics.view")
async def count_anew(call: Call, arguments: Question) -> Figure:
    """Count, each time."""
    raise AssertionError


class World:
    """What is counted; *calls* are the queries that were made for it."""

    def __init__(self) -> None:
        self.figure = 1
        self.queries: list[Call] = []
        self.midnight: datetime | None = None
        self.meanwhile: Callable[[], Awaitable[Any]] = lambda: asyncio.sleep(0)

    async def query(self, call: Call) -> Result:
        self.queries.append(call)
        seen = self.figure
        await self.meanwhile()
        return Figure(figure=seen, midnight=self.midnight)


class Asker:
    """Asks through the layer."""

    def __init__(self, cache: Cache, world: World, version: str = "1") -> None:
        self._layer = Caching(cache, version)
        self._world = world

    async def ask(
        self,
        *,
        tenant: str = "tenant",
        permissions: tuple[str, ...] = ("analytics.view",),
        about: str = "everything",
        now: datetime = NOON,
        of: Tool = count,
    ) -> tuple[int, float | None]:
        """Return the figure, and how old it is where it comes from the cache."""
        nothing: Any = None
        call = Call(of, Caller(tenant, "user", frozenset(permissions)), {}, "id", now, nothing, nothing)
        call.arguments = Question(about=about)
        result = await self._layer(self._world.query, call)
        figure = orjson.loads(result.as_json())["figure"]
        assert result.text() == f"The figure is {figure}: olá."
        return figure, call.age_seconds


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def asker(replica: Replica, world: World) -> Asker:
    return Asker(replica.cache, world)


async def test_the_second_to_ask_gets_the_first_answer_and_its_age(
    asker: Asker, another: Replica, world: World
) -> None:
    assert await asker.ask() == (1, None)
    world.figure = 2

    assert await asker.ask(now=NOON + timedelta(seconds=90)) == (1, 90.0)
    assert await Asker(another.cache, world).ask() == (1, 0.0)
    assert len(world.queries) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "other"},
        {"permissions": ("analytics.view", "messages.view")},
        {"permissions": ("*",)},
        {"about": "something"},
    ],
)
async def test_what_another_may_be_told_otherwise_is_not_shared(asker: Asker, world: World, other: Any) -> None:
    await asker.ask()
    world.figure = 2

    assert await asker.ask(**other) == (2, None)
    assert (await asker.ask())[0] == 1
    assert (await asker.ask(**other))[0] == 2


HOSTILE = ["a", "a:b", "a\x00", "{a}", '"a"', "a*", "é", "\ud800", "a\n", ""]


async def test_no_two_tenants_are_taken_for_one_whatever_they_are_called(asker: Asker, world: World) -> None:
    for world.figure, tenant in enumerate(HOSTILE):
        assert await asker.ask(tenant=tenant) == (world.figure, None)
    for figure, tenant in enumerate(HOSTILE):
        assert (await asker.ask(tenant=tenant))[0] == figure


async def test_another_version_of_the_server_makes_answers_of_its_own(replica: Replica, world: World) -> None:
    await Asker(replica.cache, world, "1").ask()
    world.figure = 2

    assert await Asker(replica.cache, world, "2").ask() == (2, None)


async def test_a_tool_that_does_not_allow_it_is_never_cached(asker: Asker, world: World) -> None:
    await asker.ask(of=count_anew)
    world.figure = 2

    assert await asker.ask(of=count_anew) == (2, None)


async def test_a_change_on_one_replica_is_seen_by_the_next_read_on_each(
    asker: Asker, replica: Replica, another: Replica, world: World
) -> None:
    elsewhere = Asker(another.cache, world)
    for figure in range(2, 5):
        await asker.ask()
        await elsewhere.ask()
        world.figure = figure
        assert await replica.cache.forget("tenant")

        assert await elsewhere.ask() == (figure, None)
        assert (await asker.ask())[0] == figure


async def test_a_change_of_one_tenant_leaves_the_others_answers(asker: Asker, replica: Replica, world: World) -> None:
    await asker.ask(tenant="other")
    await replica.cache.forget("tenant")

    assert await asker.ask(tenant="other") == (1, 0.0)


async def test_who_began_to_read_before_a_change_does_not_leave_a_stale_answer_behind(
    asker: Asker, another: Replica, world: World
) -> None:
    async def change() -> None:
        world.figure = 2
        assert await another.cache.forget("tenant")

    world.meanwhile = change
    assert await asker.ask() == (1, None)

    assert await asker.ask() == (2, None)


async def test_who_asks_after_a_change_does_not_wait_for_an_answer_from_before(
    asker: Asker, replica: Replica, world: World
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()

    world.meanwhile = wait
    before = asyncio.create_task(asker.ask())
    await begun.wait()
    world.figure = 2
    await replica.cache.forget("tenant")
    world.meanwhile = lambda: asyncio.sleep(0)

    assert await asker.ask() == (2, None)
    go_on.set()
    assert await before == (1, None)
    assert (await asker.ask())[0] == 2


async def test_of_a_hundred_that_ask_the_same_at_once_one_goes_on(asker: Asker, world: World) -> None:
    answers = await asyncio.gather(*(asker.ask() for _ in range(100)))

    assert len(world.queries) == 1
    assert sorted(answers, key=str) == [(1, 0.0)] * 99 + [(1, None)]


async def test_those_who_ask_at_once_share_only_what_each_may_be_told(asker: Asker, world: World) -> None:
    async def ask(tenant: str, permission: str) -> tuple[str, int]:
        figure, _ = await asker.ask(tenant=tenant, permissions=("analytics.view", permission))
        return f"{tenant} {permission}", figure

    async def answer_each_otherwise(call: Call) -> Result:
        world.queries.append(call)
        figure = len(world.queries)
        await asyncio.sleep(0.01)
        return Figure(figure=figure)

    world.query = answer_each_otherwise  # type: ignore[method-assign]
    asked = [(tenant, permission) for tenant in ("a", "b") for permission in ("x.view", "y.view")]
    answers = await asyncio.gather(*(ask(*one) for one in asked * 25))

    assert len(world.queries) == 4
    assert len(set(answers)) == len({figure for _, figure in answers}) == 4


async def test_where_one_goes_away_another_goes_on_in_its_place(asker: Asker, world: World) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    world.meanwhile = wait
    first = asyncio.create_task(asker.ask())
    await begun.wait()
    world.meanwhile = lambda: asyncio.sleep(0)
    others = [asyncio.create_task(asker.ask()) for _ in range(10)]
    await asyncio.sleep(0)
    first.cancel()

    assert {answer for answer, _ in await asyncio.gather(*others)} == {1}
    assert len(world.queries) == 2


class Counted:
    """A cache that counts who has looked."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.keep, self.forget = cache.keep, cache.forget
        self.looked = 0

    async def look_up(self, tenant_id: str, key: bytes) -> Looked:
        found = await self._cache.look_up(tenant_id, key)
        self.looked += 1
        return found

    async def have_looked(self, number: int) -> None:
        async def have() -> bool:
            return self.looked >= number

        await until(have)


async def test_a_failure_is_that_of_all_who_wait_and_is_not_kept(replica: Replica, world: World) -> None:
    cache = Counted(replica.cache)
    asker = Asker(cache, world)

    async def fail() -> None:
        await cache.have_looked(20)
        raise NotFound("Not there.")

    world.meanwhile = fail
    answers = await asyncio.gather(*(asker.ask() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(answer, NotFound) for answer in answers)
    assert len(world.queries) == 1
    world.meanwhile = lambda: asyncio.sleep(0)

    assert await asker.ask() == (1, None)


async def test_who_waits_for_one_whose_time_is_over_goes_on_alone(replica: Replica, world: World) -> None:
    cache = Counted(replica.cache)
    asker = Asker(cache, world)

    async def run_out_of_time() -> None:
        await cache.have_looked(5)
        world.meanwhile = lambda: asyncio.sleep(0)
        raise DeadlineExceeded("Too late.")

    world.meanwhile = run_out_of_time
    answers = await asyncio.gather(*(asker.ask() for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(answer, DeadlineExceeded) for answer in answers) == 1
    assert len(world.queries) == 2


async def test_nothing_is_left_of_those_who_asked(asker: Asker, world: World) -> None:
    await asyncio.gather(*(asker.ask(about=about) for about in "abcabc"))

    assert not asker._layer._askers


async def test_an_answer_is_kept_for_five_minutes_and_not_beyond_the_tenants_day(asker: Asker, world: World) -> None:
    world.midnight = NOON + timedelta(seconds=60)
    await asker.ask()
    await asker.ask(about="something", now=NOON + timedelta(seconds=60))  # for a whole day, so for five minutes
    world.figure = 2

    assert (await asker.ask(now=NOON + timedelta(seconds=59)))[0] == 1
    assert (await asker.ask(now=NOON + timedelta(seconds=60)))[0] == 2


async def test_five_minutes_are_the_most(asker: Asker, world: World) -> None:
    await asker.ask()
    world.figure = 2

    assert await asker.ask(now=NOON + timedelta(seconds=299.5)) == (1, 299.5)
    assert await asker.ask(now=NOON + timedelta(seconds=300)) == (2, None)


async def test_an_answer_that_is_too_large_is_not_kept(replica: Replica, world: World) -> None:
    class Novel(Figure):
        def as_json(self) -> bytes:
            return orjson.dumps({"figure": 1, "words": "x" * 600_000})

    async def write(call: Call) -> Result:
        world.queries.append(call)
        return Novel(figure=1)

    asker = Asker(replica.cache, world)
    world.query = write  # type: ignore[method-assign]
    for _ in range(2):
        assert await asker.ask() == (1, None)
    assert len(world.queries) == 2


@pytest.mark.parametrize("kind", ["redis"], indirect=True)
async def test_nothing_is_kept_in_redis_longer_than_it_is_good_for(
    kind: Kind, replica: Replica, world: World, asker: Asker
) -> None:
    await asker.ask()

    keys = await lives_of(replica.redis)
    lives = {key.split(":")[1]: life for key, life in keys.items()}

    assert set(lives) == {"answer", "generation", "probe"}
    assert 0 < lives["answer"] <= 300_000
    assert lives["answer"] < lives["generation"]
    assert not [key for key in keys if "tenant" in key]


@pytest.mark.parametrize("kind", ["redis"], indirect=True)
async def test_a_generation_that_redis_has_lost_revives_nothing(
    kind: Kind, replica: Replica, world: World, asker: Asker
) -> None:
    await asker.ask()
    redis = replica.redis
    assert redis is not None
    await redis.run(lambda client: client.delete(redis.key("generation", "tenant")))
    world.figure = 2

    assert await asker.ask() == (2, None)


async def test_the_memory_of_a_process_is_bounded_and_loses_the_least_used_first() -> None:
    cache = MemoryCache(most_bytes=10_000)
    entry = Entry(b"x" * 1000, "words", 0, 1e12)
    for number in range(100):
        generation = (await cache.look_up("tenant", b"0")).generation
        assert generation is not None
        await cache.keep("tenant", str(number).encode(), generation, entry)

    found = [(await cache.look_up("tenant", str(number).encode())).entry is not None for number in range(100)]

    assert found[0] and found[99]
    assert sum(found) == 6
    assert cache._bytes <= 10_000
