"""What tools/list says of each tool, kept beside the tests: a change must be meant.

`python -m tests.sweeps.snapshots` writes them anew.
"""

import json
from pathlib import Path

from handlers import CATALOG
from rpc_server.contract.tool import Tool
from rpc_server.protocol.tool_shapes import listed

FOLDER = Path(__file__).parent / "tools"


def snapshot(tool: Tool) -> str:
    """Return what is kept of *tool*: what a model sees, and the policy around it."""
    policy = {
        "permissions": sorted(tool.permissions),
        "cache_seconds": tool.cache_seconds,
        "timeout_seconds": tool.timeout_seconds,
        "streams": tool.streams,
        "writes": tool.writes,
    }
    return json.dumps({**listed(tool), "policy": policy}, indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write a snapshot of every tool, and remove those of tools that are gone."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for tool in CATALOG.values():
        (FOLDER / f"{tool.name}.json").write_text(snapshot(tool), encoding="utf-8")


if __name__ == "__main__":
    write()
