"""Spans by OpenTelemetry, sent by OTLP over HTTP from a thread of the library's own.

The library is an extra. What it can be told by its standard environment variables (OTEL_TRACES_SAMPLER,
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_…), it reads by itself.
"""

import asyncio
import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import structlog

from rpc_server.calls.tracing import Attributes, Remote, SpanKind

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span

logger = structlog.get_logger("traces")

# What is not sent by then, because nobody takes it, is lost.
_CLOSING_SECONDS = 5.0


class OtelTraces:
    """Makes spans and has them sent; used as a context."""

    def __init__(self, endpoint: str, *, version: str) -> None:
        """*endpoint* takes spans, as http://collector:4318/v1/traces; raises ValueError without the extra `otel`."""
        if not _installed():
            raise ValueError(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, but what sends traces is not installed: install the extra "
                "'otel' (opentelemetry-sdk, opentelemetry-exporter-otlp-proto-http), or unset it"
            )
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        named = Resource({"service.name": "crm-mcp", "service.version": version})
        self._endpoint = endpoint
        # Not the library's global provider: two servers in one process have nothing in common.
        self._provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("crm-mcp", version)
        self._propagator = TraceContextTextMapPropagator()

    async def __aenter__(self) -> "OtelTraces":
        """Begin to send."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(self._endpoint)))
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Send what waits, within a bounded time and beside the event loop; a thread that hangs is left behind."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # too late: the loop has closed
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=close, name="last traces", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await sent.wait()
        except TimeoutError:
            logger.warning("traces not sent")

    @contextmanager
    def span(
        self, name: str, attributes: Attributes, *, kind: SpanKind = "internal", remote: Remote | None = None
    ) -> Iterator["_Span"]:
        """Make a span; what an exception says is not told, only of which kind it is."""
        from opentelemetry.trace import SpanKind as Kind

        parent, links = self._parent(remote)
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            kind=Kind[kind.upper()],
            attributes=attributes,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as started:
            span = _Span(started)
            try:
                yield span
            except BaseException as error:
                if not span.has_failed:
                    span.failed(type(error).__qualname__)
                raise

    def _parent(self, remote: Remote | None) -> "tuple[Context | None, list[Link]]":
        """Return the remote parent, if it is one, and then the span around as a link; None for that one itself."""
        if remote is None:
            return None, []
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, get_current_span

        sent = {"traceparent": remote.traceparent, "tracestate": remote.tracestate}
        parent = self._propagator.extract(sent, Context())
        if not get_current_span(parent).get_span_context().is_valid:
            return None, []
        around = get_current_span().get_span_context()
        return parent, [Link(around)] if around.is_valid else []


class _Span:
    def __init__(self, span: "Span") -> None:
        self._span = span
        self.has_failed = False

    @property
    def trace_id(self) -> str:
        return format(self._span.get_span_context().trace_id, "032x")

    def set(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def failed(self, error_type: str) -> None:
        from opentelemetry.trace import StatusCode

        self.has_failed = True
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(StatusCode.ERROR)


def _installed() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None and (
            importlib.util.find_spec("opentelemetry.sdk") is not None
        )
    except ModuleNotFoundError:  # not even the package around it
        return False
