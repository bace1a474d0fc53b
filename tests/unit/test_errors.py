"""The kinds of error: each has a code, a status, and words for whoever can do something about it."""

from collections.abc import Iterator

import pytest

from rpc_server.contract.errors import (
    DependencyUnavailable,
    FieldProblem,
    InvalidArguments,
    PermissionDenied,
    ToolError,
)
from rpc_server.transport.answers import STATUS


def kinds(kind: type[ToolError]) -> Iterator[type[ToolError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds(narrower)


def test_each_kind_of_error_has_a_status() -> None:
    assert {kind.code for kind in kinds(ToolError)} <= STATUS.keys()


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (FieldProblem("a", "is required"), "a: is required"),
        (FieldProblem("a", "is 1", expected="text"), "a: is 1; expected text"),
        (FieldProblem("a", "is 'x'", allowed=("y", "z")), "a: is 'x'; allowed: y, z"),
    ],
)
def test_a_problem_is_one_line_and_has_only_the_parts_it_has(problem: FieldProblem, sentence: str) -> None:
    assert problem.sentence() == sentence
    assert None not in problem.as_dict().values()


def test_invalid_arguments_name_every_field_in_words_and_in_fields() -> None:
    error = InvalidArguments([FieldProblem("a", "is required"), FieldProblem("b", "is 1", expected="text")])

    assert error.message == "Invalid arguments. a: is required; b: is 1; expected text."
    assert [field["field"] for field in error.as_dict()["fields"]] == ["a", "b"]


def test_a_refusal_says_what_is_missing_and_what_all_is_needed() -> None:
    error = PermissionDenied("analyze", ["messages.view"], ["analytics.view", "messages.view"])

    assert "does not grant messages.view, which analyze needs" in error.message
    assert (error.details["missing"], error.details["required"]) == (
        ["messages.view"],
        ["analytics.view", "messages.view"],
    )


def test_what_waiting_helps_says_for_how_long() -> None:
    assert DependencyUnavailable("Gone.", retry_after=2).as_dict() == {
        "code": "dependency_unavailable",
        "message": "Gone.",
        "retry_after": 2,
    }
