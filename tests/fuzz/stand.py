"""Who fuzzes: the tokens and sessions that a request may bear, and ids that exist."""

import time
from datetime import timedelta

import asyncpg

from rpc_server.backends.tokens import Tokens
from rpc_server.contract.caller import Caller
from rpc_server.protocol.session import SessionSeal
from rpc_server.protocol.versions import VERSIONS
from tests.fuzz.inputs import SESSION_VERSIONS

TENANT = "demo"
_USER = "fuzzer"

_IDS = """
    select (select min(id::text) from public.agents where tenant_id = $1 and type = 'human') as agent,
           (select max(id::text) from public.agents where tenant_id = $1 and type = 'human') as other,
           (select min(id::text) from public.contacts where tenant_id = $1) as contact,
           (select min(id::text) from public.pipelines where tenant_id = $1) as pipeline,
           (select min(id::text) from public.pipeline_statuses s
             where s.pipeline_id = (select min(id::text)::uuid from public.pipelines where tenant_id = $1)) as stage
"""


async def known_ids(owner: "asyncpg.Connection[asyncpg.Record]") -> dict[str, str]:
    """Return an id of each kind, of a tenant that the demo has filled."""
    return dict(await owner.fetchrow(_IDS, TENANT) or {})


def tokens(secret: str) -> dict[str, str]:
    """Return what $TOKEN and $WEAK stand for, at a server with that secret: one that may all, one that may little."""
    sign = Tokens(secret).sign
    return {
        "$TOKEN": sign(TENANT, _USER, ["*"], timedelta(days=1)),
        "$WEAK": sign(TENANT, _USER, ["pipelines.view"], timedelta(days=1)),
    }


def sessions(secret: str) -> dict[str, str]:
    """Return what $S0 and its like stand for: a new session of each version that has them."""
    seal = SessionSeal(secret.encode(), 86400, time.time)
    caller = Caller(TENANT, _USER, frozenset({"*"}))
    return {f"$S{n}": seal.begin(VERSIONS[version], caller).id for n, version in enumerate(SESSION_VERSIONS)}
