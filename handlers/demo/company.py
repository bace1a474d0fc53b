"""The firm that has the CRM: its project, channels, pipelines and team; small, whatever the plan."""

from dataclasses import dataclass
from uuid import UUID

from handlers.demo.chance import named_id, stream
from handlers.demo.clock import DAY, moment
from handlers.demo.names import COMPANIES
from handlers.demo.people import plain
from handlers.demo.plan import Batch, DemoPlan, Row
from handlers.demo.team import Agent, Team, gather_team

# A conversation with no message for so long has expired.
TIMEOUT_MINUTES = 4320


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
    team: Team

    def next_agent(self, at: int, source: str, chance: float) -> Agent:
        """Give the agent whose turn it is at a moment; `chance` is drawn from [0, 1)."""
        turns = self.team.turns
        by_source = next((table for since, table in turns if at >= since), turns[-1][1])
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
        team=gather_team(plan),
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
        *((a.user_id, a.name, _mail(a), moment(a.joined)) for a in company.team.humans),
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
    batch.rows["public.agents"] += [_agent_row(plan, company, agent) for agent in company.team.everybody]
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
