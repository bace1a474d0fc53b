"""What a call's client can do beyond waiting for the answer; most can nothing, and a tool must not rely on it."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TypeAlias

LogLevel: TypeAlias = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]


class Client(Protocol):
    """The program at the other end."""

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """Return what it has declared to be able to do, by MCP's names."""
        ...

    def log(self, level: LogLevel, data: Any, logger: str | None = None) -> None:
        """Tell it something while the call runs, if it wants to hear of that *level*; never waits."""
        ...

    def release(self) -> None:
        """Let it go before a long wait: it comes back for the answer, if its protocol knows how to."""
        ...


class Silent:
    """A client of which nothing is known, and that hears nothing before the answer."""

    capabilities: Mapping[str, Any] = {}

    def log(self, level: LogLevel, data: Any, logger: str | None = None) -> None:
        """Pass over it."""

    def release(self) -> None:
        """Keep it."""


_SILENT = Silent()
CLIENT: ContextVar[Client] = ContextVar("client", default=_SILENT)
"""Set by the way in that the call came through, for all that the call does."""
