"""What can go wrong with a call, as exceptions: `MCPError` and, beneath it, one class for each thing to do about it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mcp_client.shapes import FieldProblem


class MCPError(Exception):
    """A call did not succeed.

    *code* is stable and for programs, *message* for people; *details* is what else the server said. *status* is
    that of HTTP, None where there was none. *request_id* finds the call in the server's log and its progress at
    `watch_progress`. *retry_after* is in seconds, where waiting helps. *idempotency_key* is the one that the call
    bore: calling again with it cannot make the change twice.
    """

    default_code: ClassVar[str] = "unknown"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.status = status
        self.request_id = request_id
        self.details = dict(details or {})
        self.retry_after = retry_after
        self.idempotency_key: str | None = None

    def __str__(self) -> str:
        told = (f"HTTP {self.status}" if self.status else "", f"request {self.request_id}" if self.request_id else "")
        where = ", ".join(part for part in told if part)
        return f"{self.code}: {self.message}" + (f" ({where})" if where else "")


class RequestRefused(MCPError):
    """The server does not take the request as it is (4xx): change it before asking again."""

    default_code = "bad_request"


class InvalidArguments(RequestRefused):
    """The arguments do not fit the tool (400); `fields` names each that is at fault."""

    default_code = "invalid_arguments"

    @property
    def fields(self) -> list[FieldProblem]:
        """The arguments at fault, each with what was expected or is allowed."""
        fields = self.details.get("fields")
        return fields if isinstance(fields, list) else []


class Unauthenticated(RequestRefused):
    """The token is not accepted: absent, wrong or expired (401)."""

    default_code = "unauthenticated"


class PermissionDenied(RequestRefused):
    """The token is good and does not grant this (403); `missing` names what it would need."""

    default_code = "permission_denied"

    @property
    def missing(self) -> list[str]:
        """The permissions that the token lacks."""
        missing = self.details.get("missing")
        return [str(permission) for permission in missing] if isinstance(missing, list) else []


class NotFound(RequestRefused):
    """No such tool, contact, agent or call for this caller (404)."""

    default_code = "not_found"


class Conflict(RequestRefused):
    """The CRM is not in the state that the change needs (409); `code` says in which way."""

    default_code = "conflict"


class Cancelled(RequestRefused):
    """Whoever made the call went away or called it off; only who watched it is told."""

    default_code = "cancelled"


class PayloadTooLarge(RequestRefused):
    """The arguments are more than the server reads (413)."""

    default_code = "payload_too_large"


class RateLimited(RequestRefused):
    """Too many calls (429); come back after `retry_after` seconds."""

    default_code = "rate_limited"


class ServerError(MCPError):
    """The server could not do it (5xx); `details` may hold an `incident` for whoever runs it."""

    default_code = "internal"


class ServiceUnavailable(ServerError):
    """The server, or what it depends on, is not there just now (503)."""

    default_code = "dependency_unavailable"


class DeadlineExceeded(ServerError):
    """The server gave the call up after the time that its tool has (504)."""

    default_code = "deadline_exceeded"


class ConnectionFailed(MCPError):
    """No connection, or one that broke off; whether the call was made is unknown unless it was a read."""

    default_code = "connection_failed"


class StreamBroken(ConnectionFailed):
    """A stream that had begun ended before its call; `watch_progress(error.request_id)` may show the rest."""

    default_code = "stream_broken"


class TimedOut(MCPError):
    """The caller's own time was over; the call may still be running."""

    default_code = "timed_out"


class ProtocolError(MCPError):
    """The answer is none of this server's: not JSON, another shape, a redirection."""

    default_code = "protocol_error"


class AnswerTooLarge(ProtocolError):
    """The answer is larger than `max_answer_bytes`."""

    default_code = "answer_too_large"


_BY_CODE: Mapping[str, type[MCPError]] = {
    "invalid_arguments": InvalidArguments,
    "unauthenticated": Unauthenticated,
    "permission_denied": PermissionDenied,
    "insufficient_scope": PermissionDenied,
    "not_found": NotFound,
    "version_conflict": Conflict,
    "idempotency_mismatch": Conflict,
    "stage_not_in_pipeline": Conflict,
    "stage_inactive": Conflict,
    "pipeline_inactive": Conflict,
    "agent_inactive": Conflict,
    "agent_not_assignable": Conflict,
    "duplicate_request": Conflict,
    "cancelled": Cancelled,
    "payload_too_large": PayloadTooLarge,
    "rate_limited": RateLimited,
    "shutting_down": ServiceUnavailable,
    "dependency_unavailable": ServiceUnavailable,
    "deadline_exceeded": DeadlineExceeded,
    "internal": ServerError,
}
_BY_STATUS: Mapping[int, type[MCPError]] = {
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: PayloadTooLarge,
    429: RateLimited,
    503: ServiceUnavailable,
    504: DeadlineExceeded,
}


def kind_of(code: str | None, status: int | None) -> type[MCPError]:
    """Return the exception for what the server said: the code decides, the status where it is a foreign one."""
    known = _BY_CODE.get(code or "") or _BY_STATUS.get(status or 0)
    if known is not None:
        return known
    if status is None:
        return MCPError
    if 400 <= status < 500:
        return RequestRefused
    return ServerError if status >= 500 else ProtocolError
