"""Arguments from an address, by the tool's schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc_server.protocol.query_arguments import from_query

SCHEMA = {
    "properties": {
        "ids": {"type": "array", "items": {"type": "string"}},
        "name": {"type": "string"},
        "size": {"type": "integer"},
        "rate": {"type": "number"},
        "deep": {"type": "boolean"},
        "scores": {"type": "object"},
    }
}


@pytest.mark.parametrize(
    ("pairs", "arguments"),
    [
        ([("ids", "a,b")], {"ids": ["a", "b"]}),
        ([("ids", "a"), ("ids", "b")], {"ids": ["a", "b"]}),
        ([("ids", "['a', 'b']")], {"ids": ["a", "b"]}),
        ([("ids", '["a","b"]')], {"ids": ["a", "b"]}),
        ([("ids", "")], {"ids": []}),
        ([("name", "7")], {"name": "7"}),
        ([("name", "a,b")], {"name": "a,b"}),
        ([("name", "a"), ("name", "b")], {"name": ["a", "b"]}),
        ([("size", "50")], {"size": 50}),
        ([("size", "50.5")], {"size": "50.5"}),
        ([("size", "many")], {"size": "many"}),
        ([("size", "true")], {"size": "true"}),
        ([("rate", "0.5")], {"rate": 0.5}),
        ([("deep", "true")], {"deep": True}),
        ([("deep", "False")], {"deep": False}),
        ([("deep", "1")], {"deep": "1"}),
        ([("scores", '{"need": 7}')], {"scores": {"need": 7}}),
        ([("unknown", "1")], {"unknown": "1"}),
    ],
)
def test_the_schema_says_what_text_is_meant_to_be(pairs: list[tuple[str, str]], arguments: dict[str, Any]) -> None:
    assert from_query(pairs, SCHEMA) == arguments


@given(st.lists(st.tuples(st.sampled_from([*SCHEMA["properties"], "other"]), st.text())))
def test_no_address_breaks_it(pairs: list[tuple[str, str]]) -> None:
    assert set(from_query(pairs, SCHEMA)) == {name for name, _ in pairs}
