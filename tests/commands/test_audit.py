"""`audit`: the chain holds, and every way to break it shows."""

import re

import pytest

from tests.commands.conftest import Database
from tests.commands.program import command

ENTRIES = 5
UNLOCKED = "alter table mcp_store.audit_log disable trigger all;"


@pytest.fixture
def chain(database: Database) -> Database:
    """Give a database with a chain of five entries, and one of another tenant between them."""
    for number in range(ENTRIES):
        for tenant in ("acme", "other"):
            database.execute(
                f"insert into mcp_store.audit_log (tenant_id, entry) values ('{tenant}', '{{\"n\": {number}}}')"
            )
    return database


def verified(chain: Database, *arguments: str) -> str:
    """Return what `audit verify` says of a chain that holds."""
    said = command("audit", "verify", "--tenant", "acme", *arguments, **chain.environment)
    assert said.status == 0, said.err
    return said.out


def broken(chain: Database, damage: str, *arguments: str) -> str:
    """Return what `audit verify` says after *damage* that only a superuser can do."""
    chain.execute(UNLOCKED + damage)
    return command("audit", "verify", "--tenant", "acme", *arguments, **chain.environment).refused("acme")


def test_an_untouched_chain_holds_and_its_head_is_printed(chain: Database) -> None:
    said = verified(chain)

    assert f"{ENTRIES} entries" in said
    head = re.findall(r"[0-9a-f]{64}", said)
    assert head == [
        chain.value("select encode(hash, 'hex') from mcp_store.audit_log where tenant_id = 'acme' and number = 5")
    ]
    assert verified(chain, "--head", head[0]) == said


def test_a_tenant_without_entries_has_a_chain_that_holds(chain: Database) -> None:
    assert "0 entries" in command("audit", "verify", "--tenant", "nobody", **chain.environment).out


def test_an_edited_entry_shows(chain: Database) -> None:
    damage = "update mcp_store.audit_log set entry = '{}' where tenant_id = 'acme' and number = 3"

    assert "entry 3 was changed" in broken(chain, damage)


def test_an_entry_whose_hash_was_made_to_fit_shows_at_the_next_one(chain: Database) -> None:
    damage = """
        update mcp_store.audit_log
           set entry = '{}',
               hash = sha256(previous_hash || convert_to(concat_ws(E'\\n', tenant_id, number, id, '{}'), 'UTF8'))
         where tenant_id = 'acme' and number = 3
    """

    assert "entry 4 does not follow" in broken(chain, damage)


def test_a_removed_entry_shows(chain: Database) -> None:
    assert "entry 2 is missing" in broken(
        chain, "delete from mcp_store.audit_log where tenant_id = 'acme' and number = 2"
    )


def test_two_entries_that_changed_places_show(chain: Database) -> None:
    damage = """
        update mcp_store.audit_log set number = 99 where tenant_id = 'acme' and number = 2;
        update mcp_store.audit_log set number = 2 where tenant_id = 'acme' and number = 3;
        update mcp_store.audit_log set number = 3 where tenant_id = 'acme' and number = 99;
    """

    assert "entry 2 does not follow" in broken(chain, damage)


def test_a_cut_tail_shows_to_who_kept_the_head(chain: Database) -> None:
    head = re.findall(r"[0-9a-f]{64}", verified(chain))[0]
    damage = "delete from mcp_store.audit_log where tenant_id = 'acme' and number > 3"

    assert "its tail was cut" in broken(chain, damage, "--head", head)
    assert "3 entries" in verified(chain)


def test_the_latest_entries_are_shown_in_order(chain: Database) -> None:
    said = command("audit", "show", "--tenant", "acme", "--last", "2", **chain.environment)

    assert [line[:22] for line in said.out.splitlines()] == ['{"number": 4, "n": 3, ', '{"number": 5, "n": 4, ']
