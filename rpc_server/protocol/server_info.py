"""What a server says about itself, to every version."""

from dataclasses import dataclass
from typing import Any, Final

# As in RFC 5424, the least serious first.
LOG_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Name, version, and what is offered: tools always, *logs* where tools write log messages to their caller.

    *lists* names further kinds of things that are offered, all of them empty: resources, prompts.
    """

    name: str
    title: str
    version: str
    instructions: str = ""
    logs: bool = False
    lists: tuple[str, ...] = ()

    @property
    def implementation(self) -> dict[str, Any]:
        """Return who this is."""
        return {"name": self.name, "title": self.title, "version": self.version}

    @property
    def capabilities(self) -> dict[str, Any]:
        """Return what is offered; what is not named here is not there."""
        offered: dict[str, Any] = {"tools": {}, **{kind: {} for kind in self.lists}}
        return {**offered, "logging": {}} if self.logs else offered

    @property
    def empty_lists(self) -> dict[str, dict[str, Any]]:
        """Return the results of the methods that list what is offered and empty, by method."""
        results: dict[str, dict[str, Any]] = {f"{kind}/list": {kind: []} for kind in self.lists}
        if "resources" in self.lists:
            results["resources/templates/list"] = {"resourceTemplates": []}
        return results


def is_heard(level: str, least: str | None) -> bool:
    """Tell whether a message of *level* goes to a client that asked for *least* and above; None asked for none."""
    return least is not None and LOG_LEVELS.index(level) >= LOG_LEVELS.index(least)
