"""MCP 2025-03-26 to 2025-11-25: a handshake, and a session that says which of them is spoken.

https://modelcontextprotocol.io/specification/2025-11-25/basic
"""

from typing import Any, Final

from rpc_server.protocol.errors import Refusal, invalid_params
from rpc_server.protocol.jsonrpc import INVALID_REQUEST, NO_ID, Fault, Parsed, Request
from rpc_server.protocol.mcp_message import fields_of
from rpc_server.protocol.server_info import LOG_LEVELS, ServerInfo
from rpc_server.protocol.versions import Version, negotiated

SESSION: Final = "Mcp-Session-Id"
INITIALIZE: Final = "initialize"
CANCELLED: Final = "notifications/cancelled"
SET_LEVEL: Final = "logging/setLevel"


def no_session() -> Refusal:
    """Return the refusal of a message that needs a session and names none."""
    return Refusal(INVALID_REQUEST, f"The header {SESSION} is missing: begin with initialize, which answers with one.")


def ended_session() -> Refusal:
    """Return the refusal of a session that is over, or that was never this caller's."""
    return Refusal(INVALID_REQUEST, "There is no such session (any more): begin again with initialize.", status=404)


def is_handshake(parsed: Parsed) -> bool:
    """Tell whether a body is an `initialize`, the one request that needs no session."""
    member = parsed.members[0]
    return (
        not parsed.is_batch and isinstance(member, Request) and member.method == INITIALIZE and member.id is not NO_ID
    )


def initialized(request: Request, info: ServerInfo) -> tuple[Version, dict[str, Any]]:
    """Return which version is agreed upon, and the result of `initialize`; raises Refusal."""
    params = fields_of(request)
    requested = params.get("protocolVersion")
    if not isinstance(requested, str):
        raise invalid_params("params.protocolVersion must be a version of the protocol, such as 2025-11-25.")
    for name in ("capabilities", "clientInfo"):
        if not isinstance(params.get(name), dict):
            raise invalid_params(f"params.{name} must be an object.")
    version = negotiated(requested)
    server = info.implementation
    if not version.has_structure:
        del server["title"]
    result = {"protocolVersion": version.name, "capabilities": info.capabilities, "serverInfo": server}
    return version, {**result, "instructions": info.instructions} if info.instructions else result


def check_batch(parsed: Parsed, version: Version) -> None:
    """Refuse a batch where the version has none, and a handshake in a batch."""
    if not parsed.is_batch:
        return
    if not version.has_batches:
        raise Refusal(INVALID_REQUEST, f"Version {version.name} has no batches: send each message by itself.")
    if any(isinstance(member, Request) and member.method == INITIALIZE for member in parsed.members):
        raise Refusal(INVALID_REQUEST, "initialize must not be part of a batch.")


def wants_answer(member: Request | Fault) -> bool:
    """Tell whether a member gets an answer; notifications and the client's own answers get none."""
    return not member.is_response if isinstance(member, Fault) else not member.is_notification


def cancelled_id(request: Request) -> str | int | None:
    """Return which request a `notifications/cancelled` calls off; None where it does not say."""
    id = request.params.get("requestId") if isinstance(request.params, dict) else None
    return id if type(id) in (str, int) else None


def log_level(params: dict[str, Any]) -> str:
    """Return the level of a `logging/setLevel`; raises Refusal."""
    level = params.get("level")
    if level not in LOG_LEVELS:
        raise invalid_params(f"params.level must be one of {', '.join(LOG_LEVELS)}.")
    return str(level)
