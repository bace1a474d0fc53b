"""`python -m rpc_server`: the commands."""

import sys
from importlib import import_module

import typer

from rpc_server.quick_start import quick_imports

# Each a module of its own, with a function of this name or a group that is called `commands`.
COMMANDS = ("serve", "migrate", "demo", "token", "tools", "smoke", "tenant", "audit")


def program(*names: str) -> typer.Typer:
    """Return a program with these of the commands; no others are imported."""
    made = typer.Typer(
        name="python -m rpc_server",
        help="The server that gives AI agents a CRM.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        callback=_whichever,
    )
    for name in names:
        module = import_module(f"rpc_server.commands.{name}")
        if hasattr(module, "commands"):
            made.add_typer(module.commands, name=name)
        else:
            made.command(name)(getattr(module, name))
    return made


def _whichever() -> None:
    # With a single command and no callback, typer would take the command's name for an argument.
    pass


if __name__ == "__main__":
    with quick_imports():
        import structlog

        # A server needs nothing of what the others import; help, and who mistypes, get all.
        asked = sys.argv[1:2]
        chosen = program(*(asked if set(asked) & set(COMMANDS) else COMMANDS))
    # A process of ours says once where its log goes; whoever imports this may say it again.
    structlog.configure(cache_logger_on_first_use=True)
    chosen()
else:
    app = program(*COMMANDS)
