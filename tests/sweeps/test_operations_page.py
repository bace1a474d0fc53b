"""What docs/operations.md names exists: settings, alerts, make's targets, commands, pages, files."""

import re

from rpc_server.__main__ import app
from rpc_server.settings import ROOT, Settings
from tests.sweeps.test_containers import FOREIGN, SECRETS, SETTINGS, SUBSTITUTED, offered

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", PAGE, re.DOTALL))
OF_MAKE = {"PYTHON_VERSION"}


def test_each_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", CODE))
    files = {f"{secret}_FILE" for secret in SECRETS}

    assert {"PUBLIC_URL", "READY_GRACE_SECONDS", "SUBNET_INSIDE", "JWT_SECRET_FILE"} <= named
    assert named - SETTINGS - files - SUBSTITUTED - FOREIGN - offered() - OF_MAKE == set()


def test_what_production_cannot_do_without_is_on_the_checklist() -> None:
    checklist = PAGE.partition("## Before it goes into production")[2].partition("\n## ")[0]
    needed = {"PUBLIC_URL", "SESSION_SECRET", "DATABASE_URL", "REDIS_URL", "TRUSTED_PROXIES", "DATABASE_POOL_SIZE"}

    assert [name for name in needed if name not in checklist] == []
    assert needed <= {name.upper() for name in Settings.model_fields}


def test_the_alerts_that_wake_somebody_up_exist() -> None:
    metrics = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    named = set(re.findall(r"CrmMcp\w+", PAGE))

    assert named
    assert named <= set(re.findall(r"alert: (\w+)", metrics))


def test_the_targets_of_make_exist() -> None:
    makefiles = "".join((ROOT / path).read_text(encoding="utf-8") for path in ("Makefile", "deploy/containers.mk"))
    named = set(re.findall(r"\bmake ([a-z-]+)", CODE))

    assert {"up", "down", "smoke", "image"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", makefiles, re.MULTILINE))


def test_the_commands_exist() -> None:
    named = set(re.findall(r"python -m rpc_server ([a-z]+)", CODE))
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    groups = {group.name for group in app.registered_groups}

    assert named
    assert named <= known | groups


def test_the_pages_and_files_exist() -> None:
    pages = set(re.findall(r"\]\(([\w-]+\.md)\)", PAGE))
    files = set(re.findall(r"`(deploy/[\w./]+|compose\.yaml|Containerfile|\.env\.example|CHANGELOG\.md)`", PAGE))

    assert {"settings.md", "metrics.md", "identity.md", "caching.md"} <= pages
    assert [page for page in pages if not (ROOT / "docs" / page).exists()] == []
    assert [file for file in files if not (ROOT / file).exists()] == []
