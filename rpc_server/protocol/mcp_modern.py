"""MCP 2026-07-28: each request says all about itself, and is judged rung by rung before it is a call.

https://modelcontextprotocol.io/specification/2026-07-28/basic
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from rpc_server.protocol import mcp_headers as headers_of
from rpc_server.protocol.errors import UNSUPPORTED_VERSION, Refusal, invalid_params, no_such_method
from rpc_server.protocol.jsonrpc import INVALID_REQUEST, Fault, Parsed, Request
from rpc_server.protocol.mcp_headers import Headers, MirroredArgument, mismatch, single
from rpc_server.protocol.mcp_message import fields_of, meta_of, only_page, progress_token, tool_call
from rpc_server.protocol.server_info import LOG_LEVELS, ServerInfo
from rpc_server.protocol.versions import SUPPORTED, V2026_07_28, VERSIONS

_PREFIX: Final = "io.modelcontextprotocol/"
PROTOCOL_VERSION: Final = f"{_PREFIX}protocolVersion"
CLIENT_CAPABILITIES: Final = f"{_PREFIX}clientCapabilities"
CLIENT_INFO: Final = f"{_PREFIX}clientInfo"
LOG_LEVEL: Final = f"{_PREFIX}logLevel"
SERVER_INFO: Final = f"{_PREFIX}serverInfo"

# What Mcp-Name repeats, for each method that has a name in its params.
_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_VERSION_SOURCE: Final = f'params._meta["{PROTOCOL_VERSION}"]'
_ROUTING: Final = (headers_of.VERSION, headers_of.METHOD, headers_of.NAME)

# A list changes with the server or with the caller's token, and both are seldom.
_LIST_MILLISECONDS: Final = 300_000
_DISCOVERY_MILLISECONDS: Final = 3_600_000


class Envelope(NamedTuple):
    """What a judged request says about itself."""

    params: dict[str, Any]
    progress_token: str | int | None
    log_level: str | None
    capabilities: dict[str, Any]


def is_meant(headers: Headers, parsed: Parsed) -> bool:
    """Tell whether a body is of this version: by its header, else by what the request says of itself.

    So is one that names a version nobody knows, for here is the answer that says which ones there are.
    """
    named = headers.getall(headers_of.VERSION, [])
    if len(named) == 1 and (version := VERSIONS.get(named[0])):
        return version.is_stateless
    if named:
        return any(value not in VERSIONS or VERSIONS[value].is_stateless for value in named)
    return any(isinstance(member, Request) and _is_self_contained(member) for member in parsed.members)


def _is_self_contained(request: Request) -> bool:
    meta = request.params.get("_meta") if isinstance(request.params, dict) else None
    return request.method == "server/discover" or (isinstance(meta, dict) and PROTOCOL_VERSION in meta)


def single_request(parsed: Parsed) -> Request:
    """Return the one request or notification of a body; raises Refusal for a batch and for what is none.

    What the Refusal cannot say is the id of a request that is malformed, so a Fault's goes with it.
    """
    if parsed.is_batch:
        raise Refusal(INVALID_REQUEST, "This version has no batches: send each request by itself.")
    member = parsed.members[0]
    if isinstance(member, Fault):
        raise Refusal(member.code, member.message, member.data)
    return member


def judge_notification(headers: Headers) -> None:
    """Refuse a notification of a version that is not served."""
    _served(single(headers, headers_of.VERSION) or "")


def judge(
    headers: Headers,
    request: Request,
    *,
    methods: Sequence[str],
    mirrored: Mapping[str, Sequence[MirroredArgument]],
) -> Envelope:
    """Return what *request* says of itself, or raise the Refusal of the first rung that it fails.

    The order is fixed: repeated headers, envelope, headers against the body, version, headers of
    arguments, method, params. *mirrored* has the arguments of each tool that stand in headers too.
    """
    version_sent, method_sent, name_sent = (single(headers, name) for name in _ROUTING)
    params = fields_of(request)
    meta = meta_of(params)
    version = _check_envelope(meta)
    _check_repeated(headers_of.VERSION, version_sent, _VERSION_SOURCE, version)
    _check_repeated(headers_of.METHOD, method_sent, "method", request.method)
    if (named := _NAMED.get(request.method)) and isinstance(params.get(named), str):
        headers_of.check_name(name_sent, f"params.{named}", params[named])
    _served(version)
    if request.method == "tools/call":
        tool = params.get("name")
        headers_of.check_arguments(
            headers, mirrored.get(tool, ()) if isinstance(tool, str) else (), params.get("arguments")
        )
    if request.method not in methods:
        raise no_such_method(request.method, sorted(methods))
    _check_params(request.method, params)
    return Envelope(params, progress_token(meta), _log_level(meta), meta[CLIENT_CAPABILITIES])


def _check_envelope(meta: dict[str, Any]) -> str:
    version = meta.get(PROTOCOL_VERSION)
    if not isinstance(version, str):
        raise invalid_params(f'params._meta must say "{PROTOCOL_VERSION}", a string such as {V2026_07_28.name}.')
    if not isinstance(meta.get(CLIENT_CAPABILITIES), dict):
        raise invalid_params(f'params._meta must say "{CLIENT_CAPABILITIES}", an object; it may be empty.')
    if not isinstance(meta.get(CLIENT_INFO, {}), dict):
        raise invalid_params(f'params._meta["{CLIENT_INFO}"] must be an object.')
    return version


def _check_repeated(name: str, value: str | None, source: str, expected: str) -> None:
    """Refuse a header that does not say what the body has at *source*."""
    if value is None:
        raise mismatch(f"The header {name} is missing; it repeats {source}.")
    if value != expected:
        raise mismatch(f"The header {name} does not match {source} in the body.")


def _served(version: str) -> None:
    if version in VERSIONS and VERSIONS[version].is_stateless:
        return
    # From a header it may have bytes that are no text.
    requested = version[:100].encode(errors="replace").decode()
    raise Refusal(
        UNSUPPORTED_VERSION,
        f"This version of the protocol is not served; data names those that are. {V2026_07_28.name} needs no "
        "handshake, the others begin with initialize.",
        {"supported": SUPPORTED, "requested": requested},
    )


def _check_params(method: str, params: dict[str, Any]) -> None:
    if method == "tools/call":
        tool_call(params)
    elif method.endswith("/list"):
        only_page(params)


def _log_level(meta: dict[str, Any]) -> str | None:
    level = meta.get(LOG_LEVEL)
    if level is not None and level not in LOG_LEVELS:
        raise invalid_params(f'params._meta["{LOG_LEVEL}"] must be one of {", ".join(LOG_LEVELS)}.')
    return level


def completed(info: ServerInfo, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return *result* as a whole one of this version, signed by the server."""
    meta = {**result.get("_meta", {}), SERVER_INFO: info.implementation}
    return {**result, "resultType": "complete", "_meta": meta}


def discovery(info: ServerInfo) -> dict[str, Any]:
    """Return the result of `server/discover`."""
    found = {
        "supportedVersions": SUPPORTED,
        "capabilities": info.capabilities,
        "ttlMs": _DISCOVERY_MILLISECONDS,
        "cacheScope": "private",
        **({"instructions": info.instructions} if info.instructions else {}),
    }
    return completed(info, found)


def listing(info: ServerInfo, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a list; private, because it depends on what the caller's token grants."""
    return completed(info, {**content, "ttlMs": _LIST_MILLISECONDS, "cacheScope": "private"})
