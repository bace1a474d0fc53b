"""Fixtures: what makes the tests of this folder run on adopted databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.adopt.database import ADOPTED, prepare, tear_down
from tests.database import Cluster, cloned
from tests.tenancy.conftest import both, login
from tests.tools.conftest import neighbour, office

__all__ = ["both", "login", "neighbour", "office"]


@pytest.fixture(scope="session")
def ventros(cluster: Cluster) -> Iterator[Cluster]:
    """The server of the tests, with the templates of Ventros databases."""
    asyncio.run(prepare(cluster))
    yield cluster
    asyncio.run(tear_down(cluster))


@pytest.fixture
def source(ventros: Cluster) -> str:
    """An adopted database, where another folder's tests have one of our own tables."""
    return ADOPTED


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def offices(ventros: Cluster) -> AsyncIterator[str]:
    """An adopted database with the offices of tests for the tools that write."""
    async with cloned(ventros, ADOPTED) as database:
        yield database
