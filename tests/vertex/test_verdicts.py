"""What is taken of a model's answer: a verdict that holds as a whole, or a message that was not judged."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from handlers.messages.model.prompt import Prompt, build
from handlers.messages.model.verdicts import MOST_EXCERPT, Verdicts, parse, quoted
from handlers.messages.quality import Brand, Finding
from tests.vertex.conftest import sample
from tests.vertex.fake import verdict

TEXT = "Bom dia, voce recebeu o boleto"


def asked(*, brand: bool = False, count: int = 1) -> Prompt:
    return build(sample(count, text=TEXT), Brand("Trate por você.") if brand else Brand(), "delimiter")


def judged(prompt: Prompt, *entries: Any) -> Verdicts:
    return parse({"messages": list(entries)}, prompt, "pt-BR")


def held(prompt: Prompt, *entries: Any) -> bool:
    """Tell whether the only message counts as judged."""
    verdicts = judged(prompt, *entries)
    assert len(verdicts.scores) + len(verdicts.failed) == 1
    return bool(verdicts.scores)


def test_a_verdict_that_holds_is_a_score_with_findings_in_our_words() -> None:
    prompt = asked(brand=True)
    verdicts = judged(prompt, verdict("m1", TEXT, brand=True, score=7))
    (score,) = verdicts.scores
    excerpt = "Bom dia, voce recebeu"

    assert score.message_id == prompt.messages["m1"].message_id
    assert (score.grammar, score.tone, score.brand, score.predominant_tone) == (7, 7, 7, "neutral")
    assert score.findings == (
        Finding("grammar", "spelling", excerpt, "Palavra escrita com erro."),
        Finding("tone", "cold", excerpt, "Resposta fria ou mecânica."),
        Finding("brand", "follows_guide", excerpt, "Segue o guia da marca.", is_strength=True),
    )
    assert (verdicts.failed, verdicts.not_evidenced) == ([], 0)


def test_reasons_are_in_the_language_that_is_asked_for() -> None:
    prompt = asked()
    english = parse({"messages": [verdict("m1", TEXT)]}, prompt, "en")

    assert [finding.reason for finding in english.scores[0].findings] == [
        "A misspelled word.",
        "A cold or mechanical answer.",
    ]


@pytest.mark.parametrize("score", [0, 3, 9.5, 10, 0.0, None])
def test_a_score_from_0_to_10_or_none_holds(score: float | None) -> None:
    assert held(asked(), verdict("m1", TEXT, score=score))


@pytest.mark.parametrize("score", [-1, 11, 10.1, "7", True, False, float("nan"), float("inf"), [7], {}, 10**400])
def test_another_score_is_no_score_and_not_0(score: Any) -> None:
    assert not held(asked(), verdict("m1", TEXT, score=score))


@pytest.mark.parametrize("score", [0, 3, 9])
@pytest.mark.parametrize("dimension", ["grammar", "tone", "brand"])
def test_a_score_below_full_marks_needs_a_quote(dimension: str, score: int) -> None:
    entry = verdict("m1", TEXT, brand=True, score=score)
    assert held(asked(brand=True), entry)
    entry[dimension] = {**entry[dimension], "findings": []}
    assert not held(asked(brand=True), entry)
    entry[dimension] = {**entry[dimension], "findings": [{"evidence": "nunca foi dito", "kind": "spelling"}]}
    assert not held(asked(brand=True), entry)


@pytest.mark.parametrize("score", [10, None])
def test_full_marks_and_not_applicable_need_none(score: int | None) -> None:
    entry = verdict("m1", TEXT, score=score)
    for dimension in ("grammar", "tone"):
        entry[dimension] = {**entry[dimension], "findings": []}

    assert held(asked(), entry)


def test_a_quote_that_is_not_in_the_message_is_dropped_and_counted() -> None:
    prompt = asked()
    true, made_up = {"evidence": "boleto", "kind": "spelling"}, {"evidence": "fatura", "kind": "spelling"}
    entry = verdict("m1", TEXT, grammar={"findings": [made_up, true], "score": 6})
    verdicts = judged(prompt, entry)

    assert verdicts.not_evidenced == 1
    assert [finding.excerpt for finding in verdicts.scores[0].findings if finding.dimension == "grammar"] == ["boleto"]


def test_the_question_is_no_place_to_quote_from() -> None:
    finding = {"evidence": "Tem em azul", "kind": "spelling"}

    assert not held(asked(), verdict("m1", TEXT, grammar={"findings": [finding], "score": 6}))


@pytest.mark.parametrize("label", ["angry", "", "Neutral", None, 3, "none"])
def test_a_tone_of_no_known_name_is_no_verdict(label: Any) -> None:
    entry = verdict("m1", TEXT)
    entry["tone"]["label"] = label

    assert not held(asked(), entry)


def test_where_tone_does_not_apply_no_tone_prevails() -> None:
    prompt = asked()
    for label in ("none", "rude"):
        tone: dict[str, Any] = {"findings": [], "label": label, "score": None}
        (score,) = judged(prompt, verdict("m1", TEXT, tone=tone)).scores
        assert (score.tone, score.predominant_tone) == (None, None)


def test_a_dimension_that_was_asked_for_must_be_there() -> None:
    for dimension in ("grammar", "tone", "brand"):
        entry = verdict("m1", TEXT, brand=True)
        del entry[dimension]
        assert not held(asked(brand=True), entry)


def test_a_brand_that_was_not_asked_for_is_not_judged() -> None:
    (score,) = judged(asked(), verdict("m1", TEXT, brand=True)).scores

    assert score.brand is None
    assert {finding.dimension for finding in score.findings} == {"grammar", "tone"}


def test_missing_ids_fail_and_others_are_ignored() -> None:
    prompt = asked(count=3)
    first, second, third = prompt.messages.values()
    entries = [
        verdict("m4", TEXT),
        verdict("m1", TEXT, score=4),
        verdict("m1", TEXT, score=9),
        verdict("x", TEXT),
        verdict("m3", TEXT, score=5),
    ]
    verdicts = judged(prompt, *entries)

    assert [(score.message_id, score.grammar) for score in verdicts.scores] == [
        (first.message_id, 4),
        (third.message_id, 5),
    ]
    assert verdicts.failed == [second]


def test_no_more_findings_are_taken_than_were_asked_for() -> None:
    many = [{"evidence": word, "kind": "spelling"} for word in TEXT.replace(",", "").split()]
    (score,) = judged(asked(), verdict("m1", TEXT, grammar={"findings": many, "score": 6})).scores

    assert len([finding for finding in score.findings if finding.dimension == "grammar"]) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda child: st.lists(child, max_size=4) | st.dictionaries(st.sampled_from(["messages", "id", "score"]), child),
    max_leaves=20,
)


@given(JSON)
def test_whatever_json_it_is_the_message_is_only_not_judged(content: Any) -> None:
    prompt = asked()

    assert parse(content, prompt, "en").failed == list(prompt.messages.values())


@pytest.mark.parametrize(
    ("evidence", "excerpt"),
    [
        ("boleto  chegou", "boleto\n chegou"),
        (" boleto\tchegou ", "boleto\n chegou"),
        ("(R$ 10,00)*", "(R$ 10,00)*"),
        ("Boleto", None),
        ("boletochegou", None),
        ("b", None),
        ("", None),
        (" \n ", None),
        (".*", None),
    ],
)
def test_a_quote_is_taken_as_it_stands_in_the_message(evidence: str, excerpt: str | None) -> None:
    assert quoted(evidence, "O boleto\n chegou (R$ 10,00)* ontem") == excerpt


@given(st.text(), st.text())
def test_what_is_quoted_always_stands_in_the_message(evidence: str, text: str) -> None:
    excerpt = quoted(evidence, text)

    assert excerpt is None or (excerpt in text and len(excerpt) <= MOST_EXCERPT)


@given(st.text(min_size=1), st.data())
def test_words_copied_from_a_message_are_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    piece = text[start : start + data.draw(st.integers(1, MOST_EXCERPT))]
    if sum(map(len, piece.split())) >= 2:
        assert quoted(piece, text) is not None


def test_an_excerpt_is_bounded_however_long_the_white_space() -> None:
    excerpt = quoted("boleto chegou", "boleto" + " " * 5_000 + "chegou")

    assert excerpt is not None and len(excerpt) == MOST_EXCERPT
