"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification): bytes to judged members, answers to bytes."""

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import orjson

from rpc_server.protocol.json_body import may_nest_deeper, nests_deeper, too_deep, unreadable

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

# Longest id and method name, in characters: both are echoed, logged and kept as keys.
MAX_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class Number:
    """A number id as the digits that were sent, where a Python number would not give them back."""

    text: str

    def __str__(self) -> str:
        return self.text


class _NoId(enum.Enum):
    NO_ID = "no id"


NO_ID: Final = _NoId.NO_ID

Id: TypeAlias = str | int | Number | None
_ID_TYPES: Final = frozenset({str, int, Number, NoneType, _NoId})  # by exact type: a bool is no id
Member: TypeAlias = dict[str, object]


class Request(NamedTuple):
    """A well-formed member: a call that wants an answer, or a notification (its id is `NO_ID`)."""

    method: str
    params: dict[str, Any] | list[Any]
    id: Id | Literal[_NoId.NO_ID]

    @property
    def is_notification(self) -> bool:
        """Tell whether nobody waits for an answer."""
        return self.id is NO_ID


@dataclass(frozen=True, slots=True)
class Fault:
    """A body or member that is judged bad; `message` is for the client, `id` null where none was usable.

    `is_response`: it answers a request, which some protocols take and JSON-RPC over HTTP does not.
    """

    code: int
    message: str
    data: object = None
    id: Id = None
    is_response: bool = False


class Parsed(NamedTuple):
    """What a body holds, in its order; `is_batch` says that the answer is an array."""

    members: tuple[Request | Fault, ...]
    is_batch: bool


def parse(body: bytes, *, max_batch: int, max_depth: int) -> Parsed:
    """Judge a body member by member, never raising.

    A batch holds 1 to `max_batch` members, a member nests at most `max_depth` levels (itself is the
    first). A body that breaks off before its members are known is one `Fault` outside a batch.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        fault = unreadable(body, error, max_depth)
        return _refused(Fault(INVALID_REQUEST if fault.is_too_deep else PARSE_ERROR, str(fault)))
    nests = may_nest_deeper(body, max_depth)
    if type(content) is dict and not nests and (request := _plain(content)) is not None:
        return Parsed((request,), is_batch=False)
    is_batch = type(content) is list
    members = content if is_batch else [content]
    if not members:
        return _refused(Fault(INVALID_REQUEST, "The batch is empty; send at least one request in it."))
    if len(members) > max_batch:
        limit = f"A batch may hold at most {max_batch} members; this one holds {len(members)}."
        return _refused(Fault(INVALID_REQUEST, limit))
    try:
        _restore_ids(body, members, is_batch=is_batch)
    except RecursionError:
        return _refused(_too_deep(max_depth))
    bound = max_depth if nests else None
    judged = (_judge(member, bound) for member in members)
    return Parsed(tuple(judged), is_batch)


def success_member(id: Id, result: object) -> Member:
    """Build the answer to a call that succeeded."""
    return {"jsonrpc": "2.0", "result": result, "id": _wire_id(id)}


def error_member(id: Id, code: int, message: str, data: object = None) -> Member:
    """Build the answer to a call that failed; `data` of None is left out."""
    error: Member = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "error": error, "id": _wire_id(id)}


def encode(response: Mapping[str, object] | Sequence[object]) -> bytes:
    """Turn one answer, or the list of a batch's answers, into JSON.

    Raises TypeError for what JSON cannot hold (integers beyond 64 bits, more than 254 levels, …).
    """
    return orjson.dumps(response)


def _wire_id(id: Id) -> object:
    return orjson.Fragment(id.text) if isinstance(id, Number) else id


def _refused(fault: Fault) -> Parsed:
    return Parsed((fault,), is_batch=False)


def _too_deep(max_depth: int, id: Id = None) -> Fault:
    return Fault(INVALID_REQUEST, too_deep(max_depth), id=id)


# --- one member ---------------------------------------------------------------------------------


def _plain(member: dict[str, Any]) -> Request | None:
    """Return the request that nearly every member is; None: `_judge` it, which says what is wrong with it."""
    method, params, id = member.get("method"), member.get("params", {}), member.get("id", NO_ID)
    if (
        member.get("jsonrpc") == "2.0"
        and type(method) is str
        and len(method) <= MAX_NAME
        and type(params) is dict
        and (type(id) is int or (type(id) is str and len(id) <= MAX_NAME))
    ):
        return Request(method, params, id)
    return None


def _judge(member: object, max_depth: int | None) -> Request | Fault:
    """Check the envelope; a `max_depth` of None says that the member cannot be too deep."""
    if not isinstance(member, dict):
        return Fault(INVALID_REQUEST, f"A request must be an object, not {_kind(member)}.")
    id = member.get("id", NO_ID)
    if (complaint := _id_complaint(id)) is not None:
        return Fault(INVALID_REQUEST, complaint)
    if "method" not in member and ("result" in member or "error" in member):
        # Its id names a request of ours: echoed, it would look like the answer to one of the client's.
        sentence = "This is a response; only requests and notifications are taken here."
        return Fault(INVALID_REQUEST, sentence, is_response=True)
    answer_id = None if id is NO_ID else id
    if max_depth is not None and nests_deeper(member, max_depth):
        return _too_deep(max_depth, answer_id)
    if (complaint := _envelope_complaint(member)) is not None:
        return Fault(INVALID_REQUEST, complaint, id=answer_id)
    return Request(member["method"], member.get("params", {}), id)


def _id_complaint(id: object) -> str | None:
    if type(id) not in _ID_TYPES:
        return f"An id must be a string, a number or null, not {_kind(id)}."
    if isinstance(id, str | Number) and len(str(id)) > MAX_NAME:
        return f"An id may have at most {MAX_NAME} characters."
    return None


def _envelope_complaint(member: dict[str, object]) -> str | None:
    if member.get("jsonrpc") != "2.0":
        return 'The member "jsonrpc" must be exactly "2.0".'
    if "method" not in member:
        return 'The member "method" is missing.'
    method = member["method"]
    if not isinstance(method, str):
        return f'The member "method" must be a string, not {_kind(method)}.'
    if len(method) > MAX_NAME:
        return f"A method name may have at most {MAX_NAME} characters."
    params = member.get("params", {})
    if not isinstance(params, dict | list):
        return f'The member "params" must be an object or an array, or be left out; it is {_kind(params)}.'
    return None


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case dict():
            return "an object"
        case list():
            return "an array"
        case _:
            return "a number"


def _restore_ids(body: bytes, members: list[Any], *, is_batch: bool) -> None:
    """Put the digits that were sent in place of each id that the fast parser read as a float.

    It does so with integers beyond 64 bits too. Such ids are rare, so a second reading is affordable.
    Raises RecursionError where a body nests deeper than Python's own parser goes (some 900 levels).
    """
    inexact = [i for i, member in enumerate(members) if isinstance(member, dict) and _has_float_id(member)]
    if inexact:
        content = json.loads(body, parse_int=str, parse_float=str)
        again = content if is_batch else [content]
        for i in inexact:
            members[i]["id"] = Number(again[i]["id"])


def _has_float_id(member: dict[str, object]) -> bool:
    return isinstance(member.get("id"), float)
