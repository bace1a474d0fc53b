"""JSON Schemas that every client can read: flat, without `$ref`, without `anyOf` for a mere null."""

from typing import Any

from pydantic import BaseModel

# Behind a validator of our own, pydantic calls a bound as Python does, which no client would understand.
_KEYWORDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a tool's arguments; an optional argument is left out rather than null."""
    schema = _flat(model.model_json_schema(mode="validation"), nullable=False)
    schema.setdefault("properties", {})
    return schema


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a tool's result; what may be null says so in its `type`."""
    return _flat(model.model_json_schema(mode="serialization"), nullable=True)


def _flat(schema: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = definitions[node["$ref"].rpartition("/")[2]]
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        if "anyOf" in node:
            node = _without_null(node, resolve, nullable=nullable)
        flat: dict[str, Any] = {}
        for key, value in node.items():
            if key == "properties":
                flat[key] = {name: resolve(prop) for name, prop in value.items()}
            elif key == "title" or (key == "default" and value is None):
                continue
            else:
                flat[_KEYWORDS.get(key, key)] = resolve(value)
        return flat

    result: dict[str, Any] = resolve(schema)
    result.pop("description", None)
    return result


def _without_null(node: dict[str, Any], resolve: Any, *, nullable: bool) -> dict[str, Any]:
    """Fold `anyOf: [X, null]` into X, with "null" among its types where *nullable*."""
    options = [resolve(option) for option in node["anyOf"] if option.get("type") != "null"]
    if len(options) != 1:
        raise ValueError(f"a schema may be of one type or null, not {node['anyOf']}")
    folded = {**options[0], **{key: value for key, value in node.items() if key != "anyOf"}}
    if nullable:
        folded["type"] = [folded["type"], "null"]
        if "const" in folded:
            folded["enum"] = [folded.pop("const")]
        if "enum" in folded:
            folded["enum"] = [*folded["enum"], None]
    return folded
