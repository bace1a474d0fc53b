"""Raw JSON becomes the tool's arguments."""

from functools import lru_cache
from typing import Final

import orjson

from rpc_server.calls.layers import Next
from rpc_server.contract.arguments import Arguments, validated
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

# Longer ones are hardly ever sent again.
MOST_REMEMBERED_BYTES: Final = 1000


async def validate(proceed: Next, call: Call) -> Result:
    """Refuse with InvalidArguments what does not fit the tool's schema, naming every field at fault."""
    call.arguments = _arguments(call)
    return await proceed(call)


def _arguments(call: Call) -> Arguments:
    """Return the arguments; what was found valid is, where the same is asked for again as often as answers are kept."""
    model, raw = call.tool.arguments, call.raw_arguments
    if not call.tool.cache_seconds or not isinstance(raw, dict):
        return validated(model, raw)
    try:
        said = orjson.dumps(raw)
    except TypeError:  # integers beyond 64 bits, halves of surrogate pairs
        return validated(model, raw)
    return found_valid(model, said) if len(said) <= MOST_REMEMBERED_BYTES else validated(model, raw)


@lru_cache(maxsize=1000)
def found_valid(model: type[Arguments], said: bytes) -> Arguments:
    """Return the arguments that JSON says; raises InvalidArguments."""
    return validated(model, orjson.loads(said))
