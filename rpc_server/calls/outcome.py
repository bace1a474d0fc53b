"""What came of a call."""

from typing import Any, NamedTuple

from rpc_server.contract.errors import ToolError
from rpc_server.contract.limit import Decision
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Tool


class Outcome(NamedTuple):
    """A result or an error, never both.

    *age_seconds* is None where the answer was made for this call; *limit*, where nothing was counted.
    """

    tool: Tool
    result: Result | None = None
    error: ToolError | None = None
    limit: Decision | None = None
    age_seconds: float | None = None

    @property
    def cache(self) -> dict[str, Any] | None:
        """Return what an answer says of the cache; None where its tool's answers are not kept."""
        if self.result is None or not self.tool.cache_seconds:
            return None
        return {"hit": self.age_seconds is not None, "age_seconds": round(self.age_seconds or 0.0, 1)}
