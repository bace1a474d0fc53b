"""A plan's rows on their way into COPY: the bytes of each type, and who makes them."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest

from handlers.demo import DemoPlan, copy_data
from rpc_server.commands import demo_rows
from rpc_server.commands.demo import column_types
from rpc_server.commands.demo_rows import Packet, packets, packets_ahead
from rpc_server.commands.failure import CommandFailed
from tests.conftest import Crm

PLAN = DemoPlan(tenant_id="a", contacts=1200, seed=3, until=datetime(2026, 1, 1, tzinfo=UTC))
MOMENT = datetime(2026, 3, 18, 15, 30, 1, 234567, tzinfo=UTC)
NUMBERS = ["0", "0.00", "7", "7.5", "7.50", "-0.25", "10.00", "9999", "10000", "-10000.0001", "0.00012", "1" * 40]


async def test_postgresql_reads_every_type_as_it_was_meant(crm: Crm) -> None:
    cases: dict[str, list[Any]] = {
        "uuid": [UUID(int=0), UUID(int=2**128 - 1), UUID("5dafb163-af2b-405d-abff-f5be1fa3d37b")],
        "text": ["", "a\tb\nc\\N\r", "Olá, João 👍", "x" * 100_000],
        "character varying": ["manual", "'"],
        "jsonb": ['["a", "é"]', "{}", "null", "7"],
        "boolean": [True, False],
        "smallint": [-32768, 0, 1, 32767],
        "integer": [-(2**31), 0, 1, 2**31 - 1],
        "bigint": [-(2**63), 0, 1, 2**63 - 1],
        "numeric": [Decimal(number) for number in NUMBERS],
        "timestamp with time zone": [
            *(MOMENT, MOMENT.astimezone(timezone(timedelta(hours=-3))), datetime(1999, 12, 31, 23, 59, 59, 1, UTC)),
        ],
    }
    for name, values in cases.items():
        rows = [(n, value, None) for n, value in enumerate(values)]
        await crm.owner.execute(f"create temporary table given (n integer, value {name}, missing {name})")
        data = copy_data(rows, ["integer", name, name])
        await crm.owner.copy_to_table("given", format="binary", source=BytesIO(data))
        read = await crm.owner.fetch("select n, value, missing, value::text as text from given order by n")
        assert [tuple(row)[:3] for row in read] == rows, name
        if name == "numeric":
            assert [row["text"] for row in read] == NUMBERS
        await crm.owner.execute("drop table given")


def test_a_type_that_nobody_can_encode_is_named() -> None:
    with pytest.raises(KeyError, match="circle"):
        copy_data([(1,)], ["circle"])


async def test_another_process_makes_the_same_rows(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    types = await column_types(crm.owner)
    monkeypatch.setattr(demo_rows, "_ALONE", 0)

    made: list[Packet] = [packet async for packet in packets_ahead(PLAN, types)]

    assert made == list(packets(PLAN, types))
    assert sum(len(packet.contacts) for packet in made) == PLAN.contacts


async def test_a_process_that_ends_early_is_told(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    types = await column_types(crm.owner)
    monkeypatch.setattr(demo_rows, "_ALONE", 0)
    monkeypatch.setattr("sys.executable", shutil.which("false"))

    with pytest.raises(CommandFailed, match="has ended early; nothing was loaded"):
        [packet async for packet in packets_ahead(PLAN, types)]


async def test_whoever_stops_while_much_lies_ready_need_not_wait(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    types = await column_types(crm.owner)
    monkeypatch.setattr(demo_rows, "_ALONE", 0)
    monkeypatch.setattr(demo_rows, "_AHEAD", 2**10)
    made = packets_ahead(PLAN, types)
    await anext(made)
    await asyncio.sleep(1)  # more is ready than is taken

    async with asyncio.timeout(10):
        await made.aclose()
