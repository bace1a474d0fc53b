"""Arguments in a query string: text only, so the tool's schema says what each of them is meant to be."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

# Python's own spelling of a list, as clients that format one into an address send it.
_BRACKETS = re.compile(r"\s*\[(.*)\]\s*", re.DOTALL)
_MOST_ITEMS = 1000


def from_query(pairs: Iterable[tuple[str, str]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments for a tool of the input schema *schema*.

    A list may be `ids=a,b`, `ids=a&ids=b` or `ids=['a', 'b']`; numbers, booleans and objects are read
    as JSON. What cannot be read as its type stays text, and the tool's validation says so.
    """
    sent: dict[str, list[str]] = {}
    for name, value in pairs:
        sent.setdefault(name, []).append(value)
    properties = schema.get("properties", {})
    return {name: _value(values, properties.get(name, {}).get("type")) for name, values in sent.items()}


def _value(values: list[str], kind: Any) -> Any:
    if kind == "array":
        return [item for value in values for item in _items(value)][:_MOST_ITEMS]
    if len(values) > 1:
        return values
    return values[0] if kind in (None, "string") else _read(values[0], kind)


def _items(value: str) -> list[str]:
    inner = _BRACKETS.fullmatch(value)
    parts = (inner[1] if inner else value).split(",")
    items = [part.strip().strip("'\"") for part in parts]
    return [item for item in items if item]


def _read(value: str, kind: Any) -> Any:
    wanted: tuple[type, ...] = {"integer": (int,), "number": (int, float), "boolean": (bool,), "object": (dict,)}.get(
        kind, ()
    )
    try:
        read = orjson.loads(value.lower() if kind == "boolean" else value)
    except orjson.JSONDecodeError:
        return value
    return read if type(read) in wanted else value
