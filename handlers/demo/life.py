"""One contact from arrival to today: what is to become of it, its conversations, and all its rows."""

from dataclasses import dataclass
from random import Random

from handlers.demo.chance import Draw, lognormal, new_id, weighted
from handlers.demo.clock import DAY, HOUR, TIME_ZONE, closed, moment, opening, return_after
from handlers.demo.company import Company
from handlers.demo.conversation import Conversation, Talk
from handlers.demo.decisions import assignment_rows, owners, qualification_rows
from handlers.demo.people import Person
from handlers.demo.plan import Batch, Row
from handlers.demo.script import AI, BOT, Scene, script
from handlers.demo.sessions import session_rows
from handlers.demo.stages import Journey, care_journey, journey_rows, sales_journey
from handlers.demo.team import Agent
from handlers.demo.timeline import Timeline, note_row

HOW_MANY = weighted(((0, 7), (1, 63), (2, 20), (3, 7), (4, 3)), 100)
# Hours until somebody comes back.
GAPS = lognormal(6 * 24, 1.0)
# How much better or worse the contacts of a source buy.
BUYS = {"whatsapp": 1.0, "instagram": 0.9, "site": 1.1, "indicação": 1.45, "ads": 0.75}


@dataclass(slots=True)
class Fate:
    """What is to become of a contact, if time allows: so many conversations, and which decides what."""

    conversations: int
    agent: Agent
    outcome: str
    decided_in: int


def _fate(company: Company, person: Person, draw: Draw) -> Fate:
    how_many = HOW_MANY[int(draw() * len(HOW_MANY))]
    agent = company.next_agent(person.created, person.source, draw())
    if draw() < 0.05:
        agent = company.team.ai
    outcome, which = "open", 0
    if draw() < agent.profile.converts * BUYS[person.source]:
        outcome = "won"
    elif draw() < 0.36:
        outcome = "lost"
    if how_many and outcome != "open" and draw() < 0.4:
        which = 1 if draw() < 0.75 else 2
        how_many = max(how_many, which + 1)
    return Fate(how_many, agent, outcome, which)


class Life:
    """Lives one contact's life; its rows go into the batch."""

    def __init__(self, company: Company, person: Person, rng: Random, rows: dict[str, list[Row]]) -> None:
        self._company, self._person, self._rng, self._rows = company, person, rng, rows
        self._talks: list[Talk] = []
        self._wanted = 0.0
        self._sold = 0

    def live(self) -> None:
        """Make all rows of the contact."""
        company, person, rng, rows = self._company, self._person, self._rng, self._rows
        draw = rng.random
        self._converse(_fate(company, person, draw))
        talks = self._talks
        sales = sales_journey(company, person, talks, draw)
        care = care_journey(company, talks, self._sold, draw) if self._sold else None
        journeys = [journey for journey in (sales, care) if journey is not None]
        qualified = qualification_rows(company, person, talks, rng, rows["mcp_store.qualifications"])
        held = owners(company, person, talks, draw)
        assignment_rows(company, person, held, rng, rows["mcp_store.assignments"])
        seller = held[-1].agent if held else talks[-1].agent if talks else None
        timeline = Timeline(company, person, rng, rows["public.contact_events"])
        for journey in journeys:
            journey_rows(company, person, journey, rng, rows["public.contact_pipeline_statuses"])
            timeline.journey(journey, seller, talks)
        timeline.owners(held)
        self._contact(journeys, qualified, timeline)

    def _converse(self, fate: Fate) -> None:
        """Have one conversation after the other, as long as there is time."""
        company, person, draw = self._company, self._person, self._rng.random
        start, agent, decided = person.created, fate.agent, False
        for n in range(fate.conversations):
            kind = self._kind(n, draw)
            if kind in ("campaign", "chasing"):
                start = opening(start) + int(draw() * HOUR)
            if n and (agent.kind != "human" or not agent.joined <= start < agent.left or draw() > 0.88):
                agent = company.next_agent(start, person.source, draw())
            outcome = "open" if decided or n < fate.decided_in else fate.outcome
            ended = self._talk(kind, outcome, start, agent)
            talk = self._talks[-1] if self._talks else None
            decided = decided or bool(talk and (talk.won or talk.lost))
            if not ended:
                return
            start = return_after(ended, GAPS[int(draw() * 256)] * HOUR, draw)
        if self._sold and draw() < 0.45:
            self._renew(max(start, self._sold + 45 * DAY + int(draw() * 150 * DAY)), agent)

    def _kind(self, n: int, draw: Draw) -> str:
        if n == 0:
            return "campaign" if draw() < 0.07 else "first"
        if self._sold:
            return "care"
        chance = draw()
        return "return" if chance < 0.72 else "campaign" if chance < 0.85 else "chasing"

    def _renew(self, at: int, agent: Agent) -> None:
        draw = self._rng.random
        start = opening(at) + int(draw() * 2 * HOUR)
        if agent.kind != "human" or not agent.joined <= start < agent.left:
            agent = self._company.next_agent(start, self._person.source, draw())
        chance = draw()
        self._talk("renewal", "won" if chance < 0.5 else "lost" if chance < 0.75 else "open", start, agent)

    def _talk(self, kind: str, outcome: str, start: int, agent: Agent) -> int:
        """Have one conversation; give when it ended, 0 if it goes on or lies beyond the end."""
        company, person, rng, rows = self._company, self._person, self._rng, self._rows
        if start > company.end:
            return 0
        draw = rng.random
        scene = self._scene(kind, outcome, start, agent)
        successor = company.next_agent(start, person.source, draw()) if scene.transfer else agent
        if not self._talks or kind == "campaign":
            self._wanted = draw()
        talk = Talk(new_id(rng.getrandbits), kind, start, start)
        conversation = Conversation(company, person, agent, talk, self._wanted, rng, rows["public.messages"])
        conversation.play(script(scene, draw), successor)
        if talk.unanswered and not scene.alone and draw() < 0.6:
            talk.agents.append((agent, talk.last))
        if talk.won and kind != "renewal":
            self._sold = talk.won
        self._talks.append(talk)
        ended = session_rows(company, person, talk, rng, rows)
        note = note_row(company, person, talk, ended, self._wanted, rng)
        if note is not None:
            rows["public.notes"].append(note)
        return ended

    def _scene(self, kind: str, outcome: str, start: int, agent: Agent) -> Scene:
        draw = self._rng.random
        asleep = closed(start)
        chance = draw()
        return Scene(
            kind=kind,
            outcome=outcome,
            greeter=BOT if chance < (0.65 if asleep else 0.4) else AI if chance < 0.7 and not asleep else "",
            closed=asleep,
            ignores=0.0 if outcome == "won" else agent.profile.ignores,
            transfer=draw() < 0.09,
            alone=agent.kind == "ai",
        )

    def _contact(self, journeys: list[Journey], qualified: bool, timeline: Timeline) -> None:
        company, person, draw = self._company, self._person, self._rng.random
        talks, created = self._talks, moment(person.created)
        last = talks[-1].last if talks else person.created
        deleted = last + int(draw() * (company.end - last)) if draw() < 0.01 else 0
        steps = sum(len(journey.steps) for journey in journeys)
        self._rows["public.contacts"].append(
            (
                person.id,
                1 + qualified + max(0, steps - 1) + (len(talks) > 1),
                company.project_id,
                company.tenant_id,
                person.shown_name,
                person.email,
                person.phone,
                person.source,
                TIME_ZONE if draw() < 0.9 else None,
                person.language,
                self._tags(last, timeline),
                moment(talks[0].started) if talks else None,
                moment(last) if talks else None,
                created,
                moment(deleted or last),
                moment(deleted) if deleted else None,
            )
        )

    def _tags(self, last: int, timeline: Timeline) -> str | None:
        draw, tags = self._rng.random, []
        if draw() < 0.95:
            tags.append("lead")
        if self._sold and draw() < 0.3:
            tags.append("vip")
            timeline.tagged(self._sold, "vip")
        elif draw() < (0.4 if any(talk.lost for talk in self._talks) else 0.06):
            tags.append("lead_frio")
            timeline.tagged(last, "lead_frio")
        if draw() < 0.1:
            tags.append(self._person.source)
        if not tags:
            return None if draw() < 0.5 else "[]"
        return '["' + '", "'.join(tags) + '"]'


def add_contact(company: Company, person: Person, rng: Random, batch: Batch) -> None:
    """Add one contact, with everything that ever happened to it, to a batch."""
    Life(company, person, rng, batch.rows).live()
    batch.contacts += 1
