"""Fixtures: two tenants whose rows point at each other's, with and without facts."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import Crm
from tests.database import settle
from tests.facts.counts import count_days_of
from tests.tools.world import World, awkward_world, entangle, insert

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
ZONE = ZoneInfo("America/Sao_Paulo")


def two(seed: int) -> World:
    """Return the awkward worlds of two tenants."""
    world = awkward_world(seed, "tenant-a", NOW, ZONE)
    world.absorb(awkward_world(seed, "tenant-b", NOW, ZONE))
    entangle(world, "tenant-b", seed)
    return world


@pytest.fixture
async def settled(crm: Crm) -> Crm:
    """The test's database with both, and all their facts; waits of most days are counted."""
    await count_days_of(crm.owner, 2)
    await insert(two(3), crm.owner)
    await settle(crm.owner)
    return crm
