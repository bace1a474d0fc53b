"""What a program of ours leaves out while it imports: a third of its start, and nothing that a call needs.

Whoever uses the server as a library has everything as it comes.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import what the block does in less time; for the first imports of a process, before it has a second thread."""
    # Nothing of it is garbage, and to look for some takes a tenth of the time; nor is there any later.
    gc.disable()
    try:
        with _without_rich():
            import structlog  # noqa: F401
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _without_rich() -> Iterator[None]:
    """Have rich not found: structlog would show tracebacks with it, which here have a form of their own."""
    sys.modules["rich"] = None  # type: ignore[assignment] # which makes its import fail
    try:
        yield
    finally:
        del sys.modules["rich"]
