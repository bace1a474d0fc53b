"""Numbers that prove themselves by check digits: CPF, CNPJ, payment cards; and the long ones of payment slips."""

import re
from collections.abc import Iterator

from stdnum import luhn
from stdnum.br import cnpj, cpf

from handlers.messages.redaction.numbers import Window, stands_free, windows
from handlers.messages.redaction.text import Found, Kind, compact, strongest

# What may stand between the digits of one number: a sign or two, and spaces around them.
_GAP = r"\s{0,4}+[.,\-/_|*\\]{0,2}+\s{0,4}+"
_JOINED = re.compile(_GAP)

# Alphanumeric ones are broken, if at all, where it is the custom. Looked for at each word, as words may overlap.
_GROUPS = _GAP.join(["[a-z0-9]{2}", "[a-z0-9]{3}", "[a-z0-9]{3}", "[a-z0-9]{4}", "[0-9]{2}"])
_ALPHANUMERIC_CNPJ = re.compile(rf"(?<![a-z0-9])(?=({_GROUPS})(?![a-z0-9]))")

_CARD = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:2[2-7]|5[0-8])[0-9]{14}"  # Mastercard, Elo, Aura, Mir
    r"|6[0-9]{15,18}"  # Elo, Hipercard, Maestro, Discover, UnionPay
    r"|3[47][0-9]{13}|3[0689][0-9]{12}|3[58][0-9]{14}"  # American Express, Diners, JCB and Hipercard
)

# Before which digits they are broken.
_CARD_CUTS = (frozenset({4, 8, 12, 16}), frozenset({4, 10}))

# A boleto has 44 digits as a bar code, 47 or 48 to type; the key of an electronic invoice has 44.
_SLIP = re.compile(r"(?<![a-z0-9])[0-9](?:[.\- ]{0,2}+[0-9]){43,47}+(?![a-z0-9])")
_SLIP_DIGITS = frozenset({44, 47, 48})


def payment_slips(text: str) -> list[Found]:
    """Find the numbers of payment slips and electronic invoices, in which other numbers would be seen."""
    return [
        Found(*slip.span(), "payment_slip", digits)
        for slip in _SLIP.finditer(text)
        if len(digits := compact(slip[0])) in _SLIP_DIGITS
    ]


def checked_numbers(text: str) -> list[Found]:
    """Find CPF, CNPJ and cards, whatever stands around them and between their digits."""
    return strongest([*_numeric(text), *_alphanumeric(text)])


def _numeric(text: str) -> Iterator[tuple[int, Found]]:
    for window in windows(text, _JOINED, range(11, 20)):
        if stands_free(text, window) and (kind := _kind(window)):
            yield 0, Found(window.start, window.end, kind, window.digits)


def _kind(window: Window) -> Kind | None:
    digits, length = window.digits, len(window.digits)
    if length == 11:
        return "cpf" if cpf.is_valid(digits) else None
    if length == 14 and cnpj.is_valid(digits):
        return "cnpj"
    # One number in ten passes this check, so it takes a usual form besides.
    is_broken_as_usual = window.is_even or any(window.cuts <= cuts for cuts in _CARD_CUTS)
    return "card" if is_broken_as_usual and _CARD.fullmatch(digits) and luhn.is_valid(digits) else None


def _alphanumeric(text: str) -> Iterator[tuple[int, Found]]:
    for match in _ALPHANUMERIC_CNPJ.finditer(text):
        value = compact(match[1])
        # Fourteen letters stand in any text, and one such stretch in a hundred passes the check.
        is_number = "/" in match[1] or any(character.isdigit() for character in value[:12])
        if is_number and not value.isdigit() and cnpj.is_valid(value):
            yield 0, Found(*match.span(1), "cnpj", value)
