"""What a tool answers: fields for programs, and a text for those who read only text."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of a result: closed and unchangeable."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class Result(Part, ABC):
    """The whole of a result; *has_fields* says that it is structured content, which most are."""

    has_fields: ClassVar[bool] = True

    @abstractmethod
    def text(self) -> str:
        """Return the answer in words, with every id and headline figure: many clients show only this."""

    def content(self) -> list[dict[str, Any]]:
        """Return the answer as MCP's content blocks."""
        return [{"type": "text", "text": self.text()}]

    def highlights(self) -> dict[str, Any]:
        """Return what stands beside the result in the last event of its progress."""
        return {}

    def changes_at(self) -> datetime | None:
        """Return when the answer stops being right although nothing in the CRM changes; None: never."""
        return None

    def as_json(self) -> bytes:
        """Return the fields as JSON."""
        return orjson.dumps(self.__dict__, _plain, orjson.OPT_UTC_Z)


def _plain(value: object) -> dict[str, Any] | str:
    """Return what orjson asks for: the fields of a part, the text of ids. Pydantic takes thrice as long."""
    if isinstance(value, Part):
        return value.__dict__
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing for JSON")
