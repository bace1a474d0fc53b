"""Rows about conversations: the session, who took part, and what the customer thought of it."""

from decimal import Decimal
from random import Random

from handlers.demo.chance import Draw, new_id, weighted
from handlers.demo.clock import moment
from handlers.demo.company import Company
from handlers.demo.conversation import TIMEOUT, Talk
from handlers.demo.people import Person
from handlers.demo.plan import Row
from handlers.demo.team import Agent

# Of conversations that somebody or something closed before they expired.
ENDINGS = weighted(
    (
        (("manually_closed", "manual_close"), 45),
        (("manually_closed", "agent_close"), 35),
        (("ended", "contact_request"), 12),
        (("ended", "system_close"), 8),
    )
)
EXPIRED = ("expired", "inactivity_timeout")
SCORES = tuple(Decimal(n).scaleb(-2) for n in range(101))


def session_rows(company: Company, person: Person, talk: Talk, rng: Random, rows: dict[str, list[Row]]) -> int:
    """Write a conversation down; give when it ended, 0 if it is still going on.

    The score of a sentiment lies between -1 and 1. First response is the first outbound message,
    the bot's too; the contact's wait lasts until a person (or the AI agent alone) answers.
    """
    draw = rng.random
    ended, status, reason = _ending(talk, company.end, draw)
    mood = _mood(talk, draw) if ended and talk.from_contact and draw() < 0.62 else (None, None)
    seen = max(ended, talk.last)
    started = moment(talk.started)
    pipeline = company.care if talk.kind in ("care", "renewal") else company.sales
    rows["public.sessions"].append(
        (
            talk.id,
            2 if ended else 1,
            person.id,
            company.tenant_id,
            company.channels[person.channel][1],
            pipeline.id if draw() < 0.92 else None,
            started,
            moment(ended) if ended else None,
            status,
            reason,
            TIMEOUT * 1_000_000_000,
            moment(talk.last),
            talk.from_contact + talk.from_agent,
            talk.from_contact,
            talk.from_agent,
            ended - talk.started if ended else None,
            moment(talk.first_contact) if talk.first_contact else None,
            moment(talk.first_outbound) if talk.first_outbound else None,
            talk.first_outbound - talk.first_contact if talk.first_outbound else None,
            talk.first_answer - talk.first_contact if talk.first_answer else None,
            _listed(talk),
            max(0, len(talk.agents) - 1),
            *mood,
            bool(ended) and draw() < _resolved(talk),
            draw() < (0.12 if talk.unanswered else 0.03),
            talk.won > 0 and talk.kind != "care" and draw() < 0.9,
            started,
            moment(seen),
        )
    )
    if talk.agents and draw() < 0.85:
        _participation(talk, ended, rng, rows["public.agent_sessions"])
    if ended and talk.agents and draw() < 0.165:
        _rating(company, person, talk, ended, rng, rows["public.session_ratings"])
    return ended


def _ending(talk: Talk, end: int, draw: Draw) -> tuple[int, str, str | None]:
    """Tell when and how a conversation ended: closed by hand mostly where it came to something."""
    if not talk.expired:
        chance = 0.85 if talk.won or talk.lost else 0.5 if talk.first_answer else 0.1 if talk.from_contact else 0.0
        if draw() < chance:
            ended = talk.last + 60 + int(draw() * draw() * draw() * 90_000)
            return (ended, *ENDINGS[int(draw() * len(ENDINGS))]) if ended <= end else (0, "active", None)
    ended = talk.last + TIMEOUT
    return (ended, *EXPIRED) if ended <= end else (0, "active", None)


def _listed(talk: Talk) -> str | None:
    if not talk.agents:
        return "[]" if talk.unanswered else None
    return '["' + '", "'.join(agent.key for agent, _ in talk.agents) + '"]'


def _quality(talk: Talk) -> float:
    agent = talk.agent
    return agent.profile.quality if agent else 0.1


def _resolved(talk: Talk) -> float:
    if talk.won:
        return 0.95
    if talk.unanswered or not talk.first_answer:
        return 0.03
    return 0.15 + 0.5 * _quality(talk)


def _mood(talk: Talk, draw: Draw) -> tuple[str, Decimal]:
    """Draw a sentiment: winners and well-served people are content, ignored ones are not."""
    content = 0.25 + 0.5 * _quality(talk) + (0.35 if talk.won else -0.15 if talk.lost else 0.0)
    if talk.unanswered:
        content = 0.05
    chance = draw()
    strength = int(draw() * 60)
    if chance < content * 0.8:
        return "positive", SCORES[35 + strength]
    if chance < 0.35 + content * 0.5:
        return "neutral", SCORES[strength // 3]
    if chance < 0.45 + content * 0.5:
        return "mixed", -SCORES[strength // 2]
    return "negative", -SCORES[30 + strength]


def _participation(talk: Talk, ended: int, rng: Random, rows: list[Row]) -> None:
    later = [joined for _, joined in talk.agents[1:]]
    for (agent, joined), left in zip(talk.agents, [*later, ended], strict=True):
        since = moment(joined)
        gone = moment(left) if left else None
        role = _role(talk, agent)
        rows.append((new_id(rng.getrandbits), agent.id, talk.id, role, since, gone, gone is None, since, gone or since))


def _role(talk: Talk, agent: Agent) -> str:
    last = talk.agent
    if agent.kind == "ai":
        return "ai_primary" if agent is last else "ai_assistant"
    return "primary" if agent is last else "handoff"


def _rating(company: Company, person: Person, talk: Talk, ended: int, rng: Random, rows: list[Row]) -> None:
    """Let a customer rate: the agent's quality first, then the wait, then how it went."""
    draw = rng.random
    waited = talk.first_answer - talk.first_contact if talk.first_answer and talk.first_contact else 7200
    felt = 2.3 + 2.2 * _quality(talk) + 2.6 * (draw() - 0.5) + 1.6 * (draw() - 0.5)
    felt += 0.6 if talk.won else -0.5 if talk.lost else 0.0
    felt -= 0.6 if waited > 7200 else 0.2 if waited > 1800 else 0.0
    rated = ended + 60 + int(draw() * draw() * 86_400)
    if rated <= company.end:
        stars = min(5, max(1, int(felt + 0.5)))
        rows.append((new_id(rng.getrandbits), company.tenant_id, talk.id, person.id, stars, moment(rated)))
