"""A slip in a message, and rules that find slips by a pattern."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from handlers.messages.quality import Language

# "accent", "spelling" and "confusion" (another word was meant) are about single words, the others about grammar.
SlipKind: TypeAlias = Literal[
    "accent", "spelling", "confusion", "agreement", "crase", "repetition", "verb_form", "word_choice", "apostrophe"
]

# How much a slip counts: what many readers let pass, what they notice, what makes them frown.
LIGHT, PLAIN, HEAVY = 0.5, 1.0, 1.5


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in both languages of the answers."""

    pt: str
    en: str

    def within(self, language: Language) -> str:
        """Return it in *language*."""
        return self.pt if language == "pt-BR" else self.en


@dataclass(frozen=True, slots=True)
class Slip:
    """Something wrong between *start* and *end* of a text."""

    start: int
    end: int
    kind: SlipKind
    weight: float
    reason: Sentence


@dataclass(frozen=True, slots=True)
class Rule:
    """Patterns whose matches are slips.

    Where a pattern names a group "slip", that group is the slip; a match without it is what must not be taken for one.
    """

    kind: SlipKind
    patterns: tuple[re.Pattern[str], ...]
    weight: float
    reason: Sentence

    def find(self, text: str) -> Iterator[Slip]:
        """Find the slips of this kind in *text*."""
        for pattern in self.patterns:
            group = "slip" if "slip" in pattern.groupindex else 0
            for found in pattern.finditer(text):
                if found[group] is not None:
                    end = found.start(group) + len(found[group].rstrip())
                    yield Slip(found.start(group), end, self.kind, self.weight, self.reason)


def rule(kind: SlipKind, pt: str, en: str, *patterns: str, weight: float = PLAIN) -> Rule:
    """Make a rule of *patterns* (which ignore case) and what is said of them in both languages."""
    return Rule(kind, tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns), weight, Sentence(pt, en))


def one_of(words: str) -> str:
    """Return a pattern of any of the *words*, which spaces separate; "_" is a space within one."""
    return "(?:" + "|".join(re.escape(word).replace("_", " ") for word in words.split()) + ")"


def apart(slips: Iterable[Slip]) -> list[Slip]:
    """Return the slips in the order of the text; of those that overlap, the one that came first in *slips*."""
    kept: list[Slip] = []
    taken: set[int] = set()
    for slip in slips:
        place = range(slip.start, slip.end)
        if taken.isdisjoint(place):
            kept.append(slip)
            taken.update(place)
    return sorted(kept, key=lambda slip: (slip.start, slip.end))
