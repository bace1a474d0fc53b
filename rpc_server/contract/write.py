"""What every tool that writes takes and answers beside its own: one envelope around all changes."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from rpc_server.contract.arguments import Arguments
from rpc_server.contract.fields import WholeNumber, printable
from rpc_server.contract.result import Part, Result

MAX_KEY = 255


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "is blank")
    return value


IdempotencyKey = Annotated[
    str, StringConstraints(max_length=MAX_KEY), AfterValidator(printable), AfterValidator(_not_blank)
]


class WriteArguments(Arguments):
    """What makes a change safe to repeat, to try out, and to refuse if the world has moved on."""

    idempotency_key: Annotated[
        IdempotencyKey | None,
        Field(description="Any text unique to this change: calling again with it does nothing twice."),
    ] = None
    dry_run: Annotated[bool, Field(description="Answer what would change, and change nothing.")] = False
    expected_version: Annotated[
        WholeNumber | None,
        Field(
            description="The contact's version that this change is based on; refused if it has another.",
            ge=1,
            le=2**31 - 1,
        ),
    ] = None


class Idempotency(Part):
    """Whether this answer was given before."""

    key: str | None
    replayed: bool = Field(description="True: the change was made by an earlier call with the same key.")


class WriteResult(Result):
    """What a change did. A subclass adds `before` and `after`, and what else its tool has to say."""

    contact_id: UUID
    changed: bool = Field(description="False: it was so already.")
    version: int = Field(description="The contact's version now.")
    warnings: list[str]
    dry_run: bool = Field(False, description="True: nothing was changed.")
    audit_id: UUID | None = Field(None, description="The entry of the audit trail.")
    idempotency: Idempotency = Idempotency(key=None, replayed=False)

    def closing_lines(self) -> list[str]:
        """Return what each text about a change ends with."""
        lines = [f"Contact {self.contact_id}, version {self.version}, audit {self.audit_id}."]
        if self.dry_run:
            lines.append("This was a dry run: nothing was changed.")
        if self.idempotency.replayed:
            lines.append("An earlier call with this idempotency_key made the change; this is its answer.")
        return [*lines, *self.warnings]
