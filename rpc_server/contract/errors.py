"""What can go wrong inside a call: few kinds, each with a stable code that a model can act on."""

from dataclasses import dataclass
from typing import Any, Literal

ConflictCode = Literal[
    "version_conflict",
    "stage_not_in_pipeline",
    "pipeline_inactive",
    "stage_inactive",
    "agent_inactive",
    "agent_not_assignable",
    "idempotency_mismatch",
    "duplicate_request",
]


class ToolError(Exception):
    """A call failed in a way its caller may know of.

    *message* says what was wrong, what is allowed and what to do next; *details* are the
    machine's half of it. Both go to the caller as they are, so nothing internal belongs in them.
    """

    code: str = "internal"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def as_dict(self) -> dict[str, Any]:
        """Return code, message and details as they stand in every answer."""
        return {"code": self.code, "message": self.message, **self.details}


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One argument at fault: where, what is wrong with it, what would be right."""

    field: str
    problem: str
    expected: str | None = None
    allowed: tuple[str, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the problem without the parts that it has not."""
        parts = {"field": self.field, "problem": self.problem, "expected": self.expected}
        if self.allowed is not None:
            parts["allowed"] = list(self.allowed)  # type: ignore[assignment]
        return {key: value for key, value in parts.items() if value is not None}

    def sentence(self) -> str:
        """Return the problem as one line for a reader."""
        line = f"{self.field}: {self.problem}"
        if self.allowed:
            return f"{line}; allowed: {', '.join(self.allowed)}"
        return f"{line}; expected {self.expected}" if self.expected else line


class InvalidArguments(ToolError):
    """The arguments do not fit the tool's schema; every field at fault is named."""

    code = "invalid_arguments"

    def __init__(self, problems: list[FieldProblem]) -> None:
        lines = "; ".join(problem.sentence() for problem in problems)
        super().__init__(f"Invalid arguments. {lines}.", fields=[problem.as_dict() for problem in problems])


class PermissionDenied(ToolError):
    """The caller's token does not grant what the tool needs."""

    code = "permission_denied"

    def __init__(self, tool: str, missing: list[str], required: list[str]) -> None:
        super().__init__(
            f"The token does not grant {' and '.join(missing)}, which {tool} needs. "
            "Ask whoever issued it for a token with that permission.",
            missing=missing,
            required=required,
        )


class NotFound(ToolError):
    """No such thing for this tenant; another tenant's id gives the very same text."""

    code = "not_found"


class UnknownTool(ToolError):
    """No tool bears that name; not an outcome of a call but a fault of the request."""

    code = "not_found"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no tool called {name[:80]!r}. The tools are listed by tools/list.", tools=known)


class Conflict(ToolError):
    """The CRM is not in the state that the change needs; *code* says in which way."""

    def __init__(self, code: ConflictCode, message: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code


class DependencyUnavailable(ToolError):
    """Something the server depends on does not answer; waiting may help."""

    code = "dependency_unavailable"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retry_after=retry_after)


class RateLimited(ToolError):
    """The caller asks for more than it may at a time; waiting helps."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retry_after=retry_after)


class ShuttingDown(ToolError):
    """The server stops; another one may take the call."""

    code = "shutting_down"

    def __init__(self) -> None:
        super().__init__("The server is shutting down. Call again in a moment.", retry_after=2)


class Cancelled(ToolError):
    """Whoever owned the call went away or called it off; only others who watched it are told."""

    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("The call was cancelled by its caller.")


class ProtocolError(ToolError):
    """The request cannot be served by its protocol's rules: an error of the protocol, not an answer of the tool.

    *rpc_code* is JSON-RPC's, *data* the machine's half of it.
    """

    code = "invalid_arguments"

    def __init__(self, rpc_code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.data = data


class MissingCapability(ProtocolError):
    """The tool needs something of its client that the client has not declared to be able to do."""

    def __init__(self, *capabilities: str) -> None:
        names = " and ".join(capabilities)
        super().__init__(
            -32021,
            f"The client has not declared {names}, which the tool needs.",
            {"requiredCapabilities": {name: {} for name in capabilities}},
        )


class DeadlineExceeded(ToolError):
    """The call took longer than its tool may."""

    code = "deadline_exceeded"


class Internal(ToolError):
    """The unforeseen: strangers see an incident id, the log has the rest."""

    def __init__(self, incident: str) -> None:
        super().__init__(
            "Internal error. It was logged; give the incident id to whoever runs this server.",
            incident=incident,
        )
