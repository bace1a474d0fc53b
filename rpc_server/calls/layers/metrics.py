"""How many calls, how they ended, how long they took; and what the layers within have done to them."""

import asyncio
from time import perf_counter

from rpc_server.calls.layers import Layer, Next
from rpc_server.calls.limits import class_of
from rpc_server.calls.measures import CACHE_LOOKUPS, CALL_SECONDS, CALLS, CALLS_IN_FLIGHT, LIMIT_REFUSALS
from rpc_server.calls.telemetry import Metrics
from rpc_server.contract.errors import RateLimited, ToolError
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call


def measured_hit(metrics: Metrics, tool: str, seconds: float) -> None:
    """Count and time a call that was answered from the cache."""
    metrics.count(CACHE_LOOKUPS, tool, "hit")
    measured_end(metrics, tool, "ok", seconds)


def measured_end(metrics: Metrics, tool: str, outcome: str, seconds: float) -> None:
    """Count and time a call that has ended."""
    metrics.count(CALLS, tool, outcome)
    metrics.observe(CALL_SECONDS, seconds, tool)


def measuring(metrics: Metrics) -> Layer:
    """Make the layer that counts and times calls; it stands outside log, which says what the unforeseen is."""

    async def measure(proceed: Next, call: Call) -> Result:
        tool, outcome, began = call.tool.name, "internal", perf_counter()
        metrics.count(CALLS_IN_FLIGHT, tool)
        try:
            result = await proceed(call)
            outcome = "ok"
            if call.tool.cache_seconds:
                metrics.count(CACHE_LOOKUPS, tool, "miss" if call.age_seconds is None else "hit")
            return result
        except RateLimited as error:
            outcome = error.code
            metrics.count(LIMIT_REFUSALS, class_of(call.tool))
            raise
        except ToolError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            metrics.count(CALLS_IN_FLIGHT, tool, by=-1)
            measured_end(metrics, tool, outcome, perf_counter() - began)

    return measure
