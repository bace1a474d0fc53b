"""The composition root: the only file that knows both the server and the CRM's tools."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from aiohttp import web

from handlers import CATALOG
from rpc_server.backends.postgres import Postgres
from rpc_server.backends.tokens import Tokens
from rpc_server.calls.call import Calls
from rpc_server.calls.dispatch import Dispatcher
from rpc_server.calls.layers.audit import audit
from rpc_server.calls.layers.deadline import deadline
from rpc_server.calls.layers.log import log, report
from rpc_server.calls.layers.permit import permit
from rpc_server.calls.layers.validate import validate
from rpc_server.calls.relay import MemoryRelay
from rpc_server.contract.tool import Catalog
from rpc_server.settings import Settings
from rpc_server.transport import operations, progress, rest, rpc
from rpc_server.transport.body import SETTINGS
from rpc_server.transport.middleware import authenticate, faults, request_id

# What surrounds every call, outermost first. log sees every outcome, audit every refusal; deadline bounds all that
# waits; permit comes before validate, so a stranger learns nothing of a tool's arguments.
LAYERS = (log, audit, deadline, permit, validate)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def make_app(
    settings: Settings,
    *,
    tools: Catalog = CATALOG,
    clock: Callable[[], datetime] = _utc_now,
) -> web.Application:
    """Return the server as an aiohttp application; needs DATABASE_URL and JWT_SECRET."""
    if settings.database_url is None or settings.jwt_secret is None:
        raise ValueError("DATABASE_URL and JWT_SECRET must be set")
    tokens = Tokens(settings.jwt_secret.get_secret_value())
    postgres = Postgres(
        settings.database_url.get_secret_value(),
        size=settings.database_pool_size,
        acquire_seconds=settings.database_wait_seconds,
    )
    relay = MemoryRelay()
    secret = settings.jwt_secret.get_secret_value().encode()
    calls = Calls(tools, LAYERS, postgres, clock, relay=relay, secret=secret)
    dispatcher = Dispatcher(
        rpc.methods(calls),
        max_batch=settings.max_batch,
        max_depth=settings.max_json_depth,
        concurrency=settings.batch_concurrency,
        member_context=rpc.member_context,
        on_internal_error=report,
    )

    async def postgres_pool(app: web.Application) -> AsyncIterator[None]:
        async with postgres, calls:
            yield

    async def drain(app: web.Application) -> None:
        relay.close()
        await calls.drain(settings.drain_seconds)

    app = web.Application(
        client_max_size=settings.max_body_bytes,
        middlewares=[request_id, faults(report), authenticate(tokens)],
    )
    app[SETTINGS] = settings
    app.cleanup_ctx.append(postgres_pool)
    app.on_shutdown.append(drain)
    app.add_routes(
        [
            *operations.routes(postgres),
            *rest.routes(calls, settings),
            *progress.routes(calls, settings),
            *rpc.routes(dispatcher),
        ]
    )
    return app
