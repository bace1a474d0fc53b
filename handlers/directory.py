"""Agents, pipelines and stages, and the ids that other tools need. Read-only."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from rpc_server.contract.arguments import Arguments, NoArguments
from rpc_server.contract.query import Row, query
from rpc_server.contract.result import Part, Result
from rpc_server.contract.tool import Call, tool

LIST_AGENTS = query("directory/list_agents")
LIST_PIPELINES = query("directory/list_pipelines")


class ListAgentsArguments(Arguments):
    """Which agents."""

    type: Annotated[
        Literal["human", "ai", "bot", "channel", "virtual"] | None, Field(description="Only agents of this type.")
    ] = None
    active: Annotated[bool | None, Field(description="Only active, or only inactive ones.")] = None


class ListedAgent(Part):
    """An agent."""

    agent_id: UUID
    agent_name: str
    agent_type: str
    status: str | None = Field(description="available, busy, away or offline.")
    active: bool
    assignable: bool = Field(description="Whether assign_to_agent may name it.")
    open_sessions: int = Field(description="Conversations now open in which it took part.")


class Agents(Result):
    """The answer of list_agents."""

    agents: list[ListedAgent]

    def text(self) -> str:
        """Return a line for each agent."""
        if not self.agents:
            return "No agent fits."
        return "\n".join(
            f"{agent.agent_name} ({agent.agent_type}, {agent.agent_id}): {'active' if agent.active else 'inactive'}, "
            f"{agent.status or 'status unknown'}, open conversations: {agent.open_sessions}"
            f"{', may be assigned' if agent.assignable else ''}"
            for agent in self.agents
        )


@tool(title="List agents", permission="members.view", cache_seconds=300)
async def list_agents(call: Call, arguments: ListAgentsArguments) -> Agents:
    """List the agents: people, AI and bots, with the load that each has now.

    Use it to get the agent_id that other tools need, and to see who may be assigned.
    """
    rows = await call.db.all(LIST_AGENTS, type=arguments.type, active=arguments.active)
    return Agents(agents=[ListedAgent(**row) for row in rows])


class Stage(Part):
    """A stage of a pipeline."""

    stage_id: UUID
    name: str
    type: str = Field(description="open, active or closed.")
    outcome: Literal["won", "lost"] | None = Field(description="What reaching it means for conversion.")
    position: int
    active: bool


class Pipeline(Part):
    """A pipeline with its stages in board order."""

    pipeline_id: UUID
    name: str
    active: bool
    stages: list[Stage]


class Pipelines(Result):
    """The answer of list_pipelines."""

    pipelines: list[Pipeline]

    def text(self) -> str:
        """Return each pipeline with its stages."""
        lines = []
        for pipeline in self.pipelines:
            lines.append(f"{pipeline.name} ({pipeline.pipeline_id}){'' if pipeline.active else ', inactive'}")
            lines += [
                f"  {stage.position}. {stage.name} ({stage.stage_id}), {stage.type}"
                f"{f', {stage.outcome}' if stage.outcome else ''}{'' if stage.active else ', inactive'}"
                for stage in pipeline.stages
            ]
        return "\n".join(lines) or "There is no pipeline."


@tool(title="List pipelines", permission="pipelines.view", cache_seconds=300)
async def list_pipelines(call: Call, arguments: NoArguments) -> Pipelines:
    """List the sales pipelines and, in board order, the stages of each.

    Use it to get the pipeline_id and stage_id that other tools need; outcome tells which stages
    count as won or lost.
    """
    found: dict[UUID, list[Row]] = {}
    for row in await call.db.all(LIST_PIPELINES):
        found.setdefault(row["pipeline_id"], []).append(row)
    return Pipelines(
        pipelines=[
            Pipeline(
                pipeline_id=pipeline_id,
                name=rows[0]["pipeline_name"],
                active=rows[0]["pipeline_active"],
                stages=[Stage(**{name: row[name] for name in Stage.model_fields}) for row in rows if row["stage_id"]],
            )
            for pipeline_id, rows in found.items()
        ]
    )


TOOLS = (list_agents, list_pipelines)
