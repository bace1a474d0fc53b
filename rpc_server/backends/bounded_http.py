"""HTTP answers of a bounded size, for a client library that reads whatever it is sent."""

import aiohttp

MOST_BYTES = 4 * 1024 * 1024


class AnswerTooLarge(aiohttp.ClientError):
    """The other side sent more than any honest answer has."""


class BoundedResponse(aiohttp.ClientResponse):
    """A response whose body is read up to MOST_BYTES, unpacked; one that is larger is cut off and refused."""

    async def read(self) -> bytes:
        """Return the body, or raise AnswerTooLarge and hang up."""
        if self._body is None:
            body = bytearray()
            try:
                async for chunk in self.content.iter_any():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise AnswerTooLarge
            except BaseException:
                self.close()
                raise
            self._body = bytes(body)
        return self._body


def bounded_session(*, connections: int) -> aiohttp.ClientSession:
    """Return a session of at most so many *connections* (0: any number), which uses the environment's proxies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections), response_class=BoundedResponse, trust_env=True
    )
