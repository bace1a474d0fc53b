"""Requests of sessions under way, each in a task of its own, so that it can outlive its connection or be called off."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rpc_server.transport.mcp_answer import Answer, Asked, cancelled

_STOPPING_SECONDS = 5.0


class Work:
    """The tasks of one endpoint."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, asked: Asked, answering: Callable[[Asked], Awaitable[Answer]]) -> asyncio.Task[Answer]:
        """Carry out a request; its answer ends its log, also where it is called off."""

        async def carry_out() -> Answer:
            try:
                answer = await answering(asked)
            except asyncio.CancelledError:
                answer = cancelled(asked)
            asked.log.end(answer.body)
            return answer

        task = asyncio.create_task(carry_out(), name=f"mcp {asked.method} {asked.request_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Stop what still runs."""
        await stopped(*self._tasks)


async def stopped(*tasks: asyncio.Task[Any]) -> None:
    """Cancel what runs and wait until it has ended, but not for ever."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=_STOPPING_SECONDS)
