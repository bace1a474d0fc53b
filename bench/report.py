"""Runs told: medians by contender, and the ratios that the server is held to."""

from collections.abc import Callable, Iterable
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
    return median(getattr(run, figure) for run in runs)


def _ratios(results: Results) -> list[str]:
    """Return the lines that were promised, each with what came of it."""
    lines = ["| promised | measured | |", "|---|---|---|"]
    modern, cached = "ours: /mcp 2026-07-28", "ours, cache: /mcp 2026-07-28"
    floor, isolated = "floor: handler alone", "floor: our statements, isolated"
    rate, cpu, p99 = "calls_per_second", "server_cpu", "p99"

    def told_ratio(
        what: str, of: str, to: str, figure: str, at: int, holds: Callable[[float], bool], days: int
    ) -> None:
        ratio = _ratio(results, of, to, figure, at, days)
        if ratio is not None:
            lines.append(f"| {what} | {ratio:.2f} | {'yes' if holds(ratio) else 'NO'} |")

    for days in dict.fromkeys(run.days for run in results.runs):
        of_days = f"uncached, {days} days"
        told_ratio(f"{of_days}: calls/s at 32, of Toolbox's ≥ 1", modern, "Toolbox", rate, 32, lambda x: x >= 1, days)
        told_ratio(f"{of_days}: CPU, of Toolbox's ≤ 1", modern, "Toolbox", cpu, 32, lambda x: x <= 1, days)
        told_ratio(f"{of_days}: p99 at 256, of Toolbox's ≤ 1", modern, "Toolbox", p99, 256, lambda x: x <= 1, days)
        for peer, factor in (("Python SDK", 4), ("FastMCP", 6)):
            told_ratio(f"{of_days}: calls/s, of {peer}'s ≥ {factor}", modern, peer, rate, 32, factor.__le__, days)
        told_ratio(f"{of_days}: CPU, of Python SDK's", modern, "Python SDK", cpu, 32, lambda x: x <= 0.25, days)
        of, to = _runs(results, modern, 32, days), _runs(results, isolated, 32, days)
        if of and to:
            more = _mid(of, cpu) - _mid(to, cpu)
            lines.append(f"| {of_days}: µs more than the floor ≤ 120 | {more:.0f} | {'yes' if more <= 120 else 'NO'} |")
    first = results.runs[0].days
    told_ratio("cached: CPU, of the handler's alone ≤ 1.6", cached, floor, cpu, 32, lambda x: x <= 1.6, first)
    redis = "ours, Redis: /mcp 2026-07-28"
    told_ratio("cached in Redis: CPU, of the handler's alone ≤ 5", redis, floor, cpu, 32, lambda x: x <= 5, first)
    told_ratio("cached: calls/s, of Toolbox's ≥ 2", cached, "Toolbox", rate, 32, lambda x: x >= 2, first)
    for peer, factor in (("Python SDK", 8), ("FastMCP", 12)):
        told_ratio(f"cached: calls/s, of {peer}'s ≥ {factor}", cached, peer, rate, 32, factor.__le__, first)
        remembered = f"{peer}, dict"
        told_ratio(f"cached: calls/s, of {remembered}'s ≥ {factor}", cached, remembered, rate, 32, factor.__le__, first)
    starts = {name: median(times) for name, times in results.cold_starts.items() if times}
    if {"ours", "Python SDK"} <= starts.keys():
        ratio = starts["ours"] / starts["Python SDK"]
        lines.append(f"| cold start, of the Python SDK's < 1 | {ratio:.2f} | {'yes' if ratio < 1 else 'NO'} |")
    size = results.megabytes.get("ours")
    if size:
        lines.append(f"| memory under load < 90 MB | {size:.0f} | {'yes' if size < 90 else 'NO'} |")
    return lines


def _runs(results: Results, contender: str, connections: int, days: int) -> list[Run]:
    return results.of(contender, connections, days)


def _ratio(results: Results, of: str, to: str, figure: str, connections: int, days: int) -> float | None:
    """Return how many times the one's median is the other's; None where one was not measured."""
    ones, others = _runs(results, of, connections, days), _runs(results, to, connections, days)
    return _mid(ones, figure) / _mid(others, figure) if ones and others else None
