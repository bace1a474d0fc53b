"""The client by itself: what it needs, what it is made of, and where it must agree with the server."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, get_args

import pytest
from packaging.requirements import Requirement

import mcp_client
from mcp_client.errors import kind_of
from rpc_server.contract.progress import Stage
from rpc_server.settings import ROOT
from rpc_server.transport.answers import STATUS

FOLDER = ROOT / "mcp_client"

ALONE = """
import sys
sys.path[:0] = sys.argv[1:]
import mcp_client
client = mcp_client.MCPClient("http://127.0.0.1:1", "token", retries=0)
try:
    client.list_tools()
except mcp_client.ConnectionFailed as error:
    print(error.code)
print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"__main__"}))
"""


def requirements(name: str) -> set[str]:
    """Return what *name* needs here, with all that this needs in its turn."""
    needed = {name}
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed |= requirements(requirement.name)
    return needed


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build what `pip install ./mcp_client` installs, with the builder that it would use."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=FOLDER, check=True, capture_output=True)
    (wheel,) = target.glob("*.whl")
    return wheel


def test_the_package_holds_every_file_of_the_client_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert packed == {f"mcp_client/{path.name}" for path in FOLDER.glob("*.py")} | {"mcp_client/py.typed"}
    assert mcp_client.__version__ in wheel.name


def test_installed_alone_it_works_with_what_it_asks_for_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    """An environment that has only what the package requires: links to it, since nothing is downloaded here."""
    (wanted,) = project(FOLDER)["project"]["dependencies"]
    for name in requirements(Requirement(wanted).name):
        for top in {path.parts[0] for path in distribution(name).files or () if path.parts[0] != ".."}:
            if not (tmp_path / top).exists():
                (tmp_path / top).symlink_to(str(distribution(name).locate_file(top)))

    printed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, str(wheel), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    ).stdout.splitlines()

    assert printed[0] == "connection_failed"
    assert "mcp_client" in printed[1].split()
    assert not {"rpc_server", "handlers", "aiohttp", "orjson", "pydantic"} & set(printed[1].split())


def test_what_the_package_asks_for_is_what_is_tested() -> None:
    assert set(project(FOLDER)["project"]["dependencies"]) <= set(project(ROOT)["dependency-groups"]["dev"])
    assert project(FOLDER)["project"]["requires-python"] == project(ROOT)["project"]["requires-python"]


@pytest.mark.parametrize("code", STATUS)
def test_each_code_of_the_server_has_its_exception_in_an_answer_as_in_a_stream(code: str) -> None:
    in_answer, in_stream, foreign = kind_of(code, STATUS[code]), kind_of(code, None), kind_of(None, STATUS[code])

    assert in_answer is in_stream is not mcp_client.MCPError
    # Two codes are told apart from others of their status.
    assert in_answer is foreign or code in ("invalid_arguments", "cancelled")


def test_the_stages_are_those_of_the_server() -> None:
    assert get_args(mcp_client.Stage) == get_args(Stage)


def test_all_that_is_public_is_exported_in_order() -> None:
    assert mcp_client.__all__ == sorted(mcp_client.__all__)
    assert {name for name in vars(mcp_client) if not name.startswith("_") and name[0].isupper()} <= set(
        mcp_client.__all__
    )
