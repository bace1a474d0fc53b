"""How often a caller may call, by class of tool; the same on all replicas where they share a limiter."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from rpc_server.contract.limit import Decision
from rpc_server.contract.tool import Tool

ToolClass: TypeAlias = Literal["read", "write", "analysis"]

# Gives back the place that an analysis has taken; never raises.
Leave: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a minute of one user by class of tool, and how many analyses of one tenant run at a time; 0: no limit."""

    read: int
    write: int
    analysis: int
    analyses_at_a_time: int

    def of(self, kind: ToolClass) -> int:
        """Return how many calls of a class pass in a minute."""
        return {"read": self.read, "write": self.write, "analysis": self.analysis}[kind]


class Limiter(Protocol):
    """Counts calls by tenant, user and class of tool; never fails."""

    async def take(self, tenant_id: str, user_id: str, kind: ToolClass, limit: int) -> Decision:
        """Count one call, unless it is one too many."""
        ...

    async def enter(self, tenant_id: str, most: int, seconds: float) -> Leave | None:
        """Take one of the tenant's *most* places for analyses, for *seconds* at the longest; None: all are taken."""
        ...


def class_of(tool: Tool) -> ToolClass:
    """Return the class under which calls of *tool* are counted."""
    if tool.writes:
        return "write"
    return "analysis" if tool.streams else "read"
