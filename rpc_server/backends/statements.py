"""SQL statements, timed and traced by the name of their file; never by their text or their values."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final, TypeAlias

from rpc_server.backends.metrics import Metrics as Figures
from rpc_server.backends.postgres_pool import PoolFigures, PostgresPool
from rpc_server.calls.measures import (
    POOL_CONNECTIONS,
    POOL_REFUSALS,
    POOL_SIZE,
    POOL_WAIT_SECONDS,
    POOL_WAITING,
    POOL_WAITS,
    POSTGRES_UP,
    STATEMENT_SECONDS,
)
from rpc_server.calls.telemetry import Metrics, Timed
from rpc_server.calls.tracing import NoTraces, Traces

# Statements that are in no file: what opens and what ends a transaction.
CONTROL: Final = ("begin", "commit")

# A context for one statement, by its name.
Told: TypeAlias = Callable[[str], AbstractContextManager[None]]


def told_to(metrics: Metrics, traces: Traces) -> Told:
    """Return what makes a context for each statement."""
    timed = partial(Timed, metrics, STATEMENT_SECONDS)
    if isinstance(traces, NoTraces):  # which would still cost a generator for each statement
        return timed

    @contextmanager
    def told(name: str) -> Iterator[None]:
        said = {"db.system.name": "postgresql", "db.query.summary": name}
        with traces.span(name, said, kind="client"), timed(name):
            yield

    return told


def read_postgres(figures: Figures, pool: PostgresPool) -> None:
    """Have the pool's figures read at each scrape."""
    figures.read(POSTGRES_UP, lambda: not pool.figures.is_down)
    figures.read(POOL_SIZE, lambda: pool.figures.size)
    figures.read(POOL_WAITING, lambda: pool.figures.waiting)
    figures.read(POOL_WAITS, lambda: pool.figures.waits)
    figures.read(POOL_WAIT_SECONDS, lambda: pool.figures.waited_seconds)
    figures.read(POOL_REFUSALS, lambda: pool.figures.refused)
    figures.read(POOL_CONNECTIONS, lambda: _connections(pool.figures))


def _connections(now: PoolFigures) -> dict[tuple[str, ...], float]:
    return {("in_use",): now.in_use, ("idle",): max(0, now.connected - now.in_use)}
