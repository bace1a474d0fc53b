"""What a model is asked: the whole rubric, the messages and no more, and a schema with room for little."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from handlers.messages.model.prompt import MOST_FINDINGS, NO_TONE, build
from handlers.messages.model.rubric import RUBRIC, RUBRIC_FILE, read_rubric
from handlers.messages.quality import DIMENSIONS, TONES, Brand
from tests.vertex.conftest import sample

DELIMITER = "5b3c0f0a9d1e4c7f8a6b2d4e6f8091a2"
BRAND = Brand("Trate por você.", ("presente",), ("barato",))
# What version 1 asks, word for word. Where this must change, scores may: make rubric_v2.toml, with version "2".
ASKED_BY_VERSION = {"1": "23e9e42b91988421"}


def test_a_version_of_the_rubric_always_asks_the_same() -> None:
    prompt = build(sample(2), BRAND, DELIMITER)
    asked = hashlib.sha256(f"{prompt.instructions}{prompt.schema}".encode()).hexdigest()

    assert ASKED_BY_VERSION[RUBRIC.version] == asked[:16]
    assert RUBRIC_FILE.name == f"rubric_v{RUBRIC.version}.toml"


def test_every_anchor_rule_kind_and_tone_is_told() -> None:
    instructions = build(sample(1), BRAND, DELIMITER).instructions

    for scale in RUBRIC.scales.values():
        for text in (scale.asks, scale.at_0, scale.at_5, scale.at_10, scale.not_applicable):
            assert text in instructions
        for name, kind in scale.kinds.items():
            assert f"- {name}: {kind.means}" in instructions
    assert all(f"- {rule}" in instructions for rule in RUBRIC.rules)
    assert all(f"- {tone}: {meaning}" in instructions for tone, meaning in RUBRIC.tones.items())
    assert instructions.count(DELIMITER) == 1


def test_without_a_guide_nobody_is_asked_about_the_brand() -> None:
    prompt = build(sample(1), Brand(), DELIMITER)

    assert "Dimension brand" not in prompt.instructions
    assert "brand" not in prompt.schema["properties"]["messages"]["items"]["properties"]
    assert '"kind": "brand"' not in prompt.content


def test_messages_bear_short_ids_and_nothing_that_tells_who_or_when() -> None:
    messages = sample(3)
    prompt = build(messages, BRAND, DELIMITER)

    assert prompt.messages == {"m1": messages[0], "m2": messages[1], "m3": messages[2]}
    assert not any(str(message.message_id) in prompt.content for message in messages)
    assert "2026" not in prompt.content


def leaves(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk the parts of a schema that hold a value."""
    for child in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from leaves(child)
    if "properties" not in schema and "items" not in schema:
        yield schema


def test_an_answer_has_room_for_enums_bounded_numbers_and_quotes() -> None:
    schema = build(sample(8), BRAND, DELIMITER).schema
    texts = [leaf for leaf in leaves(schema) if leaf["type"] == "string"]
    numbers = [leaf for leaf in leaves(schema) if leaf["type"] != "string"]

    assert [leaf for leaf in texts if "enum" not in leaf] == [{"type": "string"}] * len(DIMENSIONS)
    assert numbers == [{"type": ["integer", "null"], "minimum": 0, "maximum": 10}] * len(DIMENSIONS)
    assert {"type": "string", "enum": [*TONES, NO_TONE]} in texts
    assert schema["properties"]["messages"]["maxItems"] == 8


def test_the_quote_comes_first_then_the_score() -> None:
    item = build(sample(1), BRAND, DELIMITER).schema["properties"]["messages"]["items"]
    for dimension in DIMENSIONS:
        order = item["properties"][dimension]["propertyOrdering"]
        assert order[0] == "findings" and order[-1] == "score"
        assert order == list(item["properties"][dimension]["properties"])
        finding = item["properties"][dimension]["properties"]["findings"]
        assert (finding["items"]["propertyOrdering"], finding["maxItems"]) == (["evidence", "kind"], MOST_FINDINGS)


def test_an_estimate_grows_with_what_is_sent_and_covers_what_may_come_back() -> None:
    small, large = build(sample(1), Brand(), DELIMITER), build(sample(8, text="longa " * 300), BRAND, DELIMITER)

    assert small.most_tokens < small.estimate < large.estimate
    assert large.estimate - large.most_tokens > len(large.content) // 4


def test_a_rubric_that_leaves_something_out_is_refused(tmp_path: Any) -> None:
    text = RUBRIC_FILE.read_text(encoding="utf-8")
    broken = tmp_path / "rubric_v1.toml"
    broken.write_text(re.sub(r"^rude = .*$", "", text, flags=re.MULTILINE), encoding="utf-8")

    with pytest.raises(ValueError, match="must describe"):
        read_rubric(broken)
