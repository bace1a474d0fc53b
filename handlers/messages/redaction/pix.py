"""PIX keys: random ones, those called by name, and the payloads that people copy and paste to pay."""

import re

from handlers.messages.redaction.named import LINK
from handlers.messages.redaction.text import Found, compact

_RANDOM = re.compile(
    r"(?<![a-z0-9])(?:[0-9a-f]{8}(?:[\s._\-]{1,3}+[0-9a-f]{4}){3}[\s._\-]{1,3}+[0-9a-f]{12}"
    r"|[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15})(?![a-z0-9])"
)
_NAMED = re.compile(
    rf"(?<![a-z0-9])(?:pix{LINK}(?P<number>[0-9](?:[ .\-/]?[0-9]){{7,13}}+(?![a-z0-9]|[.,][0-9]))"
    rf"|(?:chave (?:do )?pix|pix key|chave aleatoria){LINK}(?P<key>(?=[a-z\-]{{0,40}}[0-9])[a-z0-9\-]{{8,40}}))"
)
_SCHEME = "br.gov.bcb.pix"
_PAYLOAD = re.compile(rf"(?<![0-9])000201[^\x00\n]{{0,40}}?{re.escape(_SCHEME)}")
_FIELD = re.compile(r"(?P<tag>[0-9]{2})(?P<length>[0-9]{2})")
_CHECKSUM = re.compile(r"6304[0-9a-f]{4}(?![a-z0-9])")
_WORD = re.compile(r"[^\s\x00]*")
_LONGEST_PAYLOAD = 512


def payloads(text: str) -> list[Found]:
    """Find BR Codes, with the key, the name and the amount in them."""
    found = []
    at = 0
    while start := _PAYLOAD.search(text, at):
        at = _end(text, start)
        found.append(Found(start.start(), at, "pix_key", text[start.start() : at]))
    return found


def random_keys(text: str) -> list[Found]:
    """Find random keys, which are UUIDs."""
    return [Found(*match.span(), "pix_key", compact(match[0])) for match in _RANDOM.finditer(text)]


def named_keys(text: str) -> list[Found]:
    """Find what is called a PIX key and was not found as what else it may be: mistyped or cut off."""
    return [
        Found(*match.span(group), "pix_key", compact(match[group]))
        for match in _NAMED.finditer(text)
        for group in ("number", "key")
        if match[group]
    ]


def _end(text: str, start: re.Match[str]) -> int:
    """Walk the fields (two digits of tag, two of length) to the checksum; a damaged payload is cut at its sign."""
    at = start.start()
    while at < start.start() + _LONGEST_PAYLOAD and (field := _FIELD.match(text, at)):
        at += 4 + int(field["length"])
        if field["tag"] == "63" and at <= len(text):
            return at
    checksum = _CHECKSUM.search(text, start.end(), start.end() + _LONGEST_PAYLOAD)
    word = _WORD.match(text, start.end())
    return checksum.end() if checksum else word.end() if word else start.end()
