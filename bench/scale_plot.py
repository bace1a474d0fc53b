"""The plot of docs/scale.svg, drawn from all kept results of bench.scale: `python -m bench.scale_plot`."""

import math
from html import escape

from bench.scale import RESULTS, Results
from bench.scale_stand import Size
from rpc_server.settings import ROOT

_TOOLS = {
    "get_leads_count": "#1b6ca8",
    "get_agent_conversion_stats": "#d98e04",
    "get_top_performing_agent response_time": "#2a9d5c",
    "compare_agents": "#b5446e",
}
_SPANS = ("month", "year")
_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 400, 260, 52, 26
_LEAST, _MOST = 1.0, 100_000.0
# A point: the contacts of one tenant, and p95 in milliseconds of an answer about it.
_Point = tuple[int, float]


def drawn(found: list[Results]) -> str:
    """Return a panel for each span: p95 of whole calls over the contacts of the tenant asked about, as logarithms."""
    body = [
        _text(12 + 235 * number, 16, tool.removeprefix("get_"), colour)
        for number, (tool, colour) in enumerate(_TOOLS.items())
    ]
    points = {(tool, span): _points(found, tool, span) for tool in _TOOLS for span in _SPANS}
    sizes = sorted({size for each in points.values() for size, _ in each})
    for number, span in enumerate(_SPANS):
        left, top = _MARGIN + number * (_WIDTH + _MARGIN), _LEGEND + _MARGIN
        body.append(f'<rect x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>')
        body.append(_text(left, top - 8, f"a {span}: p95 in ms, over the contacts of the tenant"))
        for power in range(6):
            y = _y(10.0**power, top)
            body.append(f'<line x1="{left}" x2="{left + _WIDTH}" y1="{y}" y2="{y}" stroke="#eee"/>')
            body.append(_text(left - 46, y + 4, f"{10**power:,}"))
        body += [
            _text(_x(10**power, sizes, left) - 20, top + _HEIGHT + 18, f"{10**power:,}")
            for power in range(4, 7)
            if 10**power <= sizes[-1]
        ]
        body += [_line(points[tool, span], sizes, left, top, colour) for tool, colour in _TOOLS.items()]
    width, height = 2 * (_WIDTH + _MARGIN) + _MARGIN, _LEGEND + _MARGIN + _HEIGHT + 40
    style = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>'
    return "\n".join([head, *body, "</svg>", ""])


def _points(found: list[Results], tool: str, span: str) -> list[_Point]:
    """Return what was measured of tenants of any size, the smallest first."""
    points = []
    for results in found:
        giant, ordinary = Size(results.contacts, results.tenants, results.giant).plans()[:2]
        points += [
            ((giant if figure.giant else ordinary).contacts, figure.p95)
            for figure in results.figures
            if (figure.tool, figure.span) == (tool, span)
        ]
    return sorted(points)


def _line(points: list[_Point], sizes: list[int], left: int, top: int, colour: str) -> str:
    places = [(f"{_x(size, sizes, left):.0f}", f"{_y(p95, top):.0f}") for size, p95 in points]
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places)
    line = " ".join(f"{x},{y}" for x, y in places)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'


def _x(contacts: int, sizes: list[int], left: int) -> float:
    low, high = math.log(min(sizes)), math.log(max(sizes))
    return left + 20 + (_WIDTH - 40) * (math.log(contacts) - low) / ((high - low) or 1)


def _y(milliseconds: float, top: int) -> float:
    share = math.log(max(_LEAST, milliseconds) / _LEAST) / math.log(_MOST / _LEAST)
    return round(top + _HEIGHT * (1 - share), 1)


def _text(x: float, y: float, words: str, colour: str = "#222") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{escape(words)}</text>'


def main() -> None:
    """Draw all sizes that are kept."""
    found = [Results.model_validate_json(path.read_text(encoding="utf-8")) for path in RESULTS.glob("scale-*.json")]
    (ROOT / "docs" / "scale.svg").write_text(drawn(found), encoding="utf-8")


if __name__ == "__main__":
    main()
