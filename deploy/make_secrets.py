"""Make the secrets that compose.yaml asks for, each unless it is there: random ones, and addresses made of them.

To change one, see docs/operations.md. Who has an address of their own (a managed PostgreSQL) writes it into the file
before.
"""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path


def make_secrets(folder: Path) -> list[str]:
    """Write what is missing in *folder* and return its names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    made = []

    def kept(name: str, make: Callable[[], str]) -> str:
        path = folder / name
        if not path.exists():
            # The folder keeps others out. Containers get the files alone, as users of whom the host knows nothing.
            path.write_text(make())
            path.chmod(0o444)
            made.append(name)
        return path.read_text().strip()

    def random() -> str:
        return secrets.token_hex(32)

    password, owner_password = kept("database_password", random), kept("database_owner_password", random)
    kept("database_url", lambda: f"postgresql://crm_mcp:{password}@postgres:5432/crm")
    kept("database_owner_url", lambda: f"postgresql://crm_owner:{owner_password}@postgres:5432/crm")
    redis_password = secrets.token_hex(32)
    conf = kept("redis_conf", lambda: f"requirepass {redis_password}")
    kept("redis_url", lambda: f"redis://:{conf.removeprefix('requirepass ')}@redis:6379/0")
    kept("jwt_secret", random)
    kept("session_secret", random)
    return made


if __name__ == "__main__":
    for made in make_secrets(Path(sys.argv[1])):
        print(f"Made {sys.argv[1]}/{made}.")  # noqa: T201 - it is a program
