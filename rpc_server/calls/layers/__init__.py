"""What surrounds every call: one small file each, a plain list, outermost first."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial, reduce

from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

Next = Callable[[Call], Awaitable[Result]]
Layer = Callable[[Next, Call], Awaitable[Result]]


async def pass_by(proceed: Next, call: Call) -> Result:
    """Stand in for a layer that is switched off."""
    return await proceed(call)


def compose(layers: Sequence[Layer], innermost: Next) -> Next:
    """Nest *layers* around *innermost*, the first one outermost."""
    return reduce(lambda inner, layer: partial(layer, inner), reversed(layers), innermost)
