"""One line for each call, and an incident for what nobody foresaw."""

import asyncio
import secrets
from time import perf_counter

import structlog

from rpc_server.calls.layers import Next
from rpc_server.calls.log_context import logged_with
from rpc_server.contract.errors import Internal, ToolError
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

logger = structlog.get_logger("calls")


async def log(proceed: Next, call: Call) -> Result:
    """Write who called what, how it ended and how long it took; never the arguments.

    Who and what stand in every line that is written meanwhile, so that they can be told apart.
    """
    with logged_with(
        tool=call.tool.name, tenant=call.caller.tenant_id, user=call.caller.user_id, request_id=call.request_id
    ):
        started, outcome = perf_counter(), "ok"
        try:
            return await proceed(call)
        except ToolError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except Exception as error:
            outcome = "internal"
            incident = report(error)
            raise Internal(incident) from error
        finally:
            tell(outcome, perf_counter() - started)


def tell(outcome: str, seconds: float, **context: str) -> None:
    """Write a call's line; *context*, where it is not bound already."""
    logger.info("call", outcome=outcome, duration_ms=round(seconds * 1000, 2), **context)


def report(error: BaseException) -> str:
    """Log *error* with its traceback and return the incident id that the caller is told."""
    incident = secrets.token_hex(8)
    logger.error("incident", incident=incident, exc_info=error)
    return incident
