"""What a container's health check runs: does the server in it say that it lives? The exit status tells.

It imports nothing of the server: it runs every few seconds, and the server takes a second to import.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

_SECONDS = 4


def is_alive(port: int) -> bool:
    """Ask /health of the server on *port* of this container."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_alive(int(os.environ.get("PORT") or 8081)))
