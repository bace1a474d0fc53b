"""A text made plain, so that a number is found however it is written, and told where it stood."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "cpf", "cnpj", "rg", "cep", "phone", "email", "card", "pix_key", "url", "bank_account", "payment_slip"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Stands where something was found: in no text made plain, and in no pattern.
BLANK = "\x00"

_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Me"})
_REPLACED = {
    **{space: space for space in "\t\n\r"},
    **dict.fromkeys("\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n"),
    **dict.fromkeys("−⁻₋⁃", "-"),
    **dict.fromkeys("·•∙⋅‧・･。｡", "."),
    **dict.fromkeys("⁄∕⧸╱", "/"),
    # Letters and symbols that show nothing.
    **dict.fromkeys("\u115f\u1160\u3164\uffa0", ""),
    "\u2800": " ",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A personal datum at text[start:end]; equal values of one kind are the same datum."""

    start: int
    end: int
    kind: Kind
    value: str


@dataclass(frozen=True, slots=True)
class Plain:
    """A text made plain; starts[i] is where character i stands in the original."""

    text: str
    starts: list[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original that text[start:end] came from, unseen characters behind it included."""
        return self.starts[start], max(self.starts[end - 1] + 1, self.starts[end])


def plain(text: str) -> Plain:
    """Fold *text*: ASCII digits, hyphens and spaces, small letters without accents, nothing unseen."""
    pieces = [_folded(character) for character in text]
    starts = [at for at, piece in enumerate(pieces) for _ in piece]
    return Plain("".join(pieces), [*starts, len(text)])


def blanked(text: str, found: Iterable[Found]) -> str:
    """Return *text*, as long as before, with what was found (nothing twice) blanked out."""
    pieces: list[str] = []
    at = 0
    for datum in sorted(found, key=lambda datum: datum.start):
        pieces += text[at : datum.start], BLANK * (datum.end - datum.start)
        at = datum.end
    return "".join([*pieces, text[at:]])


def compact(number: str) -> str:
    """Return the letters and digits of a number."""
    return "".join(character for character in number if character.isalnum())


def strongest(candidates: Iterable[tuple[int, Found]]) -> list[Found]:
    """Make one datum of all that overlap, the lowest rank's, then the longest one's: no part of any is left."""
    chosen: list[tuple[tuple[int, int], Found]] = []
    for rank, datum in sorted(candidates, key=lambda candidate: candidate[1].start):
        strength = rank, datum.start - datum.end
        if chosen and datum.start < chosen[-1][1].end:
            standing, other = chosen.pop()
            best = datum if strength < standing else other
            strength = min(strength, standing)
            datum = Found(other.start, max(other.end, datum.end), best.kind, best.value)
        chosen.append((strength, datum))
    return [datum for _, datum in chosen]


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if character in _REPLACED:
        return _REPLACED[character]
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category in _UNSEEN:
        return ""
    if category in {"Pd", "Zs"}:
        return "-" if category == "Pd" else " "
    folded = unicodedata.normalize("NFKD", character).lower()
    return folded if folded == character else "".join(map(_folded, folded))
