"""JSON as it comes in: bounded in depth, and a sentence of our own for what cannot be read."""

import math
import re
from typing import Any, Final

import orjson


class BodyFault(Exception):
    """The body cannot be read; the message says what is wrong with it, and where."""

    def __init__(self, message: str, *, is_too_deep: bool = False) -> None:
        super().__init__(message)
        self.is_too_deep = is_too_deep


def read_json(body: bytes, *, max_depth: int) -> Any:
    """Return what *body* holds; raises BodyFault where it is no JSON or nests deeper than *max_depth*."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unreadable(body, error, max_depth) from None
    if may_nest_deeper(body, max_depth) and isinstance(content, dict | list) and nests_deeper(content, max_depth):
        raise BodyFault(too_deep(max_depth), is_too_deep=True)
    return content


def too_deep(max_depth: int) -> str:
    """Return the sentence about a body that nests too deep."""
    return f"A request may nest at most {max_depth} levels; this one is deeper."


def may_nest_deeper(body: bytes, levels: int) -> bool:
    """Tell cheaply whether a walk is worth it: as many brackets as levels are needed at least."""
    return body.count(b"{") + body.count(b"[") > levels


def nests_deeper(value: object, levels: int) -> bool:
    """Tell whether *value* has more than *levels* levels, itself being the first.

    Goes down level by level, so that no depth of input can exhaust the stack.
    """
    layer: list[Any] = [value]
    for _ in range(levels):
        layer = [
            child
            for node in layer
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not layer:
            return False
    return True


# The last quote is optional: a string may be cut off, and a match that cannot fail needs no backtracking.
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


def unreadable(body: bytes, error: orjson.JSONDecodeError, max_depth: int) -> BodyFault:
    """Say in our own words why a body could not be read."""
    try:
        text = body.decode()
    except UnicodeDecodeError as undecodable:
        return BodyFault(f"The body is not valid UTF-8 (byte {undecodable.start + 1}).")
    if not text.strip(" \t\r\n"):
        return BodyFault("The body is empty; send JSON.")
    if _open_brackets(text[: error.pos]) > max_depth + 1:  # one more for a batch's own bracket
        return BodyFault(too_deep(max_depth), is_too_deep=True)
    where = f"(line {error.lineno}, column {error.colno})"
    return BodyFault(f"{_complaint_at(text, error.pos)} {where}.")


def _complaint_at(text: str, position: int) -> str:
    found = text[position : position + 1]
    if position == 0 and found == "\ufeff":
        return "The body begins with a byte order mark; send it without one"
    if found == "\0":
        return "The body contains a NUL byte, which JSON does not allow"
    if found and found < " ":
        return "The body contains a raw control character; inside a string it must be escaped"
    if _SURROGATE.match(text, position):
        return "The body escapes half of a surrogate pair; escape both halves, or send the character itself"
    if (number := _NUMBER.match(text, position)) and math.isinf(float(number[0])):
        return "The body holds a number that is too large; at most 1.7e308 is allowed"
    return "The body is not valid JSON"


def _open_brackets(text: str) -> int:
    """Count the brackets that are still open where the text ends; those inside strings do not count."""
    bare = _STRING.sub("", text)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
