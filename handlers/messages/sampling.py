"""Which of an agent's messages are judged: a sample that stands for all of them, redacted before anybody sees it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from handlers.messages.quality import MOST_QUESTION, MOST_TEXT, SampledMessage
from handlers.periods import Period, span
from handlers.ranking import Agent
from rpc_server.contract.errors import FieldProblem, InvalidArguments, NotFound
from rpc_server.contract.fields import Id
from rpc_server.contract.query import Row, query
from rpc_server.contract.tool import Call

if TYPE_CHECKING:
    from handlers.messages.redaction.redactor import Redactor

GET_AGENT = query("messages/get_agent")
COUNT_MESSAGES = query("messages/count_messages")
SAMPLE_MESSAGES = query("messages/sample_messages")

# From so many characters there is something to judge.
LEAST_CHARACTERS = 15
# So much more is read than is kept of a text, so that what begins before the cut is known for what it is.
_LOOKED_BEYOND = 600
# A person's own words were typed by hand; an AI agent's go out as a bot's.
_BY_HAND = ["manual"]
_BY_MACHINE = ["manual", "bot"]
_WITHOUT_WORDS = frozenset({"system", "virtual"})


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody who writes messages, under the ids that their messages may bear."""

    agent: Agent
    ids: list[Id]

    @property
    def sources(self) -> list[str]:
        """Return what counts as the agent's own words."""
        return _BY_HAND if self.agent.type == "human" else _BY_MACHINE


@dataclass(frozen=True, slots=True)
class Drawn:
    """An agent's messages of a period as the CRM has them, and how they were chosen; nobody is shown their texts."""

    messages_total: int
    eligible: int
    seed: int
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Sample:
    """The same without personal data; where time was short, less *messages* than were drawn."""

    drawn: Drawn
    messages: list[SampledMessage]
    redacted: dict[str, int]

    @property
    def size(self) -> int:
        """Return how many messages were drawn."""
        return len(self.drawn.rows)


async def find_writer(call: Call, agent_id: Id) -> Writer:
    """Return the agent; raises NotFound, or InvalidArguments for one that writes nothing of its own."""
    row = await call.db.first(GET_AGENT, agent_id=agent_id)
    if row is None:
        raise NotFound(f"There is no agent {agent_id}. list_agents has the ids.")
    if row["agent_type"] in _WITHOUT_WORDS:
        raise InvalidArguments(
            [
                FieldProblem(
                    "agent_id",
                    f"{row['agent_name']} is a {row['agent_type']} agent, which writes no messages of its own",
                    expected="the id of a person, an AI or a bot (list_agents has them)",
                )
            ]
        )
    ids = [agent_id] if row["user_id"] is None else [agent_id, row["user_id"]]
    return Writer(Agent(agent_id, row["agent_name"], row["agent_type"]), ids)


async def draw(call: Call, writer: Writer, period: Period, size: int) -> Drawn:
    """Draw at most *size* of the agent's eligible messages; the same period draws the same ones again."""
    seed = _seed(writer, period)
    asked = span(period)
    of_writer = {"senders": writer.ids, "sources": writer.sources, "start": asked.start, "end": asked.end}
    counted = await call.db.first(COUNT_MESSAGES, **of_writer, length=LEAST_CHARACTERS)
    assert counted is not None
    rows = await call.db.all(
        SAMPLE_MESSAGES,
        **of_writer,
        length=LEAST_CHARACTERS,
        size=size,
        seed=seed,
        time_zone=period.time_zone,
        longest=MOST_TEXT + _LOOKED_BEYOND,
    )
    return Drawn(counted["messages_total"], counted["eligible"], seed, rows)


def _seed(writer: Writer, period: Period) -> int:
    return crc32(f"{writer.agent.agent_id} {period.start} {period.end}".encode())


async def redacted(drawn: Drawn, until: float) -> Sample:
    """Take personal data out of the messages, and begin with none after *until*, on the event loop's clock.

    In threads: a text made of numbers takes a second, and customers write what they like.
    """
    now = asyncio.get_running_loop().time
    texts = [(row["question"] and row["question"][: MOST_QUESTION + _LOOKED_BEYOND], row["text"]) for row in drawn.rows]
    redactor = await asyncio.to_thread(_redactor, [text for pair in texts for text in pair if text])
    messages: list[SampledMessage] = []
    for row, (question, text) in zip(drawn.rows, texts, strict=True):
        if now() >= until:
            break
        safe_question, safe_text = await asyncio.to_thread(_safe, redactor, question, text)
        messages.append(SampledMessage(row["message_id"], safe_text, safe_question, row["sent_at"]))
    return Sample(drawn, messages, redactor.counts)


def _redactor(texts: list[str]) -> "Redactor":
    from handlers.messages.redaction.redactor import Redactor  # with all numbers of telephones that there can be

    return Redactor(texts)


def _safe(redactor: "Redactor", question: str | None, text: str) -> tuple[str | None, str]:
    # What the customer had said comes first, so that placeholders are numbered as a reader meets them.
    return question and redactor.redact(question, MOST_QUESTION), redactor.redact(text, MOST_TEXT)
