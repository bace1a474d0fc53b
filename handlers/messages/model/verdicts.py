"""What a model answered, taken for what it can prove: ids that were asked for, numbers in range, quotes that are there.

Nothing else of the answer is kept. A message counts as judged only if all of its verdict holds:
each score is a number from 0 to 10 or null, and one below 10 has at least one quote that stands in
the message, word for word. Full marks need none (there may be nothing to mark), nor does null. A
verdict that does not hold makes the message failed, never 0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handlers.messages.model.prompt import MOST_FINDINGS, NO_TONE, Prompt
from handlers.messages.model.rubric import RUBRIC, Rubric
from handlers.messages.quality import SCALE, Dimension, Finding, Language, MessageScore, SampledMessage, Tone

MOST_EXCERPT = 200


@dataclass(slots=True)
class Verdicts:
    """What came of a batch: scores, messages that were not judged, and how many quotes were made up."""

    scores: list[MessageScore] = field(default_factory=list)
    failed: list[SampledMessage] = field(default_factory=list)
    not_evidenced: int = 0


class _Answered(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Claim(_Answered):
    evidence: str
    kind: str


class _Verdict(_Answered):
    findings: list[_Claim]
    score: Annotated[float, Field(ge=0, le=SCALE)] | None


class _ToneVerdict(_Verdict):
    label: Tone | Literal["none"]


class _Verdicts(_Answered):
    grammar: _Verdict
    tone: _ToneVerdict


class _VerdictsWithBrand(_Verdicts):
    brand: _Verdict


def parse(content: Any, prompt: Prompt, language: Language, rubric: Rubric = RUBRIC) -> Verdicts:
    """Return what *content*, the answer to *prompt*, says of each of its messages."""
    found = Verdicts()
    entries = _by_id(content)
    for id, message in prompt.messages.items():
        verdicts = _read(entries.get(id), with_brand=prompt.judges_brand)
        score = None
        if verdicts is not None:
            findings = {
                dimension: _findings(verdict, dimension, message.text, language, rubric, found)
                for dimension, verdict in verdicts.items()
            }
            score = _score(message, verdicts, findings)
        if score is None:
            found.failed.append(message)
        else:
            found.scores.append(score)
    return found


def _by_id(content: Any) -> dict[str, Any]:
    """Return the entries by id; of one that comes twice the first counts."""
    entries = content.get("messages") if isinstance(content, dict) else None
    found: dict[str, Any] = {}
    for entry in entries if isinstance(entries, list) else ():
        id = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(id, str):
            found.setdefault(id, entry)
    return found


def _read(entry: Any, *, with_brand: bool) -> dict[Dimension, _Verdict] | None:
    """Return an entry's verdicts, or None where it is missing or not of the form that was asked for."""
    try:
        if not with_brand:
            read = _Verdicts.model_validate(entry)
            return {"grammar": read.grammar, "tone": read.tone}
        branded = _VerdictsWithBrand.model_validate(entry)
        return {"grammar": branded.grammar, "tone": branded.tone, "brand": branded.brand}
    except ValidationError:
        return None


def _findings(
    verdict: _Verdict, dimension: Dimension, text: str, language: Language, rubric: Rubric, counted: Verdicts
) -> list[Finding]:
    """Return the findings whose quotes stand in the message, and count the others."""
    findings = []
    for claim in verdict.findings[:MOST_FINDINGS]:
        excerpt = quoted(claim.evidence, text)
        finding = rubric.finding(dimension, claim.kind, excerpt, language) if excerpt else None
        if finding is None:
            counted.not_evidenced += 1
        else:
            findings.append(finding)
    return findings


def _score(
    message: SampledMessage, verdicts: Mapping[Dimension, _Verdict], findings: Mapping[Dimension, list[Finding]]
) -> MessageScore | None:
    """Return the message's score, or None where one of its verdicts does not hold."""
    tone = verdicts["tone"]
    assert isinstance(tone, _ToneVerdict)
    if tone.score is not None and tone.label == NO_TONE:
        return None
    if any(verdict.score not in (None, SCALE) and not findings[name] for name, verdict in verdicts.items()):
        return None
    brand = verdicts.get("brand")
    return MessageScore(
        message.message_id,
        grammar=verdicts["grammar"].score,
        tone=tone.score,
        brand=brand.score if brand else None,
        predominant_tone=None if tone.score is None or tone.label == "none" else tone.label,
        findings=tuple(finding for of_one in findings.values() for finding in of_one),
    )


def quoted(evidence: str, text: str) -> str | None:
    """Return where *text* says what *evidence* quotes of it, as it stands there, or None if it does not.

    White space counts as white space, whatever and however much; everything else has to be the same.
    """
    words = evidence[:MOST_EXCERPT].split()
    if sum(map(len, words)) < 2:
        return None
    match = re.search(r"\s+".join(map(re.escape, words)), text)
    return match[0][:MOST_EXCERPT] if match else None
