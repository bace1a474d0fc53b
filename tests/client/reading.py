"""Reading a stream that fails."""

from mcp_client import AsyncToolStream, MCPError, ProgressEvent


async def until_it_fails(stream: AsyncToolStream) -> tuple[list[ProgressEvent], MCPError]:
    """Return the steps that came, and what was raised after them."""
    steps: list[ProgressEvent] = []
    try:
        async for step in stream:
            steps.append(step)  # noqa: PERF401 - those before the failure count
    except MCPError as error:
        return steps, error
    raise AssertionError(f"it ended well: {steps}")
