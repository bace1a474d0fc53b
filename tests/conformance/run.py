"""`make conformance`: the official suites at every version that they know, against tests/conformance/app.py.

Node and the suites are brought by npm into .conformance/. A scenario that fails must stand in
expected_failures.toml, and what stands there must fail: else the exit code is 1.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".conformance"
EXPECTED = Path(__file__).with_name("expected_failures.toml")
OLDEST_NODE = 22
OLDER, NEWER = "0.1.16", "0.2.0-alpha.12"
_LEG_SECONDS = 300
_TIME = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")


@dataclass(frozen=True)
class Leg:
    """One run of a suite."""

    suite: str
    version: str | None = None

    @property
    def name(self) -> str:
        return f"{self.suite} {self.version or 'all'}"

    @property
    def arguments(self) -> list[str]:
        return ["--suite", "all", *(["--spec-version", self.version] if self.version else [])]


LEGS = [
    *(Leg(NEWER, version) for version in ("2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")),
    Leg(NEWER),
    *(Leg(OLDER, version) for version in ("2025-03-26", "2025-06-18", "2025-11-25")),
    Leg(OLDER),
]


def main() -> int:
    """Run all legs and print a table; return the exit code."""
    node = found_node()
    suites = {suite: installed(f"@modelcontextprotocol/conformance@{suite}", suite) for suite in (OLDER, NEWER)}
    with serving() as url:
        runs = {leg: run(leg, node, suites[leg.suite], url) for leg in LEGS}
    print(f"{'suite and version':30} {'scenarios':>9} {'passed':>7} {'failed':>7} {'warnings':>8}   failing scenarios")
    for leg, scenarios in runs.items():
        counts = sum(scenarios.values(), Counter[str]())
        failing = [name for name, checks in scenarios.items() if checks["FAILURE"]]
        print(
            f"{leg.name:30} {len(scenarios):9} {counts['SUCCESS']:7} {counts['FAILURE']:7} {counts['WARNING']:8}   "
            f"{len(failing)}"
        )
    return verdict(runs)


def verdict(runs: dict[Leg, dict[str, Counter[str]]]) -> int:
    """Compare with what is expected, say what differs, and return the exit code."""
    groups = tomllib.loads(EXPECTED.read_text(encoding="utf-8"))
    expected = {name: kind for kind, group in groups.items() for name in group["scenarios"]}
    faults = []
    for leg, scenarios in runs.items():
        for name, checks in scenarios.items():
            if checks["FAILURE"] and name not in expected:
                faults.append(f"{leg.name}: {name} fails")
            if not checks["FAILURE"] and name in expected:
                faults.append(f"{leg.name}: {name} passes, and {EXPECTED.name} says that it fails")
    run_at_all = {name for scenarios in runs.values() for name in scenarios}
    faults += [f"{name} stands in {EXPECTED.name}, and no suite has it" for name in expected.keys() - run_at_all]
    if not run_at_all:
        faults.append("no scenario was run")
    print()
    for kind, group in groups.items():
        print(f"not offered: {kind:13} {len(group['scenarios']):2} scenarios. {group['why']}")
    print("\n".join(["", *faults]) if faults else "\nEverything else passes.")
    return 1 if faults else 0


def run(leg: Leg, node: str, suite: Path, url: str) -> dict[str, Counter[str]]:
    """Run a leg and return, for each scenario, how many checks had which status."""
    out = CACHE / "out" / leg.name.replace(" ", "-")
    shutil.rmtree(out, ignore_errors=True)
    program = suite / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    log = CACHE / f"{out.name}.log"
    with log.open("w") as file:
        subprocess.run(
            [node, str(program), "server", "--url", url, *leg.arguments, "-o", str(out)],
            cwd=suite,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=_LEG_SECONDS,
            check=False,
        )
    results = {}
    for path in sorted(out.glob("server-*/checks.json")):
        name = _TIME.sub("", path.parent.name.removeprefix("server-"))
        results[name] = Counter(check["status"] for check in json.loads(path.read_text(encoding="utf-8")))
    return results


@contextmanager
def serving() -> Iterator[str]:
    """Run the test application and yield its address."""
    program = [sys.executable, "-m", "tests.conformance.app"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def found_node() -> str:
    """Return a Node that is new enough, brought by npm where there is none."""
    present = shutil.which("node")
    if present and _major(present) >= OLDEST_NODE:
        return present
    return str(installed(f"node@{OLDEST_NODE}", "node") / "node_modules/.bin/node")


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.strip().lstrip("v").partition(".")[0] or 0)


def installed(package: str, folder: str) -> Path:
    """Return the folder under .conformance/ in which an npm package is, and bring it if it is not."""
    path = CACHE / folder
    if not (path / "node_modules").exists():
        npm_install(path, package)
    return path


def npm_install(path: Path, *packages: str) -> None:
    """Bring npm packages into a folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to bring what runs on Node: install Node.js, in any version.")
    path.mkdir(parents=True, exist_ok=True)
    (path / "package.json").write_text("{}\n")
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([npm, "install", *quiet, *packages], cwd=path, check=True, env={**os.environ, "CI": "1"})


if __name__ == "__main__":
    sys.exit(main())
