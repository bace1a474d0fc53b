"""What the contacts were that each agent met: whether agents are compared on the same work."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from math import comb
from typing import Any, Literal, TypeAlias
from uuid import UUID

from pydantic import Field

from handlers.periods import Span
from handlers.ranking import LEVEL, MIN_SAMPLE, Agent
from handlers.statistics import bonferroni_level, newcombe
from rpc_server.contract.fields import untrusted
from rpc_server.contract.query import Row, query
from rpc_server.contract.result import Part
from rpc_server.contract.tool import Call

COUNT_CASE_MIX = query("performance/count_case_mix")

Kind: TypeAlias = Literal["channel", "pipeline"]
KINDS: tuple[Kind, ...] = ("channel", "pipeline")

# A smaller gap of shares is no other mix, however sure it is.
_WORTH_SAYING = 0.1

CASE_MIX_DEFINITION = (
    "Contacts with a conversation started in the period in which the agent took part, each once: by the channel "
    "they came by, and by the pipeline of the first such conversation."
)


class ChannelShare(Part):
    """Contacts who came by one channel."""

    channel: str | None = untrusted("as the CRM was told; null: not known, or one of the others")
    is_other: bool = Field(description="All but the ten most frequent channels, together.")
    n: int
    share: float = Field(description="Of the agent's contacts, 0 to 1.")


class PipelineShare(Part):
    """Contacts whose conversation was of one pipeline."""

    pipeline_id: UUID | None = Field(description="Null: not known, or one of the others.")
    pipeline_name: str | None
    is_other: bool = Field(description="All but the ten most frequent pipelines, together.")
    n: int
    share: float = Field(description="Of the agent's contacts, 0 to 1.")


class CaseMix(Part):
    """What one agent's contacts were."""

    agent_id: UUID
    contacts: int = Field(description="Contacts that the agent met, those already won too.")
    channels: list[ChannelShare]
    pipelines: list[PipelineShare]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two agents' shares of the same channel or pipeline, surely and widely apart."""

    kind: Kind
    more: Agent
    more_share: float
    less: Agent
    less_share: float

    @property
    def gap(self) -> float:
        """Return how far apart the shares are."""
        return self.more_share - self.less_share


async def count_case_mix(call: Call, span: Span, agents: Sequence[Agent]) -> list[CaseMix]:
    """Return the case mix of each of *agents*, in their order."""
    rows = await call.db.all(
        COUNT_CASE_MIX,
        start=span.start,
        end=span.end,
        now=call.now,
        agent_ids=[agent.agent_id for agent in agents],
    )
    return [_mix(agent, [row for row in rows if row["agent_id"] == agent.agent_id]) for agent in agents]


def contrasts(agents: Sequence[Agent], mixes: Sequence[CaseMix]) -> list[Contrast]:
    """Return for channels and for pipelines the widest contrast between two agents that chance would seldom make."""
    counted = [(agent, mix) for agent, mix in zip(agents, mixes, strict=True) if mix.contacts >= MIN_SAMPLE]
    widest = (_widest(kind, [(agent, mix.contacts, _counts(mix, kind)) for agent, mix in counted]) for kind in KINDS)
    return [contrast for contrast in widest if contrast is not None]


def _widest(kind: Kind, counted: Sequence[tuple[Agent, int, Counter[str]]]) -> Contrast | None:
    keys = sorted({key for _, _, counts in counted for key in counts})
    if len(counted) < 2 or not keys:
        return None
    level = bonferroni_level(LEVEL, comb(len(counted), 2) * len(keys))
    sure = [
        Contrast(kind, more, mine[key] / n, less, theirs[key] / m)
        for (more, n, mine), (less, m, theirs) in permutations(counted, 2)
        for key in keys
        if (interval := newcombe(mine[key], n, theirs[key], m, level)) and interval.low > 0
    ]
    return max((contrast for contrast in sure if contrast.gap >= _WORTH_SAYING), key=lambda c: c.gap, default=None)


def _counts(mix: CaseMix, kind: Kind) -> Counter[str]:
    """Return how many contacts each channel or pipeline has that is known by name."""
    if kind == "channel":
        return Counter({share.channel: share.n for share in mix.channels if share.channel is not None})
    return Counter({str(share.pipeline_id): share.n for share in mix.pipelines if share.pipeline_id is not None})


def _mix(agent: Agent, rows: Sequence[Row]) -> CaseMix:
    by_channel = [row for row in rows if row["kind"] == "channel"]
    by_pipeline = [row for row in rows if row["kind"] == "pipeline"]
    contacts = sum(row["n"] for row in by_channel)

    def counted(row: Row) -> dict[str, Any]:
        return {"is_other": row["is_other"], "n": row["n"], "share": round(row["n"] / contacts, 4)}

    return CaseMix(
        agent_id=agent.agent_id,
        contacts=contacts,
        channels=[ChannelShare(channel=row["key"], **counted(row)) for row in by_channel],
        pipelines=[
            PipelineShare(pipeline_id=row["key"] and UUID(row["key"]), pipeline_name=row["name"], **counted(row))
            for row in by_pipeline
        ],
    )
