"""What a comparison asks of whoever judges messages, and when the scores of several agents compare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from handlers.pairwise import Scored
from handlers.periods import Period
from handlers.ranking import Agent
from handlers.tenants import TenantSettings
from rpc_server.contract.tool import Call


@dataclass(frozen=True, slots=True)
class QualitySample:
    """What was found of one agent's messages: a score from 0 to 10 for each that was judged, and by what."""

    scores: Sequence[float]
    method: str
    warnings: Sequence[str] = ()


class Judge(Protocol):
    """Judges a sample of each agent's messages of a period."""

    async def __call__(
        self,
        call: Call,
        settings: TenantSettings,
        period: Period,
        agents: Sequence[Agent],
        begin: Callable[[Agent], None],
    ) -> Mapping[UUID, QualitySample]:
        """Return what was found, by agent; *begin* is to be called as the work on an agent's messages begins."""
        ...


async def unjudged(
    call: Call, settings: TenantSettings, period: Period, agents: Sequence[Agent], begin: Callable[[Agent], None]
) -> Mapping[UUID, QualitySample]:
    """Judge nothing."""
    for agent in agents:
        begin(agent)
    return {}


@dataclass(frozen=True, slots=True)
class Quality:
    """The scores of all agents, or why there are none that compare."""

    samples: Sequence[Scored] = ()
    method: str | None = None
    left_out: Literal["unscored", "methods"] | None = None
    unscored: Sequence[Agent] = ()
    notes: Sequence[str] = ()

    @property
    def warnings(self) -> list[str]:
        """Return what the judges had to say, and a sentence where quality is left out."""
        return [*self.notes, *self._why_left_out]

    @property
    def _why_left_out(self) -> list[str]:
        match self.left_out:
            case "unscored":
                names = ", ".join(agent.name for agent in self.unscored)
                return [f"Quality is left out: no message of {names} was scored."]
            case "methods":
                return [
                    "Quality is left out: not all agents' messages were scored by the same method, and scores of "
                    "different methods do not compare."
                ]
            case None:
                return []


def comparable(agents: Sequence[Agent], found: Mapping[UUID, QualitySample]) -> Quality:
    """Return the scores where one method gave some to every agent."""
    unscored = [agent for agent in agents if agent.agent_id not in found or not found[agent.agent_id].scores]
    if unscored:
        return Quality(left_out="unscored", unscored=unscored)
    methods = {found[agent.agent_id].method for agent in agents}
    notes = list(dict.fromkeys(note for agent in agents for note in found[agent.agent_id].warnings))
    if len(methods) > 1:
        return Quality(left_out="methods", notes=notes)
    return Quality([Scored(agent, found[agent.agent_id].scores) for agent in agents], methods.pop(), notes=notes)
