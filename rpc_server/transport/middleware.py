"""The HTTP ring: request id, the caller behind a token, and an answer to whatever goes wrong."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

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
from rpc_server.transport.request_ids import chosen_id
from rpc_server.transport.whole import SERVER_NAME, WholeResponse

REQUEST_ID = web.RequestKey("request_id", str)
CALLER = web.RequestKey("caller", Caller)
METADATA_PATH = "/.well-known/oauth-protected-resource"
METADATA_PATHS = frozenset({METADATA_PATH, f"{METADATA_PATH}/mcp"})
PUBLIC_PATHS = frozenset({"/health", "/ready", "/metrics"}) | METADATA_PATHS


# Something done to every response before it is sent.
Step: TypeAlias = Callable[[web.Request, web.StreamResponse], None]


def prepared(steps: Sequence[Step]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Make of all *steps* the one thing that `on_response_prepare` calls, for what is no WholeResponse."""

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        for step in steps:
            step(request, response)

    return prepare


# Answers a request that is not let in; None lets it pass.
Gate: TypeAlias = Callable[[web.Request], web.StreamResponse | None]


class UnderWay(Protocol):
    """Keeps the requests that are under way, so that somebody can wait for their end."""

    def begin(self, request: web.Request) -> None:
        """Add a request."""
        ...

    def end(self, request: web.Request) -> None:
        """Take it away again."""
        ...


def ring(
    *,
    gates: Sequence[Gate],
    identify: Callable[[web.Request], Awaitable[web.StreamResponse | None]],
    under_way: UnderWay,
    steps: Sequence[Step],
    report: Callable[[BaseException], str],
    tell: Callable[[web.Request, web.StreamResponse | None], None],
) -> Middleware:
    """Make what is around every request: a middleware, and only one, because each costs as much as all that is in it.

    A request gets an id, the caller's own if it is sane, and bears it in the answer. Then come the *gates*, and
    *identify*, which puts the caller into it or answers 401. What aiohttp refuses and what nobody foresaw (`report`
    logs it and returns the incident's id) is answered in JSON. *tell* hears of the answer, None where nobody waited.
    To a WholeResponse, *steps* are done here.
    """

    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        for gate in gates:
            refused = gate(request)
            if refused is not None:
                return refused
        under_way.begin(request)
        try:
            refused = await identify(request)
            return await handler(request) if refused is None else refused
        finally:
            under_way.end(request)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[REQUEST_ID] = chosen = chosen_id(request.headers.get("X-Request-Id"))
        response: web.StreamResponse | None = None
        with logged_with(request_id=chosen):
            try:
                response = await answered(request, handler)
            except web.HTTPException as error:
                if error.status < 400:
                    raise
                response = refusal(error.status, chosen)
                if hdrs.ALLOW in error.headers:
                    response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            except Exception as error:  # noqa: BLE001 - the last resort of every request
                response = error_response(500, "internal", "Internal error.", chosen, incident=report(error))
            finally:
                tell(request, response)
        if isinstance(response, WholeResponse):
            response.request_id = chosen
            for step in steps:
                step(request, response)
        elif not response.prepared:
            response.headers["X-Request-Id"] = chosen
            response.headers[hdrs.SERVER] = SERVER_NAME
        return response

    return answer


def authenticate(
    verifier: Verifier, refusals: Refusals
) -> Callable[[web.Request], Awaitable[web.StreamResponse | None]]:
    """Put the caller behind the bearer token into the request, or answer 401 with a sentence.

    503 where the keys to tell are out of reach: a 401 would make clients throw good tokens away.
    """

    async def identify(request: web.Request) -> web.StreamResponse | None:
        if request.path in PUBLIC_PATHS:
            return None
        try:
            request[CALLER] = await verifier.identify(bearer(request))
        except TokenRefused as refused:
            refusals.note(request, request[REQUEST_ID], str(refused), refused.fault)
            return _unauthorized(str(refused), request)
        except KeysUnavailable as unavailable:
            refusals.note(request, request[REQUEST_ID], str(unavailable), "keys_unavailable")
            return _undecided(unavailable, request)
        return None

    return identify


def bearer(request: web.Request) -> str:
    """Return the token that a request bears; raises TokenRefused."""
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
