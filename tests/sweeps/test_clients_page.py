"""docs/clients.md and the clients that are really tried agree."""

import re

from rpc_server.settings import ROOT
from tests.clients.pins import CLIENTS

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^<!-- (\S+) -->\n```\w+\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_table_has_each_client_with_the_version_that_it_speaks() -> None:
    rows = re.findall(r"^\| (.*?) \| (\d{4}-\d\d-\d\d) \|", PAGE, re.MULTILINE)

    assert rows == [(client.name, client.version) for client in CLIENTS]


def test_the_table_has_who_cannot_follow_progress() -> None:
    silent = re.findall(r"^\| (.*?) \| \S+ \| progress \|", PAGE, re.MULTILINE)

    assert silent == [client.name for client in CLIENTS if "progress" in client.cannot]


def test_each_line_of_an_example_stands_in_the_driver_that_is_run() -> None:
    assert {driver.rpartition("/")[2] for driver, _ in EXAMPLES} == {
        client.driver for client in CLIENTS if not client.driver.startswith("inspector")
    }
    for driver, example in EXAMPLES:
        run = {line.strip() for line in (ROOT / driver).read_text(encoding="utf-8").replace("self._", "").splitlines()}
        assert {line.strip() for line in example.splitlines()} - run == set(), driver
