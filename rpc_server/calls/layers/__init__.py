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
    """Nest *layers* around *innermost*, the first one outermost; those that are switched off cost nothing."""
    present = [layer for layer in layers if layer is not pass_by]
    return reduce(lambda inner, layer: partial(layer, inner), reversed(present), innermost)
