"""How long each read tool takes, over the tenants of a database: `python -m bench.latency --rounds 5`.

Calls go through all layers but not over HTTP, one at a time. Needs DATABASE_URL, and tenants
with data (see the command `demo`); custom periods end at --until.
"""

import statistics
import time
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import asyncpg
import structlog
import typer
import uvloop

from handlers import CATALOG
from rpc_server.app import LAYERS
from rpc_server.backends.logs import configure_logs
from rpc_server.backends.postgres import Postgres
from rpc_server.calls.call import Calls
from rpc_server.contract.caller import Caller
from rpc_server.settings import Settings

logger = structlog.get_logger("bench")


def cases(until: date, days: int) -> list[tuple[str, dict[str, Any]]]:
    """Return what is asked: each read tool, over the last *days* days where it has a period."""
    dates = {"start_date": str(until - timedelta(days=days - 1)), "end_date": str(until)}
    metrics = ("conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate")
    return [
        ("get_leads_count", {"period": "custom", "series": "day" if days < 400 else "month", **dates}),
        ("get_agent_conversion_stats", dates),
        *(("get_top_performing_agent", {"metric": metric, "period": "custom", **dates}) for metric in metrics),
        ("find_contacts", {"query": "silva"}),
        ("find_contacts", {"status": "qualified"}),
        ("list_agents", {}),
        ("list_pipelines", {}),
    ]


async def measure(rounds: int, days: int, until: date, like: str) -> None:
    """Print the median and the 95th percentile of each case in milliseconds."""
    settings = Settings()
    if settings.database_url is None:
        raise SystemExit("Set DATABASE_URL to a database with demo tenants.")
    url = settings.database_url.get_secret_value()
    owner = (settings.database_owner_url or settings.database_url).get_secret_value()
    connection = await asyncpg.connect(owner)
    found = await connection.fetch("select tenant_id from projects where tenant_id like $1 order by tenant_id", like)
    tenants = [row["tenant_id"] for row in found]
    await connection.close()
    async with Postgres(url, size=1, acquire_seconds=60) as postgres:
        calls = Calls(CATALOG, LAYERS, postgres, lambda: datetime.now(UTC))
        print(f"{len(tenants)} tenants, {rounds} rounds, {days} days up to {until}")
        for name, arguments in cases(until, days):
            times = []
            for number in range(rounds + 1):
                for tenant in tenants:
                    started = time.perf_counter()
                    outcome = await calls.run(name, arguments, Caller(tenant, "bench", frozenset("*")), "bench")
                    assert outcome.error is None, outcome.error
                    # The first round warms the caches.
                    times += [] if number == 0 else [(time.perf_counter() - started) * 1000]
            p95 = statistics.quantiles(times, n=20)[18]
            what = arguments.get("metric") or arguments.get("query") or arguments.get("status") or ""
            print(f"{name:28} {what:16} p50 {statistics.median(times):8.2f} ms   p95 {p95:8.2f} ms   n {len(times)}")


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each tenant is asked.")] = 5,
    days: Annotated[int, typer.Option(min=1, help="How long the period is.")] = 30,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of the period.")] = None,
    tenants: Annotated[str, typer.Option(help="Which tenants are asked, as a pattern of SQL's like.")] = "%",
) -> None:
    """Measure each read tool on tenants of DATABASE_URL."""
    configure_logs("json", "error")
    uvloop.run(measure(rounds, days, (until or datetime.now(UTC)).date(), tenants))


if __name__ == "__main__":
    typer.run(main)
