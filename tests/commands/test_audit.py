"""`audit`: the chain holds, and every way to break it shows."""

import asyncio
import re

import asyncpg
import pytest

from rpc_server.contract.errors import PermissionDenied
from tests.commands.conftest import Database, execute
from tests.commands.program import command
from tests.conftest import Crm

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


def test_two_entries_that_changed_contents_show(chain: Database) -> None:
    damage = """
        update mcp_store.audit_log a
           set entry = b.entry
          from mcp_store.audit_log b
         where a.tenant_id = 'acme' and b.tenant_id = 'acme' and a.number in (2, 3) and b.number = 5 - a.number
    """

    assert "entry 2 was changed" in broken(chain, damage)


@pytest.mark.parametrize("column", ["id", "hash", "previous_hash"])
def test_an_edit_of_whatever_is_chained_shows(chain: Database, column: str) -> None:
    new = "gen_random_uuid()" if column == "id" else r"'\x00'"
    said = broken(chain, f"update mcp_store.audit_log set {column} = {new} where tenant_id = 'acme' and number = 3")

    assert "entry 3" in said


def test_the_first_entry_and_whole_stretches_are_missed(chain: Database) -> None:
    assert "entry 1 is missing" in broken(chain, "delete from mcp_store.audit_log where number = 1")
    assert "entry 1 is missing" in broken(chain, "delete from mcp_store.audit_log where number < 5")


def test_an_entry_of_another_tenant_does_not_pass_for_ones_own(chain: Database) -> None:
    damage = """
        delete from mcp_store.audit_log where tenant_id = 'acme' and number = 1;
        update mcp_store.audit_log set tenant_id = 'acme' where tenant_id = 'other' and number = 1;
    """

    assert "entry 1 was changed" in broken(chain, damage)


def test_what_was_written_since_a_head_was_kept_is_no_break(chain: Database) -> None:
    head = re.findall(r"[0-9a-f]{64}", verified(chain))[0]
    chain.execute("insert into mcp_store.audit_log (tenant_id, entry) values ('acme', '{}')")

    assert "6 entries" in verified(chain, "--head", head)


def test_a_chain_that_was_forged_anew_shows_to_who_kept_the_head(chain: Database) -> None:
    """Its links fit, since whoever may disable triggers can also compute hashes."""
    head = re.findall(r"[0-9a-f]{64}", verified(chain))[0]
    chain.execute("create table forged as select number, entry from mcp_store.audit_log where tenant_id = 'acme'")
    damage = """
        delete from mcp_store.audit_log where tenant_id = 'acme';
        alter table mcp_store.audit_log enable trigger all;
        insert into mcp_store.audit_log (tenant_id, entry) select 'acme', '{}' from forged order by number;
    """

    assert "no entry has the hash" in broken(chain, damage, "--head", head)
    assert f"{ENTRIES} entries" in verified(chain)


def test_a_chain_that_is_gone_shows_to_who_kept_the_head(chain: Database) -> None:
    head = re.findall(r"[0-9a-f]{64}", verified(chain))[0]

    assert "no entry has the hash" in broken(chain, "delete from mcp_store.audit_log", "--head", head)


def test_a_cut_tail_shows_to_who_kept_the_head(chain: Database) -> None:
    head = re.findall(r"[0-9a-f]{64}", verified(chain))[0]
    damage = "delete from mcp_store.audit_log where tenant_id = 'acme' and number > 3"

    assert "its tail was cut" in broken(chain, damage, "--head", head)
    assert "3 entries" in verified(chain)


def test_the_latest_entries_are_shown_in_order(chain: Database) -> None:
    said = command("audit", "show", "--tenant", "acme", "--last", "2", **chain.environment)

    assert [line[:22] for line in said.out.splitlines()] == ['{"number": 4, "n": 3, ', '{"number": 5, "n": 4, ']


async def test_what_the_server_writes_holds(crm: Crm) -> None:
    """Names of users are any text."""
    for user in ("josé", "o'neil", "日本", '"\\', "a" * 300):
        with pytest.raises(PermissionDenied):
            await crm.call("list_pipelines", {}, tenant="acmé", permissions=[], user=user)

    said = await asyncio.to_thread(command, "audit", "verify", "--tenant", "acmé", DATABASE_OWNER_URL=crm.owner_url)
    assert "The chain of acmé holds: 5 entries" in said.out


@pytest.mark.parametrize("role", ["mcp_reader", "mcp_writer", "mcp_owner", None])
@pytest.mark.parametrize("relation", ["mcp.audit_log", "mcp_store.audit_log"])
def test_the_servers_roles_can_only_read_and_append(chain: Database, role: str | None, relation: str) -> None:
    """Without any role: the server's login by itself."""
    url = chain.owner_url if role else chain.server_url
    acting = f"set role {role}; set mcp.tenant_id = 'acme';" if role else ""
    for statement in (
        f"update {relation} set entry = '{{}}'",
        f"update {relation} set hash = previous_hash where number = 5",
        f"delete from {relation} where number = 5",
        f"truncate {relation}",
        f"insert into {relation} (tenant_id, number, entry) values ('acme', 6, '{{}}') on conflict do nothing",
        f"alter table {relation} disable trigger all",
    ):
        if role == "mcp_owner" and statement.startswith("insert"):
            continue  # the trigger overrules whatever it is told
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.WrongObjectTypeError, *_NO_TRIGGER)):
            asyncio.run(execute(url, acting + statement))

    assert f"{ENTRIES} entries" in verified(chain)


# A view has no triggers of that kind to disable.
_NO_TRIGGER = (asyncpg.FeatureNotSupportedError, asyncpg.ObjectNotInPrerequisiteStateError)


@pytest.mark.parametrize("statement", ["update {0} set entry = '{{}}'", "delete from {0}", "truncate {0}"])
def test_nobody_changes_the_past_by_mistake(chain: Database, statement: str) -> None:
    """The owner of the database would have to disable a trigger first."""
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        chain.execute(statement.format("mcp_store.audit_log"))
