"""From bytes and dicts that came to answers and exceptions; no I/O."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from mcp_client.errors import MCPError, ProtocolError, kind_of
from mcp_client.shapes import ProgressEvent, ToolAnswer, ToolList

_LONGEST_MESSAGE = 4000
_LONGEST_NAME = 128


def parsed(body: bytes | str, request_id: str) -> Any:
    """Return the JSON in *body*; raises ProtocolError."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ProtocolError("The answer is not JSON. Is this the server's address?", request_id=request_id) from None


def tool_list(content: Any, request_id: str) -> ToolList:
    """Return *content* as the list of tools; raises ProtocolError."""
    tools = content.get("tools") if isinstance(content, dict) else None
    if not isinstance(tools, list) or not all(_is_tool(tool) for tool in tools):
        raise _other_shape("a list of tools", request_id)
    return cast("ToolList", content)


def _is_tool(tool: Any) -> bool:
    return (
        isinstance(tool, dict) and isinstance(tool.get("name"), str) and isinstance(tool.get("annotations", {}), dict)
    )


def tool_answer(content: Any, request_id: str) -> ToolAnswer:
    """Return *content* as the answer of a tool; raises ProtocolError."""
    if not isinstance(content, dict) or not isinstance(content.get("result"), dict):
        raise _other_shape("the answer of a tool", request_id)
    return cast("ToolAnswer", content)


def progress_event(text: str, request_id: str) -> ProgressEvent:
    """Return the data of an event as a step of progress; raises ProtocolError."""
    content = parsed(text, request_id)
    if not isinstance(content, dict):
        raise _other_shape("a step of progress", request_id)
    event = {**content, "data": {} if content.get("data") is None else content["data"]}
    texts = all(isinstance(event.get(member), str) for member in ("stage", "message", "timestamp"))
    if not texts or not isinstance(event.get("progress"), int | float) or not isinstance(event["data"], dict):
        raise _other_shape("a step of progress", request_id)
    return cast("ProgressEvent", event)


def result_of(event: ProgressEvent, request_id: str) -> dict[str, Any]:
    """Return the result that a call's last step bears; raises ProtocolError."""
    result = event["data"].get("result")
    if not isinstance(result, dict):
        raise _other_shape("a last step with its result", request_id)
    return result


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes, request_id: str) -> MCPError:
    """Return the exception for an answer other than 200."""
    try:
        said = json.loads(body)["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        said = None
    if isinstance(said, dict):
        return _error(said, status, headers, request_id)
    # Whatever stands in such a body was not written for this client, and may quote the request: it is not shown.
    message = f"HTTP {status} without the server's explanation: something before it answered, or another server."
    return kind_of(None, status)(
        message, status=status, request_id=request_id, retry_after=_seconds(headers.get("retry-after"))
    )


def error_of_event(event: ProgressEvent, request_id: str) -> MCPError:
    """Return the exception for a call's last step where that is `error`."""
    return _error({"message": event["message"], **event["data"]}, None, {}, request_id)


def _error(said: dict[str, Any], status: int | None, headers: Mapping[str, str], request_id: str) -> MCPError:
    code = str(said["code"])[:_LONGEST_NAME] if said.get("code") else None
    details = {key: value for key, value in said.items() if key not in ("code", "message", "request_id")}
    waits = (_seconds(said.get("retry_after")), _seconds(headers.get("retry-after")))
    return kind_of(code, status)(
        str(said.get("message") or "The server gave no reason.")[:_LONGEST_MESSAGE],
        code=code,
        status=status,
        request_id=str(said.get("request_id") or request_id)[:_LONGEST_NAME],
        details=details,
        retry_after=next((wait for wait in waits if wait is not None), None),
    )


def _seconds(value: Any) -> float | None:
    """Return how long to wait, from seconds or from the date that HTTP allows in their place."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = _until(value)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _until(value: Any) -> float:
    try:
        moment = parsedate_to_datetime(str(value))
    except (TypeError, ValueError, OverflowError):
        return math.nan
    # RFC 9110: a date without a zone is in UTC.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _other_shape(what: str, request_id: str) -> ProtocolError:
    return ProtocolError(f"The answer is JSON, but not {what}.", request_id=request_id)
