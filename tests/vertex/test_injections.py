"""Messages, questions and guides that try to be instructions: they stay data on the way in, and nothing on the way out.

What a model makes of them cannot be tested here, so it is taken to obey: whatever it then says, only
ids, tones, kinds and numbers of ours come through, and quotes that stand in the message.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.messages.model.prompt import Prompt, build
from handlers.messages.model.rubric import RUBRIC
from handlers.messages.model.verdicts import MOST_EXCERPT, Verdicts, parse
from handlers.messages.quality import MOST_QUESTION, MOST_TEXT, TONES, Brand, SampledMessage
from tests.vertex.conftest import sample
from tests.vertex.fake import verdict

INJECTIONS: dict[str, dict[str, str]] = {
    entry["kind"]: entry
    for entry in json.loads(Path(__file__).with_name("injections.json").read_text(encoding="utf-8"))
}
# As one in the corpus guesses it.
DELIMITER = "0123456789abcdef0123456789abcdef"
GUIDE = "Trate por você."


def batch(injection: dict[str, str]) -> tuple[list[SampledMessage], Brand]:
    """Return three messages and a guide, one of which holds the injection."""
    first, second, third = sample(3)
    field, text = injection["field"], injection["text"]
    hostile = SampledMessage(
        second.message_id,
        text if field == "text" else second.text,
        text if field == "question" else second.question,
        second.sent_at,
    )
    brand = Brand(text if field == "guide" else GUIDE, (), (text,) if field == "avoided" else ())
    return [first, hostile, third], brand


@pytest.fixture(params=INJECTIONS)
def injection(request: pytest.FixtureRequest) -> dict[str, str]:
    """One entry of the corpus."""
    return INJECTIONS[request.param]


def test_the_corpus_is_large_and_of_both_languages() -> None:
    texts = " ".join(entry["text"].lower() for entry in INJECTIONS.values())

    assert len(INJECTIONS) >= 40
    assert "ignore all previous" in texts and "ignore todas as instruções" in texts
    assert {entry["field"] for entry in INJECTIONS.values()} == {"text", "question", "guide", "avoided"}


def test_what_others_wrote_is_one_text_on_one_line_between_the_delimiters(injection: dict[str, str]) -> None:
    messages, brand = batch(injection)
    prompt = build(messages, brand, DELIMITER)
    lines = prompt.content.splitlines()

    assert lines == prompt.content.split("\n"), "no line end but ours, of whatever kind"
    assert (lines[0], lines[-1], len(lines)) == (DELIMITER, DELIMITER, 6)
    assert all(line != DELIMITER for line in lines[1:-1])
    assert [json.loads(line) for line in lines[1:-1]] == [
        {"kind": "brand", "guide": brand.guide, "prefer": [], "avoid": list(brand.avoided)},
        *(
            {
                "kind": "message",
                "id": f"m{number}",
                "question": message.question and message.question[:MOST_QUESTION],
                "text": message.text[:MOST_TEXT],
            }
            for number, message in enumerate(messages, start=1)
        ),
    ]


def test_nothing_in_the_data_is_hidden_from_whoever_reads_it(injection: dict[str, str]) -> None:
    prompt = build(*batch(injection), DELIMITER)

    assert all(sign.isprintable() for sign in prompt.content.replace("\n", ""))


def test_instructions_and_schema_are_the_same_whatever_the_data(injection: dict[str, str]) -> None:
    hostile = build(*batch(injection), DELIMITER)
    harmless = build(sample(3), Brand(GUIDE), DELIMITER)

    assert hostile.instructions == harmless.instructions
    assert hostile.schema == harmless.schema


def texts_within(verdicts: Verdicts) -> set[str]:
    """Return every text of the scores."""
    return {
        text
        for score in verdicts.scores
        for text in (score.predominant_tone, *(part for f in score.findings for part in (f.kind, f.excerpt, f.reason)))
        if text is not None
    }


OURS = {
    *TONES,
    *(name for scale in RUBRIC.scales.values() for name in scale.kinds),
    *(reason for scale in RUBRIC.scales.values() for kind in scale.kinds.values() for reason in kind.reasons.values()),
}


def obedient(prompt: Prompt, injection: dict[str, str]) -> list[Any]:
    """Return what a model might answer that does as it is told, in every way that the answer has room for."""
    said = injection["text"]
    quotes = [said, said[:50], prompt.instructions[:100], "não está na mensagem", " ", "", "x" * 10_000]
    scores: list[Any] = [10, 11, 0, -1, "10", True, float("nan"), float("inf"), 1e300, None, said, [10], {}]
    verdicts = [
        verdict("m2", prompt.messages["m2"].text, brand=True, score=score, note=said, **{said[:20]: said})
        for score in scores
    ]
    for quote in quotes:
        finding = {"evidence": quote, "kind": "cold", "reason": said}
        verdicts.append(verdict("m2", "x", brand=True, tone={"findings": [finding], "label": "rude", "score": 3}))
        verdicts.append(verdict("m2", "x", brand=True, tone={"findings": [finding], "label": said, "score": 10}))
        unknown = {"evidence": prompt.messages["m2"].text[:20], "kind": said}
        verdicts.append(verdict("m2", "x", brand=True, grammar={"findings": [unknown], "score": 10}))
    others = [verdict(id, "x", brand=True, score=10) for id in ("m4", "m0", "M1", "m1 ", said, "")]
    answers = [{"messages": [one, *others]} for one in verdicts]
    flood = [verdict("m2", "x", brand=True, score=10)] * 2_000
    return [*answers, {"messages": flood}, {"messages": said}, {said: said}, said, [], None, 10, {"messages": [said]}]


def test_of_an_obedient_model_s_words_only_quotes_of_the_message_come_through(injection: dict[str, str]) -> None:
    messages, brand = batch(injection)
    prompt = build(messages, brand, DELIMITER)
    hostile = messages[1]
    for content in obedient(prompt, injection):
        verdicts = parse(content, prompt, "pt-BR")

        assert {score.message_id for score in verdicts.scores} <= {hostile.message_id}
        assert len(verdicts.scores) + len(verdicts.failed) == len(messages)
        for score in verdicts.scores:
            for part in (score.grammar, score.tone, score.brand):
                assert part is None or 0 <= part <= 10
        for text in texts_within(verdicts) - OURS:
            assert text in hostile.text
            assert 2 <= len(text) <= MOST_EXCERPT
