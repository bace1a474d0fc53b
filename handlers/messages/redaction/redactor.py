"""What of a message a model may see: personal data are replaced by placeholders before it leaves the house.

Names and postal addresses are not found, and stay. Nothing of what was replaced is kept beyond the Redactor.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from handlers.messages.redaction.checked import checked_numbers, payment_slips
from handlers.messages.redaction.links import emails, private_links
from handlers.messages.redaction.named import named_numbers
from handlers.messages.redaction.numbers import with_rests
from handlers.messages.redaction.phones import phones
from handlers.messages.redaction.pix import named_keys, payloads, random_keys
from handlers.messages.redaction.text import KINDS, Found, Kind, Plain, blanked, plain

MAX_CHARACTERS = 10_000

# The surest first: each sees only what those before it have left.
_FINDERS: tuple[Callable[[str], list[Found]], ...] = (
    payloads,
    private_links,
    emails,
    random_keys,
    payment_slips,
    checked_numbers,
    named_numbers,
    phones,
    named_keys,
)
# What was found can uncover something behind it, hardly ever twice.
_ROUNDS = 3

# No number of a document fits into six digits.
_PLACEHOLDER = re.compile(rf"<(?P<kind>{'|'.join(KINDS)})_(?P<number>[0-9]{{1,6}})>")


class Redactor:
    """Replaces personal data, the same datum by the same placeholder in all the texts of one analysis.

    A placeholder that somebody typed is left as it is and its number never given out: name in *texts* all
    that will be redacted, or those typed in a later text may meet one already given.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._given: dict[tuple[Kind, str], str] = {}
        self._last: Counter[str] = Counter()
        self._typed: set[tuple[str, int]] = set()
        self._replaced: Counter[str] = Counter()
        for text in texts:
            self._typed_in(plain(text))

    @property
    def counts(self) -> dict[str, int]:
        """Say how many data of each kind were replaced so far, in the order of the kinds."""
        return {kind: self._replaced[kind] for kind in KINDS if self._replaced[kind]}

    def redact(self, text: str, most: int = MAX_CHARACTERS) -> str:
        """Return the first *most* characters of *text* with placeholders such as <CPF_1>.

        What begins among them is replaced as a whole: of a text that goes on a little, no half of a datum is left.
        Raises ValueError for a text beyond MAX_CHARACTERS.
        """
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"A text to redact has at most {MAX_CHARACTERS} characters, this one {len(text)}.")
        folded = plain(text)
        pieces: list[str] = []
        at = 0
        for datum in _found(blanked(folded.text, self._typed_in(folded))):
            start, end = folded.original(datum.start, datum.end)
            if start >= most:
                break
            pieces += text[at:start], self._placeholder(datum)
            at = end
        return "".join([*pieces, text[at:most]])

    def _typed_in(self, folded: Plain) -> list[Found]:
        """Take the numbers of placeholders that stand in a text, and say where they stand."""
        typed = list(_PLACEHOLDER.finditer(folded.text))
        self._typed.update((placeholder["kind"], int(placeholder["number"])) for placeholder in typed)
        return [Found(*placeholder.span(), "cpf", "") for placeholder in typed]

    def _placeholder(self, datum: Found) -> str:
        self._replaced[datum.kind] += 1
        key = datum.kind, datum.value
        if key not in self._given:
            number = self._last[datum.kind] + 1
            while (datum.kind, number) in self._typed:
                number += 1
            self._last[datum.kind] = number
            self._given[key] = f"<{datum.kind.upper()}_{number}>"
        return self._given[key]


def _found(text: str) -> list[Found]:
    """Find all personal data in a plain text, in order."""
    found: list[Found] = []
    for _ in range(_ROUNDS):
        fresh: list[Found] = []
        for find in _FINDERS:
            data = find(text)
            text = blanked(text, data)
            fresh += data
        if not fresh:
            break
        fresh = with_rests(text, fresh)
        text = blanked(text, fresh)
        found += fresh
    return sorted(found, key=lambda datum: datum.start)
