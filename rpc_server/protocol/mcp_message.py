"""Messages as the Model Context Protocol takes them: JSON-RPC, but for ids that are null or no integers."""

import re
from typing import Any

from rpc_server.protocol import jsonrpc
from rpc_server.protocol.errors import Refusal, invalid_params
from rpc_server.protocol.jsonrpc import INVALID_REQUEST, NO_ID, Fault, Id, Member, Number, Parsed, Request

_INTEGER = re.compile(r"-?\d+")


def parse(body: bytes, *, max_batch: int, max_depth: int) -> Parsed:
    """Judge a body member by member, never raising; what posts a response is a Fault that says so."""
    parsed = jsonrpc.parse(body, max_batch=max_batch, max_depth=max_depth)
    if not parsed.is_batch and type(parsed.members[0].id) in (int, str):
        return parsed
    return Parsed(tuple([_judged(member) for member in parsed.members]), parsed.is_batch)


def _judged(member: Request | Fault) -> Request | Fault:
    id = member.id
    if isinstance(member, Fault) or id is NO_ID or isinstance(id, str | int):
        return member
    if isinstance(id, Number) and _INTEGER.fullmatch(id.text):
        return member
    return Fault(INVALID_REQUEST, "An id must be a string or an integer.")


def result_message(id: Id, result: object) -> Member:
    """Build the answer to a request that succeeded."""
    return jsonrpc.success_member(id, result)


def error_message(id: Id, code: int, message: str, data: object = None) -> Member:
    """Build the answer to a request that failed; without an id where none is known (None)."""
    answer = jsonrpc.error_member(id, code, message, data)
    if id is None:
        del answer["id"]
    return answer


def notification(method: str, params: dict[str, Any]) -> Member:
    """Build a message that nobody answers."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def fields_of(request: Request) -> dict[str, Any]:
    """Return the params by name; raises Refusal where they stand in a list."""
    if isinstance(request.params, list):
        raise invalid_params("params must be an object.")
    return request.params


def meta_of(params: dict[str, Any]) -> dict[str, Any]:
    """Return what the request says about itself; raises Refusal where that is no object."""
    meta = params.get("_meta", {})
    if not isinstance(meta, dict):
        raise invalid_params("params._meta must be an object.")
    return meta


def progress_token(meta: dict[str, Any]) -> str | int | None:
    """Return under which token the client wants to hear of progress, if it does; raises Refusal."""
    token = meta.get("progressToken")
    if token is not None and (type(token) not in (str, int) or len(str(token)) > jsonrpc.MAX_NAME):
        raise invalid_params(
            f"params._meta.progressToken must be a string of at most {jsonrpc.MAX_NAME} characters, or an integer."
        )
    return token


def tool_call(params: dict[str, Any]) -> tuple[str, Any]:
    """Return the name and the arguments of a `tools/call`; raises Refusal."""
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str):
        raise invalid_params("params.name must be the name of a tool; tools/list has them.")
    if arguments is not None and not isinstance(arguments, dict):
        raise invalid_params("params.arguments must be an object.")
    return name, arguments


def only_page(params: dict[str, Any]) -> None:
    """Refuse any cursor: a list has one page, so none was ever given out."""
    if params.get("cursor") is not None:
        raise invalid_params("There is no such cursor: the list has a single page.")


def refused(id: Id, refusal: Refusal) -> Member:
    """Build the answer to a request that is refused."""
    return error_message(id, refusal.code, refusal.message, refusal.data)
