"""Numbers that prove nothing by themselves: somebody's where they are called by name, or by a form of their own."""

import re

from handlers.messages.redaction.text import Found, Kind, compact, strongest

# A few words and signs that may stand between the name of a number and the number.
LINK = (
    r"(?:[ \t:.,=#>*()\-]{0,3}+\b(?:n|no|nr|num|numero|number|e|eh|is|do|da|de|o|a|meu|minha|my|seu|sua|your|cliente|"
    r"titular|dele|dela)\b){0,4}+[ \t:.,=#>*()\-]{0,4}+"
)
_STARTS = r"(?<![a-z0-9])(?<![0-9][.,\-/])"
_ENDS = r"(?![0-9]|-[0-9])"
_NO_PRICE = r"(?![0-9]|,[0-9]{2}(?![0-9]))"

_SIGN = r"[ .,\-/_]{0,3}"
_CHECK = r" ?- ?[0-9x]"
_TIGHT = r"[0-9](?:[.\-/]?[0-9])"
_CPF = _SIGN.join(["[0-9]{3}", "[0-9]{3}", "[0-9]{3}", "[0-9]{2}"])
_CNPJ = _SIGN.join(["[a-z0-9]{2}", "[a-z0-9]{3}", "[a-z0-9]{3}", "[a-z0-9]{4}", "[0-9]{2}"])
_RG_GROUPS = _SIGN.join(["[0-9]{1,2}", "[0-9]{3}", "[0-9]{3}", "[0-9x]"])
_RG = rf"(?:[a-z]{{2}}[ .\-]{{0,2}})?(?:{_RG_GROUPS}(?![0-9])|{_TIGHT}{{4,11}}+(?:{_CHECK}|x)?)"
_ACCOUNT = r"(?>[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{3,})"


def _called(names: str, number: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{names}){LINK}(?P<number>{number}){_NO_PRICE}")


# The surest first. CPF and CNPJ called so but with wrong check digits are mistyped, and somebody's all the same.
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("cnpj", _called("cnpj", rf"{_CNPJ}|{_TIGHT}{{11,15}}+")),
    ("cpf", _called("cpf", rf"{_CPF}|{_TIGHT}{{8,12}}+")),
    ("rg", _called(r"rg|r\.g\.?|identidade|registro geral|identity card", _RG)),
    ("rg", re.compile(rf"{_STARTS}(?P<number>[0-9]{{1,2}}\.[0-9]{{3}}\.[0-9]{{3}}-[0-9x]){_ENDS}")),
    ("cep", _called("cep", rf"[0-9]{{2}}{_SIGN}[0-9]{{3}}{_SIGN}[0-9]{{3}}")),
    ("cep", re.compile(rf"{_STARTS}(?P<number>(?!00)[0-9]{{2}}\.?[0-9]{{3}} ?- ?[0-9]{{3}}){_ENDS}")),
    ("bank_account", _called("ag|agencia|branch", r"[0-9]{3,5}(?:-?[0-9x])?")),
    ("bank_account", _called("conta (?:corrente|poupanca|salario)|c/c|account number", rf"{_ACCOUNT}(?:{_CHECK})?")),
    # "Conta" is a bill, too, and "cc" a copy.
    ("bank_account", _called("conta|cc", rf"{_ACCOUNT}{_CHECK}|[0-9]{{6,}}+")),
)


def named_numbers(text: str) -> list[Found]:
    """Find RG, CEP, bank accounts, and mistyped CPF and CNPJ."""
    return strongest(
        (rank, Found(*match.span("number"), kind, compact(match["number"])))
        for rank, (kind, pattern) in enumerate(_PATTERNS)
        for match in pattern.finditer(text)
    )
