"""An environment for each client under .clients/, made once: of PyPI by uv, of npm by npm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.clients.pins import Environment
from tests.conformance.run import ROOT, found_node, npm_install

CACHE = ROOT / ".clients"
DRIVERS = Path(__file__).with_name("drivers")


def program(environment: Environment, driver: str) -> list[str]:
    """Return how to run a driver in an environment, which is made if it is not there."""
    folder = made(environment)
    if driver.endswith(".mjs"):
        return [found_node(), str(_beside_its_packages(folder, driver))]
    python = sys.executable if environment.is_node else str(python_of(folder))
    return [python, str(DRIVERS / driver)]


def variables(environment: Environment) -> dict[str, str]:
    """Return what a driver's environment variables say: nothing but where its packages are."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    if environment.is_node:
        kept |= {"NODE": found_node(), "PACKAGES": str(CACHE / environment.name)}
    return kept


def made(environment: Environment) -> Path:
    """Return an environment's folder; a note in it says what was installed, once all of it was."""
    folder = CACHE / environment.name
    note, wanted = folder / "installed.txt", "\n".join(environment.packages)
    if not note.exists() or note.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"Installing {' '.join(environment.packages)} …", file=sys.stderr, flush=True)
        if environment.is_node:
            npm_install(folder, *environment.packages)
        else:
            _install_python(folder, environment.packages)
        note.write_text(wanted, encoding="utf-8")
    return folder


def _install_python(folder: Path, packages: tuple[str, ...]) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python_of(folder), *packages], check=True)


def python_of(folder: Path) -> Path:
    """Return the Python of an environment."""
    return folder / "bin" / "python"


def _beside_its_packages(folder: Path, driver: str) -> Path:
    """Copy a driver and the script next to `node_modules`: Node looks for packages from where a file is."""
    for name in (driver, "script.mjs"):
        shutil.copy(DRIVERS / name, folder / name)
    return folder / driver
