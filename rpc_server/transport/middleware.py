"""The HTTP ring: request id, the caller behind a token, and an answer to whatever goes wrong."""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from rpc_server.backends.claims import TokenRefused
from rpc_server.backends.jwks import KeysUnavailable
from rpc_server.backends.verifier import Verifier
from rpc_server.calls.log_context import logged_with
from rpc_server.contract.caller import Caller
from rpc_server.protocol.mcp_message import error_message
from rpc_server.transport.answers import error_response, json_response, refusal
from rpc_server.transport.refusals import Refusals

REQUEST_ID = web.RequestKey("request_id", str)
CALLER = web.RequestKey("caller", Caller)
SERVER_NAME = "crm-mcp"  # aiohttp would name itself and Python, with their versions
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
METADATA_PATH = "/.well-known/oauth-protected-resource"
METADATA_PATHS = frozenset({METADATA_PATH, f"{METADATA_PATH}/mcp"})
PUBLIC_PATHS = frozenset({"/health", "/ready", "/metrics"}) | METADATA_PATHS


# Something done to every response before it is sent.
Step: TypeAlias = Callable[[web.Request, web.StreamResponse], None]


def prepared(*steps: Step) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Make of all *steps* the one thing that `on_response_prepare` calls."""

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        for step in steps:
            step(request, response)

    return prepare


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request an id, the caller's own if it is sane, and bear it in the answer."""
    given = request.headers.get("X-Request-Id", "")
    chosen = given if _SANE_ID.fullmatch(given) else secrets.token_hex(16)
    request[REQUEST_ID] = chosen
    with logged_with(request_id=chosen):
        response = await handler(request)
    if not response.prepared:
        response.headers["X-Request-Id"] = chosen
        response.headers[hdrs.SERVER] = SERVER_NAME
    return response


def faults(report: Callable[[BaseException], str]) -> Middleware:
    """Answer in JSON to what aiohttp refuses and to what nobody foresaw."""

    @web.middleware
    async def answer_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            response = refusal(error.status, request[REQUEST_ID])
            if hdrs.ALLOW in error.headers:
                response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            return response
        except Exception as error:  # noqa: BLE001 - the last resort of every request
            incident = report(error)
            return error_response(500, "internal", "Internal error.", request[REQUEST_ID], incident=incident)

    return answer_faults


def authenticate(verifier: Verifier, refusals: Refusals) -> Middleware:
    """Put the caller behind the bearer token into the request, or answer 401 with a sentence.

    503 where the keys to tell are out of reach: a 401 would make clients throw good tokens away.
    """

    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in PUBLIC_PATHS:
            return await handler(request)
        try:
            request[CALLER] = await verifier.identify(_bearer(request))
        except TokenRefused as refused:
            refusals.note(request, request[REQUEST_ID], str(refused), refused.fault)
            return _unauthorized(str(refused), request)
        except KeysUnavailable as unavailable:
            refusals.note(request, request[REQUEST_ID], str(unavailable), "keys_unavailable")
            return _undecided(unavailable, request)
        return await handler(request)

    return identify


def _bearer(request: web.Request) -> str:
    headers = request.headers.getall(hdrs.AUTHORIZATION, [])
    if not headers:
        raise TokenRefused("This needs a token: send 'Authorization: Bearer <token>'.", "missing")
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("The Authorization header must be one 'Bearer <token>'.", "malformed")
    return token.strip()


def _unauthorized(sentence: str, request: web.Request) -> web.Response:
    response = _refused(401, "unauthenticated", sentence, request)
    known = hdrs.AUTHORIZATION in request.headers
    # RFC 6750: no error code where the request bore no token at all.
    response.headers[hdrs.WWW_AUTHENTICATE] = (
        f'Bearer realm="crm-mcp", error="invalid_token", error_description="{sentence.replace(chr(34), chr(39))}"'
        if known
        else 'Bearer realm="crm-mcp"'
    )
    return response


def _undecided(unavailable: KeysUnavailable, request: web.Request) -> web.Response:
    response = _refused(503, "dependency_unavailable", str(unavailable), request)
    response.headers[hdrs.RETRY_AFTER] = str(unavailable.retry_after)
    return response


def _refused(status: int, code: str, sentence: str, request: web.Request) -> web.Response:
    """Return a refusal in the shape that the address speaks: clients of MCP show only errors of JSON-RPC."""
    if request.path != "/mcp":
        return error_response(status, code, sentence, request[REQUEST_ID])
    return json_response(error_message(None, status, sentence, {"code": code}), status)
