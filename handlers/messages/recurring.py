"""What recurs in an agent's messages: the kinds of findings, each with a message that shows it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from handlers.messages.quality import DIMENSIONS, Dimension, Finding, Language, MessageScore

# What happens in fewer messages than this share of the judged ones is no habit.
_HABIT = 0.05
_OTHERS = {"pt-BR": ", entre outros casos", "en": ", among others"}


@dataclass(frozen=True, slots=True)
class Recurring:
    """A kind of finding in *messages* of the *judged* ones, *message_id* being one of them.

    *reason* is the most frequent one; where *is_one_of_several*, it does not hold for all of them.
    """

    kind: str
    messages: int
    judged: int
    reason: str
    is_one_of_several: bool
    message_id: UUID

    @property
    def is_habit(self) -> bool:
        """Tell whether it happens often enough to speak of."""
        return self.messages >= max(2, ceil(self.judged * _HABIT))

    def told(self, language: Language) -> str:
        """Return what it is, as a part of a sentence; it claims no reason for more messages than have it."""
        return self.reason.rstrip(".") + (_OTHERS[language] if self.is_one_of_several else "")


def recurring(scores: Sequence[MessageScore], dimension: Dimension, *, strengths: bool = False) -> list[Recurring]:
    """Return what was found in *dimension*, the most frequent first; several of a kind in one message count once."""
    found: dict[str, list[tuple[UUID, Finding]]] = {}
    for score in scores:
        for finding in score.findings:
            if finding.dimension == dimension and finding.is_strength == strengths:
                found.setdefault(finding.kind, []).append((score.message_id, finding))
    kinds = [_recurring(kind, cases, len(scores)) for kind, cases in found.items()]
    return sorted(kinds, key=lambda found: (-found.messages, found.kind))


def worst_habit(scores: Sequence[MessageScore]) -> Recurring | None:
    """Return what happens most often of what should not, if anything of it is a habit."""
    first = [found[0] for dimension in DIMENSIONS if (found := recurring(scores, dimension))]
    return max((one for one in first if one.is_habit), key=lambda one: one.messages, default=None)


def _recurring(kind: str, cases: Sequence[tuple[UUID, Finding]], judged: int) -> Recurring:
    reasons = Counter(finding.reason for _, finding in cases)
    reason = reasons.most_common(1)[0][0]
    return Recurring(
        kind,
        len({message_id for message_id, _ in cases}),
        judged,
        reason,
        len(reasons) > 1,
        next(message_id for message_id, finding in cases if finding.reason == reason),
    )
