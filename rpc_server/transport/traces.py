"""A span for each HTTP request, by OpenTelemetry's conventions, under the trace that the client began."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from rpc_server.calls.log_context import logged_with
from rpc_server.calls.measures import METHODS
from rpc_server.calls.tracing import Remote, Traces
from rpc_server.transport.metrics import route_of
from rpc_server.transport.origin import PROBED_PATHS


def traced(traces: Traces) -> Middleware:
    """Trace requests, but not those of probes; a span names the route's template and never the path."""

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = route_of(request)
        if route in PROBED_PATHS:
            return await handler(request)
        method = request.method if request.method in METHODS else "_OTHER"
        said: dict[str, str | int] = {"http.request.method": method, "http.route": route, "url.scheme": request.scheme}
        remote = Remote.of(request.headers)
        with (
            traces.span(f"{method} {route}", said, kind="server", remote=remote) as span,
            logged_with(trace_id=span.trace_id),
        ):
            response = await handler(request)
            span.set("http.response.status_code", response.status)
            if response.status >= 500:
                span.failed(str(response.status))
            return response

    return trace
