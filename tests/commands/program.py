"""Ways to run `python -m rpc_server`: in this process where that is enough, else as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
from typer.testing import CliRunner

from rpc_server.__main__ import app
from rpc_server.settings import ROOT, Settings


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    status: int
    out: str
    err: str

    def refused(self, *fragments: str) -> str:
        """Check that the command failed with a sentence that has all *fragments*, and return the sentence."""
        assert self.status == 1, (self.out, self.err)
        assert "Traceback" not in self.err
        assert self.err.rstrip().endswith((".", "'")), self.err
        for fragment in fragments:
            assert fragment in self.err, self.err
        return self.err


def command(*arguments: str, **environment: str) -> Said:
    """Run a command in this process, with nothing of its environment but *environment*."""
    unset: dict[str, str | None] = {name.upper(): None for name in Settings.model_fields}
    wide = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    with _logs_as_they_were():
        result = CliRunner().invoke(app, arguments, env={**unset, **wide, **environment})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


@contextmanager
def _logs_as_they_were() -> Iterator[None]:
    """Undo what `serve` configures: it logs to a standard error that ends with the command."""
    before = structlog.get_config() if structlog.is_configured() else None
    try:
        yield
    finally:
        structlog.reset_defaults()
        if before is not None:
            structlog.configure(**before)


class Program:
    """`python -m rpc_server …` as a job of its own, the way a terminal runs it; its output goes to a file."""

    def __init__(self, output: Path, *arguments: str, **environment: str) -> None:
        self._output = output
        self._begun = time.monotonic()
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rpc_server", *arguments],
                cwd=ROOT,
                env={"PATH": os.defpath, "HOME": str(output.parent), "TMPDIR": "/tmp", **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        """Return all that it has printed so far."""
        return self._output.read_text()

    def until_it_says(self, text: str, seconds: float = 60) -> float:
        """Wait for *text* in the output and return the seconds since the start."""
        deadline = time.monotonic() + seconds
        while text not in self.said():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.01)
        return time.monotonic() - self._begun

    def children(self) -> list[int]:
        """Return the processes that it has started and that run."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in listed.splitlines()]
        return [int(pid) for pid, parent in pairs if int(parent) == self.pid]

    def interrupt(self) -> None:
        """Do what Ctrl-C does: a signal to every process of the job."""
        os.killpg(self.pid, signal.SIGINT)

    def terminate(self) -> None:
        """Do what a supervisor does: SIGTERM to the process alone."""
        self._process.terminate()

    def status(self, seconds: float = 60) -> int:
        """Wait for the end and return the exit status."""
        return self._process.wait(seconds)

    def ended(self) -> Said:
        """Wait for the end and return it; its standard error is part of its output."""
        status = self.status()
        return Said(status, self.said(), self.said())

    def kill(self) -> None:
        """End it for good, if it runs."""
        self._process.kill()
        self._process.wait()


@contextmanager
def running(output: Path, *arguments: str, **environment: str) -> Iterator[Program]:
    """Run a command as a process of its own; it does not outlive the block."""
    program = Program(output, *arguments, **environment)
    try:
        yield program
    finally:
        program.kill()


def is_running(pid: int) -> bool:
    """Tell whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def pasted(line: str) -> Any:
    """Run a line in a shell exactly as printed, and return the JSON that it prints."""
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30, check=True)
    assert not done.stderr
    return orjson.loads(done.stdout)
