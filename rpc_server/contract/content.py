"""Answers that are no fields: texts, pictures, sounds and resources, as MCP's content blocks."""

import base64
from typing import Any, ClassVar, TypeAlias

from rpc_server.contract.result import Result

Block: TypeAlias = dict[str, Any]


def text(words: str) -> Block:
    """Return a block of text."""
    return {"type": "text", "text": words}


def image(data: bytes, mime_type: str) -> Block:
    """Return a picture."""
    return {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": mime_type}


def audio(data: bytes, mime_type: str) -> Block:
    """Return a sound."""
    return {"type": "audio", "data": base64.b64encode(data).decode(), "mimeType": mime_type}


def resource(uri: str, mime_type: str, content: str | bytes) -> Block:
    """Return a resource with all that is in it."""
    body = {"text": content} if isinstance(content, str) else {"blob": base64.b64encode(content).decode()}
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, **body}}


def link(uri: str, name: str) -> Block:
    """Return where a resource is."""
    return {"type": "resource_link", "uri": uri, "name": name}


class Content(Result):
    """An answer of content blocks alone: it has no output schema and no structured content."""

    has_fields: ClassVar[bool] = False

    blocks: tuple[Block, ...]

    def text(self) -> str:
        """Return the words among the blocks."""
        return "\n".join(block["text"] for block in self.blocks if block["type"] == "text")

    def content(self) -> list[Block]:
        """Return the blocks as they are."""
        return list(self.blocks)
