"""JSON answers, and the one table from error codes to HTTP statuses."""

from typing import Any

import orjson
from aiohttp import hdrs, web

from rpc_server.contract.errors import PermissionDenied, ToolError

STATUS = {
    "invalid_arguments": 400,
    "permission_denied": 403,
    "not_found": 404,
    "version_conflict": 409,
    "idempotency_mismatch": 409,
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


def json_response(content: Any, status: int = 200) -> web.Response:
    """Return *content* as JSON; orjson.Fragment in it stands as it is."""
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def error_response(status: int, code: str, message: str, request_id: str, **details: Any) -> web.Response:
    """Return an error in the shape that every REST error has."""
    return json_response({"error": {"code": code, "message": message, **details, "request_id": request_id}}, status)


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
