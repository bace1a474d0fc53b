"""How well a message is written: its slips, and a score of them in relation to its length."""

from collections.abc import Collection
from math import exp

from handlers.messages.quality import SCALE, Language
from handlers.messages.rules import accents, misspellings, rules_en, rules_pt
from handlers.messages.rules.plain_text import PlainText
from handlers.messages.rules.slips import Slip, apart
from handlers.messages.rules.spelling import Spelling

_RULES = {"pt-BR": rules_pt.RULES, "en": rules_en.RULES}
_FEWEST_WORDS = 3
# One slip in 12 words makes about 7.4, in 40 words 8.8; four in 12 words make 3.
_STEEPNESS = 6.0
# Short messages are forgiven a little: a single slip does not make them unreadable.
_SOFTENING = 8


def find_slips(
    text: PlainText, language: Language, spelling: Spelling | None, known: Collection[str] = ()
) -> list[Slip]:
    """Return the slips of a *text* in *language*, in its order and none overlapping another."""
    found = [slip for rule in _RULES[language] for slip in rule.find(text.masked)]
    if language == "pt-BR":
        found += accents.find(text)
    found += misspellings.find(text, language)
    if spelling is not None:
        found += spelling.find(text, language, known)
    return apart(slip for slip in found if text.masked[slip.start : slip.end].lower() not in known)


def grade(text: PlainText, slips: Collection[Slip]) -> float | None:
    """Return 0 to 10, 10 for no slip; None when *text* is too short to tell. A slip made twice counts once."""
    words = len(text.words)
    if words < _FEWEST_WORDS:
        return None
    weights = {(slip.kind, text.masked[slip.start : slip.end].lower()): slip.weight for slip in slips}
    return SCALE * exp(-_STEEPNESS * sum(weights.values()) / (words + _SOFTENING))
