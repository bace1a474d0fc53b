"""Which hosts and which browser pages the server answers: against DNS rebinding, and for pages that are let in."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from rpc_server.transport.answers import error_response
from rpc_server.transport.middleware import METADATA_PATHS, REQUEST_ID, Gate, Step

# Asked by their address: a probe knows the address of a container and no name. They tell nothing of a tenant.
PROBED_PATHS = frozenset({"/health", "/ready", "/metrics"})

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_METHODS = "GET, POST, DELETE, OPTIONS"
_TAKEN = (
    "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, MCP-Protocol-Version, Mcp-Method, Mcp-Name, "
    "Mcp-Session-Id, Traceparent, Tracestate, X-Request-Id"
)
_EXPOSED = (
    "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, X-Request-Id, Retry-After, "
    "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)
_PREFLIGHT_SECONDS = "600"
_PARAM = re.compile(r"mcp-param-[\w!#$%&'*+.^`|~-]{1,100}", re.ASCII | re.IGNORECASE)


class Origins:
    """The allow-list of hosts and of origins; localhost is always on both, with any port."""

    def __init__(self, *, public_url: str | None, host: str, hosts: Iterable[str], origins: Iterable[str]) -> None:
        """*hosts* are names, with a port where only that one is meant; *origins* as browsers send them."""
        public = urlsplit(public_url) if public_url else None
        named = [host, *hosts, *([public.netloc] if public else [])]
        self._hosts = {name.lower() for name in named if name and not _is_any(name)}
        self._origins = {origin.lower().rstrip("/") for origin in origins}
        if public is not None:
            self._origins.add(f"{public.scheme}://{public.netloc}".lower())

    def allows_host(self, host: str) -> bool:
        """Tell whether a Host header names this server."""
        name = _name_of(host)
        return name is not None and (name in _LOCAL or name in self._hosts or host.lower() in self._hosts)

    def allows(self, origin: str) -> bool:
        """Tell whether pages of *origin* may call; `null`, which anybody can be, may not."""
        scheme, _, host = origin.lower().partition("://")
        return origin.lower() in self._origins or (scheme in ("http", "https") and _name_of(host) in _LOCAL)


def _is_any(host: str) -> bool:
    """Tell whether *host* is an address to listen on that names no host, as 0.0.0.0."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


@lru_cache(maxsize=128)
def _name_of(host: str) -> str | None:
    """Return the name in a Host header, without its port and without brackets; None where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def guard(origins: Origins) -> Gate:
    """Refuse what is meant for another host (421) or comes from a page that is not let in (403); answer preflights."""

    def guarded(request: web.Request) -> web.StreamResponse | None:
        # Only HTTP/1.0 may leave it out, and no browser speaks that.
        host = request.headers.get(hdrs.HOST)
        if host is not None and not origins.allows_host(host) and request.path not in PROBED_PATHS:
            sentence = "This server does not go by that Host. Whoever runs it can add it to ALLOWED_HOSTS."
            return error_response(421, "misdirected_request", sentence, request[REQUEST_ID])
        sent = request.headers.getall(hdrs.ORIGIN, [])
        if not sent or request.path in METADATA_PATHS:  # whose routes let every page read them
            return None
        if len(sent) > 1 or not origins.allows(sent[0]):
            sentence = "Pages of this Origin may not call this server. Whoever runs it can add it to CORS_ORIGINS."
            return error_response(403, "origin_not_allowed", sentence, request[REQUEST_ID])
        if request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
            return _preflight(request)
        return None

    return guarded


def _preflight(request: web.Request) -> web.Response:
    """Say what a page may send; headers that repeat a tool's arguments have names of their own."""
    asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
    params = [name.strip() for name in asked.split(",") if _PARAM.fullmatch(name.strip())]
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ", ".join([_TAKEN, *params]),
        hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
    }
    return web.Response(status=204, headers=headers)


def readable(origins: Origins) -> Step:
    """Let pages that are let in read every answer, streams and refusals too: one of what is `prepared`."""

    def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origins.allows(origin):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    return add_headers
