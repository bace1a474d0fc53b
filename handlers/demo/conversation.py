"""Plays a script: puts times and words to its beats and keeps the message rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from handlers.demo.chance import Draw, new_id, weighted
from handlers.demo.clock import HOUR, customer_writes, hour_of_day, moment, opening, team_answers
from handlers.demo.company import TIMEOUT_MINUTES, Company
from handlers.demo.goods import circumstances, offers
from handlers.demo.people import Person
from handlers.demo.plan import Row
from handlers.demo.script import AI, CAMPAIGN, CUSTOMER, HUMAN, Beat
from handlers.demo.team import Agent
from handlers.demo.wording import customer_voice, machine_voice

TIMEOUT = TIMEOUT_MINUTES * 60
# After so long a wait, half of the answers begin with an apology.
LONG_WAIT = 45 * 60

HELLOS = {
    "pt": tuple("Boa noite" if h < 5 or h > 17 else "Bom dia" if h < 12 else "Boa tarde" for h in range(24)),
    "en": tuple(
        "Good evening" if h < 5 or h > 17 else "Good morning" if h < 12 else "Good afternoon" for h in range(24)
    ),
}
SENT = weighted((("read", 80), ("delivered", 14), ("sent", 5), ("failed", 1)), 100)
RECEIVED = weighted((("read", 90), ("delivered", 10)), 100)
SAYS_HELLO = frozenset(("greet", "follow_up", "reopened", "renewal_offer"))
WON = frozenset(("confirm", "renewal_done"))
LOST = frozenset(("decline", "renewal_no"))
# Where customers rather speak or send a picture.
MEDIA = {"pay": 0.45, "ask_support": 0.15, "answer_need": 0.08, "open_price": 0.05, "ask_details": 0.06}


@dataclass(slots=True)
class Talk:
    """What became of a conversation; times are seconds since 1970, 0 where it never happened."""

    id: UUID
    kind: str
    started: int
    last: int
    agents: list[tuple[Agent, int]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    from_contact: int = 0
    from_agent: int = 0
    first_contact: int = 0
    first_outbound: int = 0
    first_answer: int = 0
    won: int = 0
    lost: int = 0
    expired: bool = False
    unanswered: bool = False

    @property
    def agent(self) -> Agent | None:
        """Who has the conversation at its end."""
        return self.agents[-1][0] if self.agents else None


class Conversation:
    """One conversation as it is played: fills its talk, and `rows` with the messages.

    `wanted`, drawn from [0, 1), is what it is about; the same number means the same product and price.
    """

    def __init__(
        self, company: Company, person: Person, agent: Agent, talk: Talk, wanted: float, rng: Random, rows: list[Row]
    ) -> None:
        self._company, self._person, self._rows = company, person, rows
        self._draw = rng.random
        self._agent = agent
        self._talk = talk
        self._bits = rng.getrandbits
        same = (company.tenant_id, company.owner_id, company.project_id, *company.channels[person.channel])
        self._same = (*same, person.id, person.language, talk.id)
        self._customer = customer_voice(person.casual, person.language)
        self._machine = machine_voice(person.language)
        self._slots = _slots(company, person, agent, wanted, rng.random)
        self._greet_by(talk.started)

    def play(self, beats: Iterable[Beat], successor: Agent) -> None:
        """Play beat after beat until the script, the time or everybody's patience is over."""
        talk, draw, end = self._talk, self._draw, self._company.end
        before = ""
        for speaker, meant in beats:
            now = talk.last
            if not before:
                at = talk.started
            elif speaker is CUSTOMER:
                at = self._when_customer(meant, before)
            elif speaker is HUMAN:
                at = self._when_human(meant, before)
            else:
                at = now + 2 + int(draw() * 5)
            if at > end:
                break
            if at - now > TIMEOUT:
                talk.expired = True
                break
            before = speaker
            if speaker is CUSTOMER:
                self._customer_says(at, meant)
            elif speaker is HUMAN:
                self._human_says(at, meant)
            elif meant == "transfer":
                self._hand_over(at, successor)
            else:
                self._machine_says(at, speaker, meant)
        talk.unanswered = talk.from_contact > 0 and talk.first_answer == 0

    def _when_customer(self, meant: str, before: str) -> int:
        now, draw = self._talk.last, self._draw
        if meant == "chase":
            return now + 1200 + int(draw() * 3 * HOUR)
        return now + 3 + int(draw() * 45) if before is CUSTOMER else customer_writes(now, draw)

    def _when_human(self, meant: str, before: str) -> int:
        talk, draw, agent = self._talk, self._draw, self._agent
        if meant == "follow_up":
            return opening(talk.last + 20 * HOUR + int(draw() * 6 * HOUR)) + int(draw() * HOUR)
        if before is HUMAN:
            return talk.last + 5 + int(draw() * 70)
        replies = agent.replies if talk.first_answer == 0 else agent.follow_ups
        return team_answers(talk.last, replies, agent.profile.at_night, draw)

    def _customer_says(self, at: int, meant: str) -> None:
        talk, draw = self._talk, self._draw
        content, text = "text", None
        if draw() < MEDIA.get(meant, 0.02):
            content = "image" if meant in ("pay", "ask_support") or draw() < 0.3 else "audio"
        else:
            phrases = self._customer[meant]
            text = phrases[int(draw() * len(phrases))].format_map(self._slots)
        talk.from_contact += 1
        if talk.first_contact == 0:
            talk.first_contact = at
        if meant in LOST:
            talk.lost = at
        self._keep(at, False, content, text, RECEIVED[int(draw() * 100)], self._company.team.system.id, "manual")

    def _human_says(self, at: int, meant: str) -> None:
        talk, draw, agent = self._talk, self._draw, self._agent
        if not talk.agents or talk.agents[-1][0] is not agent:
            talk.agents.append((agent, at))
        phrases = agent.voices[self._person.language]
        waited = at - talk.last
        if meant in SAYS_HELLO:
            self._greet_by(at)
        if waited > LONG_WAIT and meant != "follow_up" and talk.from_contact and draw() < 0.5:
            self._human_writes(at, phrases["apology"])
            at = min(at + 4 + int(draw() * 20), self._company.end)
        self._human_writes(at, phrases[meant])
        if meant in WON:
            talk.won = at

    def _human_writes(self, at: int, phrases: tuple[str, ...]) -> None:
        draw, agent = self._draw, self._agent
        talk = self._talk
        if talk.first_answer == 0 and talk.from_contact:
            talk.first_answer = at
        talk.answers.append(at)
        sender = agent.user_id if draw() < 0.33 else agent.id
        spoken = draw() < 0.012
        text = None if spoken else phrases[int(draw() * len(phrases))].format_map(self._slots)
        self._keep(at, True, "audio" if spoken else "text", text, SENT[int(draw() * 100)], sender, "manual")

    def _machine_says(self, at: int, speaker: str, meant: str) -> None:
        talk, draw, company = self._talk, self._draw, self._company
        sender, source = company.team.bot, "bot"
        phrases = self._machine.get(meant) or company.team.ai.voices[self._person.language][meant]
        if speaker is AI:
            sender = company.team.ai
            if not talk.agents:
                talk.agents.append((sender, at))
            talk.answers.append(at)
            if talk.first_answer == 0 and self._agent is sender:
                talk.first_answer = at
            if meant in WON:
                talk.won = at
        elif speaker is CAMPAIGN:
            sender, source = company.team.system, meant
        text = phrases[int(draw() * len(phrases))].format_map(self._slots)
        self._keep(at, True, "text", text, SENT[int(draw() * 100)], sender.id, source)

    def _hand_over(self, at: int, successor: Agent) -> None:
        """Give the conversation to somebody else; a system line tells so, where there was somebody."""
        if successor is self._agent:
            return
        self._agent = successor
        self._slots["agent"], self._slots["thanks"] = successor.first_name, successor.thanks
        phrases = self._machine["transfer"]
        draw = self._draw
        text = phrases[int(draw() * len(phrases))].format_map(self._slots)
        self._keep(at, True, "system", text, "delivered", self._company.team.system.id, "system")

    def _greet_by(self, at: int) -> None:
        hello = HELLOS[self._person.language][hour_of_day(at)]
        self._slots["hi"], self._slots["hi_low"] = hello, hello.lower()

    def _keep(
        self, at: int, from_me: bool, content: str, text: str | None, status: str, sender: UUID | None, source: str
    ) -> None:
        talk, when = self._talk, moment(at)
        talk.last = at
        if from_me:
            talk.from_agent += 1
            if talk.first_outbound == 0 and talk.first_contact:
                talk.first_outbound = at
        self._rows.append(
            # Two tuples joined: unpacking builds a list first, and this is the busiest line of all.
            (new_id(self._bits), when, from_me, content, text, status, sender, source, when, when) + self._same  # noqa: RUF005
        )


def _slots(company: Company, person: Person, agent: Agent, wanted: float, draw: Draw) -> dict[str, str]:
    """Fill the slots that stay the same for a whole conversation."""
    on_offer, around = offers(person.language), circumstances(person.language)
    slots = on_offer[int(wanted * len(on_offer))] | around[int(draw() * len(around))]
    grateful = "obrigada" if person.gender == "f" else "obrigado"
    slots["grat"], slots["Grat"] = grateful, grateful.capitalize()
    slots["name"], slots["person"] = person.first_name, person.name
    slots["agent"], slots["thanks"] = agent.first_name, agent.thanks
    slots["company"] = company.name
    if person.email is not None and draw() < 0.7:
        slots["mail"] = person.email
    return slots
