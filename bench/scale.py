"""How answers take longer as a CRM grows: `python -m bench.scale`; see docs/performance.md.

Whole calls, one at a time, with every layer but HTTP, no cache: each read tool, for a week, a month and a year, of
ordinary tenants in turn and of the giant.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle, islice
from random import Random
from statistics import median, quantiles
from typing import Annotated, Any

import asyncpg
import orjson
import typer
import uvloop
from pydantic import BaseModel

from bench.scale_plans import Recording, explained
from bench.scale_stand import GIANT, UNTIL, Size, Stand, standing
from handlers import CATALOG
from rpc_server.app import LAYERS
from rpc_server.backends.logs import configure_logs
from rpc_server.calls.call import Calls
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import ToolError
from rpc_server.settings import ROOT

RESULTS = ROOT / "bench" / "results"
SPANS = {"week": 7, "month": 30, "year": 365}
_ORDINARY = 20
_METRICS = ("conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate")


class Figure(BaseModel):
    """What whole calls of one kind take, in ms; *span* is "" where a tool knows no period."""

    tool: str
    span: str
    giant: bool
    n: int
    p50: float
    p95: float


class Results(BaseModel):
    """All that was measured on one database."""

    contacts: int
    tenants: int
    giant: int | None = None
    gigabytes: float
    postgres: str
    figures: list[Figure]


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whom a tenant can be asked about."""

    name: str
    agents: list[str]
    contacts: list[str]


@dataclass(slots=True)
class Question:
    """One kind of call; *arguments* of each tenant."""

    label: str
    tool: str
    span: str
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)


def main(
    contacts: Annotated[int, typer.Option(min=1_000, help="In all; a million take 10 minutes and 12 GB.")] = 1_000_000,
    tenants: Annotated[int, typer.Option(min=1, help="Beside the giant, which has a fifth of all contacts.")] = 50,
    giant: Annotated[int | None, typer.Option(min=1_000, help="Contacts of the giant; a fifth of all.")] = None,
    calls: Annotated[int, typer.Option(min=5, help="Of each kind, of ordinary tenants; of the giant a third.")] = 60,
    save: Annotated[bool, typer.Option("--save", help="Keep figures and plans under bench/results.")] = False,
) -> None:
    """Fill a large database, once, and measure every tool that reads."""
    size = Size(contacts, tenants, giant)
    results, plans = uvloop.run(_measured(size, calls))
    if save:
        folder = RESULTS / size.name
        folder.mkdir(parents=True, exist_ok=True)
        for name, plan in plans.items():
            (folder / name).write_text(plan, encoding="utf-8")
        path = RESULTS / f"{size.name}.json"
        path.write_bytes(orjson.dumps(results.model_dump(), option=orjson.OPT_INDENT_2))
        print(f"\nKept in {path.relative_to(ROOT)}, plans beside.")


async def _measured(size: Size, calls: int) -> tuple[Results, dict[str, str]]:
    configure_logs("json", "error")
    async with standing(size) as stand, _owner(stand) as owner:
        version = await owner.fetchval("show server_version")
        ordinary = [await _tenant(owner, f"tenant-{number}") for number in _spread(size.tenants)]
        giant = [await _tenant(owner, GIANT)]
        async with _calls(stand) as (crm, running):
            figures = [await _asked(running, each, ordinary, calls, giant=False) for each in _all(ordinary)]
            plans = await explained(owner, crm, "ordinary")
            figures += [await _asked(running, each, giant, calls // 3, giant=True) for each in _all(giant)]
            plans |= await explained(owner, crm, "giant")
        results = Results(
            contacts=size.contacts,
            tenants=size.tenants,
            giant=size.giant,
            gigabytes=stand.gigabytes,
            postgres=version,
            figures=[figure for figure in figures if figure is not None],
        )
        return results, plans


@asynccontextmanager
async def _owner(stand: Stand) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    owner = await asyncpg.connect(stand.owner_url)
    try:
        yield owner
    finally:
        await owner.close()


@asynccontextmanager
async def _calls(stand: Stand) -> AsyncIterator[tuple[Recording, Calls]]:
    async with (
        Recording(stand.url, size=1, acquire_seconds=60) as crm,
        Calls(CATALOG, LAYERS, crm, lambda: UNTIL) as running,
    ):
        yield crm, running


def _spread(tenants: int) -> list[int]:
    step = max(1, tenants // _ORDINARY)
    return list(islice(range(0, tenants, step), _ORDINARY))


async def _tenant(owner: "asyncpg.Connection[asyncpg.Record]", name: str) -> Tenant:
    """Draw some of whom it can be asked about; the same each time."""
    rng = Random(name)
    agents = await owner.fetch(
        "select id from public.agents where tenant_id = $1 and type = 'human' and deleted_at is null order by id", name
    )
    contacts = await owner.fetch("select id from public.contacts where tenant_id = $1 order by id limit 1000", name)
    return Tenant(
        name,
        [str(row[0]) for row in rng.sample(agents, min(3, len(agents)))],
        [str(row[0]) for row in rng.sample(contacts, 5)],
    )


def _all(tenants: list[Tenant]) -> Iterator[Question]:
    """Yield a question of each kind, as it is asked of each tenant."""
    for span in SPANS:
        yield _question("get_leads_count", span, tenants)
        yield _question("get_agent_conversion_stats", span, tenants)
        for metric in _METRICS:
            yield _question("get_top_performing_agent", span, tenants, metric=metric)
        yield _question("compare_agents", span, tenants, of_agents=True, include_quality=False)
    yield _question("list_agents", "", tenants)
    yield _question("list_pipelines", "", tenants)
    yield _question("find_contacts", "", tenants)
    searching = _question("find_contacts", "", tenants, query="silva")
    searching.label += " by name"
    yield searching
    contact = Question("get_contact", "get_contact", "")
    contact.arguments = {tenant.name: {"contact_id": tenant.contacts[0]} for tenant in tenants}
    yield contact


def _question(tool: str, span: str, tenants: list[Tenant], *, of_agents: bool = False, **more: Any) -> Question:
    label = f"{tool} {more['metric']}" if "metric" in more else tool
    question = Question(label, tool, span)
    for tenant in tenants:
        arguments = dict(more)
        if of_agents:
            arguments["agent_ids"] = tenant.agents
        if span:
            arguments |= _days(SPANS[span], tool)
        question.arguments[tenant.name] = arguments
    return question


def _days(days: int, tool: str) -> dict[str, str]:
    last = (UNTIL - timedelta(days=1)).date()
    found = {"start_date": str(last - timedelta(days=days - 1)), "end_date": str(last)}
    return found | ({"period": "custom"} if "period" in CATALOG[tool].input_schema["properties"] else {})


async def _asked(
    running: Calls, question: Question, tenants: list[Tenant], calls: int, *, giant: bool
) -> Figure | None:
    """Measure one kind of call; None where one was refused, such as for taking longer than it may."""
    try:
        for tenant in tenants:  # what is read for the first time comes from the disk
            await _call(running, question, tenant)
        taken = [await _call(running, question, tenant) for tenant in islice(cycle(tenants), calls)]
    except ToolError as error:
        print(f"{'giant' if giant else 'ordinary':8} {question.label:40} {question.span:5} {error.message}", flush=True)
        return None
    return _told(
        Figure(
            tool=question.label,
            span=question.span,
            giant=giant,
            n=len(taken),
            p50=median(taken),
            p95=quantiles(taken, n=20)[18],
        )
    )


async def _call(running: Calls, question: Question, tenant: Tenant) -> float:
    """Return the milliseconds of a whole call."""
    caller = Caller(tenant.name, "bench", frozenset("*"))
    began = time.perf_counter()
    outcome = await running.run(question.tool, question.arguments[tenant.name], caller, "bench")
    lasted = (time.perf_counter() - began) * 1e3
    if outcome.error is not None:
        raise outcome.error
    return lasted


def _told(figure: Figure) -> Figure:
    print(
        f"{'giant' if figure.giant else 'ordinary':8} {figure.tool:40} {figure.span:5} "
        f"n {figure.n:3}  p50 {figure.p50:8.1f}  p95 {figure.p95:8.1f} ms",
        flush=True,
    )
    return figure


if __name__ == "__main__":
    typer.run(main)
