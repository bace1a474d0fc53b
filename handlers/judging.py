"""What a comparison asks of whoever judges messages, and when the scores of several agents compare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

from handlers.pairwise import Scored
from handlers.periods import Period
from handlers.ranking import Agent
from handlers.tenants import TenantSettings
from rpc_server.contract.tool import Call

Advance: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Noticed:
    """What recurs most in an agent's messages: what it is, in how many of how many, and one of them to look up."""

    what: str
    messages: int
    judged: int
    message_id: UUID


@dataclass(frozen=True, slots=True)
class QualitySample:
    """What was found of one agent's messages: a score from 0 to 10 for each that was judged, and by what."""

    scores: Sequence[float]
    method: str
    warnings: Sequence[str] = ()
    noticed: Noticed | None = None


class Judge(Protocol):
    """Judges a sample of each agent's messages of a period."""

    async def __call__(
        self,
        call: Call,
        settings: TenantSettings,
        period: Period,
        agents: Sequence[Agent],
        begin: Callable[[Agent], Advance],
    ) -> Mapping[UUID, QualitySample]:
        """Return what was found, by agent; *begin* is to be called as the work on an agent's messages begins.

        What it returns is to be told how many of the agent's messages, of how many, were processed.
        """
        ...


async def unjudged(
    call: Call, settings: TenantSettings, period: Period, agents: Sequence[Agent], begin: Callable[[Agent], Advance]
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
    noticed: Mapping[UUID, Noticed] = field(default_factory=dict)

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
    samples = {agent: found[agent.agent_id] for agent in agents if agent.agent_id in found}
    notes = list(dict.fromkeys(note for sample in samples.values() for note in sample.warnings))
    unscored = [agent for agent in agents if agent not in samples or not samples[agent].scores]
    if unscored:
        return Quality(left_out="unscored", unscored=unscored, notes=notes)
    methods = {sample.method for sample in samples.values()}
    if len(methods) > 1:
        return Quality(left_out="methods", notes=notes)
    return Quality(
        [Scored(agent, sample.scores) for agent, sample in samples.items()],
        methods.pop(),
        notes=notes,
        noticed={agent.agent_id: sample.noticed for agent, sample in samples.items() if sample.noticed},
    )
