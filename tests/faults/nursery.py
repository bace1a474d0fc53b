"""Forks servers: each is `python -m rpc_server serve` after its imports, which take a second of their own.

For each line on standard input, the path of a file for the output, it forks one and prints its pid.
At the end of the input it takes its servers along.
"""

import os
import signal
import sys
import threading

from rpc_server.__main__ import app


def main() -> None:
    """Fork until the input ends; this process must lead a group of its own."""
    assert threading.active_count() == 1
    for line in sys.stdin:
        _reap()
        pid = os.fork()
        if pid == 0:
            _become_server(line.strip())
        print(pid, flush=True)
    os.killpg(0, signal.SIGKILL)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _become_server(output: str) -> None:
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY | os.O_CREAT)):
        os.dup2(os.open(path, flags), descriptor)
    os.dup2(1, 2)
    app(["serve"])


if __name__ == "__main__":
    main()
