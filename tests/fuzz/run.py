"""`make fuzz`: `python -m tests.fuzz.run SECONDS`; what was found and what was covered stands in .fuzz/ afterwards.

atheris (libFuzzer for Python) is brought into .fuzz/ once. The corpus is kept, so that each run goes on
from the last. The exit code is 1 where anything was found.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rpc_server.settings import ROOT

CACHE = ROOT / ".fuzz"
ATHERIS = "atheris==3.0.0"
_LIMITS = ["-max_len=16384", "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1"]
_SHOWN = re.compile(r"FINDING |RUN |stat::|#\d+\s+(?:INITED|pulse|DONE)")


def main(seconds: int) -> int:
    """Fuzz for so long and print how it went."""
    packages = _installed()
    for name in ("corpus", "findings"):
        (CACHE / name).mkdir(parents=True, exist_ok=True)
    for stale in (CACHE / "findings").iterdir():
        stale.unlink()
    log = CACHE / "log.txt"
    with tempfile.TemporaryDirectory() as scratch, log.open("w", encoding="utf-8") as file:
        program = [sys.executable, "-m", "tests.fuzz.target", str(CACHE), scratch, str(CACHE / "corpus")]
        environment = {**os.environ, "PYTHONPATH": str(packages)}
        limits = [f"-max_total_time={seconds}", *_LIMITS]
        with subprocess.Popen(
            [*program, *limits], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                if _SHOWN.match(line):
                    print(line, end="", flush=True)
    findings = sorted((CACHE / "findings").glob("*.txt"))
    print(f"{len(findings)} findings in {CACHE / 'findings'}; the whole log is {log}.")
    return 1 if findings or process.returncode else 0


def _installed() -> Path:
    """Return the folder that atheris is in, apart from what everybody else needs."""
    folder = CACHE / ATHERIS
    if not (folder / "atheris").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder), ATHERIS]
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"{ATHERIS} cannot be installed for this Python and platform; it has wheels for Linux.")
    return folder


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 600))
