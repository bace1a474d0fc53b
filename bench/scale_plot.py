"""The plot of docs/scale.svg, drawn from all kept results of bench.scale: `python -m bench.scale_plot`."""

import math
from html import escape

from bench.scale import RESULTS, Results
from rpc_server.settings import ROOT

_TOOLS = {
    "get_leads_count": "#1b6ca8",
    "get_agent_conversion_stats": "#d98e04",
    "get_top_performing_agent response_time": "#2a9d5c",
    "compare_agents": "#b5446e",
}
_PANELS = [(giant, span) for span in ("month", "year") for giant in (False, True)]
_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 330, 220, 46, 26
_LEAST, _MOST = 1.0, 100_000.0


def drawn(found: list[Results]) -> str:
    """Return a panel for each kind of tenant and span: p95 of whole calls over contacts, both as logarithms."""
    sizes = [results.contacts for results in found]
    body = [
        _text(12 + 245 * number, 16, tool.removeprefix("get_"), colour)
        for number, (tool, colour) in enumerate(_TOOLS.items())
    ]
    for number, (giant, span) in enumerate(_PANELS):
        left, top = _MARGIN + number % 2 * (_WIDTH + _MARGIN * 2), _LEGEND + _MARGIN + number // 2 * (_HEIGHT + 70)
        body.append(f'<rect x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>')
        body.append(_text(left, top - 8, f"{'the giant' if giant else 'ordinary tenants'}, a {span}: p95, ms"))
        for power in range(6):
            y = _y(10.0**power, top)
            body.append(f'<line x1="{left}" x2="{left + _WIDTH}" y1="{y}" y2="{y}" stroke="#eee"/>')
            body.append(_text(left - 42, y + 4, f"{10**power:,}"))
        body += [_text(_x(size, sizes, left) - 24, top + _HEIGHT + 18, f"{size:,}") for size in sizes]
        for tool, colour in _TOOLS.items():
            body.append(_line(found, sizes, tool, span, giant, left, top, colour))
    width, height = 2 * (_WIDTH + 2 * _MARGIN) + 160, _LEGEND + 2 * (_HEIGHT + 70) + 30
    style = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>'
    return "\n".join([head, *body, "</svg>", ""])


def _line(
    found: list[Results], sizes: list[int], tool: str, span: str, giant: bool, left: int, top: int, colour: str
) -> str:
    points = [
        f"{_x(results.contacts, sizes, left):.0f},{_y(figure.p95, top):.0f}"
        for results in found
        for figure in results.figures
        if (figure.tool, figure.span, figure.giant) == (tool, span, giant)
    ]
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in (p.split(",") for p in points))
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'


def _x(contacts: int, sizes: list[int], left: int) -> float:
    low, high = math.log(min(sizes)), math.log(max(sizes))
    return left + 20 + (_WIDTH - 40) * (math.log(contacts) - low) / ((high - low) or 1)


def _y(milliseconds: float, top: int) -> float:
    share = math.log(max(_LEAST, milliseconds) / _LEAST) / math.log(_MOST / _LEAST)
    return round(top + _HEIGHT * (1 - share), 1)


def _text(x: float, y: float, words: str, colour: str = "#222") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{escape(words)}</text>'


def main() -> None:
    """Draw all sizes that have the same number of tenants."""
    kept = [Results.model_validate_json(path.read_text(encoding="utf-8")) for path in RESULTS.glob("scale-*-50.json")]
    found = sorted(kept, key=lambda results: results.contacts)
    (ROOT / "docs" / "scale.svg").write_text(drawn(found), encoding="utf-8")


if __name__ == "__main__":
    main()
