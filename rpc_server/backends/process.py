"""What the system says of this process: its age, its memory, its files."""

import os
import resource
import time
from pathlib import Path

from rpc_server.backends.metrics import Metrics
from rpc_server.calls.measures import (
    PROCESS_CPU,
    PROCESS_FILES,
    PROCESS_FILES_MAX,
    PROCESS_MEMORY,
    PROCESS_STARTED,
    UPTIME,
)

_PROC = Path("/proc")
_PAGE = resource.getpagesize()


def read_process(metrics: Metrics) -> None:
    """Have the process's figures read at each scrape; where there is no /proc (macOS), fewer of them."""
    began = time.monotonic()
    metrics.read(UPTIME, lambda: time.monotonic() - began)
    metrics.read(PROCESS_CPU, time.process_time)
    metrics.read(PROCESS_FILES_MAX, lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if (_PROC / "self" / "statm").exists():
        started = _started()
        metrics.read(PROCESS_STARTED, lambda: started)
        metrics.read(PROCESS_MEMORY, lambda: int((_PROC / "self" / "statm").read_text().split()[1]) * _PAGE)
        metrics.read(PROCESS_FILES, lambda: len(os.listdir(_PROC / "self" / "fd")))


def _started() -> float:
    """Return when the process began: field 22 of its stat, in ticks since the machine did."""
    ticks = int((_PROC / "self" / "stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age
