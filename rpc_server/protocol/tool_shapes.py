"""How a tool and what came of its call look on the wire."""

from typing import Any, Final

import orjson

from rpc_server.contract.errors import ToolError
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Tool

# In the `_meta` of a CallToolResult: whether the answer comes from the cache, and how old it is.
CACHE_META: Final = "crm-mcp/cache"


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


def tool_result(result: Result, cache: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a CallToolResult: the answer in words and in fields, and in `_meta` what there is to say of *cache*."""
    return {
        "content": result.content(),
        **({"structuredContent": orjson.Fragment(result.as_json())} if result.has_fields else {}),
        "isError": False,
        **({} if cache is None else {"_meta": {CACHE_META: cache}}),
    }


def tool_failure(error: ToolError) -> dict[str, Any]:
    """Return a CallToolResult that says what went wrong, for a model to act on."""
    return {
        "content": [{"type": "text", "text": f"{error.code}: {error.message}"}],
        "structuredContent": error.as_dict(),
        "isError": True,
    }
