"""Numbers in a plain text, as people break them up: which stretches of digits may be one number."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from handlers.messages.redaction.text import Found, Kind

_DIGITS = re.compile(r"[0-9]+")
_WORD_BEFORE = re.compile(r"[a-z]*\Z")
_WORD_AFTER = re.compile(r"[a-z]*")
_REST = re.compile(r"(?:[.\-/_][0-9]++)++")
_NO_NUMBERS: frozenset[Kind] = frozenset({"email", "url", "pix_key"})

# What is written right beside a number without being part of a code; 0xx11 is how area codes were dialled.
_LABELS = frozenset({"cpf", "cnpj", "rg", "cep", "tel", "fone", "cel", "zap", "whats", "whatsapp", "wpp", "pix", "xx"})
# So many letters are looked at beside a number.
_LOOK = 20


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring groups of digits that may be one number: *sizes* of the groups, *digits* without gaps."""

    start: int
    end: int
    digits: str
    sizes: tuple[int, ...]

    @property
    def cuts(self) -> frozenset[int]:
        """Say before which digits it is broken."""
        return frozenset(accumulate(self.sizes[:-1]))

    @property
    def is_even(self) -> bool:
        """Tell whether all groups but the last, which may be smaller, are of one size."""
        return len({*self.sizes[:-1]}) <= 1 and self.sizes[-1] <= self.sizes[0]


def windows(text: str, gap: re.Pattern[str], lengths: range) -> Iterator[Window]:
    """Yield every stretch of whole groups with so many digits, broken only by *gap*.

    A group is never split, so no number is found inside a longer one.
    """
    groups = [found.span() for found in _DIGITS.finditer(text)]
    joined = [gap.fullmatch(text, left[1], right[0]) is not None for left, right in pairwise(groups)]
    for first, (start, _) in enumerate(groups):
        digits, sizes = "", []
        for at in range(first, len(groups)):
            begin, end = groups[at]
            digits += text[begin:end]
            sizes.append(end - begin)
            if len(digits) >= lengths.stop:
                break
            if len(digits) in lengths:
                yield Window(start, end, digits, tuple(sizes))
            if at == len(joined) or not joined[at]:
                break


def stands_free(text: str, window: Window, shortest_word: int = 1) -> bool:
    """Tell whether the digits are no part of a code: words written without a space may touch them.

    Fewer letters before them than *shortest_word* are no word, unless they name a number.
    """
    before = _WORD_BEFORE.search(text, max(0, window.start - _LOOK), window.start)
    after = _WORD_AFTER.match(text, window.end, window.end + _LOOK)
    word, next_word = before[0] if before else "", after[0] if after else ""
    begin, end = window.start - len(word), window.end + len(next_word)
    follows_code = text[max(0, begin - 1) : begin].isdigit() or 0 < len(word) < shortest_word
    leads_to_code = next_word != "" and text[end : end + 1].isdigit()
    return (not follows_code or word in _LABELS) and (not leads_to_code or next_word in _LABELS)


def with_rests(text: str, found: Iterable[Found]) -> list[Found]:
    """Extend numbers over digits that hang on them by a sign: a number is not left in part.

    In *text* all that was found is blank, so no datum reaches into another.
    """
    extended: list[Found] = []
    for datum in sorted(found, key=lambda datum: datum.start):
        if datum.kind in _NO_NUMBERS:
            extended.append(datum)
            continue
        floor = extended[-1].end if extended else 0
        start, rest = datum.start, _REST.match(text, datum.end)
        while start - floor >= 2 and text[start - 1] in ".-/_" and text[start - 2] in "0123456789":
            start -= 1
            while start > floor and text[start - 1] in "0123456789":
                start -= 1
        extended.append(Found(start, rest.end() if rest else datum.end, datum.kind, datum.value))
    return extended
