"""SQL files and their uses agree: each is used, each is there, each prepares for the server's reader."""

import importlib
import pkgutil
import re

import pytest

import handlers
import rpc_server.backends
import rpc_server.calls
from rpc_server.contract.query import SQL_FOLDER, Query
from tests.conftest import Crm

MIGRATIONS = {"crm", "adopt"}
FILES = sorted(
    str(path.relative_to(SQL_FOLDER).with_suffix(""))
    for path in SQL_FOLDER.rglob("*.sql")
    if path.relative_to(SQL_FOLDER).parts[0] not in MIGRATIONS
)


def used_queries() -> dict[str, Query]:
    """Return every query that a module of handlers holds, by name."""
    modules = [
        importlib.import_module(found.name)
        for package in (handlers, rpc_server.backends, rpc_server.calls)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Query)}


def test_each_file_is_used_and_each_use_has_a_file() -> None:
    assert sorted(used_queries()) == FILES


async def test_each_query_prepares_for_the_server(crm: Crm) -> None:
    async with crm.owner.transaction():
        await crm.owner.execute("set local role mcp_writer; set local mcp.tenant_id = 'anybody'")
        for query in used_queries().values():
            prepared = await crm.owner.prepare(query.text)

            assert len(prepared.get_parameters()) == len(query.parameters), query.name


@pytest.mark.parametrize("name", FILES)
def test_a_file_keeps_the_style(name: str) -> None:
    text = (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    statement = re.sub(r"--.*", "", text)

    assert text.startswith("-- "), "a header says what it answers"
    assert "select *" not in statement
    assert re.search(r"^\s+(from|join|lateral)\s+(public|mcp_store)\.", statement, re.MULTILINE) is None
    assert all(keyword.islower() for keyword in re.findall(r"\b(?:select|from|where|order by)\b", statement, re.I))
