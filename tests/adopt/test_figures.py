"""Every figure on an adopted database, by the tests that hold it on our own tables."""

from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import pytest
import pytest_asyncio

from tests.adopt.database import ADOPTED
from tests.adopt.repeated import database_tests
from tests.conftest import Crm
from tests.database import Cluster, cloned
from tests.tools import test_figures

AWKWARD = test_figures.test_every_figure_of_an_awkward_world_is_what_plain_counting_finds
# There are no ratings: what is said of them holds only for our own tables.
globals().update(
    database_tests(
        test_figures,
        AWKWARD.__name__,
        "test_satisfaction_is_the_share_of_four_and_five_stars_of_the_last_human_until_then",
        "test_a_rating_of_a_deleted_conversation_does_not_count",
        "test_one_rating_of_long_ago_makes_ratings_the_source",
    )
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(ventros: Cluster) -> AsyncIterator[str]:
    """One database for all: there are many tests here, and to empty one is quicker than to make one."""
    async with cloned(ventros, ADOPTED) as database:
        yield database


@pytest.fixture
async def crm(ventros: Cluster, shared: str) -> AsyncIterator[Crm]:
    """An adopted database with nobody's data in it."""
    owner = await asyncpg.connect(ventros.owner_url(shared))
    await owner.execute(
        "truncate public.users, mcp_store.tenant_settings, mcp_store.qualifications, mcp_store.assignments cascade"
    )
    crm = Crm(ventros, shared, owner)
    async with crm.postgres:
        yield crm
    await owner.close()


@pytest.mark.parametrize("world", test_figures.WORLDS[:4], ids=lambda world: str(world[0]))
async def test_every_figure_of_an_awkward_world_is_what_plain_counting_finds(
    crm: Crm, world: tuple[int, str, datetime]
) -> None:
    """The worlds lose their ratings here, so that satisfaction is the share of positive sentiments."""
    await AWKWARD(crm, *world)
