"""How a tool and what came of its call look on the wire."""

from typing import Any

import orjson

from rpc_server.contract.errors import ToolError
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Tool


def listed(tool: Tool) -> dict[str, Any]:
    """Return *tool* as `tools/list` shows it."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        **({} if tool.output_schema is None else {"outputSchema": tool.output_schema}),
        "annotations": tool.annotations,
    }


def tool_result(result: Result) -> dict[str, Any]:
    """Return a CallToolResult: the answer in words and in fields."""
    return {
        "content": result.content(),
        **({"structuredContent": orjson.Fragment(result.as_json())} if result.has_fields else {}),
        "isError": False,
    }


def tool_failure(error: ToolError) -> dict[str, Any]:
    """Return a CallToolResult that says what went wrong, for a model to act on."""
    return {
        "content": [{"type": "text", "text": f"{error.code}: {error.message}"}],
        "structuredContent": error.as_dict(),
        "isError": True,
    }
