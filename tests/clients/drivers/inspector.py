"""The MCP Inspector's command line: a process for each call, with JSON as its output."""

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from script import Job, Shown, play


class Failed(Exception):
    """The Inspector ended with an error; its text is what it printed."""


class Connected:
    """The command line, as the script calls it."""

    # It does not tell.
    version = None

    def __init__(self, url: str, token: str, era: str) -> None:
        self._address = ["--server-url", url, "--transport", "http", "--protocol-era", era, "--stored-auth-only"]
        self._header = ["--header", f"Authorization: Bearer {token}"]

    async def tools(self) -> list[str]:
        return [tool["name"] for tool in (await self._run("tools/list"))["tools"]]

    async def call(self, name: str, arguments: dict[str, Any], said: list[Any] | None = None) -> Shown:
        given = ["--tool-name", name, "--tool-args-json", json.dumps(arguments)]
        answer = await self._run("tools/call", *given)
        return Shown(answer["content"][0]["text"], answer.get("structuredContent"), answer.get("isError", False))

    async def _run(self, method: str, *arguments: str) -> dict[str, Any]:
        packages = Path(os.environ["PACKAGES"])
        program = [os.environ["NODE"], str(packages / "node_modules/.bin/mcp-inspector"), "--cli"]
        process = await asyncio.create_subprocess_exec(
            *(*program, *self._address, *self._header, "--method", method, *arguments, "--format", "json", "--quiet"),
            # Its settings would be written into the home folder.
            env={**os.environ, "HOME": str(packages)},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            out, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        try:
            answer: dict[str, Any] = json.loads(out)
        except ValueError:
            raise Failed(f"exit code {process.returncode}: {(said or out).decode().strip()}") from None
        return answer.get("result", answer)


@asynccontextmanager
async def connect(job: Job, token: str) -> AsyncIterator[Connected]:
    yield Connected(job.url, token, job.mode)


# It waits for the answer and prints no progress.
play(connect, follows_progress=False)
