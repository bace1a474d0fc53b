"""Phone numbers: judged by the `phonenumbers` library, found however they are broken up."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from handlers.messages.redaction.numbers import Window, stands_free, windows
from handlers.messages.redaction.text import Found, strongest

_JOINED = re.compile(r"[ \t.\-/_()]{1,5}")
_PLUS = re.compile(r"\+[ (]{0,2}\Z")
# What stands before the first digit and belongs to the number; area codes were dialled 0xx11 once.
_OPENING = re.compile(r"(?:\(?(?:\+|0xx|0\*\*)[ (]{0,2}|\( ?)\Z")
_PRICE = re.compile(r"\$ ?\Z")

# Country code and trunk prefix (with a carrier's code or not), area code, mobile or fixed line.
_BRAZILIAN = re.compile(r"(?P<prefix>(?:55)?(?:0(?:[0-9]{2})?)?)(?P<number>[1-9][0-9](?:9[0-9]{8}|[2-5][0-9]{7}))")
_SERVICE = re.compile(r"0[3589]00[0-9]{6,7}")
_NORTH_AMERICAN_CUTS = (frozenset({3, 6}), frozenset({1, 4, 7}))
_YEARS = re.compile(r"(?:19|20)[0-9]{2}(?:19|20)[0-9]{2}")
_ROUND = re.compile(r"[0-9]{2}[05]0[0-9]{2}[05]0")

# What a bare number is when its name stands right before it: no phone.
_REFERENCE = re.compile(
    r"(?:#|(?<![a-z])(?:pedidos?|protocolo|nota|nf|nfe|nfs|codigo|cod|rastreio|rastreamento|ticket|chamado|os|ordem|order|"
    r"tracking|invoice|sku|ean|ref|referencia|fatura|boleto|lote|serie|serial|imei|processo|contrato|matricula|case|caso|"
    r"produto|item|modelo|id|reserva|booking)(?![a-z])[^a-z0-9\x00]{0,4}"
    r"(?:(?:n|no|num|numero|number|id|e|eh|is)(?![a-z])[^a-z0-9\x00]{0,4}){0,2})\Z"
)
# What makes a phone of digits that would be none alone.
_CALLED = re.compile(
    r"(?<![a-z])(?:tel|telefone|fone|cel|celular|whats|whatsapp|wpp|zap|zapzap|phone|mobile|cell|call|text|ligue|ligar|liga|"
    r"contato|contact|(?:meu|seu|my|your) (?:numero|number))(?![a-z])[^0-9\x00\n]{0,20}\Z"
)
_LOOK = 45
# Fewer letters right before a number may belong to a code.
_SHORTEST_WORD = 4


def phones(text: str) -> list[Found]:
    """Find phone numbers: international, Brazilian with and without area code, North American."""
    candidates = []
    for window in windows(text, _JOINED, range(8, 16)):
        if judged := _judged(text, window):
            rank, value = judged
            opening = _before(text, window, _OPENING, 6)
            start = opening.start() if opening else window.start
            candidates.append((rank, Found(start, window.end, "phone", value)))
    return strongest(candidates)


def _judged(text: str, window: Window) -> tuple[int, str] | None:
    """Return the rank (0 is surest) and the number, if it is a phone's."""
    if _before(text, window, _PLUS, 3):
        number = _parsed(f"+{window.digits}")
        return (0, _written(number)) if number and phonenumbers.is_possible_number(number) else None
    if not stands_free(text, window, _SHORTEST_WORD) or _before(text, window, _PRICE, 2):
        return None
    is_reference = len(window.sizes) == 1 and _before(text, window, _REFERENCE, _LOOK)
    if is_reference:
        return None
    number = _abroad(window) or _brazilian(window) or _north_american(window)
    if number:
        return 1, _written(number)
    is_called = _is_whole(window) and _before(text, window, _CALLED, _LOOK)
    return (2, window.digits) if is_called or _is_local(text, window) else None


def _before(text: str, window: Window, pattern: re.Pattern[str], length: int) -> re.Match[str] | None:
    return pattern.search(text, max(0, window.start - length), window.start)


def _abroad(window: Window) -> PhoneNumber | None:
    number = _valid(f"+{window.digits[2:]}") if window.digits.startswith("00") else None
    if number is None:
        return None
    # A code with a zero or two in front is broken anywhere.
    usual = {2, 2 + len(str(number.country_code))}
    return number if not window.cuts or window.cuts & usual else None


def _brazilian(window: Window) -> PhoneNumber | None:
    """A mobile's form is rare enough; a fixed line's is not, and must be broken as is the custom."""
    if found := _BRAZILIAN.fullmatch(window.digits):
        number, cuts = found["number"], {cut - len(found["prefix"]) for cut in window.cuts}
        is_usual = len(number) == 11 or 2 in cuts or cuts <= {0, 6} or window.is_even
        return _valid(f"+55{number}") if is_usual else None
    return _valid(window.digits) if _SERVICE.fullmatch(window.digits) else None


def _north_american(window: Window) -> PhoneNumber | None:
    return _valid(f"+1{window.digits[-10:]}") if window.cuts in _NORTH_AMERICAN_CUTS else None


def _is_local(text: str, window: Window) -> bool:
    """Tell whether it looks like a number without area code: 98765-4321, 9 8765-4321, 3344-5566."""
    digits = window.digits
    if len(digits) == 9:
        return digits[0] == "9" and window.cuts in ({5}, {1, 5})
    is_broken = window.sizes == (4, 4) and text[window.start + 4 : window.end - 4] == "-"
    return is_broken and digits[0] in "2345" and not _YEARS.fullmatch(digits) and not _ROUND.fullmatch(digits)


def _is_whole(window: Window) -> bool:
    """Tell whether the digits hang together, so that no other number is taken in."""
    return len(window.digits) <= 11 and min((3, *window.sizes[1:])) >= 3


def _valid(number: str) -> PhoneNumber | None:
    parsed = _parsed(number)
    return parsed if parsed and phonenumbers.is_valid_number(parsed) else None


def _parsed(number: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, "BR")
    except NumberParseException:
        return None


def _written(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
