"""What a client expects of the server besides an answer (the header Expect)."""

from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDictProxy

MakeRequest = Callable[..., web.BaseRequest]


def without_odd_expectations(make: MakeRequest) -> MakeRequest:
    """Pass over any Expect but 100-continue, as RFC 9110 allows: aiohttp quotes it, and fails where it is no text."""

    def make_request(message: RawRequestMessage, *arguments: Any) -> web.BaseRequest:
        if hdrs.EXPECT in message.headers and message.headers[hdrs.EXPECT].lower() != "100-continue":
            headers = message.headers.copy()
            del headers[hdrs.EXPECT]
            # Not Request.clone: it fails where any header is no text.
            message = message._replace(headers=CIMultiDictProxy(headers))
        return make(message, *arguments)

    return make_request
