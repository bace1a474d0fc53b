"""The firm that has the CRM: who works there, how well, and its pipelines; small, whatever the plan."""

from dataclasses import dataclass
from uuid import UUID

from handlers.demo.chance import lognormal, named_id, shuffled, stream, weighted
from handlers.demo.clock import DAY, moment
from handlers.demo.names import COMPANIES, FIRST_EN, FIRST_PT, LAST_EN, LAST_PT
from handlers.demo.people import plain
from handlers.demo.plan import Batch, DemoPlan, Row
from handlers.demo.wording import Voice, team_voice

# A conversation with no message for so long has expired.
TIMEOUT_MINUTES = 4320

SOURCES = ("whatsapp", "instagram", "site", "indicação", "ads")


@dataclass(frozen=True, slots=True)
class Profile:
    """How somebody sells.

    `converts`: share of their contacts that buy; `reply_seconds` and `spread`: median and sigma of a
    log-normal; `ignores`: share of questions never answered; `at_night`: share of questions answered
    outside working hours; `quality`: 0 to 1, what customers feel; `load`: share of new contacts;
    `gets`: the source whose contacts go to them more often.
    """

    style: str
    converts: float
    reply_seconds: int
    spread: float
    ignores: float
    at_night: float
    quality: float
    load: float
    gets: str = ""


# The first left some months ago, the last has just come; between them, from best to worst.
TEAM = (
    Profile("sloppy", 0.15, 800, 1.1, 0.040, 0.05, 0.45, 1.00),
    Profile("formal", 0.42, 95, 0.9, 0.008, 0.15, 0.95, 1.15),
    Profile("warm", 0.33, 210, 0.9, 0.012, 0.12, 0.85, 1.10, "indicação"),
    Profile("warm", 0.28, 1500, 1.1, 0.025, 0.06, 0.70, 0.90),
    Profile("formal", 0.22, 420, 1.0, 0.018, 0.08, 0.60, 1.05),
    Profile("warm", 0.20, 150, 0.9, 0.018, 0.15, 0.70, 1.00, "instagram"),
    Profile("sloppy", 0.19, 600, 1.1, 0.030, 0.10, 0.50, 1.10),
    Profile("formal", 0.17, 1000, 1.0, 0.025, 0.03, 0.55, 0.95),
    Profile("warm", 0.16, 330, 1.0, 0.025, 0.08, 0.55, 0.90, "ads"),
    Profile("curt", 0.11, 75, 0.8, 0.025, 0.10, 0.25, 1.00),
    Profile("sloppy", 0.09, 1900, 1.2, 0.060, 0.05, 0.35, 0.90),
    Profile("curt", 0.035, 3300, 1.2, 0.100, 0.02, 0.10, 0.85),
    Profile("warm", 0.22, 240, 1.0, 0.020, 0.10, 0.70, 0.60),
)
ARTIFICIAL = Profile("formal", 0.09, 4, 0.5, 0.0, 1.0, 0.50, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """Somebody who may answer, with all that a conversation asks of them precomputed."""

    id: UUID
    key: str
    user_id: UUID | None
    kind: str
    name: str
    first_name: str
    thanks: str
    profile: Profile
    replies: tuple[int, ...]
    follow_ups: tuple[int, ...]
    voices: dict[str, Voice]
    joined: int
    left: int


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One stage of a pipeline; `key` is its id as text."""

    id: UUID
    key: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """Stages in order; the last two are the won and the lost one."""

    id: UUID
    key: str
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """The tenant's fixed part, which every contact refers to."""

    tenant_id: str
    name: str
    end: int
    owner_id: UUID
    owner_key: str
    project_id: UUID
    channels: dict[str, tuple[UUID, int]]
    sales: Pipeline
    care: Pipeline
    humans: tuple[Agent, ...]
    ai: Agent
    bot: Agent
    system: Agent
    virtual: Agent
    # From when on, for each source, who gets a new contact; the latest first.
    turns: tuple[tuple[int, dict[str, tuple[Agent, ...]]], ...]

    def next_agent(self, at: int, source: str, chance: float) -> Agent:
        """Give the agent whose turn it is at a moment; `chance` is drawn from [0, 1)."""
        by_source = next((table for since, table in self.turns if at >= since), self.turns[-1][1])
        table = by_source[source]
        return table[int(chance * len(table))]


PIPELINES = (
    (
        "Vendas",
        "Do primeiro contato ao fechamento",
        (
            ("Novo Lead", "open", "#9ca3af"),
            ("Em contato", "active", "#60a5fa"),
            ("Qualificado", "active", "#34d399"),
            ("Proposta", "active", "#fbbf24"),
            ("Negociação", "active", "#f97316"),
            ("Ganho", "closed", "#16a34a"),
            ("Perdido", "closed", "#dc2626"),
        ),
    ),
    (
        "Pós-venda",
        "Entrega, suporte e renovação do plano",
        (
            ("Boas-vindas", "open", "#a5b4fc"),
            ("Acompanhamento", "active", "#60a5fa"),
            ("Renovação", "active", "#fbbf24"),
            ("Fechado", "closed", "#16a34a"),
            ("Cancelado", "closed", "#dc2626"),
        ),
    ),
)

CHANNELS = (("WhatsApp", "waha"), ("Instagram", "instagram"), ("Chat do site", "webchat"))


def found_company(plan: DemoPlan) -> Company:
    """Make the firm; its people, stages and ids depend on the tenant and the seed, not on the contacts."""
    names = (plan.tenant_id, plan.seed)
    draw = stream("company", *names).random
    owner_id = named_id("user", "owner", *names)
    people = _people(plan)
    humans = tuple(
        _agent(plan, f"human {n}", "human", person, profile)
        for n, (person, profile) in enumerate(zip(people, TEAM, strict=True))
    )
    return Company(
        tenant_id=plan.tenant_id,
        name=COMPANIES[int(draw() * len(COMPANIES))],
        end=plan.end,
        owner_id=owner_id,
        owner_key=str(owner_id),
        project_id=named_id("project", *names),
        channels={kind: (named_id("channel", kind, *names), n + 1) for n, (_, kind) in enumerate(CHANNELS)},
        sales=_pipeline(0, names),
        care=_pipeline(1, names),
        humans=humans,
        ai=_agent(plan, "ai", "ai", ("Assistente IA", "f"), ARTIFICIAL),
        bot=_agent(plan, "bot", "bot", ("Robô de Atendimento", "m"), ARTIFICIAL),
        system=_agent(plan, "system", "system", ("Sistema", "m"), ARTIFICIAL),
        virtual=_agent(plan, "virtual", "virtual", ("Vendedor do aparelho antigo", "m"), ARTIFICIAL),
        turns=_turns(humans, plan),
    )


def _people(plan: DemoPlan) -> list[tuple[str, str]]:
    """Draw the team's names: most Brazilian, two English, no first name twice."""
    draw = stream("team", plan.tenant_id, plan.seed).random
    local = zip(shuffled(FIRST_PT, draw)[: len(TEAM) - 2], shuffled(LAST_PT, draw), strict=False)
    foreign = zip(shuffled(FIRST_EN, draw)[:2], shuffled(LAST_EN, draw), strict=False)
    return shuffled([(f"{first} {last}", gender) for (first, gender), last in [*local, *foreign]], draw)


def _agent(plan: DemoPlan, what: str, kind: str, person: tuple[str, str], profile: Profile) -> Agent:
    name, gender = person
    agent_id = named_id("agent", what, plan.tenant_id, plan.seed)
    newest = what == f"human {len(TEAM) - 1}"
    gone = what == "human 0"
    return Agent(
        id=agent_id,
        key=str(agent_id),
        user_id=named_id("user", what, plan.tenant_id, plan.seed) if kind == "human" else None,
        kind=kind,
        name=name,
        first_name=name.split()[0],
        thanks="Obrigada" if gender == "f" else "Obrigado",
        profile=profile,
        replies=lognormal(profile.reply_seconds, profile.spread),
        follow_ups=lognormal(profile.reply_seconds // 2, profile.spread),
        voices={language: team_voice(profile.style, language) for language in ("pt", "en")},
        joined=plan.end - min(14, plan.days // 4) * DAY if newest else plan.start - 30 * DAY,
        left=plan.end - plan.days * 3 // 10 * DAY if gone else plan.end + DAY,
    )


def _turns(humans: tuple[Agent, ...], plan: DemoPlan) -> tuple[tuple[int, dict[str, tuple[Agent, ...]]], ...]:
    changes = {plan.start - DAY, *(a.joined for a in humans), *(a.left for a in humans if a.left < plan.end)}
    return tuple(
        (
            since,
            {
                source: weighted(
                    (agent, agent.profile.load * (3 if agent.profile.gets == source else 1))
                    for agent in humans
                    if agent.joined <= since < agent.left
                )
                for source in SOURCES
            },
        )
        for since in sorted(changes, reverse=True)
        if since >= plan.start - DAY
    )


def _pipeline(which: int, names: tuple[object, ...]) -> Pipeline:
    pipeline_id = named_id("pipeline", which, *names)
    name, _, stages = PIPELINES[which]
    ids = [named_id("stage", which, stage, *names) for stage, _, _ in stages]
    return Pipeline(
        id=pipeline_id,
        key=str(pipeline_id),
        name=name,
        stages=tuple(
            Stage(stage_id, str(stage_id), stage, kind) for stage_id, (stage, kind, _) in zip(ids, stages, strict=True)
        ),
    )


def opening_batch(plan: DemoPlan, company: Company) -> Batch:
    """Give the rows that come before any contact: people, project, channels, pipelines, agents."""
    batch = Batch()
    begun = moment(plan.start - 30 * DAY)
    tenant, project = plan.tenant_id, company.project_id
    batch.rows["public.users"] += [
        (company.owner_id, f"Direção {company.name}", "direcao@example.com", begun),
        *((a.user_id, a.name, _mail(a), moment(a.joined)) for a in company.humans),
    ]
    batch.rows["public.projects"].append(
        (project, company.owner_id, tenant, company.name, "Demonstração", TIMEOUT_MINUTES, begun, begun)
    )
    batch.rows["public.channels"] += [
        (company.channels[kind][0], project, tenant, name, kind, begun) for name, kind in CHANNELS
    ]
    for position, (pipeline, (name, description, stages)) in enumerate(
        zip((company.sales, company.care), PIPELINES, strict=True)
    ):
        described = (name, description, stages[1][2], position, True, TIMEOUT_MINUTES, False)
        batch.rows["public.pipelines"].append((pipeline.id, project, tenant, *described, begun, begun))
        batch.rows["public.pipeline_statuses"] += [
            (stage.id, pipeline.id, stage.name, colour, stage.kind, at, True, begun, begun)
            for at, (stage, (_, _, colour)) in enumerate(zip(pipeline.stages, stages, strict=True))
        ]
    batch.rows["public.agents"] += [
        _agent_row(plan, company, agent)
        for agent in (*company.humans, company.ai, company.bot, company.system, company.virtual)
    ]
    return batch


def _agent_row(plan: DemoPlan, company: Company, agent: Agent) -> Row:
    active = agent.left > plan.end
    chance = stream("presence", agent.key).random()
    status = ("available", "available", "busy", "away", "offline")[int(chance * 5)]
    joined = moment(agent.joined)
    return (
        agent.id,
        company.project_id,
        agent.user_id,
        plan.tenant_id,
        agent.name,
        _mail(agent) if agent.user_id else None,
        agent.kind,
        status if active else "offline",
        active,
        '{"represents": "aparelho antigo"}' if agent.kind == "virtual" else None,
        joined,
        joined if active else moment(agent.left),
    )


def _mail(agent: Agent) -> str:
    return f"{plain(agent.name).replace(' ', '.')}@example.com"
