"""A language model that answers by a schema: what a tool may ask of it, and how it can fail."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

ModelFailure = Literal["unavailable", "rate_limited", "timed_out", "blocked", "unreadable"]


class ModelFailed(Exception):
    """The model gave no usable answer; *tokens* were spent all the same.

    The message names a kind of failure and nothing of the model's or the library's own words.
    """

    def __init__(self, reason: ModelFailure, *, tokens: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Generated:
    """A model's answer: JSON that fits the schema's outer shape (it may still lie within), and its cost."""

    content: Any
    tokens: int


class Model(Protocol):
    """One model, shared by all calls of the server: bounded, retrying, and out of the way while it is down."""

    @property
    def name(self) -> str:
        """Return the model's full name, as it stands in answers and in the key of kept scores."""
        ...

    async def generate(
        self, *, instructions: str, content: str, schema: dict[str, Any], most_tokens: int, until: float
    ) -> Generated:
        """Answer *content* by *instructions* as JSON of *schema*, in at most *most_tokens* of output.

        Raises ModelFailed, at the latest at *until* (on the event loop's clock). Cancelling stops the
        request on the wire.
        """
        ...
