"""Changing a lead: decide on it, move it, assign it. Each is safe to repeat, to try out, and to refuse."""

from handlers.operations.assign import assign_to_agent
from handlers.operations.qualify import qualify_lead
from handlers.operations.stage import update_pipeline_stage

TOOLS = (qualify_lead, update_pipeline_stage, assign_to_agent)
