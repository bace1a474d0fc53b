"""What people decided about a contact: qualified or not, and whose it is."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from handlers.demo.chance import Draw, new_id, weighted
from handlers.demo.clock import moment
from handlers.demo.company import Company
from handlers.demo.conversation import Talk
from handlers.demo.people import Person
from handlers.demo.plan import Row
from handlers.demo.team import Agent
from handlers.demo.wording import reasons

# Which BANT parts are known, and the mean for every sum of so many parts.
KNOWN = weighted(
    (
        ((True, True, True, True), 42),
        ((True, False, True, True), 16),
        ((True, True, True, False), 14),
        ((False, True, True, True), 8),
        ((True, False, True, False), 8),
        ((False, False, True, True), 5),
        ((False, False, True, False), 4),
        ((False, False, False, False), 3),
    )
)
MEANS = tuple(
    tuple((Decimal(total) / max(1, parts)).quantize(Decimal("0.01")) for total in range(10 * parts + 1))
    for parts in range(5)
)
PRIORITIES = weighted((("low", 20), ("medium", 50), ("high", 18), (None, 12)), 100)


@dataclass(slots=True)
class Owner:
    """From when on a contact is whose."""

    agent: Agent
    since: int


def qualification_rows(company: Company, person: Person, talks: list[Talk], rng: Random, rows: list[Row]) -> bool:
    """Qualify about half of the contacts that were answered, within a conversation; tell whether so."""
    draw = rng.random
    talk = next((talk for talk in talks if talk.first_answer), None)
    won = any(talk.won for talk in talks)
    if talk is None or draw() > (0.92 if won else 0.36):
        return False
    lost = any(talk.lost for talk in talks)
    good = draw() < (0.95 if won else 0.3 if lost else 0.55)
    decided = talk.first_answer + int((0.2 + 0.8 * draw()) * (talk.last - talk.first_answer))
    if decided > talk.first_answer + 60 and draw() < 0.1:
        before = talk.first_answer + int(draw() * (decided - talk.first_answer))
        rows.append(_qualification(company, person, talk, (not good, before, decided), rng))
    rows.append(_qualification(company, person, talk, (good, decided, 0), rng))
    return True


def _qualification(company: Company, person: Person, talk: Talk, decision: tuple[bool, int, int], rng: Random) -> Row:
    draw = rng.random
    good, decided, superseded = decision
    status = "qualified" if good else "unqualified"
    why = reasons(person.language, status)
    known = KNOWN[int(draw() * len(KNOWN))]
    parts = [(5 + int(draw() * 6) if good else int(draw() * 7)) if part else None for part in known]
    values = [part for part in parts if part is not None]
    agent = talk.agent
    return (
        new_id(rng.getrandbits),
        company.tenant_id,
        person.id,
        status,
        why[int(draw() * len(why))] if draw() < 0.9 else None,
        *parts,
        MEANS[len(values)][sum(values)] if values else None,
        "equal",
        agent.signs_as if agent else company.owner_key,
        moment(decided),
        moment(superseded) if superseded else None,
    )


def owners(company: Company, person: Person, talks: list[Talk], draw: Draw) -> list[Owner]:
    """Tell whose a contact was, in order: mostly who had the last conversation."""
    held: list[Owner] = []
    for talk in talks:
        for agent, joined in talk.agents:
            if agent.kind == "human" and (not held or held[-1].agent is not agent):
                since = max(joined - int(draw() * 60), held[-1].since + 1 if held else person.created)
                if since <= company.end:
                    held.append(Owner(agent, since))
    if not held or draw() < 0.12:
        return []
    current = held[-1].agent
    gone = current.left <= company.end
    if gone or draw() < 0.06:
        since = max(held[-1].since + 1, talks[-1].last + int(draw() * 86_400), current.left if gone else 0)
        agent = company.next_agent(since, person.source, draw())
        if since <= company.end and agent is not current:
            held.append(Owner(agent, since))
    return held if draw() < 0.5 else held[-1:]


def assignment_rows(company: Company, person: Person, held: list[Owner], rng: Random, rows: list[Row]) -> None:
    """Write down whose a contact was; only the last row is current."""
    draw = rng.random
    for n, owner in enumerate(held):
        until = held[n + 1].since if n + 1 < len(held) else 0
        rows.append(
            (
                new_id(rng.getrandbits),
                company.tenant_id,
                person.id,
                owner.agent.id,
                PRIORITIES[int(draw() * 100)],
                None,
                company.owner_key if draw() < 0.3 else owner.agent.signs_as,
                moment(owner.since),
                moment(until) if until else None,
            )
        )
