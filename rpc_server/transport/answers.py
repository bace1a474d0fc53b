"""JSON answers, and the one table from error codes to HTTP statuses."""

from math import ceil
from typing import Any

import orjson
from aiohttp import hdrs, web

from rpc_server.contract.errors import PermissionDenied, ToolError
from rpc_server.contract.limit import Decision

STATUS = {
    "invalid_arguments": 400,
    "permission_denied": 403,
    "not_found": 404,
    "version_conflict": 409,
    "idempotency_mismatch": 409,
    "duplicate_request": 409,
    "cancelled": 409,
    "stage_not_in_pipeline": 409,
    "stage_inactive": 409,
    "pipeline_inactive": 409,
    "agent_inactive": 409,
    "agent_not_assignable": 409,
    "rate_limited": 429,
    "shutting_down": 503,
    "dependency_unavailable": 503,
    "deadline_exceeded": 504,
    "internal": 500,
}


# What is refused before it is a call.
_REFUSALS = {
    400: (
        "bad_request",
        "The request could not be read: it is not HTTP/1.1, or its body broke off or is not packed as it says.",
    ),
    404: (
        "not_found",
        "There is nothing at this address. See POST /mcp, POST /rpc, GET /v1/tools/list, POST /v1/tools/execute.",
    ),
    405: ("method_not_allowed", "This address does not take that method; see the Allow header."),
    408: ("timeout", "The request's body did not arrive in time."),
    413: ("payload_too_large", "The request's body is too large."),
    415: ("unsupported_encoding", "Send the body as it is, or with Content-Encoding gzip or deflate."),
    431: ("header_too_large", "The address or a header is too long."),
    503: ("too_many_connections", "The server has as many connections as it takes. Try again in a moment."),
}


def json_response(content: Any, status: int = 200) -> web.Response:
    """Return *content* as JSON; orjson.Fragment in it stands as it is."""
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def error_response(status: int, code: str, message: str, request_id: str, **details: Any) -> web.Response:
    """Return an error in the shape that every REST error has."""
    return json_response({"error": {"code": code, "message": message, **details, "request_id": request_id}}, status)


def refusal(status: int, request_id: str) -> web.Response:
    """Return the answer to a request that is refused with *status* before it is a call."""
    return error_response(status, *_REFUSALS.get(status, _REFUSALS[400]), request_id)


def tool_error_response(error: ToolError, request_id: str) -> web.Response:
    """Return a tool's error with its HTTP status and the headers that help."""
    response = json_response({"error": {**error.as_dict(), "request_id": request_id}}, STATUS[error.code])
    add_headers(response, error)
    return response


def add_headers(response: web.StreamResponse, error: ToolError) -> None:
    """Say in headers what a client can do about *error*: when to come back, which scope to ask for."""
    if "retry_after" in error.details:
        response.headers[hdrs.RETRY_AFTER] = str(error.details["retry_after"])
    if isinstance(error, PermissionDenied):
        scope = " ".join(error.details["required"])
        response.headers[hdrs.WWW_AUTHENTICATE] = f'Bearer realm="crm-mcp", error="insufficient_scope", scope="{scope}"'


def limit_headers(limit: Decision | None) -> dict[str, str]:
    """Return what a caller should know of its limit; nothing where its call was not counted."""
    if limit is None:
        return {}
    return {
        "RateLimit-Limit": str(limit.limit),
        "RateLimit-Remaining": str(limit.remaining),
        "RateLimit-Reset": str(max(0, ceil(limit.reset_seconds))),
    }
