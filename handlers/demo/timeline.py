"""What a contact's timeline shows: pipelines entered, stages changed, owners, tags; and notes."""

from random import Random
from uuid import UUID

from handlers.demo.chance import new_id
from handlers.demo.clock import moment
from handlers.demo.company import Company
from handlers.demo.conversation import Talk
from handlers.demo.decisions import Owner
from handlers.demo.goods import circumstances, offers
from handlers.demo.people import Person
from handlers.demo.plan import Row
from handlers.demo.stages import Journey
from handlers.demo.team import Agent
from handlers.demo.wording import notes

NOTE_TYPES = ("general", "general", "follow_up", "internal", "session_handoff")
URGENCIES = ("normal", "normal", "normal", "low", "high")


class Timeline:
    """Writes one contact's events; `rows` is where they go."""

    def __init__(self, company: Company, person: Person, rng: Random, rows: list[Row]) -> None:
        self._company, self._person, self._bits, self._rows = company, person, rng.getrandbits, rows

    def journey(self, journey: Journey, by: Agent | None, talks: list[Talk]) -> None:
        """Tell of every stage of a journey; the first came by itself, the others by whose contact it is."""
        at, stage = journey.steps[0]
        name = journey.pipeline.name
        payload = f'{{"pipeline_id": "{journey.pipeline.key}", "status_id": "{stage.key}"}}'
        first = talks[0].id if talks else None
        kind = ("entered_pipeline", "pipeline", "normal", "system")
        self._add(at, kind, f"Entrou no funil {name}", payload, None, first)
        kind = ("pipeline_stage_changed", "pipeline", "normal", "agent" if by else "automation")
        for before, (at, stage) in zip(journey.steps, journey.steps[1:], strict=False):
            payload = (
                f'{{"pipeline_id": "{journey.pipeline.key}", "previous_status_id": "{before[1].key}", '
                f'"new_status_id": "{stage.key}"}}'
            )
            title = f"{before[1].name} → {stage.name}"
            self._add(at, kind, title, payload, by.id if by else None, None)

    def owners(self, held: list[Owner]) -> None:
        """Tell whose the contact became."""
        kind = ("agent_assigned", "assignment", "normal", "system")
        for owner in held:
            title = f"Atribuído a {owner.agent.name}"
            payload = f'{{"agent_id": "{owner.agent.key}"}}'
            self._add(owner.since, kind, title, payload, owner.agent.id, None)

    def tagged(self, at: int, tag: str) -> None:
        """Tell that the contact got a tag."""
        kind = ("tag_added", "tag", "low", "workflow")
        self._add(at, kind, f"Etiqueta {tag}", f'{{"tag": "{tag}"}}', None, None)

    def _add(
        self,
        at: int,
        kind: tuple[str, str, str, str],
        title: str,
        payload: str,
        by: UUID | None,
        session_id: UUID | None,
    ) -> None:
        when = moment(at)
        company, person = self._company, self._person
        self._rows.append(
            (new_id(self._bits), person.id, session_id, company.tenant_id, *kind, title, payload, by, when, when)
        )


def note_row(company: Company, person: Person, talk: Talk, ended: int, wanted: float, rng: Random) -> Row | None:
    """Let the agent of a conversation write something down, now and then."""
    draw, agent = rng.random, talk.agent
    if agent is None or agent.kind != "human" or draw() > 0.1:
        return None
    language = person.language
    phrases, on_offer, around = notes(language), offers(language), circumstances(language)
    slots = on_offer[int(wanted * len(on_offer))] | around[int(draw() * len(around))]
    at = moment(min(company.end, (ended or talk.last) + int(draw() * 1800)))
    return (
        new_id(rng.getrandbits),
        person.id,
        talk.id,
        company.tenant_id,
        agent.id,
        "agent",
        agent.name,
        phrases[int(draw() * len(phrases))].format_map(slots),
        NOTE_TYPES[int(draw() * 5)],
        URGENCIES[int(draw() * 5)],
        at,
        at,
    )
