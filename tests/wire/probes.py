"""Tools made for tests: what the CRM's own do only when something is amiss."""

import asyncio
from dataclasses import dataclass, field

from rpc_server.contract.arguments import Arguments
from rpc_server.contract.fields import ShortText
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, Catalog, catalog, tool


class Said(Arguments):
    """Any word."""

    word: ShortText = ""


class Heard(Result):
    """How often something was said."""

    times: int

    def text(self) -> str:
        return f"{self.times} times"


@dataclass
class Probes:
    """Tools and what they saw."""

    words: list[str] = field(default_factory=list)

    @property
    def tools(self) -> Catalog:
        @tool(title="Hear", permission="probes.hear")
        async def hear(call: Call, arguments: Said) -> Heard:
            """Remember a word."""
            self.words.append(arguments.word)
            return Heard(times=len(self.words))

        @tool(title="Break", permission="probes.hear")
        async def stumble(call: Call, arguments: Said) -> Heard:
            """Fail in a way that nobody foresaw."""
            raise RuntimeError(f"asyncpg says that {arguments.word} is amiss")

        @tool(title="Dream", permission="probes.hear", timeout_seconds=0.05)
        async def dream(call: Call, arguments: Said) -> Heard:
            """Take longer than the tool may."""
            await asyncio.sleep(60)
            return Heard(times=0)

        return catalog([hear, stumble, dream])
