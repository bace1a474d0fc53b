"""For clients that get their tokens from an OAuth server: where that is (RFC 9728), and what to ask it for."""

from collections.abc import Sequence

from aiohttp import hdrs, web

from rpc_server.transport.answers import json_response
from rpc_server.transport.middleware import METADATA_PATH

# Nothing in here is a secret, and a client in any page must find its way to a token.
_OPEN = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "*",
}
# What is a resource of its own; it stands behind both addresses, of the metadata and of the server.
_MCP = "/mcp"


class ProtectedResource:
    """The server as OAuth sees it. Without *servers* that issue tokens it says nothing: 404."""

    def __init__(self, public_url: str | None, servers: Sequence[str], scopes: Sequence[str], name: str) -> None:
        """*public_url* is where clients reach this server."""
        self._url = public_url or ""
        self._servers = list(servers)
        self._scopes = list(scopes)
        self._name = name

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the metadata, which need no token."""
        if not self._servers:
            return []

        async def show(request: web.Request) -> web.Response:
            response = json_response(self._metadata(request.path.removeprefix(METADATA_PATH)))
            response.headers.update(_OPEN)
            return response

        async def allow(request: web.Request) -> web.Response:
            return web.Response(status=204, headers=_OPEN)

        paths = (METADATA_PATH, METADATA_PATH + _MCP)
        return [web.get(path, show) for path in paths] + [web.options(path, allow) for path in paths]

    def _metadata(self, path: str) -> dict[str, object]:
        return {
            "resource": self._url + path,
            "resource_name": self._name,
            "authorization_servers": self._servers,
            "scopes_supported": self._scopes,
            "bearer_methods_supported": ["header"],
        }

    def complete_challenge(self, request: web.Request, response: web.StreamResponse) -> None:
        """Say in a refusal's challenge where the metadata is, and which scopes there are; one of what is `prepared`.

        A refusal for want of a permission names the scopes that it is about already.
        """
        challenge = response.headers.get(hdrs.WWW_AUTHENTICATE)
        if not self._servers or challenge is None:
            return
        metadata = self._url + METADATA_PATH + (_MCP if request.path == _MCP else "")
        scope = "" if "scope=" in challenge else f', scope="{" ".join(self._scopes)}"'
        response.headers[hdrs.WWW_AUTHENTICATE] = f'{challenge}, resource_metadata="{metadata}"{scope}'
