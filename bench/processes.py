"""What processes cost, read from /proc (Linux): CPU time, memory, and what everybody else has used meanwhile."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def family(*roots: int) -> set[int]:
    """Return processes with all that descend from them."""
    parents = {pid: stat[1] for pid in _pids() if (stat := _stat(pid))}
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if int(parent) in found and pid not in found}:
        found |= more
    return found


def cpu_seconds(processes: Iterable[int]) -> float:
    """Return the CPU time of processes, with that of their children that have ended."""
    stats = [_stat(pid) for pid in processes]
    return sum(sum(map(int, stat[11:15])) for stat in stats if stat) / _TICKS


def busy_seconds() -> float:
    """Return the CPU time that was not idle, of all processors, since the machine started."""
    user, nice, system, _idle, _waiting, irq, soft_irq, steal = map(
        int, (_PROC / "stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + soft_irq + steal) / _TICKS


def megabytes(processes: Iterable[int]) -> float:
    """Return the memory of processes; what they share counts once (PSS)."""
    return sum(_kilobytes(pid) for pid in processes) / 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time so far: of a server, of its database and of the whole machine."""

    server: float
    database: float
    machine: float

    @classmethod
    def now(cls, server: int, database: int) -> "Usage":
        """Read it."""
        return cls(cpu_seconds(family(server)), cpu_seconds(family(database)), busy_seconds())

    def since(self, before: "Usage") -> "Usage":
        """Return what was used between two readings."""
        return Usage(
            self.server - before.server,
            self.database - before.database,
            self.machine - before.machine,
        )

    def others(self, seconds: float, load: float) -> float:
        """Return the share of the machine that was used for something else, where the load took so much."""
        foreign = self.machine - self.server - self.database - load
        return max(0.0, foreign / (seconds * (os.cpu_count() or 1)))


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]


def _stat(pid: int) -> list[str] | None:
    """Return the fields behind the program's name, the first of which is the state."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _kilobytes(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0
