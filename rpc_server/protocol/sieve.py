"""What of a tool and of its result goes to which version: none sees a field that it does not know."""

from typing import Any

import orjson

from rpc_server.contract.errors import ToolError
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Tool
from rpc_server.protocol.tool_shapes import listed, tool_failure, tool_result
from rpc_server.protocol.versions import Version

_WITHOUT_STRUCTURE = ("name", "description", "inputSchema", "annotations")
# What structuredContent is where isError is true.
_FAILURE = {"required": ["code", "message"]}


def listed_tool(tool: Tool, version: Version) -> dict[str, Any]:
    """Return *tool* as *version* lists it.

    Clients hold the structured content of a failure against the output schema too, so it allows both.
    """
    shown = listed(tool)
    if not version.has_structure:
        return {name: shown[name] for name in _WITHOUT_STRUCTURE}
    # The title has a place of its own; a list is read by models, and each word of it costs.
    shown["annotations"] = {name: hint for name, hint in shown["annotations"].items() if name != "title"}
    if "outputSchema" in shown:
        shown["outputSchema"] = {"type": "object", "anyOf": [_terse(shown["outputSchema"], set()), _FAILURE]}
    return shown


def _terse(node: Any, said: set[str], *, is_properties: bool = False) -> Any:
    """Return a schema of results without what costs more than it tells.

    Those are the descriptions of whole objects, whose fields have their own; those that stand in *said*,
    having been given before; and that nothing else may be there, which a later server would take back.
    """
    if isinstance(node, list):
        return [_terse(item, said) for item in node]
    if not isinstance(node, dict):
        return node
    if is_properties:
        return {name: _terse(value, said) for name, value in node.items()}
    shown = {key: value for key, value in node.items() if (key, value) != ("additionalProperties", False)}
    description = shown.get("description")
    if description is not None:
        if "properties" in shown or description in said:
            del shown["description"]
        said.add(description)
    return {key: _terse(value, said, is_properties=key == "properties") for key, value in shown.items()}


def call_result(result: Result, version: Version, cache: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a tool's answer as *version* shows it; each has a `_meta` on results."""
    shown = tool_result(result, cache)
    return shown if version.has_structure else _in_text(shown, result.as_json() if result.has_fields else None)


def call_failure(error: ToolError, version: Version) -> dict[str, Any]:
    """Return what went wrong in a call as *version* shows it."""
    shown = tool_failure(error)
    return shown if version.has_structure else _in_text(shown, orjson.dumps(shown["structuredContent"]))


def _in_text(shown: dict[str, Any], fields: bytes | None) -> dict[str, Any]:
    """Put into text what has no place of its own: the fields, and links to resources."""
    content = [_without_link(block) for block in shown["content"]]
    if fields is not None:
        content.append({"type": "text", "text": fields.decode()})
    return {**{name: value for name, value in shown.items() if name != "structuredContent"}, "content": content}


def _without_link(block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": block["uri"]} if block["type"] == "resource_link" else block
