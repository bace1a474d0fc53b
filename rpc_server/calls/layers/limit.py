"""No caller may take the server for itself."""

from rpc_server.calls.layers import Layer, Next
from rpc_server.calls.limits import Limiter, Limits, class_of
from rpc_server.contract.errors import RateLimited
from rpc_server.contract.limit import WINDOW_SECONDS
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

_CALLS = {"read": "calls that read", "write": "changes", "analysis": "analyses"}
# A place outlasts its call's deadline by so much; only the place of a process that died is ever held so long.
_SPARE_SECONDS = 10.0
_PLACE_FREE_SECONDS = 10


def limiting(limiter: Limiter, limits: Limits) -> Layer:
    """Make the layer that refuses with RateLimited what is beyond *limits*.

    It stands outside audit, so that a flood of refused calls writes nothing.
    """

    async def limit(proceed: Next, call: Call) -> Result:
        kind = class_of(call.tool)
        most = limits.of(kind)
        if most:
            if call.limit is None:  # else it was counted with the look into the cache
                call.limit = await limiter.take(call.caller.tenant_id, call.caller.user_id, kind, most)
            if not call.limit.passes:
                raise RateLimited(
                    f"{most} {_CALLS[kind]} within {WINDOW_SECONDS:g} s is the most that a user may make. "
                    f"Call again in {call.limit.retry_after} s.",
                    retry_after=call.limit.retry_after,
                )
        if kind == "analysis" and limits.analyses_at_a_time:
            return await take_place(proceed, call)
        return await proceed(call)

    async def take_place(proceed: Next, call: Call) -> Result:
        seconds = call.tool.timeout_seconds + _SPARE_SECONDS
        leave = await limiter.enter(call.caller.tenant_id, limits.analyses_at_a_time, seconds)
        if leave is None:
            raise RateLimited(
                f"{limits.analyses_at_a_time} analyses of this tenant are running, the most at a time. "
                "Call again when one of them has ended.",
                retry_after=_PLACE_FREE_SECONDS,
            )
        try:
            return await proceed(call)
        finally:
            await leave()

    return limit
