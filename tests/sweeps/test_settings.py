"""Settings and their documentation agree, in both directions."""

import re

from handlers.tenants import TenantSettings
from rpc_server.settings import ROOT, Settings

PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def documented(heading: str) -> dict[str, str]:
    """Return the rows of the table below *heading*: name and meaning."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|$", section, re.MULTILINE))


def test_each_setting_of_the_server_is_documented_by_its_own_description() -> None:
    described = {name.upper(): field.description for name, field in Settings.model_fields.items()}

    assert described == documented("The server")


def test_each_setting_of_a_tenant_is_documented_by_its_own_description() -> None:
    described = {name: field.description for name, field in TenantSettings.model_fields.items()}

    assert described == documented("A tenant")


def test_nobody_else_reads_settings_from_the_environment() -> None:
    readers = {
        path.name
        for path in (ROOT / "rpc_server").rglob("*.py")
        if re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8"))
    }

    # The latter passes it on to PostgreSQL's programs.
    assert readers == {"settings.py", "postgres_user.py"}
