"""The plot of docs/performance.md, drawn from kept results: `python -m bench.plot calls`."""

from html import escape
from statistics import median
from typing import Annotated

import typer

from bench.calls import RESULTS
from bench.report import Results
from rpc_server.settings import ROOT

_LEFT, _WIDTH, _ROW = 270, 430, 22
_COLOURS = {"ours": "#1b6ca8", "floor": "#9aa5b1"}
_OTHERS = "#d98e04"


def drawn(results: Results, connections: int) -> str:
    """Return bars of the server's CPU time for each call, as SVG; one group for each question."""
    body, at = [], 24
    for days in dict.fromkeys(run.days for run in results.runs):
        names = dict.fromkeys(run.contender for run in results.runs if run.days == days)
        costs = {name: median(run.server_cpu for run in results.of(name, connections, days)) for name in names}
        body.append(_text(4, at, f"server CPU µs a call, {connections} clients, leads of {days} days", bold=True))
        most = max(costs.values())
        for name, cost in sorted(costs.items(), key=lambda pair: pair[1]):
            at += _ROW
            colour = next((colour for word, colour in _COLOURS.items() if name.startswith(word)), _OTHERS)
            length = max(1, round(_WIDTH * cost / most))
            body.append(_text(4, at, name))
            body.append(f'<rect x="{_LEFT}" y="{at - 12}" width="{length}" height="14" fill="{colour}"/>')
            body.append(_text(_LEFT + length + 6, at, f"{cost:.0f}"))
        at += 2 * _ROW
    size = f'width="{_LEFT + _WIDTH + 70}" height="{at}"'
    style = 'font-family="sans-serif" font-size="12"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', *body, "</svg>", ""])


def _text(x: int, y: int, words: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="#222"{weight}>{escape(words)}</text>'


def main(name: Annotated[str, typer.Argument(help="The results' name under bench/results.")] = "calls") -> None:
    """Draw docs/performance.svg."""
    results = Results.model_validate_json((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    (ROOT / "docs" / "performance.svg").write_text(drawn(results, 32), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
