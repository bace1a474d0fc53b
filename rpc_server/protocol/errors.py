"""What the Model Context Protocol refuses, and with which JSON-RPC code and HTTP status."""

from typing import Final

from rpc_server.protocol.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND

HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
# Outside the range that JSON-RPC reserves. Each of them comes with an HTTP status of its own, or with a reason.
NOT_GRANTED: Final = 403
REQUEST_CANCELLED: Final = -32800

# On the stateless wire an error has the HTTP status of its kind; with sessions, what a method says is a 200.
STATUS: Final = {
    METHOD_NOT_FOUND: 404,
    INVALID_PARAMS: 400,
    INVALID_REQUEST: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    NOT_GRANTED: 403,
}


class Refusal(Exception):
    """A message is refused; what it bears goes to its sender as it is. *status* is of HTTP."""

    def __init__(self, code: int, message: str, data: object = None, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status


def invalid_params(message: str, data: object = None) -> Refusal:
    """Return the refusal of params that do not fit their method."""
    return Refusal(INVALID_PARAMS, message, data)


def no_such_method(name: str, known: list[str]) -> Refusal:
    """Return the refusal of a method that is not there."""
    sentence = f'There is no method "{name}"; the methods are listed in data.'
    return Refusal(METHOD_NOT_FOUND, sentence, {"methods": known}, status=404)
