"""E-mail addresses, spelled out too, and links that carry a secret; a plain public link stays."""

import re
from urllib.parse import SplitResult, unquote, urlsplit

from handlers.messages.redaction.text import Found, blanked

_LOCAL = r"(?<![\w.%+'\-])[_.%+'\-]*+(?P<local>[\w.%+'\-]++)"
_LABEL = r"[^\W_](?:[\w\-]{0,61}[^\W_])?+"
_PROVIDER = r"(?:gmail|hotmail|outlook|yahoo|ymail|icloud|msn|uol|protonmail)"
# Endings that are no words.
_TOP = r"(?:com|net|org|br|gov|edu|io|app|info|pt|uk)"
_DOT = r"\s{0,2}+(?:\.|\bponto\b|\bdot\b|\(dot\)|\[dot\]|\(ponto\))\s{0,2}+"
_AT = r"\s{0,3}+(?:@|\barroba\b|[(\[](?:at|arroba|a)[)\]])\s{0,3}+"

_DOMAIN = rf"(?:{_LABEL}\.){{1,8}}[a-z][a-z0-9\-]{{1,23}}"

_EMAILS = (
    # As it is written; several without a space between them are one.
    re.compile(rf"{_LOCAL}@(?P<domain>{_DOMAIN}(?:[\w.%+'\-]++@{_DOMAIN})*+)"),
    # With spaces or words for its signs: only before an ending that is one.
    re.compile(rf"{_LOCAL}{_AT}(?P<domain>(?:{_LABEL}\.){{0,3}}{_LABEL}(?:{_DOT}{_TOP}){{1,3}})(?![a-z0-9])"),
    re.compile(
        rf"{_LOCAL}\s{{1,3}}+at\s{{1,3}}+(?P<domain>{_LABEL}(?:\s{{1,2}}(?:dot|ponto)\s{{1,2}}{_TOP}){{1,3}})(?![a-z0-9])"
    ),
    # Without an ending: of the houses that everybody knows.
    re.compile(rf"{_LOCAL}(?:@|\s{{1,3}}+arroba\s{{1,3}}+)(?P<domain>{_PROVIDER})(?![a-z0-9])"),
)
_DOT_WORD = re.compile(r"\b(?:ponto|dot)\b")
_NO_SIGN = re.compile(r"[\s()\[\]]")

_LINK = re.compile(
    r"(?<![a-z0-9])(?:[a-z][a-z0-9+.\-]{1,15}://|www\.)[^\s<>\"\x00]++"
    rf"|(?<![a-z0-9@._\-])(?:{_LABEL}\.){{1,8}}[a-z]{{2,24}}(?::[0-9]{{2,5}})?[/?#][^\s<>\"\x00]++"
)
_LINK_END = ".,;:!?)]}'*_~"

_SECRET_NAME = re.compile(
    r"token|secret|passw|senha|signature|session|credential|api_?key|e-?mail|phone|telefone|(?:\A|[_.\-])"
    r"(?:key|sig|auth|code|codigo|pwd|pass|sid|jwt|hash|otp|pin|state|cpf|cnpj|rg|doc|documento|tel|fone|cel|celular|"
    r"nome|name|user|usuario|login)(?:\Z|[_.\-])"
)
# An address or a place on a map; a name after the sign is public.
_ADDRESS = re.compile(r"[^/]@|@-?[0-9]")
_CODE = re.compile(r"[a-z0-9]+")
# So long is a code that opens something rather than names it; a value may be shorter than a part of the path.
_LONG_PART = 16
_LONG_VALUE = 12
_LONG_WORD = 24


def emails(text: str) -> list[Found]:
    """Find e-mail addresses: as written, with stray spaces, with the signs spelled out."""
    found: list[Found] = []
    for pattern in _EMAILS:
        fresh = [
            Found(match.start("local"), match.end(), "email", f"{match['local']}@{_without_words(match['domain'])}")
            for match in pattern.finditer(text)
        ]
        text = blanked(text, fresh)
        found += fresh
    return found


def _without_words(domain: str) -> str:
    return _NO_SIGN.sub("", _DOT_WORD.sub(".", domain))


def private_links(text: str) -> list[Found]:
    """Find links with a login, a secret in query or fragment, or a long code in the path; whole, host included."""
    found = []
    for match in _LINK.finditer(text):
        link = match[0].rstrip(_LINK_END)
        if _is_private(link):
            found.append(Found(match.start(), match.start() + len(link), "url", link))
    return found


def _is_private(link: str) -> bool:
    try:
        parts = urlsplit(link if "://" in link else f"https://{link}")
    except ValueError:
        # What cannot be read is not shown.
        return True
    return "@" in parts.netloc or _is_code(parts.path, _LONG_PART) or _has_secret(parts)


def _has_secret(parts: SplitResult) -> bool:
    for pair in re.split(r"[&;?]", f"{parts.query}&{parts.fragment}"):
        name, has_value, value = pair.partition("=")
        if (value and _SECRET_NAME.search(name)) or _is_code(value if has_value else name, _LONG_VALUE):
            return True
    return False


def _is_code(text: str, length: int) -> bool:
    """Tell whether a part of the path is a code and not words: by its digits among letters, or by its length."""
    text = unquote(text)
    for part in text.split("/"):
        pieces = _CODE.findall(part)
        mixed = sum(len(piece) for piece in pieces if not piece.isalpha() and len(piece) > 3)
        if mixed >= length or any(len(piece) >= _LONG_WORD for piece in pieces):
            return True
    return _ADDRESS.search(text) is not None
