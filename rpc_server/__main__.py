"""`python -m rpc_server`: the commands."""

import structlog
import typer

from rpc_server.commands import audit, tenant
from rpc_server.commands.demo import demo
from rpc_server.commands.migrate import migrate
from rpc_server.commands.serve import serve
from rpc_server.commands.smoke import smoke
from rpc_server.commands.token import token
from rpc_server.commands.tools import tools

app = typer.Typer(
    name="python -m rpc_server",
    help="The server that gives AI agents a CRM.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (serve, migrate, demo, token, tools, smoke):
    app.command()(command)
app.add_typer(tenant.commands, name="tenant")
app.add_typer(audit.commands, name="audit")

if __name__ == "__main__":
    # A process of ours says once where its log goes; whoever imports this may say it again.
    structlog.configure(cache_logger_on_first_use=True)
    app()
