"""Which of an agent's messages are judged: a sample that stands for all of them, redacted before anybody sees it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from string import digits, punctuation, whitespace
from zlib import crc32

from handlers.messages.quality import SampledMessage
from handlers.messages.redaction.redactor import MAX_CHARACTERS, Redactor
from handlers.periods import Period, span
from handlers.ranking import Agent
from rpc_server.contract.errors import FieldProblem, InvalidArguments, NotFound
from rpc_server.contract.fields import Id
from rpc_server.contract.query import Row, query
from rpc_server.contract.tool import Call

GET_AGENT = query("messages/get_agent")
COUNT_MESSAGES = query("messages/count_messages")
SAMPLE_MESSAGES = query("messages/sample_messages")

# From so many characters there is something to judge.
LEAST_CHARACTERS = 15
# What is judged of a text; cut after it was redacted, so that no half of a number stays.
_MOST_JUDGED = 4000
_CUT_OFF = digits + punctuation + whitespace
# A person's own words were typed by hand; an AI agent's go out as a bot's.
_BY_HAND = ["manual"]
_BY_MACHINE = ["manual", "bot"]
_WITHOUT_WORDS = frozenset({"system", "virtual"})
# Redacting takes a fraction of a millisecond each; other calls get their turn between.
_AT_A_TIME = 20


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
class Sample:
    """An agent's messages of a period, and how they were chosen."""

    agent: Agent
    messages_total: int
    eligible: int
    seed: int
    messages: list[SampledMessage]
    redacted: dict[str, int]


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


async def draw(call: Call, writer: Writer, period: Period, size: int) -> Sample:
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
        longest=MAX_CHARACTERS,
    )
    redactor = Redactor(text for row in rows for text in (row["question"], row["text"]) if text)
    messages = await _redacted(rows, redactor)
    return Sample(writer.agent, counted["messages_total"], counted["eligible"], seed, messages, redactor.counts)


def _seed(writer: Writer, period: Period) -> int:
    return crc32(f"{writer.agent.agent_id} {period.start} {period.end}".encode())


async def _redacted(rows: Sequence[Row], redactor: Redactor) -> list[SampledMessage]:
    messages: list[SampledMessage] = []
    for begins in range(0, len(rows), _AT_A_TIME):
        messages += [
            SampledMessage(
                message_id=row["message_id"],
                # What the customer had said comes first, so that placeholders are numbered as a reader meets them.
                question=row["question"] and _safe(row["question"], redactor),
                text=_safe(row["text"], redactor),
                sent_at=row["sent_at"],
            )
            for row in rows[begins : begins + _AT_A_TIME]
        ]
        await asyncio.sleep(0)
    return messages


def _safe(text: str, redactor: Redactor) -> str:
    redacted = redactor.redact(text)
    if len(text) == MAX_CHARACTERS:  # it was longer, and what stood at its end may be half a number
        redacted = redacted.rstrip(_CUT_OFF)
    return redacted[:_MOST_JUDGED]
