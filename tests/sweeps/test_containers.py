"""What containers are given agrees with what the server reads, in both directions, and holds no secret."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rpc_server.settings import ROOT, Settings

SETTINGS = {name.upper() for name in Settings.model_fields}
SECRETS = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
COMPOSE_TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
SERVERS = ("server-1", "server-2")
OURS = (*SERVERS, "migrate", "demo")
SUBSTITUTED = set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT))
# For libraries that look into the environment themselves.
FOREIGN = {"GOOGLE_APPLICATION_CREDENTIALS"}


def offered() -> set[str]:
    """Return the variables of .env.example, those that are commented out too."""
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))


def seconds(text: str) -> float:
    """Return a duration, as 60s, or the default of ${NAME:-60s}."""
    number = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)s?\}?", text)
    assert number, text
    return float(number[1])


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_is_given_real_settings_only(name: str) -> None:
    given = set(COMPOSE["services"][name]["environment"])
    secrets = {variable.removesuffix("_FILE") for variable in given if variable.endswith("_FILE")}
    assert secrets <= SECRETS
    assert {variable for variable in given if not variable.endswith("_FILE")} <= SETTINGS


def test_what_the_example_offers_is_a_setting_or_is_read_by_compose() -> None:
    assert offered() <= SETTINGS | SUBSTITUTED | FOREIGN


def test_what_compose_reads_is_offered_by_the_example() -> None:
    assert SUBSTITUTED - {"IMAGE"} <= offered()


def test_the_example_holds_no_secret() -> None:
    assert not offered() & {*SECRETS, *(f"{secret}_FILE" for secret in SECRETS)}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_has_all_that_it_cannot_do_without(name: str) -> None:
    given = set(COMPOSE["services"][name]["environment"])
    required = {"DATABASE_URL_FILE", "REDIS_URL_FILE", "JWT_SECRET_FILE", "SESSION_SECRET_FILE", "TRUSTED_PROXIES"}
    assert required <= given
    assert "DATABASE_OWNER_URL_FILE" not in given, "the server must not be able to migrate"


@pytest.mark.parametrize("name", OURS)
def test_each_secret_that_is_named_is_mounted_and_made(name: str, tmp_path: Path) -> None:
    service = COMPOSE["services"][name]
    named = {Path(path).name for variable, path in service["environment"].items() if variable.endswith("_FILE")}
    assert named == set(service["secrets"])
    assert named <= set(COMPOSE["secrets"])


def test_the_secrets_are_made_once_and_fit_together(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = [sys.executable, str(ROOT / "deploy" / "make_secrets.py"), str(folder)]
    subprocess.run(make, check=True, capture_output=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    again = subprocess.run(make, check=True, capture_output=True, text=True)

    assert set(made) == set(COMPOSE["secrets"])
    assert made == {path.name: path.read_text() for path in folder.iterdir()}
    assert again.stdout == ""
    assert folder.stat().st_mode & 0o077 == 0
    # Containers read them as users whom the host does not know.
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in folder.iterdir())
    assert f":{made['database_password']}@" in made["database_url"]
    assert f":{made['database_owner_password']}@" in made["database_owner_url"]
    assert f":{made['redis_conf'].removeprefix('requirepass ')}@" in made["redis_url"]
    assert len({*made.values()}) == len(made)
    assert len(made["jwt_secret"]) >= 32


def test_a_server_may_finish_before_it_is_killed() -> None:
    service = COMPOSE["services"]["server-1"]
    times = service["environment"]
    needed = seconds(times["READY_GRACE_SECONDS"]) + seconds(times["DRAIN_SECONDS"]) + 6
    assert seconds(service["stop_grace_period"]) > needed


def test_nginx_forgets_idle_connections_before_a_server_closes_them() -> None:
    conf = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    upstream = conf.partition("upstream servers {")[2].partition("}")[0]
    kept = seconds(re.search(r"keepalive_timeout (\w+);", upstream)[1])  # type: ignore[index]
    assert kept < seconds(COMPOSE["services"]["server-1"]["environment"]["READY_GRACE_SECONDS"])
    assert kept < Settings.model_fields["keep_alive_seconds"].default
    assert Settings.model_fields["max_body_bytes"].default == 2**20
    assert "client_max_body_size 1m;" in conf


def test_only_nginx_is_a_trusted_proxy_and_the_addresses_fit() -> None:
    nginx, conf = COMPOSE["services"]["nginx"], (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    address = nginx["networks"]["edge"]["ipv4_address"]
    for name in SERVERS:
        service = COMPOSE["services"][name]
        assert service["environment"]["TRUSTED_PROXIES"] == f"{address}/32"
        assert f"{name}:{service['networks']['edge']['ipv4_address']}" in nginx["extra_hosts"]
        assert f"server {name}:{service['environment']['PORT']} " in conf


@pytest.mark.parametrize("name", OURS)
def test_postgres_and_redis_are_known_by_the_addresses_they_have(name: str) -> None:
    has = {
        f"{other}:{COMPOSE['services'][other]['networks']['inside']['ipv4_address']}" for other in ("postgres", "redis")
    }
    assert set(COMPOSE["services"][name]["extra_hosts"]) == has


@pytest.mark.parametrize("name", [*OURS, "nginx"])
def test_a_container_can_write_nothing_and_gain_nothing(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]


def test_the_image_runs_without_root_by_number_and_names_real_settings() -> None:
    assert re.search(r"^USER (\d+):\1$", CONTAINERFILE, re.MULTILINE)
    last = CONTAINERFILE.rpartition("FROM ")[2]
    variables = set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", last, re.MULTILINE))
    assert {"HOST", "PORT"} <= variables
    assert variables - {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"} <= SETTINGS


def test_what_the_image_copies_is_let_through_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")} - {"deploy"}
    copies = re.findall(r"^COPY (?!--)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    assert let_through == {name for names in copies for name in names.split()}
    assert "*" in ignored
    assert all((ROOT / name).exists() for name in let_through)


def test_secrets_and_settings_of_a_site_are_never_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "/secrets/"} <= set(ignored)
