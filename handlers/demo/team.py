"""Who answers: the people of the team, how well each sells, and whose turn it is."""

from dataclasses import dataclass
from uuid import UUID

from handlers.demo.chance import lognormal, named_id, shuffled, stream, weighted
from handlers.demo.clock import DAY
from handlers.demo.names import FIRST_EN, FIRST_PT, LAST_EN, LAST_PT
from handlers.demo.plan import DemoPlan
from handlers.demo.wording import Voice, team_voice

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
    Profile("formal", 0.40, 95, 0.9, 0.008, 0.15, 0.95, 1.15),
    Profile("warm", 0.31, 210, 0.9, 0.012, 0.12, 0.85, 1.10, "indicação"),
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
    """Somebody who may answer, with all that a conversation asks of them precomputed.

    `key` is the id as text, `signs_as` that of the user who decides (the agent's, if there is none).
    """

    id: UUID
    key: str
    user_id: UUID | None
    signs_as: str
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
class Team:
    """Everybody who may answer; the bot, the system and the virtual agent stand in rows of their own."""

    humans: tuple[Agent, ...]
    ai: Agent
    bot: Agent
    system: Agent
    virtual: Agent
    # From when on, for each source, who gets a new contact; the latest first.
    turns: tuple[tuple[int, dict[str, tuple[Agent, ...]]], ...]

    @property
    def everybody(self) -> tuple[Agent, ...]:
        """All agents that have a row."""
        return (*self.humans, self.ai, self.bot, self.system, self.virtual)


def gather_team(plan: DemoPlan) -> Team:
    """Make the agents; their ids and names depend on the tenant and the seed only."""
    humans = tuple(
        _agent(plan, f"human {n}", "human", person, profile)
        for n, (person, profile) in enumerate(zip(_people(plan), TEAM, strict=True))
    )
    return Team(
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
    user_id = named_id("user", what, plan.tenant_id, plan.seed) if kind == "human" else None
    newest = what == f"human {len(TEAM) - 1}"
    gone = what == "human 0"
    return Agent(
        id=agent_id,
        key=str(agent_id),
        user_id=user_id,
        signs_as=str(user_id or agent_id),
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
