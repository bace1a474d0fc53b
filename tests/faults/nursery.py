"""Forks servers: each is `python -m rpc_server serve` after its imports, which take a second of their own.

Each line on standard input is a JSON object: the environment of one server and the file for its output
(and one for the names of its tasks, told at SIGUSR1), answered by its pid; or a pid to wait for,
answered by its exit status. At the end of the input the nursery takes its servers along.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rpc_server.__main__ import app
from rpc_server.settings import ROOT


class Nursery:
    """The process that forks, seen from the tests."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def fork(self, output: Path, environment: dict[str, str], *, tasks: Path | None = None) -> int:
        """Start a server with nothing but *environment*, and return its pid; it waits for nobody to reap it."""
        output.touch()
        return self._asked(
            {"output": str(output), "environment": environment, "tasks": None if tasks is None else str(tasks)}
        )

    def status(self, pid: int) -> int:
        """Wait until a server has ended, and return its exit status, or the negative number of a signal."""
        return self._asked({"wait": pid})

    def _asked(self, question: dict[str, Any]) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


@contextmanager
def open_nursery() -> Iterator[Nursery]:
    """Give a nursery; none of its servers outlives the block, nor this process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.nursery"],
        cwd=ROOT,
        env={"PATH": os.defpath},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Nursery(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def main() -> None:
    """Fork until the input ends; this process must lead a group of its own."""
    assert threading.active_count() == 1
    ended: dict[int, int] = {}
    for line in sys.stdin:
        question = json.loads(line)
        _reap(ended)
        if "wait" in question:
            print(_status(question["wait"], ended), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _become_server(**question)
        print(pid, flush=True)
    os.killpg(0, signal.SIGKILL)


def _reap(ended: dict[int, int]) -> None:
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    except ChildProcessError:
        return


def _status(pid: int, ended: dict[int, int]) -> int:
    if pid in ended:
        return ended.pop(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become_server(output: str, environment: dict[str, str], tasks: str | None) -> None:
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY)):
        os.dup2(os.open(path, flags), descriptor)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(environment)
    if tasks is not None:
        signal.signal(signal.SIGUSR1, lambda *_: _tell_tasks(Path(tasks)))
    app(["serve"])


def _tell_tasks(path: Path) -> None:
    path.write_text(json.dumps(sorted(task.get_name() for task in asyncio.all_tasks())) + "\n")


if __name__ == "__main__":
    main()
