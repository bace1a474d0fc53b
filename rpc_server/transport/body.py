"""Reading a request's body: bounded in size and in time."""

import asyncio

from aiohttp import hdrs, web

from rpc_server.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
# Where somebody has taken the body off the connection already.
BODY = web.RequestKey("body", bytes)
# What aiohttp unpacks by itself, bounded by the same size.
_ENCODINGS = frozenset({"identity", "gzip", "deflate"})


async def read_body(request: web.Request) -> bytes:
    """Return the body, whatever its Content-Type: what counts is that it is JSON.

    413 where it is too large (unpacked), 408 where it does not arrive in time, 415 where it is packed
    in an unknown way, 400 where it breaks off or cannot be unpacked.
    """
    encoding, settings = request.headers.get(hdrs.CONTENT_ENCODING), request.app[SETTINGS]
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise web.HTTPUnsupportedMediaType
    try:
        if BODY in request or (encoding is None and request.content.is_eof()):  # there is nothing to wait for
            body = request[BODY] if BODY in request else request.content.read_nowait()
            if len(body) > settings.max_body_bytes:
                raise web.HTTPRequestEntityTooLarge(settings.max_body_bytes)
            return body
        async with asyncio.timeout(settings.body_seconds):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):
        raise web.HTTPBadRequest from None
