"""A CRM in memory: rows as they stand in the tables, made by hand or from a seed.

A dataclass's fields are its table's columns, so a row can be copied in as it is; JSON columns hold JSON text.
Moments are in UTC: Python subtracts two of one local zone by the clock on the wall.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from tests.database import lacks

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True, kw_only=True)
class User:
    TABLE: ClassVar = "public.users"
    id: UUID
    name: str = "User"


@dataclass(slots=True, kw_only=True)
class Project:
    TABLE: ClassVar = "public.projects"
    id: UUID
    user_id: UUID
    tenant_id: str
    name: str = "Project"


@dataclass(slots=True, kw_only=True)
class Channel:
    TABLE: ClassVar = "public.channels"
    id: UUID
    project_id: UUID
    tenant_id: str
    name: str = "WhatsApp"
    type: str = "whatsapp"


@dataclass(slots=True, kw_only=True)
class Contact:
    TABLE: ClassVar = "public.contacts"
    id: UUID
    project_id: UUID
    tenant_id: str
    name: str
    tags: str | None
    created_at: datetime
    deleted_at: datetime | None
    source_channel: str | None = None


@dataclass(slots=True, kw_only=True)
class Pipeline:
    TABLE: ClassVar = "public.pipelines"
    id: UUID
    project_id: UUID
    tenant_id: str
    name: str


@dataclass(slots=True, kw_only=True)
class Stage:
    TABLE: ClassVar = "public.pipeline_statuses"
    id: UUID
    pipeline_id: UUID
    name: str
    status_type: str


@dataclass(slots=True, kw_only=True)
class Entry:
    """A contact's stay in a stage."""

    TABLE: ClassVar = "public.contact_pipeline_statuses"
    id: UUID
    contact_id: UUID
    pipeline_id: UUID
    status_id: UUID
    tenant_id: str
    entered_at: datetime
    exited_at: datetime | None
    deleted_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Agent:
    TABLE: ClassVar = "public.agents"
    id: UUID
    project_id: UUID
    user_id: UUID | None
    tenant_id: str
    name: str
    type: str
    deleted_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Session:
    TABLE: ClassVar = "public.sessions"
    id: UUID
    contact_id: UUID
    tenant_id: str
    started_at: datetime
    ended_at: datetime | None
    status: str
    last_activity_at: datetime
    agent_ids: str | None
    sentiment: str | None
    resolved: bool | None
    deleted_at: datetime | None
    pipeline_id: UUID | None = None


@dataclass(slots=True, kw_only=True)
class AgentSession:
    TABLE: ClassVar = "public.agent_sessions"
    id: UUID
    agent_id: UUID
    session_id: UUID
    joined_at: datetime
    deleted_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Message:
    TABLE: ClassVar = "public.messages"
    id: UUID
    tenant_id: str
    timestamp: datetime
    user_id: UUID
    project_id: UUID
    from_me: bool | None
    channel_id: UUID
    contact_id: UUID
    session_id: UUID | None
    text: str
    agent_id: UUID | None
    source: str
    deleted_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Rating:
    TABLE: ClassVar = "public.session_ratings"
    id: UUID
    tenant_id: str
    session_id: UUID
    contact_id: UUID
    rating: int
    rated_at: datetime
    deleted_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Decision:
    TABLE: ClassVar = "mcp_store.qualifications"
    id: UUID
    tenant_id: str
    contact_id: UUID
    status: str
    decided_at: datetime
    superseded_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Assignment:
    TABLE: ClassVar = "mcp_store.assignments"
    id: UUID
    tenant_id: str
    contact_id: UUID
    agent_id: UUID
    assigned_at: datetime
    superseded_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Setting:
    TABLE: ClassVar = "mcp_store.tenant_settings"
    tenant_id: str
    key: str
    value: str


class World:
    """Rows of one tenant or several; a builder makes one row, of the world's own tenant unless its parent's."""

    def __init__(self, tenant: str = "tenant-a", seed: int = 0) -> None:
        self.tenant = tenant
        # Ids of different tenants and seeds never meet.
        self.rng = Random(f"{tenant}/{seed}")
        self.users: list[User] = []
        self.projects: list[Project] = []
        self.channels: list[Channel] = []
        self.contacts: list[Contact] = []
        self.pipelines: list[Pipeline] = []
        self.stages: list[Stage] = []
        self.entries: list[Entry] = []
        self.agents: list[Agent] = []
        self.sessions: list[Session] = []
        self.agent_sessions: list[AgentSession] = []
        self.messages: list[Message] = []
        self.ratings: list[Rating] = []
        self.decisions: list[Decision] = []
        self.assignments: list[Assignment] = []
        self.settings: list[Setting] = []
        owner = self.user("Owner")
        self.project = Project(id=self.new_id(), user_id=owner.id, tenant_id=tenant)
        self.channel = Channel(id=self.new_id(), project_id=self.project.id, tenant_id=tenant)
        self.projects.append(self.project)
        self.channels.append(self.channel)

    def new_id(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    def absorb(self, other: "World") -> None:
        """Take in the rows of another tenant's world."""
        for mine, theirs in zip(self.tables(), other.tables(), strict=True):
            mine.extend(theirs)

    def tables(self) -> Iterator[list[Any]]:
        """Yield the lists of rows in an order in which they can be inserted."""
        yield from (self.users, self.projects, self.channels, self.contacts, self.pipelines, self.stages)
        yield from (self.entries, self.agents, self.sessions, self.agent_sessions, self.messages)
        yield from (self.ratings, self.decisions, self.assignments, self.settings)

    def setting(self, key: str, value: Any) -> None:
        self.settings.append(Setting(tenant_id=self.tenant, key=key, value=json.dumps(value)))

    def user(self, name: str = "User") -> User:
        self.users.append(User(id=self.new_id(), name=name))
        return self.users[-1]

    def agent(
        self, name: str = "Ana", type: str = "human", *, user: User | None = None, deleted_at: datetime | None = None
    ) -> Agent:
        """Make an agent; a human one has a user."""
        if user is None and type == "human":
            user = self.user(name)
        row = Agent(
            id=self.new_id(),
            project_id=self.project.id,
            user_id=user.id if user else None,
            tenant_id=self.tenant,
            name=name,
            type=type,
            deleted_at=deleted_at,
        )
        self.agents.append(row)
        return row

    def contact(
        self, created_at: datetime, *, tags: list[str] | None = None, deleted_at: datetime | None = None
    ) -> Contact:
        row = Contact(
            id=self.new_id(),
            project_id=self.project.id,
            tenant_id=self.tenant,
            name=f"Contact {len(self.contacts)}",
            tags=None if tags is None else json.dumps(tags),
            created_at=created_at,
            deleted_at=deleted_at,
        )
        self.contacts.append(row)
        return row

    def pipeline(self, name: str = "Vendas") -> Pipeline:
        row = Pipeline(id=self.new_id(), project_id=self.project.id, tenant_id=self.tenant, name=name)
        self.pipelines.append(row)
        return row

    def stage(self, name: str, status_type: str, pipeline: Pipeline | None = None) -> Stage:
        """Make a stage, in the newest pipeline unless told."""
        of = pipeline or (self.pipelines[-1] if self.pipelines else self.pipeline())
        self.stages.append(Stage(id=self.new_id(), pipeline_id=of.id, name=name, status_type=status_type))
        return self.stages[-1]

    def entry(
        self,
        contact: Contact,
        stage: Stage,
        entered_at: datetime,
        exited_at: datetime | None = None,
        *,
        deleted_at: datetime | None = None,
    ) -> Entry:
        row = Entry(
            id=self.new_id(),
            contact_id=contact.id,
            pipeline_id=stage.pipeline_id,
            status_id=stage.id,
            tenant_id=contact.tenant_id,
            entered_at=entered_at,
            exited_at=exited_at,
            deleted_at=deleted_at,
        )
        self.entries.append(row)
        return row

    def session(
        self,
        contact: Contact,
        started_at: datetime,
        *agents: Agent,
        agent_ids: str | None = None,
        ended_at: datetime | None = None,
        resolved: bool | None = False,
        sentiment: str | None = None,
        deleted_at: datetime | None = None,
    ) -> Session:
        """Make a conversation that lists *agents*, or has the JSON text *agent_ids*."""
        row = Session(
            id=self.new_id(),
            contact_id=contact.id,
            tenant_id=contact.tenant_id,
            started_at=started_at,
            ended_at=ended_at,
            status="ended" if ended_at else "active",
            last_activity_at=ended_at or started_at,
            agent_ids=json.dumps([str(agent.id) for agent in agents]) if agents else agent_ids,
            sentiment=sentiment,
            resolved=resolved,
            deleted_at=deleted_at,
        )
        self.sessions.append(row)
        return row

    def joined(self, session: Session, agent: Agent, *, deleted_at: datetime | None = None) -> AgentSession:
        """Put an agent into a conversation's assignment history."""
        row = AgentSession(
            id=self.new_id(),
            agent_id=agent.id,
            session_id=session.id,
            joined_at=session.started_at,
            deleted_at=deleted_at,
        )
        self.agent_sessions.append(row)
        return row

    def message(
        self,
        session: Session,
        at: datetime,
        *,
        from_me: bool | None = False,
        agent_id: UUID | None = None,
        source: str = "manual",
        deleted_at: datetime | None = None,
    ) -> Message:
        """Make a message: one that came in, unless told."""
        row = Message(
            id=self.new_id(),
            tenant_id=self.tenant,
            timestamp=at,
            user_id=self.project.user_id,
            project_id=self.project.id,
            from_me=from_me,
            channel_id=self.channel.id,
            contact_id=session.contact_id,
            session_id=session.id,
            text="Olá",
            agent_id=agent_id,
            source=source,
            deleted_at=deleted_at,
        )
        self.messages.append(row)
        return row

    def reply(self, session: Session, at: datetime, agent: Agent, *, source: str = "manual") -> Message:
        """Make a message that an agent sent, under the agent's own id."""
        return self.message(session, at, from_me=True, agent_id=agent.id, source=source)

    def rating(self, session: Session, stars: int, rated_at: datetime, *, deleted_at: datetime | None = None) -> Rating:
        row = Rating(
            id=self.new_id(),
            tenant_id=self.tenant,
            session_id=session.id,
            contact_id=session.contact_id,
            rating=stars,
            rated_at=rated_at,
            deleted_at=deleted_at,
        )
        self.ratings.append(row)
        return row

    def decision(
        self, contact: Contact, status: str, decided_at: datetime, *, superseded_at: datetime | None = None
    ) -> Decision:
        row = Decision(
            id=self.new_id(),
            tenant_id=self.tenant,
            contact_id=contact.id,
            status=status,
            decided_at=decided_at,
            superseded_at=superseded_at,
        )
        self.decisions.append(row)
        return row

    def assignment(
        self, contact: Contact, agent: Agent, assigned_at: datetime, *, superseded_at: datetime | None = None
    ) -> Assignment:
        row = Assignment(
            id=self.new_id(),
            tenant_id=self.tenant,
            contact_id=contact.id,
            agent_id=agent.id,
            assigned_at=assigned_at,
            superseded_at=superseded_at,
        )
        self.assignments.append(row)
        return row


async def insert(world: World, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Copy all rows into the CRM's own tables, as their owner; what they have no table for, the world loses."""
    for rows in filter(None, world.tables()):
        if await lacks(connection, rows[0].TABLE):
            rows.clear()
            continue
        columns = [field.name for field in fields(rows[0])]
        schema, _, table = rows[0].TABLE.partition(".")
        records = [tuple(getattr(row, column) for column in columns) for row in rows]
        await connection.copy_records_to_table(table, schema_name=schema, columns=columns, records=records)


def awkward_world(seed: int, tenant: str, now: datetime, zone: ZoneInfo) -> World:
    """Make 60 to 150 contacts of the last months before *now*, rich in what breaks counting; same seed, same rows."""
    return _Awkward(seed, tenant, now, zone).world


class _Awkward:
    """The random choices of one awkward world."""

    def __init__(self, seed: int, tenant: str, now: datetime, zone: ZoneInfo) -> None:
        self.rng = rng = Random(f"awkward/{tenant}/{seed}")
        self.world = World(tenant, seed)
        self.now, self.zone = now, zone
        self.window = rng.choice([7, 30, 90])
        self._set_up()
        self.agents = self._agents()
        # Some sell better and answer faster than others, so that a few comparisons are decided.
        self.skill = {agent.id: rng.choice([0.03, 0.3, 0.95]) for agent in self.agents}
        self.pace = {agent.id: rng.choice([60, 300, 1500]) for agent in self.agents}
        self.pace[self.agents[0].id] = 2
        self.stages = self._stages()
        self.rated = rng.random() < 0.7
        for _ in range(rng.randint(60, 150)):
            self._contact()

    def _set_up(self) -> None:
        rng, world = self.rng, self.world
        if self.zone.key != "America/Sao_Paulo":
            world.setting("time_zone", self.zone.key)
        if self.window != 90:
            world.setting("conversion_window_days", self.window)
        if rng.random() < 0.3:
            world.setting("business_hours", rng.choice(["mon-fri 08:00-18:00; sat 09:00-13:00", "mon-sun 06:30-24:00"]))
        if rng.random() < 0.4:
            world.setting("lead_tag", "lead")
        if rng.random() < 0.3:
            world.setting("won_stage_names", ["Contrato assinado!", "GANHO"])
        if rng.random() < 0.3:
            world.setting("lost_stage_names", ["não-quis"])

    def _agents(self) -> list[Agent]:
        world = self.world
        gone = self.now - 3 * DAY
        agents = [world.agent(name) for name in ("Ana", "Bia", "Caio", "Davi")]
        agents += [world.agent("Gone", deleted_at=gone), world.agent("Robô", "ai"), world.agent("Menu", "bot")]
        agents += [world.agent("Sistema", "system"), world.agent("Alter ego", "virtual", user=world.user())]
        world.agent("Idle")
        return agents

    def _stages(self) -> dict[str, list[Stage]]:
        world = self.world
        world.pipeline("Vendas")
        steps = [world.stage("Novo", "open"), world.stage("Negociação", "active"), world.stage("Ganho", "active")]
        won = [world.stage("  GÃNHO!", "closed"), world.stage("Contrato Assinado", "active")]
        lost = [world.stage("Perdido", "closed"), world.stage("Não quis", "closed")]
        ended = [world.stage("Arquivado", "closed")]
        world.pipeline("Renewals")
        steps += [world.stage("New", "open"), world.stage("Proposal sent", "active")]
        won += [world.stage("Closed-Won", "closed"), world.stage("vendido", "closed")]
        lost += [world.stage("Closed Lost", "closed")]
        return {"step": steps, "won": won, "lost": lost, "ended": ended}

    def _moment(self) -> datetime:
        """Return a moment before now, often on the edge of a local day, week, month or quarter."""
        rng = self.rng
        days = rng.choice([0, 1, 5, 31, 31, 31, 95, 95, 200]) * rng.random()
        if rng.random() < 0.7:
            return self.now - days * DAY
        day = (self.now - days * DAY).astimezone(self.zone).date()
        day = rng.choice(
            [day, day - day.weekday() * DAY, day.replace(day=1), day.replace(month=1 + (day.month - 1) // 3 * 3, day=1)]
        )
        edge = datetime.combine(day, time(), self.zone).astimezone(UTC)
        step = rng.choice([timedelta(), MICROSECOND, SECOND, timedelta(minutes=30), timedelta(hours=1)])
        return min(edge + rng.choice([-1, 1]) * step, self.now)

    def _contact(self) -> None:
        rng, world = self.rng, self.world
        created = self._moment()
        contact = world.contact(
            created,
            tags=rng.choice([None, [], ["lead"], ["vip", "lead"], ["lead"], ["leads", "Lead"]]),
            deleted_at=self.now - SECOND if rng.random() < 0.08 else None,
        )
        self._decide(contact)
        sessions = [self._session(contact) for _ in range(rng.choice([0, 1, 2, 2, 3, 5]))]
        self._walk(contact, sessions)

    def _decide(self, contact: Contact) -> None:
        moments = sorted(self._moment() for _ in range(self.rng.choice([0, 0, 1, 1, 2, 3])))
        for at, superseded in zip(moments, [*moments[1:], None], strict=False):
            # The third in a row of history has been withdrawn without another taking its place.
            if superseded is None and len(moments) == 3:
                superseded = self.now
            status = self.rng.choice(["qualified", "qualified", "unqualified"])
            self.world.decision(contact, status, at, superseded_at=superseded)

    def _session(self, contact: Contact) -> Session:
        rng, world = self.rng, self.world
        present = rng.choices(self.agents, [6, 5, 4, 3, 2, 3, 1, 1, 1], k=rng.choice([1, 1, 1, 2, 3]))
        listed = rng.random() < 0.5
        ids = [str(agent.id) for agent in present]
        started = self._moment()
        if rng.random() < 0.5:
            started = min(self.now, started.astimezone(self.zone).replace(hour=rng.randint(8, 17)).astimezone(UTC))
        session = world.session(
            contact,
            started,
            agent_ids=json.dumps(
                rng.choice([ids, ids * 2, [*ids, str(world.new_id())], [ids[0].upper(), "nobody", 7, None]])
            )
            if listed
            else rng.choice([None, "[]", "null", "{}", '"nobody"', f'["{world.new_id()}", "x"]']),
            sentiment=rng.choice([None, "positive", "positive", "neutral", "negative"]),
            resolved=rng.choice([None, *[rng.random() < self.skill[present[-1].id]] * 4]),
            deleted_at=self.now if rng.random() < 0.05 else None,
        )
        for agent in present:
            if rng.random() < 0.2:
                world.joined(session, agent, deleted_at=rng.choice([None, None, self.now]))
        last = self._talk(session, present, session.started_at)
        if rng.random() < 0.6:
            session.ended_at = rng.choice([last, last + 5 * SECOND, last + DAY])
            session.status = "ended"
        if rng.random() < 0.15:
            # Reopened: the talk goes on, and the end that the CRM had noted may be gone.
            last = self._talk(session, present, last + rng.random() * 2 * DAY)
            session.ended_at = rng.choice([None, session.ended_at])
        if self.rated and rng.random() < 0.8:
            at = min(self.now, rng.choice([last, self._moment(), last + SECOND, session.started_at - SECOND]))
            stars = 5 if rng.random() < self.skill[present[-1].id] else rng.choice([1, 2, 3, 4])
            world.rating(session, stars, at, deleted_at=self.now if rng.random() < 0.05 else None)
        return session

    def _talk(self, session: Session, present: Sequence[Agent], at: datetime) -> datetime:
        """Add the messages of one sitting and return the moment of the last."""
        rng = self.rng
        for _ in range(rng.choice([0, 3, 6, 10])):
            kind = rng.choice(["in", "in", "in", "hand", "hand", "hand", "machine", "stranger"])
            deleted = self.now if rng.random() < 0.04 else None
            agent = rng.choice(present)
            if rng.random() < 0.85:
                seconds = rng.expovariate(1) * self.pace[agent.id]
                at += timedelta(seconds=rng.choice([seconds, seconds, round(seconds), 20 * seconds]))
            match kind:
                case "in" if at <= self.now:
                    self.world.message(session, at, from_me=rng.choice([False, False, None]), deleted_at=deleted)
                case "hand":
                    sender = rng.choice([agent.id, agent.id, agent.user_id])
                    self.world.message(session, at, from_me=True, agent_id=sender, deleted_at=deleted)
                case "machine":
                    source = rng.choice(["broadcast", "sequence", "bot", "system", "trigger", "scheduled"])
                    self.world.reply(session, at, agent, source=source)
                case "stranger":
                    unknown = rng.choice([None, self.world.new_id()])
                    self.world.message(session, at, from_me=True, agent_id=unknown, deleted_at=deleted)
        return at

    def _walk(self, contact: Contact, sessions: Sequence[Session]) -> None:
        """Move the contact through stages: to a win or a loss, back, and again; now and then at an exact edge."""
        rng, world = self.rng, self.world
        paths = ["", "", "s", "ss", "sw", "sl", "swsw", "slw", "swl", "sls", "se", "ssw", "w", "l", "wl"]
        path = rng.choice(paths)
        at = contact.created_at
        if sessions:
            session = rng.choice([*sessions, min(sessions, key=lambda row: row.started_at)])
            skill = max((self.skill[a.id] for a in self.agents if str(a.id) in (session.agent_ids or "")), default=0.2)
            if rng.random() < 0.9:
                path = "w" if rng.random() < skill else rng.choice(["sl", "l", "l"])
            end = session.started_at + self.window * DAY
            edges = [session.started_at, session.started_at - MICROSECOND, end, end - MICROSECOND]
            soon = [session.started_at + rng.random() * 3 * DAY for _ in range(12)]
            at = rng.choice([at, session.started_at - DAY, *soon, *edges])
        kinds = {"s": "step", "w": "won", "l": "lost", "e": "ended"}
        for index, kind in enumerate(path):
            after = at + rng.choice([timedelta(), SECOND, DAY, rng.random() * 9 * DAY])
            is_last = index == len(path) - 1
            stage = rng.choice(self.stages[kinds[kind]])
            deleted = self.now if rng.random() < 0.05 else None
            world.entry(contact, stage, at, None if is_last else after, deleted_at=deleted)
            at = after


def entangle(world: World, other: str, seed: int) -> None:
    """Add rows of the tenant *other* that point at the world's own tenant, which no figure of either may see."""
    rng = Random(f"entangle/{seed}")
    theirs = [agent for agent in world.agents if agent.tenant_id == other]
    mine = [agent for agent in world.agents if agent.tenant_id == world.tenant]
    project = next(project for project in world.projects if project.tenant_id == other)
    stages = {p.id for p in world.pipelines if p.tenant_id == other}
    won = [stage for stage in world.stages if stage.pipeline_id in stages]
    # One person works for both.
    theirs[0].user_id = mine[0].user_id
    for session in [row for row in world.sessions if row.tenant_id == world.tenant][:40]:
        world.joined(session, rng.choice(theirs))
        message = world.message(session, session.started_at, from_me=True, agent_id=rng.choice(mine).id)
        message.tenant_id, message.project_id = other, project.id
        world.rating(session, 1, session.started_at + SECOND).tenant_id = other
    for contact in [row for row in world.contacts if row.tenant_id == world.tenant][:40]:
        world.entry(contact, rng.choice(won), contact.created_at).tenant_id = other
        world.decision(contact, "qualified", contact.created_at).tenant_id = other
