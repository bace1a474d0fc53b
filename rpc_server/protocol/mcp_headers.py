"""Headers that repeat what the body says, so that proxies can route without reading it: held equal to it here.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#request-metadata
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rpc_server.protocol.errors import HEADER_MISMATCH, Refusal

VERSION = "MCP-Protocol-Version"
METHOD = "Mcp-Method"
NAME = "Mcp-Name"
PARAM_PREFIX = "Mcp-Param-"
_SENTINEL = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_WHOLE = re.compile(r"[+-]?\d{1,17}(?:\.0*)?(?:[eE][+-]?\d{1,2})?")
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")
_LARGEST = 2**53 - 1


class Headers(Protocol):
    """A request's headers; names are compared without regard to case."""

    def getall(self, name: str, default: list[str], /) -> Sequence[str]:
        """Return all values of a header, *default* where there is none."""
        ...


def mismatch(message: str) -> Refusal:
    """Return the refusal of headers that do not say what the body says."""
    return Refusal(HEADER_MISMATCH, message)


def single(headers: Headers, name: str) -> str | None:
    """Return the value of a header, None where it is missing; raises Refusal where it is repeated."""
    values = headers.getall(name, [])
    if len(values) > 1:
        raise mismatch(f"The header {name} must be sent once; it came {len(values)} times.")
    return values[0].strip(" \t") if values else None


def decoded(name: str, value: str) -> str:
    """Return what a header's value stands for: itself, or what is packed in =?base64?…?=; raises Refusal."""
    packed = _SENTINEL.fullmatch(value)
    if packed is None:
        if not _PRINTABLE.fullmatch(value):
            raise mismatch(f"The header {name} has characters that a header cannot hold; send it as =?base64?…?=.")
        return value
    try:
        raw = base64.b64decode(packed[1], validate=True)
        if base64.b64encode(raw).decode() == packed[1]:
            return raw.decode()
    except (binascii.Error, ValueError):  # of which a UnicodeError is one
        pass
    raise mismatch(f"The header {name} is not canonical Base64 of UTF-8 between =?base64? and ?=.")


def check_name(value: str | None, source: str, expected: object) -> None:
    """Refuse a request whose Mcp-Name is missing or is not what the body has at *source*."""
    if value is None:
        raise mismatch(f"The header {NAME} is missing; it repeats {source}.")
    if value == expected and value.isidentifier():  # as most are; nothing is packed in it
        return
    if decoded(NAME, value) != expected:
        raise mismatch(f"The header {NAME} does not match {source} in the body.")


@dataclass(frozen=True, slots=True)
class MirroredArgument:
    """An argument that its tool's schema wants to see in a header as well (`x-mcp-header`)."""

    header: str
    path: tuple[str, ...]
    type: str


def mirrored_arguments(schema: dict[str, Any]) -> list[MirroredArgument]:
    """Return which arguments of a tool stand in headers too.

    A schema that the protocol does not allow is a ValueError: clients would drop the tool.
    """
    found = list(_mirrored(schema, ()))
    names = [argument.header.lower() for argument in found]
    if len(set(names)) != len(names):
        raise ValueError("two arguments name the same x-mcp-header")
    if _count(schema) != len(found):
        raise ValueError("an x-mcp-header may stand only at a property that is reached through properties alone")
    return found


def _mirrored(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[MirroredArgument]:
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(inner, dict):
            continue
        if "x-mcp-header" in inner:
            header, kind = inner["x-mcp-header"], inner.get("type")
            if not isinstance(header, str) or not _TOKEN.fullmatch(header):
                raise ValueError(f"{header!r} is no name for a header")
            if kind not in ("string", "integer", "boolean"):
                raise ValueError(f"{name} has an x-mcp-header, so it must be a string, an integer or a boolean")
            yield MirroredArgument(f"{PARAM_PREFIX}{header}", (*path, name), kind)
        yield from _mirrored(inner, (*path, name))


def _count(node: Any, *, is_properties: bool = False) -> int:
    """Count the annotations anywhere in a schema; a property may itself be called x-mcp-header."""
    if isinstance(node, list):
        return sum(_count(item) for item in node)
    if not isinstance(node, dict):
        return 0
    own = int("x-mcp-header" in node and not is_properties)
    return own + sum(
        _count(value, is_properties=key == "properties" and not is_properties) for key, value in node.items()
    )


def check_arguments(headers: Headers, mirrored: Sequence[MirroredArgument], arguments: Any) -> None:
    """Refuse a call whose Mcp-Param-… headers are not what its arguments are; null needs no header."""
    for argument in mirrored:
        value = single(headers, argument.header)
        expected = _at(arguments, argument.path)
        where = ".".join(argument.path)
        if expected is None:
            if value is not None:
                raise mismatch(f"The header {argument.header} is there, and the argument {where} is not.")
            continue
        if value is None:
            raise mismatch(f"The header {argument.header} is missing; it repeats the argument {where}.")
        if not _says(decoded(argument.header, value), expected):
            raise mismatch(f"The header {argument.header} does not match the argument {where}.")


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        arguments = arguments.get(name) if isinstance(arguments, dict) else None
    return arguments


def _says(text: str, expected: Any) -> bool:
    """Tell whether a header's *text* stands for *expected*; numbers are compared as numbers."""
    if isinstance(expected, bool):
        return text == ("true" if expected else "false")
    if isinstance(expected, int | float):
        return abs(expected) <= _LARGEST and bool(_WHOLE.fullmatch(text)) and float(text) == expected
    return bool(text == expected)
