"""A language model whose requests are counted and traced."""

import asyncio
from typing import Any

from rpc_server.calls.measures import MODEL_REQUESTS, MODEL_TOKENS
from rpc_server.calls.telemetry import Metrics
from rpc_server.calls.tracing import Traces
from rpc_server.contract.model import Generated, Model, ModelFailed


class MeasuredModel:
    """Stands before a model; a request counts once, however often it is tried again within."""

    def __init__(self, model: Model, metrics: Metrics, traces: Traces) -> None:
        self._model = model
        self._metrics = metrics
        self._traces = traces

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._model.name

    async def generate(
        self, *, instructions: str, content: str, schema: dict[str, Any], most_tokens: int, until: float
    ) -> Generated:
        """Pass the request on; nothing of it, and nothing of the answer, is told but the tokens."""
        told: dict[str, str | int] = {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": "gcp.vertex_ai",
            "gen_ai.request.model": self.name,
            "gen_ai.request.max_tokens": most_tokens,
        }
        with self._traces.span(f"generate_content {self.name}", told, kind="client") as span:
            tokens, outcome = 0, "unavailable"
            try:
                generated = await self._model.generate(
                    instructions=instructions, content=content, schema=schema, most_tokens=most_tokens, until=until
                )
                tokens, outcome = generated.tokens, "ok"
                return generated
            except ModelFailed as failure:
                tokens, outcome = failure.tokens, failure.reason
                span.failed(failure.reason)
                raise
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            finally:
                span.set("crm_mcp.tokens", tokens)
                self._metrics.count(MODEL_REQUESTS, outcome)
                self._metrics.count(MODEL_TOKENS, by=tokens)
