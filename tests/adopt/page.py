"""The operator's page, read: what it says is written, and what it says is to be run."""

import re

from rpc_server.settings import ROOT

PAGE = (ROOT / "docs" / "adopting-ventros.md").read_text(encoding="utf-8")


def commands(name: str) -> str:
    """Return the SQL commands below the mark of that name."""
    (found,) = re.findall(rf"<!-- {re.escape(name)} -->\n```sql\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def written() -> set[tuple[str, str, str]]:
    """Return (table, INSERT or UPDATE, column) for all that the page lists."""
    section = PAGE.split("## What is written\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|", section, re.MULTILINE)
    return {
        (table, privilege, column)
        for table, *cells in rows
        for privilege, cell in zip(("INSERT", "UPDATE"), cells, strict=True)
        for column in re.findall(r"`(\w+)`", cell)
    }
