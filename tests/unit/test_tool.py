"""A tool's declaration: what contradicts itself fails as it is read, not when it is called."""

from pathlib import Path
from typing import Any

import pytest

from handlers import CATALOG
from rpc_server.contract.arguments import Arguments, NoArguments
from rpc_server.contract.content import Content
from rpc_server.contract.query import SQL_FOLDER, query
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, Tool, catalog, tool

POLICY: dict[str, Any] = {"title": "Title", "permission": "analytics.view"}


class Nothing(Result):
    def text(self) -> str:
        return "nothing"


class Mute(Result):
    """A result without words."""

    n: int


async def good(call: Call, arguments: NoArguments) -> Nothing:
    """Do nothing.

    At all.
    """
    return Nothing()


def named(name: str) -> Tool:
    async def function(call: Call, arguments: NoArguments) -> Nothing:
        """Do nothing."""
        return Nothing()

    function.__name__ = name
    return tool(**POLICY)(function)


def test_a_tool_is_what_its_function_and_its_policy_say() -> None:
    declared = tool(**POLICY)(good)

    assert (declared.name, declared.description) == ("good", "Do nothing.\n\nAt all.")
    assert declared.permissions == {"analytics.view"}
    assert (declared.writes, declared.streams, declared.cache_seconds, declared.timeout_seconds) == (
        False, False, 0, 60,
    )  # fmt: skip
    assert (declared.arguments, declared.result) == (NoArguments, Nothing)


@pytest.mark.parametrize("writes", [True, False])
def test_the_hints_of_mcp_follow_from_whether_it_writes(writes: bool) -> None:
    assert tool(**POLICY, writes=writes)(good).annotations == {
        "title": "Title",
        "readOnlyHint": not writes,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }


def test_a_tool_may_need_several_permissions() -> None:
    declared = tool(title="Title", permission=("analytics.view", "messages.view"))(good)

    assert declared.permissions == {"analytics.view", "messages.view"}


async def without_a_docstring(call: Call, arguments: NoArguments) -> Nothing:
    return Nothing()


async def with_a_blank_docstring(call: Call, arguments: NoArguments) -> Nothing:
    """ """  # noqa: D419
    return Nothing()


async def without_arguments(call: Call) -> Nothing:
    """Take too little."""
    return Nothing()


async def with_too_many_arguments(call: Call, arguments: NoArguments, more: int) -> Nothing:
    """Take too much."""
    return Nothing()


async def with_arguments_first(arguments: NoArguments, call: Call) -> Nothing:
    """Take them the wrong way round."""
    return Nothing()


async def with_a_call_of_another_kind(call: dict[str, Any], arguments: NoArguments) -> Nothing:
    """Take something else."""
    return Nothing()


async def with_arguments_of_another_kind(call: Call, arguments: dict[str, Any]) -> Nothing:
    """Take something else."""
    return Nothing()


async def with_arguments_of_no_kind(call: Call, arguments) -> Nothing:  # type: ignore[no-untyped-def]
    """Take anything."""
    return Nothing()


async def with_a_result_of_another_kind(call: Call, arguments: NoArguments) -> dict[str, Any]:
    """Return something else."""
    return {}


async def with_a_result_of_no_kind(call: Call, arguments: NoArguments):  # type: ignore[no-untyped-def]
    """Return anything."""


async def with_a_result_without_text(call: Call, arguments: NoArguments) -> Mute:
    """Return fields only."""
    return Mute(n=1)  # type: ignore[abstract]


def that_is_not_async(call: Call, arguments: NoArguments) -> Nothing:
    """Block."""
    return Nothing()


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (without_a_docstring, "needs a docstring"),
        (with_a_blank_docstring, "needs a docstring"),
        (without_arguments, "must take (call: Call, arguments: <Arguments>)"),
        (with_too_many_arguments, "must take (call: Call, arguments: <Arguments>)"),
        (with_arguments_first, "must take (call: Call, arguments: <Arguments>)"),
        (with_a_call_of_another_kind, "must take (call: Call, arguments: <Arguments>)"),
        (with_arguments_of_another_kind, "must take Arguments and return a Result"),
        (with_arguments_of_no_kind, "must take Arguments and return a Result"),
        (with_a_result_of_another_kind, "must take Arguments and return a Result"),
        (with_a_result_of_no_kind, "must take Arguments and return a Result"),
        (with_a_result_without_text, "returns Mute, which has no text()"),
        (that_is_not_async, "must be an async function"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_function_that_is_no_tool_is_refused_by_name(function: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match="^" + function.__name__) as raised:
        tool(**POLICY)(function)

    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ({"writes": True, "cache_seconds": 300}, "good writes, so it cannot be cached"),
        ({"permission": []}, "good needs a permission"),
        ({"permission": ""}, "good needs a permission"),
        ({"permission": "*"}, "good needs a permission"),
        ({"permission": "analytics"}, "good needs a permission"),
        ({"permission": ["analytics.view", "analytics.*"]}, "good needs a permission"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(policy: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        tool(**{**POLICY, **policy})(good)


def test_an_answer_without_fields_cannot_be_cached() -> None:
    async def draw(call: Call, arguments: NoArguments) -> Content:
        """Draw."""
        raise AssertionError

    with pytest.raises(ValueError, match="draw answers in content blocks"):
        tool(**{**POLICY, "cache_seconds": 300})(draw)


def test_a_catalogue_keeps_its_order() -> None:
    assert list(catalog([named("b"), named("a")], [], [named("c")])) == ["b", "a", "c"]


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two tools are called a"):
        catalog([named("a")], [named("b"), named("a")])


@pytest.mark.parametrize("name", ["A", "a-b", "a.b", "_a", "1a", "a b", "é", "a" * 65])
def test_a_name_that_clients_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a tool"):
        catalog([named(name)])


def test_the_tools_of_the_crm_say_what_they_are() -> None:
    for declared in CATALOG.values():
        assert issubclass(declared.arguments, Arguments)
        assert declared.title and declared.title != declared.name
        assert len(declared.description) > 80
        assert all(prop.get("description") for prop in declared.input_schema["properties"].values())


# --- queries ------------------------------------------------------------------------------------


def file(folder: Path, text: str) -> Path:
    (folder / "family").mkdir()
    (folder / "family" / "verb.sql").write_text(text, encoding="utf-8")
    return folder


def test_a_query_is_its_file(tmp_path: Path) -> None:
    text = "-- What it answers.\n--\n-- $1 since timestamptz\n-- $2 rows int\nselect $1, $2, $2 -- not $3\n"
    read = query("family/verb", file(tmp_path, text))

    assert (read.name, read.text, read.parameters) == ("family/verb", text, ("since", "rows"))
    assert read.bind({"rows": 2, "since": 1}) == [1, 2]


@pytest.mark.parametrize("values", [{}, {"since": 1}, {"since": 1, "rows": 2, "more": 3}, {"since": 1, "row": 2}])
def test_values_of_other_names_are_not_bound(tmp_path: Path, values: dict[str, int]) -> None:
    read = query("family/verb", file(tmp_path, "-- A.\n-- $1 since int\n-- $2 rows int\nselect $1, $2\n"))

    with pytest.raises(TypeError, match="family/verb takes since, rows; got "):
        read.bind(values)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select 1\n", "needs a header comment"),
        ("\n-- Late.\nselect 1\n", "needs a header comment"),
        ("-- A gap.\n-- $1 a int\n-- $3 c int\nselect $1, $3\n", "must declare its parameters in order"),
        ("-- The wrong way round.\n-- $2 b int\n-- $1 a int\nselect $1, $2\n", "must declare its parameters in order"),
        ("-- Twice.\n-- $1 a int\n-- $1 a int\nselect $1\n", "must declare its parameters in order"),
        ("-- Never used.\n-- $1 a int\n-- $2 b int\nselect $1\n", r"declares 2 parameters and uses \[1\]"),
        ("-- Only in a comment.\n-- $1 a int\nselect 1 -- $1\n", r"declares 1 parameters and uses \[\]"),
        ("-- Never declared.\nselect $1\n", r"declares 0 parameters and uses \[1\]"),
    ],
)
def test_a_file_that_does_not_say_what_it_takes_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        query("family/verb", file(tmp_path, text))


@pytest.mark.parametrize("name", ["family/nothing", "nothing", "family"])
def test_a_query_without_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"no SQL file for the query '{name}'"):
        query(name, file(tmp_path, "-- A.\nselect 1\n"))


def test_the_queries_of_the_crm_are_where_they_are_looked_for() -> None:
    assert (SQL_FOLDER / "leads" / "count_leads.sql").is_file()
