"""Requests and streams counted by the template of their route; and where the figures are read."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from rpc_server.calls.measures import HTTP_REQUESTS, SSE_WATCHERS
from rpc_server.calls.telemetry import Metrics
from rpc_server.transport.middleware import Step

METRICS_PATH = "/metrics"
UNMATCHED = "unmatched"
GONE = "gone"
_STREAMS = web.RequestKey("streams", bool)
_TYPE = {hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"}


def routes(text: Callable[[], Awaitable[bytes]]) -> list[web.RouteDef]:
    """Return the route of the figures, which needs no token: they tell nothing of a tenant."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=await text(), headers=_TYPE)

    return [web.get(METRICS_PATH, metrics)]


def route_of(request: web.Request) -> str:
    """Return the template of the request's route, which is one of those that the server was made with."""
    resource = request.match_info.route.resource
    return UNMATCHED if resource is None else resource.canonical


def counted(metrics: Metrics) -> Callable[[web.Request, web.StreamResponse | None], None]:
    """Count each request when it has been answered, or (None) when nobody waits for an answer any more."""

    def count(request: web.Request, response: web.StreamResponse | None) -> None:
        metrics.count(HTTP_REQUESTS, *request_labels(request, response))
        if _STREAMS in request:
            metrics.count(SSE_WATCHERS, route_of(request), by=-1)

    return count


def request_labels(request: web.Request, response: web.StreamResponse | None) -> tuple[str, str, str]:
    """Return under which labels an answered request is counted."""
    return route_of(request), request.method, GONE if response is None else f"{response.status // 100}xx"


def streams_counted(metrics: Metrics) -> Step:
    """Count a stream when it opens, until `counted` sees its end: one of what is `prepared`."""

    def count(request: web.Request, response: web.StreamResponse) -> None:
        if not isinstance(response, web.Response) and response.content_type == "text/event-stream":
            request[_STREAMS] = True
            metrics.count(SSE_WATCHERS, route_of(request))

    return count
