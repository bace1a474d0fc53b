"""Runs told: medians by contender, and the ratios that the server is held to."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from pydantic import BaseModel

from bench.arena import Run


class Results(BaseModel):
    """All that was measured in one go."""

    runs: list[Run]
    cold_starts: dict[str, list[float]]
    megabytes: dict[str, float]
    versions: dict[str, str]
    machine: dict[str, str]

    def of(self, contender: str, connections: int, days: int | None = None) -> list[Run]:
        """Return the runs of a contender."""
        return [
            run
            for run in self.runs
            if run.contender == contender and run.connections == connections and days in (None, run.days)
        ]


def told(results: Results) -> str:
    """Return tables of medians, and the ratios."""
    days = list(dict.fromkeys(run.days for run in results.runs))
    lines = []
    for connections in dict.fromkeys(run.connections for run in results.runs):
        for number in days:
            lines += _table(results, connections, number)
    lines += ["", "| server | cold start s | memory MB |", "|---|---|---|"]
    for name, size in results.megabytes.items():
        starts = results.cold_starts.get(name)
        lines.append(f"| {name} | {f'{median(starts):.2f}' if starts else '–'} | {size:.0f} |")
    return "\n".join([*lines, "", *_ratios(results)])


def _table(results: Results, connections: int, days: int) -> list[str]:
    lines = [
        f"\n{connections} clients, leads of {days} days\n",
        "| contender | calls/s | p50 ms | p99 ms | server CPU µs | database CPU µs | others |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(run.contender for run in results.runs):
        runs = results.of(name, connections, days)
        if runs:
            rates = [run.calls_per_second for run in runs]
            lines.append(
                f"| {name} | {median(rates):.0f} [{min(rates):.0f}–{max(rates):.0f}] | {_mid(runs, 'p50'):.2f} "
                f"| {_mid(runs, 'p99'):.2f} | {_mid(runs, 'server_cpu'):.0f} "
                f"({min(run.server_cpu for run in runs):.0f}) | {_mid(runs, 'database_cpu'):.0f} "
                f"| {_mid(runs, 'others'):.0%} |"
            )
    return lines if len(lines) > 3 else []


def _mid(runs: Iterable[Run], figure: str) -> float:
    return float(median(getattr(run, figure) for run in runs))


@dataclass(frozen=True, slots=True)
class Promise:
    """A ratio of two contenders' medians, and what it must be."""

    of: str
    to: str
    figure: str
    bound: float
    connections: int = 32
    is_least: bool = True

    def told(self, results: Results, days: int) -> str | None:
        """Return a line of the table; None where one of the two was not measured."""
        ones = results.of(self.of, self.connections, days)
        others = results.of(self.to, self.connections, days)
        if not ones or not others:
            return None
        ratio = _mid(ones, self.figure) / _mid(others, self.figure)
        holds = ratio >= self.bound if self.is_least else ratio <= self.bound
        what = f"{self.of}, {days} days, {self.connections} clients: {_MEANT[self.figure]} of {self.to}'s"
        return _line(f"{what} {'≥' if self.is_least else '≤'} {self.bound:g}", f"{ratio:.2f}", holds)


_MEANT = {"calls_per_second": "calls/s", "server_cpu": "CPU", "p99": "p99"}
_UNCACHED, _CACHED, _REDIS = (f"{server}: /mcp 2026-07-28" for server in ("ours", "ours, cache", "ours, Redis"))
_ISOLATED, _ALONE = "floor: our statements, isolated", "floor: handler alone"
_MOST_OVER_FLOOR = 120.0
_MOST_MEGABYTES = 90.0
PROMISES = (
    Promise(_UNCACHED, "Toolbox", "calls_per_second", 1),
    Promise(_UNCACHED, "Toolbox", "server_cpu", 1, is_least=False),
    Promise(_UNCACHED, "Toolbox", "p99", 1, connections=256, is_least=False),
    Promise(_UNCACHED, "Python SDK", "calls_per_second", 4),
    Promise(_UNCACHED, "FastMCP", "calls_per_second", 6),
    Promise(_CACHED, _ALONE, "server_cpu", 1.6, is_least=False),
    Promise(_REDIS, _ALONE, "server_cpu", 5, is_least=False),
    Promise(_CACHED, "Toolbox", "calls_per_second", 2),
    Promise(_CACHED, "Python SDK", "calls_per_second", 8),
    Promise(_CACHED, "FastMCP", "calls_per_second", 12),
    # Harder than what was promised: beside peers that remember answers too.
    Promise(_CACHED, "Python SDK, dict", "calls_per_second", 8),
    Promise(_CACHED, "FastMCP, dict", "calls_per_second", 12),
)


def _ratios(results: Results) -> list[str]:
    """Return what was promised, each with what came of it."""
    lines = ["| promised | measured | |", "|---|---|---|"]
    for days in dict.fromkeys(run.days for run in results.runs):
        lines += [line for promise in PROMISES if (line := promise.told(results, days))]
        ours, floor = results.of(_UNCACHED, 32, days), results.of(_ISOLATED, 32, days)
        if ours and floor:
            more = _mid(ours, "server_cpu") - _mid(floor, "server_cpu")
            what = f"{_UNCACHED}, {days} days: CPU over the floor ≤ {_MOST_OVER_FLOOR:g} µs"
            lines.append(_line(what, f"{more:.0f}", more <= _MOST_OVER_FLOOR))
    starts = {name: median(times) for name, times in results.cold_starts.items() if times}
    if {"ours", "Python SDK"} <= starts.keys():
        ratio = starts["ours"] / starts["Python SDK"]
        lines.append(_line("cold start of Python SDK's < 1", f"{ratio:.2f}", ratio < 1))
    if size := results.megabytes.get("ours"):
        lines.append(_line(f"memory under load < {_MOST_MEGABYTES:g} MB", f"{size:.0f}", size < _MOST_MEGABYTES))
    return lines


def _line(what: str, measured: str, holds: bool) -> str:
    return f"| {what} | {measured} | {'yes' if holds else 'NO'} |"
