"""A client of the CRM's MCP server, blocking and asynchronous; needs nothing of the server's own code."""

from mcp_client.blocking import MCPClient, ToolStream
from mcp_client.client import AsyncMCPClient
from mcp_client.errors import (
    AnswerTooLarge,
    Cancelled,
    Conflict,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidArguments,
    MCPError,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    RequestRefused,
    ServerError,
    ServiceUnavailable,
    StreamBroken,
    TimedOut,
    Unauthenticated,
)
from mcp_client.ids import make_idempotency_key
from mcp_client.shapes import FieldProblem, ProgressEvent, Stage, Tool, ToolAnnotations, ToolAnswer, ToolList
from mcp_client.stream import AsyncToolStream
from mcp_client.version import __version__

__all__ = [
    "AnswerTooLarge",
    "AsyncMCPClient",
    "AsyncToolStream",
    "Cancelled",
    "Conflict",
    "ConnectionFailed",
    "DeadlineExceeded",
    "FieldProblem",
    "InvalidArguments",
    "MCPClient",
    "MCPError",
    "NotFound",
    "PayloadTooLarge",
    "PermissionDenied",
    "ProgressEvent",
    "ProtocolError",
    "RateLimited",
    "RequestRefused",
    "ServerError",
    "ServiceUnavailable",
    "Stage",
    "StreamBroken",
    "TimedOut",
    "Tool",
    "ToolAnnotations",
    "ToolAnswer",
    "ToolList",
    "ToolStream",
    "Unauthenticated",
    "__version__",
    "make_idempotency_key",
]
