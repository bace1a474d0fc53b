"""HTTP to one server as one caller: every answer bounded, every failure an `MCPError`."""

from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mcp_client.answers import error_of_answer, parsed
from mcp_client.errors import AnswerTooLarge, ConnectionFailed, ProtocolError
from mcp_client.version import USER_AGENT

# Short beside a call's own time, so that an address that swallows packets can be tried again.
_CONNECT_SECONDS = 10.0


class Connection:
    """Sends requests; how long an answer may take is the caller's concern, but for *stall* between two pieces."""

    def __init__(self, base_url: str, auth_token: str, max_answer_bytes: int) -> None:
        self.base_url = _address(base_url)
        self.max_answer_bytes = max_answer_bytes
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {_token(auth_token)}", "User-Agent": USER_AGENT},
            # To follow would show the token to another address.
            follow_redirects=False,
        )

    async def ask(self, method: str, path: str, request_id: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that is answered; raises MCPError."""
        response = await self.open(method, path, request_id, body)
        async with aclosing(response):
            content = await self._content(response, request_id)
        return parsed(content, answered_id(response, request_id))

    async def open(
        self,
        method: str,
        path: str,
        request_id: str,
        body: Mapping[str, Any] | None = None,
        *,
        stall: float | None = None,
        headers: Mapping[bytes, bytes] | None = None,
    ) -> httpx2.Response:
        """Return the answer once its head is there, to be read and closed; raises MCPError unless it is 200."""
        request = self._http.build_request(
            method,
            f"{self.base_url}{path}",
            json=body,
            headers={b"X-Request-Id": request_id.encode(), **(headers or {})},
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS, read=stall),
        )
        with self.failures(request_id):
            response = await self._http.send(request, stream=True)
        if response.status_code != 200:
            async with aclosing(response):
                content = await self._content(response, request_id)
            raise error_of_answer(response.status_code, response.headers, content, answered_id(response, request_id))
        return response

    @contextmanager
    def failures(self, request_id: str) -> Iterator[None]:
        """Raise what the HTTP library raises as an MCPError."""
        try:
            yield
        except httpx2.SSEError as error:
            # The stream's type was looked at before: what is left is an event beyond the bound.
            raise self._too_large(request_id) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            reason = str(error) or "it did not answer in time"
            raise ConnectionFailed(f"No connection to {self.base_url}: {reason}.", request_id=request_id) from error
        except httpx2.ReadTimeout as error:
            raise ConnectionFailed(
                f"{self.base_url} fell silent: not even a sign of life arrived.", request_id=request_id
            ) from error
        except httpx2.TransportError as error:
            raise ConnectionFailed(
                f"The connection to {self.base_url} broke off, or what answers there is no HTTP server.",
                request_id=request_id,
            ) from error
        except httpx2.DecodingError as error:
            raise ProtocolError("The answer could not be unpacked.", request_id=request_id) from error

    async def _content(self, response: httpx2.Response, request_id: str) -> bytes:
        content = bytearray()
        with self.failures(request_id):
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > self.max_answer_bytes:
                    raise self._too_large(answered_id(response, request_id))
        return bytes(content)

    def _too_large(self, request_id: str) -> AnswerTooLarge:
        return AnswerTooLarge(
            f"The answer is larger than max_answer_bytes, which is {self.max_answer_bytes}.", request_id=request_id
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._http.aclose()


def answered_id(response: httpx2.Response, request_id: str) -> str:
    """Return the id under which the server knows the request: ours, if it took it."""
    return response.headers.get("X-Request-Id", request_id)[:128]


def _address(url: str) -> str:
    """Return *url* without a slash at its end; raises ValueError where it is no server's address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("The server's address must begin with http:// or https:// and name a host.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("The server's address must be without user, query and fragment; the token is auth_token.")
    return url.rstrip("/")


def _token(token: str) -> str:
    """Return *token* as it may stand in a header; the error does not quote it."""
    stripped = token.strip()  # as a file or a shell gives it, with its end of line
    if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise ValueError("auth_token must be the token alone: not empty, ASCII, without blanks.")
    return stripped
