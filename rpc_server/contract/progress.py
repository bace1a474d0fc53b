"""How far a long call has come: what a tool says, whoever watches."""

from typing import Any, Literal, Protocol, TypeAlias

Stage: TypeAlias = Literal["starting", "analyzing", "comparing", "done", "error"]


class Progress(Protocol):
    """Takes a call's progress at once and never waits: who watches, and how slowly, is not the tool's concern."""

    def report(self, stage: Literal["analyzing", "comparing"], progress: float, message: str, **data: Any) -> None:
        """Say how far the call is, from 0 to 1, in a sentence for a person; *data* is the machine's half of it.

        A figure that is not above the last one is raised just above it: progress only grows. The first
        event (`starting`) and the last (`done`, `error`) are the server's.
        """
        ...


class Unwatched:
    """The progress of a call that nobody can watch."""

    def report(self, stage: Literal["analyzing", "comparing"], progress: float, message: str, **data: Any) -> None:
        """Pass over it."""
