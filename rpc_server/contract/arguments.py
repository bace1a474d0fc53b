"""From raw JSON to a tool's arguments, or to a sentence for every field at fault."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import cached_property
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from rpc_server.contract.errors import FieldProblem, InvalidArguments

# Enough for a list of 100 ids that are all wrong; a body can hold 60,000 unknown names.
MOST_PROBLEMS = 100


class Arguments(BaseModel):
    """What a tool takes: closed, strict and unchangeable, so that it can also be a cache's key.

    A rule over several arguments is a `model_validator(mode="after")` that raises InvalidArguments.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @cached_property
    def as_json(self) -> bytes:
        """Return all of them, defaults too, as JSON."""
        return self.__pydantic_serializer__.to_json(self)


class NoArguments(Arguments):
    """For tools that take none."""


class AnyArguments(Arguments):
    """For tools that bring a schema of their own and look at what comes themselves."""

    model_config = ConfigDict(extra="allow")


def validated(model: type[Arguments], raw: Any) -> Arguments:
    """Return *raw* as the tool's arguments; null stands for an argument that was left out.

    Raises InvalidArguments naming every field at fault, up to MOST_PROBLEMS.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise InvalidArguments([FieldProblem("arguments", f"is {_kind(raw)}", expected="an object")])
    given = {name: value for name, value in raw.items() if value is not None or name not in model.model_fields}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)[:MOST_PROBLEMS]
    raise InvalidArguments([_problem(model, detail) for detail in details])


def _problem(model: type[Arguments], detail: ErrorDetails) -> FieldProblem:
    path = ".".join(str(part)[:80] for part in detail["loc"]) or "arguments"
    if detail["type"] == "extra_forbidden":
        return _unknown(_model_at(model, detail["loc"][:-1]), path)
    if detail["type"] == "missing":
        return FieldProblem(path, "is required")
    describe = _DESCRIBED.get(detail["type"])
    if describe is None:
        return FieldProblem(path, "does not fit the tool's schema")
    return describe(path, detail.get("input"), detail.get("ctx", {}))


def _model_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """Return the model of the object within the arguments to which *path* leads."""
    for name in path:
        kind = model.model_fields[str(name)].annotation
        model = next(part for part in (kind, *get_args(kind)) if _is_model(part))
    return model


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unknown(model: type[BaseModel], path: str) -> FieldProblem:
    known = tuple(model.model_fields)
    close = get_close_matches(path.rpartition(".")[2], known, n=1, cutoff=0.75)
    problem = f"is not an argument of this tool{f' (did you mean {close[0]}?)' if close else ''}"
    return FieldProblem(path, problem, allowed=known) if known else FieldProblem(path, f"{problem}, which takes none")


def _choice(path: str, value: Any, context: dict[str, Any]) -> FieldProblem:
    allowed = tuple(part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", "))
    return FieldProblem(path, f"is {_shown(value)}", allowed=allowed)


def _expected(expected: str) -> Callable[[str, Any, dict[str, Any]], FieldProblem]:
    return lambda path, value, context: FieldProblem(path, f"is {_shown(value)}", expected=expected.format_map(context))


def _length(expected: str) -> Callable[[str, Any, dict[str, Any]], FieldProblem]:
    return lambda path, value, context: FieldProblem(
        path, f"has {len(value)} items", expected=expected.format_map(context)
    )


_DATE = "a day as YYYY-MM-DD, such as 2026-01-31"
_DESCRIBED: dict[str, Callable[[str, Any, dict[str, Any]], FieldProblem]] = {
    "literal_error": _choice,
    "not_a_date": _expected(_DATE),
    "no_such_day": lambda path, value, _: FieldProblem(
        path, f"is {_shown(value)}, a day that does not exist", expected=_DATE
    ),
    "not_a_uuid": _expected("a UUID, such as 3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b"),
    "has_nul": lambda path, _value, _context: FieldProblem(
        path, "contains a NUL character", expected="text without it"
    ),
    "blank": lambda path, _value, _context: FieldProblem(path, "is blank", expected="at least one visible character"),
    "string_type": _expected("text"),
    "string_unicode": lambda path, _value, _context: FieldProblem(
        path, "is not valid Unicode", expected="text without lone surrogates"
    ),
    "int_type": _expected("a whole number"),
    "int_from_float": _expected("a whole number"),
    "bool_type": _expected("true or false"),
    "list_type": _expected("a list"),
    "model_type": _expected("an object"),
    "dict_type": _expected("an object"),
    "greater_than_equal": _expected("at least {ge}"),
    "less_than_equal": _expected("at most {le}"),
    "string_too_long": lambda path, value, context: FieldProblem(
        path, f"has {len(value)} characters", expected=f"at most {context['max_length']} characters"
    ),
    "string_too_short": lambda path, value, context: FieldProblem(
        path, f"has {len(value)} characters", expected=f"at least {context['min_length']} characters"
    ),
    "too_long": _length("at most {max_length} items"),
    "too_short": _length("at least {min_length} items"),
}


def _kind(value: Any) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")


def _shown(value: Any) -> str:
    """Show a value to whoever sent it: short, and not what it contains if it is long or nested."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"a text of {len(value)} characters"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        text = repr(value)
        return text if len(text) <= 40 else "a number of many digits"
    return _kind(value)
