"""What is judged and what is found: the same shape, whoever judges."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args
from uuid import UUID

Language: TypeAlias = Literal["pt-BR", "en"]
Dimension: TypeAlias = Literal["grammar", "tone", "brand"]
Tone: TypeAlias = Literal["empathetic", "friendly", "neutral", "formal", "pushy", "impatient", "rude"]

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
TONES: tuple[Tone, ...] = get_args(Tone)
# Scores run from 0 to SCALE, in every dimension.
SCALE = 10
# What is judged of a message, and looked at of the question before it, in characters; longer ones are cut.
MOST_TEXT = 4_000
MOST_QUESTION = 1_000


@dataclass(frozen=True, slots=True)
class SampledMessage:
    """An agent's message, already redacted, and what the customer had asked before it (redacted too)."""

    message_id: UUID
    text: str
    question: str | None
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Brand:
    """How the tenant wants its agents to write; everything may be empty."""

    guide: str | None = None
    preferred: tuple[str, ...] = ()
    avoided: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything to align with."""
        return bool(self.guide or self.preferred or self.avoided)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed in a message.

    *kind* is a short stable code such as "spelling" or "shouting"; *excerpt* the words it stands in
    (redacted, at most 200 characters); *reason* a sentence in the tenant's language.
    """

    dimension: Dimension
    kind: str
    excerpt: str
    reason: str
    is_strength: bool = False


@dataclass(frozen=True, slots=True)
class MessageScore:
    """What came of judging one message: None where a dimension does not apply to it."""

    message_id: UUID
    grammar: float | None
    tone: float | None
    brand: float | None
    predominant_tone: Tone | None
    findings: tuple[Finding, ...] = ()
