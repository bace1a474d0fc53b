"""What the server's answers look like, member by member."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Stage: TypeAlias = Literal["starting", "analyzing", "comparing", "done", "error"]


class ToolAnnotations(TypedDict, total=False):
    """What MCP tells of a tool's manners."""

    readOnlyHint: bool
    destructiveHint: bool
    idempotentHint: bool
    openWorldHint: bool


class Tool(TypedDict):
    """A tool that the caller may call."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments; `inputSchema` is the same under MCP's name."""
    supports_streaming: bool
    title: NotRequired[str]
    inputSchema: NotRequired[dict[str, Any]]
    outputSchema: NotRequired[dict[str, Any]]
    annotations: NotRequired[ToolAnnotations]


class ToolList(TypedDict):
    """The answer of `list_tools`."""

    tools: list[Tool]
    count: int


class ToolAnswer(TypedDict):
    """The answer of `call_tool`."""

    tool_name: str
    result: dict[str, Any]
    """Fits the tool's `outputSchema`."""
    timestamp: str


class ProgressEvent(TypedDict):
    """A step of a call that streams."""

    stage: Stage
    progress: float
    """From 0 to 1; it only grows."""
    message: str
    """A sentence for a person."""
    data: dict[str, Any]
    """At `done`, `result` and the headline figures; at `error`, `code`, `message` and what helps."""
    timestamp: str


class FieldProblem(TypedDict):
    """An argument at fault: where, what is wrong with it, what would be right."""

    field: str
    problem: str
    expected: NotRequired[str]
    allowed: NotRequired[list[str]]
