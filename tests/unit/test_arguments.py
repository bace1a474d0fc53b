"""From raw JSON to arguments, or to a sentence for every field at fault."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rpc_server.contract.arguments import MOST_PROBLEMS, Arguments, NoArguments, validated
from rpc_server.contract.errors import FieldProblem, InvalidArguments
from rpc_server.contract.fields import Id, LocalDate, ShortText, WholeNumber
from rpc_server.contract.schema import input_schema

SOME_ID = "3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b"


class Bant(BaseModel):
    """An object within."""

    model_config = ConfigDict(extra="forbid", strict=True)

    budget: Annotated[WholeNumber, Field(ge=0, le=10)] | None = None


class Sample(Arguments):
    """One of each kind."""

    period: Literal["day", "week"] = "day"
    day: LocalDate | None = None
    agent_id: Id | None = None
    agent_ids: Annotated[list[Id], Field(min_length=1, max_length=3)] | None = None
    query: ShortText | None = None
    limit: Annotated[WholeNumber, Field(ge=1, le=100)] = 20
    active: bool | None = None
    bant: Bant | None = None

    @model_validator(mode="after")
    def _not_both(self) -> "Sample":
        if self.agent_id is not None and self.agent_ids is not None:
            raise InvalidArguments([FieldProblem("agent_ids", "does not go with agent_id")])
        return self


def taken(**arguments: Any) -> dict[str, Any]:
    """Return those of the arguments that were set, as the model has them."""
    return validated(Sample, arguments).model_dump(exclude_unset=True)


def problems(raw: Any, model: type[Arguments] = Sample) -> dict[str, dict[str, Any]]:
    with pytest.raises(InvalidArguments) as raised:
        validated(model, raw)
    return {field["field"]: field for field in raised.value.details["fields"]}


def sentence(**arguments: Any) -> str:
    with pytest.raises(InvalidArguments) as raised:
        validated(Sample, arguments)
    return raised.value.message.removeprefix("Invalid arguments. ")


def test_what_is_right_is_taken_as_its_own_type() -> None:
    assert taken(
        period="week", day="2026-02-28", agent_id=SOME_ID.upper(), query="  ana ", limit=5.0, active=False
    ) == {
        "period": "week",
        "day": date(2026, 2, 28),
        "agent_id": UUID(SOME_ID),
        "query": "ana",
        "limit": 5,
        "active": False,
    }
    assert type(taken(limit=5.0)["limit"]) is int


@pytest.mark.parametrize("raw", [None, {}, {"day": None, "limit": None}])
def test_null_is_an_argument_left_out(raw: Any) -> None:
    assert validated(Sample, raw) == Sample()


def test_arguments_can_be_a_key_of_a_cache() -> None:
    first, second = validated(NoArguments, {}), validated(NoArguments, None)

    assert hash(first) == hash(second)
    with pytest.raises(ValidationError):
        validated(Sample, {}).limit = 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("raw", [[], "", 0, 1.5, True, ["a"]])
def test_arguments_are_an_object(raw: Any) -> None:
    assert list(problems(raw)) == ["arguments"]


def test_every_field_at_fault_is_named_at_once() -> None:
    wrong = {"period": "Day", "day": 5, "agent_id": "x", "agent_ids": [], "limit": "5", "active": "no", "x": 1}

    assert list(problems(wrong)) == ["period", "day", "agent_id", "agent_ids", "limit", "active", "x"]


def test_a_place_within_a_list_or_an_object_is_named() -> None:
    assert list(problems({"agent_ids": [SOME_ID, "x"], "bant": {"budget": 11}})) == ["agent_ids.1", "bant.budget"]


def test_an_unknown_argument_is_told_what_there_is_and_what_may_be_meant() -> None:
    assert "agentids: is not an argument of this tool (did you mean agent_ids?); allowed: period, " in sentence(
        agentids=1
    )
    assert "zzz: is not an argument of this tool; allowed: period, day, " in sentence(zzz=1)
    assert problems({"x": 1}, NoArguments)["x"]["problem"] == "is not an argument of this tool, which takes none"


def test_an_unknown_argument_of_null_is_unknown_too() -> None:
    assert list(problems({"tenant_id": None})) == ["tenant_id"]


def test_problems_are_bounded_however_many_there_are() -> None:
    assert len(problems({f"name{number}": 1 for number in range(5_000)})) == MOST_PROBLEMS


def test_a_rule_over_several_arguments_speaks_for_itself() -> None:
    assert sentence(agent_id=SOME_ID, agent_ids=[SOME_ID]) == "agent_ids: does not go with agent_id."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"period": "Day"}, "period: is 'Day'; allowed: day, week."),
        ({"period": ["day"]}, "period: is a list; allowed: day, week."),
        ({"day": "2026-02-30"}, "day: is '2026-02-30', a day that does not exist; expected a day as YYYY-MM-DD, "),
        ({"day": "30/01/2026"}, "day: is '30/01/2026'; expected a day as YYYY-MM-DD, such as 2026-01-31."),
        ({"day": 20260131}, "day: is 20260131; expected a day as YYYY-MM-DD"),
        ({"agent_id": "me"}, f"agent_id: is 'me'; expected a UUID, such as {SOME_ID}."),
        ({"agent_ids": [SOME_ID] * 4}, "agent_ids: has 4 items; expected at most 3 items."),
        ({"agent_ids": SOME_ID}, f"agent_ids: is '{SOME_ID}'; expected a list."),
        ({"query": "x" * 201}, "query: has 201 characters; expected at most 200 characters."),
        ({"query": "a\0"}, "query: contains a NUL character; expected text without it."),
        ({"query": "\ud800"}, "query: is not valid Unicode; expected text without lone surrogates."),
        ({"query": {}}, "query: is an object; expected text."),
        ({"limit": 0}, "limit: is 0; expected at least 1."),
        ({"limit": 101.0}, "limit: is 101.0; expected at most 100."),
        ({"limit": 5.5}, "limit: is 5.5; expected a whole number."),
        ({"limit": True}, "limit: is true; expected a whole number."),
        ({"limit": 1e300}, "limit: is 1e+300; expected a whole number."),
        ({"limit": 10**60}, "limit: is a number of many digits; expected at most 100."),
        ({"active": 1}, "active: is 1; expected true or false."),
        ({"bant": []}, "bant: is a list; expected an object."),
        ({"period": "x" * 61}, "period: is a text of 61 characters; allowed: day, week."),
    ],
)
def test_a_problem_says_what_is_wrong_and_what_would_be_right(arguments: dict[str, Any], said: str) -> None:
    assert sentence(**arguments).startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        SOME_ID.replace("-", ""),
        f"{{{SOME_ID}}}",
        f"urn:uuid:{SOME_ID}",
        SOME_ID.replace("3", "\N{FULLWIDTH DIGIT THREE}"),
        f"0x{SOME_ID[2:]}",
        f"3_{SOME_ID[2:]}",
        f"+{SOME_ID[1:]}",
        f" {SOME_ID[1:]}",
        f"{SOME_ID}\n",
        "0" * 32 + "----",
        "",
    ],
)
def test_an_id_is_the_canonical_text_and_nothing_else(text: str) -> None:
    assert list(problems({"agent_id": text})) == ["agent_id"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-1-1", "2026-01-1 ", " 2026-01-1", "20260101", "2026/01/01", "+2026-01-0"),
        *("2026-W01-1", "2026-001", "2026-01-01T", "\N{FULLWIDTH DIGIT TWO}026-01-01"),
        *("0000-01-01", "2026-00-01", "2026-13-01", "2026-01-00", "2025-02-29"),
    ],
)
def test_a_day_is_year_month_day_and_nothing_else(text: str) -> None:
    assert list(problems({"day": text})) == ["day"]


@given(st.dates())
def test_every_day_of_the_calendar_is_taken(day: date) -> None:
    assert taken(day=day.isoformat()) == {"day": day}


JSON_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-200, 200),
    st.floats(-200, 200),
    st.text(max_size=5),
    st.sampled_from(["day", "week", SOME_ID, "2026-01-31", "2026-02-30", [], [SOME_ID], {"budget": 1}]),
)
VALIDATOR = Draft202012Validator(input_schema(Sample), format_checker=Draft202012Validator.FORMAT_CHECKER)


@given(st.dictionaries(st.sampled_from([*Sample.model_fields, "other"]), JSON_VALUES, max_size=3))
def test_what_the_schema_takes_is_taken_and_what_it_refuses_is_refused(raw: dict[str, Any]) -> None:
    # The one liberty: null for an argument that could have been left out. And rules are beyond a schema.
    known = {name: value for name, value in raw.items() if value is not None or name == "other"}
    ruled = {"agent_id", "agent_ids"} <= known.keys() or "\0" in str(known.get("query"))
    if VALIDATOR.is_valid(known) and not ruled:
        assert isinstance(validated(Sample, raw), Sample)
    else:
        assert problems(raw)
