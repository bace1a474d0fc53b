"""A message as the rules read it: bounded, normalised, without placeholders and links, cut into words."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache

# What is beyond is not judged; a chat message is at most 4,096 characters long on WhatsApp.
MOST_CHARACTERS = 4000
MOST_EXCERPT = 200
_CONTEXT = 24
# Stands for each masked character: no letter, no digit, no punctuation that a rule looks at.
_MASK = "¤"

_MASKED = re.compile(
    r"<[A-Z][A-Z_]{1,30}_\d{1,6}>"  # placeholders of redaction
    r"|\bhttps?://\S+|\bwww\.\S+"
    r"|[\w.+-]{1,64}@[\w.-]{1,255}"
    r"|\b[\w-]{1,63}\.(?:com|net|org|app|io)\b(?:\.br\b)?\S{0,500}"
    r"|(?<!\w)[@#^*]\w+"
    r"|(?<!\w)[:;=]-?[opdsOPDS](?!\w)",  # emoticons
)
_WORD = re.compile(r"(?<![\w'¤-])[^\W\d_]+(?:['-][^\W\d_]+)*(?!\w)")
_NARROW = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'", "‑": "-", "\xa0": " "})


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands."""

    start: int
    end: int
    text: str

    @property
    def lower(self) -> str:
        """The word in lower case."""
        return self.text.lower()


@dataclass(frozen=True)
class PlainText:
    """A text twice: as it is quoted and, character by character, as rules read it."""

    quoted: str
    masked: str

    @classmethod
    def of(cls, text: str) -> "PlainText":
        """Bound and normalise *text*; what is no language in it (links, placeholders) is masked."""
        # Lone surrogates are legal in a str and in nothing else.
        clean = text[:MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        quoted = unicodedata.normalize("NFC", clean)
        masked = _MASKED.sub(lambda found: _MASK * len(found[0]), quoted.translate(_NARROW))
        return cls(quoted, masked)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words, in order; what holds digits or underscores is none."""
        return tuple(Word(found.start(), found.end(), found[0]) for found in _WORD.finditer(self.masked))

    @cached_property
    def folded(self) -> str:
        """What rules read in lower case and without accents; every character keeps its place."""
        return fold(self.masked)

    def excerpt(self, start: int, end: int) -> str:
        """Quote what stands from *start* to *end* with some words around it, on one line."""
        first, last = max(0, start - _CONTEXT), min(len(self.quoted), end + _CONTEXT)
        # Whole words, so that no placeholder is cut; but not a whole link.
        while first > 0 and start - first < MOST_EXCERPT // 4 and not self.quoted[first - 1].isspace():
            first -= 1
        while last < len(self.quoted) and last - end < MOST_EXCERPT // 4 and not self.quoted[last].isspace():
            last += 1
        line = " ".join(self.quoted[first:last].split())
        return line if len(line) <= MOST_EXCERPT else line[: MOST_EXCERPT - 1] + "…"


def fold(text: str) -> str:
    """Return *text* in lower case and without accents, each character in its place."""
    return text.lower() if text.isascii() else "".join(map(_fold_character, text))


@lru_cache(4096)
def _fold_character(character: str) -> str:
    return unicodedata.normalize("NFD", character.lower())[0]
