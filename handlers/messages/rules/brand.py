"""Whether a message speaks the tenant's language: its preferred and avoided words, whole and inflected."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from handlers.messages.quality import SCALE, Brand, Finding, Language
from handlers.messages.rules.plain_text import PlainText, fold
from handlers.messages.rules.slips import Sentence

# 10: nothing avoided, and something preferred where the tenant has preferences; 7: none of those.
_WITHOUT_PREFERRED = 7.0
_PREFERRED, _AVOIDED = 1.5, 3.0
_FEWEST_WORDS = 3
_PREFERS = Sentence("“{}” é do vocabulário da marca.", "“{}” is in the brand's vocabulary.")
_AVOIDS = Sentence("A marca evita “{}”.", "The brand avoids “{}”.")
# Endings of folded words, and the endings that count as the same word: simple plurals of both languages.
_PLURALS = (
    ("ao", "(?:ao|oes|aos|aes)"),
    ("l", "(?:l|is|ls|les)"),
    ("m", "(?:m|ns|ms)"),
    ("y", "(?:y|ies|ys)"),
    ("s", "s?"),
)


@dataclass(frozen=True, slots=True)
class _Lists:
    preferred: re.Pattern[str] | None
    avoided: re.Pattern[str] | None
    vocabulary: frozenset[str]


def judge(text: PlainText, brand: Brand, language: Language) -> tuple[float | None, list[Finding]]:
    """Return 0 to 10 and what was found; None where *brand* has no list or *text* is too short to tell."""
    lists = _lists(brand)
    preferred = dict(_find(lists.preferred, text))
    avoided = {span: said for span, said in _find(lists.avoided, text) if not _is_within(span, preferred)}
    if not (lists.preferred or lists.avoided) or (len(text.words) < _FEWEST_WORDS and not preferred and not avoided):
        return None, []
    base = _WITHOUT_PREFERRED if lists.preferred else SCALE
    score = base + _PREFERRED * len(set(preferred.values())) - _AVOIDED * len(set(avoided.values()))
    findings = [
        *_findings(text, avoided, "avoided_word", _AVOIDS.within(language)),
        *_findings(text, preferred, "preferred_word", _PREFERS.within(language), is_strength=True),
    ]
    return min(max(score, 0.0), float(SCALE)), findings


def vocabulary(brand: Brand) -> frozenset[str]:
    """Return the words, in lower case, that are right because the tenant wants them."""
    return _lists(brand).vocabulary


@lru_cache(256)
def _lists(brand: Brand) -> _Lists:
    words = frozenset(word for phrase in brand.preferred for word in phrase.lower().split())
    return _Lists(_pattern(brand.preferred), _pattern(brand.avoided), words)


def _pattern(phrases: Iterable[str]) -> re.Pattern[str] | None:
    # The longest first: of two that begin alike the more telling one is found.
    forms = sorted({fold(phrase).strip() for phrase in phrases} - {""}, key=lambda form: (-len(form), form))
    inflected = (r"\s+".join(map(_inflected, form.split())) for form in forms)
    return re.compile(rf"(?<!\w)(?:{'|'.join(inflected)})(?!\w)") if forms else None


def _inflected(word: str) -> str:
    for ending, plural in _PLURALS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return re.escape(word.removesuffix(ending)) + plural
    return re.escape(word) + "(?:e?s)?" if word[-1].isalpha() else re.escape(word)


def _find(pattern: re.Pattern[str] | None, text: PlainText) -> Iterator[tuple[tuple[int, int], str]]:
    for found in pattern.finditer(text.folded) if pattern else ():
        yield found.span(), " ".join(found[0].split())


def _is_within(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in others)


def _findings(
    text: PlainText, said: dict[tuple[int, int], str], kind: str, reason: str, *, is_strength: bool = False
) -> Iterator[Finding]:
    first = {words: span for span, words in reversed(said.items())}
    for start, end in sorted(first.values()):
        yield Finding(
            "brand",
            kind,
            text.excerpt(start, end),
            reason.format(" ".join(text.quoted[start:end].split())),
            is_strength,
        )
