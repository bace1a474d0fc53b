"""A small sales office made by hand, and every row of the database before and after a change."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson

from handlers import CATALOG
from rpc_server.app import LAYERS
from rpc_server.calls.call import Calls
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import ToolError
from rpc_server.contract.tool import Catalog
from tests.conftest import Crm
from tests.tools.world import Agent, Contact, Pipeline, Session, Stage, World, insert

TOOLS: Final = ("qualify_lead", "update_pipeline_stage", "assign_to_agent")
HOUR: Final = timedelta(hours=1)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Row: TypeAlias = dict[str, Any]
Key: TypeAlias = str | tuple[str, ...]
Images: TypeAlias = dict[str, dict[Key, Row]]

# What the database makes up by itself.
_MADE_UP = frozenset({"id", "event_id", "previous_hash", "hash"})


@dataclass(slots=True)
class Difference:
    """What rows are other than before: by table, and those that stood there already by their key."""

    added: dict[str, list[Row]] = field(default_factory=dict)
    changed: dict[str, dict[Key, Row]] = field(default_factory=dict)
    removed: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def tables(self) -> set[str]:
        """The tables of which any row is other than before."""
        return {*self.added, *self.changed, *self.removed}

    def one(self, table: str) -> Row:
        """Return the only row added to *table*; nothing else happened there."""
        assert table not in self.changed and table not in self.removed
        (row,) = self.added[table]
        return row


class Office:
    """A tenant: a team, two pipelines, Rita who has a conversation with Ana open, and Nino who has nothing."""

    def __init__(self, crm: Crm, tenant: str) -> None:
        self.crm = crm
        self.owner = crm.owner
        self.tenant = tenant
        # A whole second, so that a duration can be told from two moments.
        self.opened = datetime.now(UTC).replace(microsecond=0) - 5 * HOUR
        self.world = world = World(tenant)
        self.ana, self.bia = world.agent("Ana"), world.agent("Bia")
        self.idle = world.agent("Caio")
        self.gone = world.agent("Davi", deleted_at=self.opened)
        self.others = {type: world.agent(type, type=type) for type in ("ai", "bot", "channel", "virtual", "system")}
        self.sales, self.stages = self._pipeline(
            "Vendas", new="open", talking="active", offer="active", won="closed", lost="closed", idle="active"
        )
        self.care, self.care_stages = self._pipeline("Pós-venda", first="open", last="closed")
        self.rita, self.nino = world.contact(self.opened), world.contact(self.opened)
        self.conversation = world.session(self.rita, self.opened, self.ana)
        self.standing = world.entry(self.rita, self.stages["new"], self.opened)

    def _pipeline(self, name: str, **stages: str) -> tuple[Pipeline, dict[str, Stage]]:
        pipeline = self.world.pipeline(name)
        return pipeline, {stage: self.world.stage(stage, type, pipeline) for stage, type in stages.items()}

    async def open(self) -> None:
        """Write all rows."""
        await insert(self.world, self.owner)
        stages = [stage.id for stage in (*self.stages.values(), *self.care_stages.values())]
        await self.owner.execute(
            "update pipeline_statuses set position = array_position($1, id), active = id <> $2 where id = any ($1)",
            stages,
            self.stages["idle"].id,
        )
        await self.owner.execute("update agents set active = false where id = $1", self.idle.id)
        self.joined = await self.join(self.conversation, self.ana)

    async def join(self, session: Session, agent: Agent, role: str = "primary") -> UUID:
        """Let an agent take part in a conversation, and return the row's id."""
        joined: UUID = await self.owner.fetchval(
            "insert into agent_sessions (agent_id, session_id, role_in_session, joined_at) values ($1, $2, $3, $4)"
            " returning id",
            agent.id,
            session.id,
            role,
            session.started_at,
        )
        return joined

    async def setting(self, key: str, value: Any) -> None:
        """Set a setting of the tenant."""
        await self.owner.execute(
            "insert into mcp_store.tenant_settings values ($1, $2, $3)"
            " on conflict (tenant_id, key) do update set value = excluded.value",
            self.tenant,
            key,
            orjson.dumps(value).decode(),
        )

    # --- calls ------------------------------------------------------------------------------------

    def qualification(self, contact: Contact | None = None, **more: Any) -> dict[str, Any]:
        """Return arguments of qualify_lead that change something."""
        return {"contact_id": str((contact or self.rita).id), "status": "qualified", **more}

    def move(self, stage: str = "won", contact: Contact | None = None, **more: Any) -> dict[str, Any]:
        """Return arguments of update_pipeline_stage, to a stage of the sales pipeline."""
        ids = {"contact_id": (contact or self.rita).id, "pipeline_id": self.sales.id, "stage_id": self.stages[stage].id}
        return {**{name: str(id) for name, id in ids.items()}, **more}

    def assignment(self, agent: Agent | None = None, contact: Contact | None = None, **more: Any) -> dict[str, Any]:
        """Return arguments of assign_to_agent."""
        return {"contact_id": str((contact or self.rita).id), "agent_id": str((agent or self.bia).id), **more}

    def arguments(self, tool: str, contact: Contact | None = None, **more: Any) -> dict[str, Any]:
        """Return arguments of any tool that writes, which change something."""
        if tool == "update_pipeline_stage":
            return self.move(contact=contact, **more)
        return (self.qualification if tool == "qualify_lead" else self.assignment)(contact=contact, **more)

    async def call(self, tool: str, arguments: Any, **options: Any) -> dict[str, Any]:
        """Call a tool as one of the tenant's users; its error is raised."""
        return await self.crm.call(tool, arguments, **{"tenant": self.tenant, **options})

    async def refusal(self, tool: str, arguments: Any, **options: Any) -> dict[str, Any]:
        """Return the error of a call that is refused, with its code."""
        try:
            answer = await self.call(tool, arguments, **options)
        except ToolError as error:
            return error.as_dict()
        raise AssertionError(f"not refused: {answer}")

    @asynccontextmanager
    async def calling(self, tools: Catalog = CATALOG) -> AsyncIterator["Line"]:
        """Give one line for many calls at the same time."""
        async with Calls(tools, LAYERS, self.crm.postgres, lambda: datetime.now(UTC)) as calls:
            yield Line(calls, self.tenant)

    # --- rows -------------------------------------------------------------------------------------

    async def images(self) -> Images:
        """Return every row of every table, of the tenant where a table has one."""
        found: Images = {}
        for name, table, key, of_tenant in await self.owner.fetch(_TABLES):
            whose = f"tenant_id = '{self.tenant}'" if of_tenant else "true"
            rows = await self.owner.fetch(f"select to_jsonb(t)::text as row from {table} t where {whose}")
            images = [orjson.loads(row["row"]) for row in rows]
            found[name] = {_key(image, key): image for image in images}
        return found

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[Difference]:
        """Tell, at the end of the block, what rows are other than at its beginning."""
        difference = Difference()
        before = await self.images()
        yield difference
        after = await self.images()
        for table, rows in after.items():
            _compare(difference, table, before[table], rows)

    async def rows(self, table: str, order: str = "id") -> list[asyncpg.Record]:
        """Return the tenant's rows of a table."""
        return await self.owner.fetch(f"select * from {table} where tenant_id = $1 order by {order}", self.tenant)

    async def trail(self) -> list[dict[str, Any]]:
        """Return the entries of the tenant's audit trail, in order."""
        rows = await self.owner.fetch(
            "select entry::text as entry from mcp_store.audit_log where tenant_id = $1 order by number", self.tenant
        )
        return [orjson.loads(row["entry"]) for row in rows]

    async def version(self, contact: Contact | None = None) -> int:
        """Return a contact's version."""
        version: int = await self.owner.fetchval(
            "select version from contacts where id = $1", (contact or self.rita).id
        )
        return version

    @asynccontextmanager
    async def held(self, contact: Contact | None = None) -> AsyncIterator[Connection]:
        """Hold a contact as another writer would, on a connection of its own, until the block ends."""
        other = await asyncpg.connect(self.crm.owner_url)
        try:
            async with other.transaction():
                await other.execute("select from contacts where id = $1 for update", (contact or self.rita).id)
                yield other
        finally:
            await other.close()

    async def waiting(self, number: int = 1) -> None:
        """Return when so many of the server's statements wait for a lock."""
        async with asyncio.timeout(5):
            while await self.owner.fetchval(_WAITING) != number:  # noqa: ASYNC110 - only PostgreSQL knows
                await asyncio.sleep(0.01)

    async def lose_connections(self, number: int = 1000) -> None:
        """Let the server lose some of its connections, at random, or all."""
        await self.owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'crm-mcp' and datname = current_database() order by random() limit $1",
            number,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """Calls that may run at the same time."""

    calls: Calls
    tenant: str

    async def call(
        self, tool: str, arguments: Any, *, user: str = "tester", permissions: Sequence[str] = ("*",)
    ) -> dict[str, Any]:
        """Return the structured result of a call; its error is raised."""
        caller = Caller(self.tenant, user, frozenset(permissions))
        outcome = await self.calls.run(tool, arguments, caller, "test")
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None
        result: dict[str, Any] = orjson.loads(outcome.result.as_json())
        return result


# Each table with the columns of its primary key, and whether it has the tenant.
_TABLES = """
select c.relname::text as name,
       c.oid::regclass::text as table,
       array_agg(a.attname::text order by a.attnum) as key,
       exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id') as of_tenant
  from pg_class c
  join pg_index i on i.indrelid = c.oid and i.indisprimary
  join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
 where c.relnamespace in ('public'::regnamespace, 'mcp_store'::regnamespace)
   and c.relkind = 'r'
 group by c.oid
 order by 1
"""

_WAITING = """
select count(*)
  from pg_stat_activity a
 where a.datname = current_database()
   and a.application_name = 'crm-mcp'
   and a.wait_event_type = 'Lock'
"""


def _key(row: Row, columns: Sequence[str]) -> Key:
    values = tuple(str(row[column]) for column in columns)
    return values[0] if len(values) == 1 else values


def _compare(difference: Difference, table: str, before: dict[Key, Row], after: dict[Key, Row]) -> None:
    for key, row in after.items():
        if key not in before:
            plain = {name: value for name, value in row.items() if value is not None and name not in _MADE_UP}
            difference.added.setdefault(table, []).append(plain)
        elif row != before[key]:
            news = {name: value for name, value in row.items() if value != before[key][name]}
            difference.changed.setdefault(table, {})[key] = news
    gone = [row for key, row in before.items() if key not in after]
    if gone:
        difference.removed[table] = gone
