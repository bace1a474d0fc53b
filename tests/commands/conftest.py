"""Databases for the commands: their tests are plain functions, because each command runs a loop of its own."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import structlog

from tests.database import Cluster, template_of


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """Forget where a command that ran in this process has sent its log: to what pytest captured of that test."""
    yield
    structlog.reset_defaults()


@dataclass(frozen=True, slots=True)
class Database:
    """A database of the test's own, by its two addresses."""

    owner_url: str
    server_url: str

    def execute(self, statement: str) -> None:
        """Run a statement as the owner."""
        asyncio.run(execute(self.owner_url, statement))

    def value(self, query: str) -> Any:
        """Return the first column of the first row, as the owner sees it."""
        return asyncio.run(value(self.owner_url, query))

    @property
    def environment(self) -> dict[str, str]:
        """Both addresses, as the commands take them."""
        return {"DATABASE_OWNER_URL": self.owner_url, "DATABASE_URL": self.server_url}


async def execute(url: str, statement: str) -> None:
    """Run a statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def value(url: str, query: str) -> Any:
    """Return the first column of the first row."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@contextmanager
def made_from(template: str, cluster: Cluster) -> Iterator[Database]:
    """Make a database, and remove it in the end."""
    name = f"crm_test_{secrets.token_hex(6)}"
    asyncio.run(execute(cluster.admin_url, f"create database {name} encoding 'UTF8' template {template}"))
    try:
        yield Database(cluster.owner_url(name), cluster.server_url(name))
    finally:
        asyncio.run(execute(cluster.admin_url, f"drop database {name} (force)"))


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A migrated database with nobody's data in it."""
    with made_from(template_of(cluster), cluster) as made:
        yield made


@pytest.fixture
def other_database(cluster: Cluster) -> Iterator[Database]:
    """Another such database."""
    with made_from(template_of(cluster), cluster) as made:
        yield made


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Database]:
    """A database in which nothing is."""
    with made_from("template0", cluster) as made:
        yield made
