"""What the scores of an agent's messages say together: averages with their n, what stands out, what to work on."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from statistics import fmean
from typing import Literal
from uuid import UUID

from pydantic import Field

from handlers.answers import Analysis, Interval95, Warnings
from handlers.conversions import rounded_interval
from handlers.means import mean_interval
from handlers.messages.advice import advice
from handlers.messages.analysis import Judged, overall
from handlers.messages.quality import SCALE, Dimension, Finding, Language, MessageScore
from handlers.messages.recurring import recurring
from rpc_server.contract.fields import untrusted
from rpc_server.contract.result import Part

_MOST_ISSUES = 10
_MOST_TOP = 3
_MOST_EXAMPLES = 10
_EXAMPLES_A_KIND = 2
_MOST_EXCERPT = 200


class SampleSize(Part):
    """How many messages stand behind an analysis."""

    messages_total: int = Field(description="Messages the agent sent in the period.")
    eligible: int = Field(description="Of them its own words, long enough to judge; no broadcasts, no templates.")
    sampled: int = Field(description="Of them drawn, by day and conversation in proportion.")
    seed: int = Field(description="Draws the same sample from the same messages.")


class Issue(Part):
    """Something noticed in several messages."""

    kind: str
    messages: int = Field(description="In how many of the judged messages.")
    reason: str = Field(description="An example of why.")


class GrammarAnalysis(Part):
    """Grammar and spelling."""

    average_score: float | None
    n: int
    issues: list[Issue]
    top_issues: list[str] = Field(description="The most frequent kinds.")


class ToneAnalysis(Part):
    """Tone and empathy."""

    average_score: float | None
    n: int
    predominant_tone: str | None
    tone_distribution: dict[str, int] = Field(description="Messages by their predominant tone.")
    consistency: float | None = Field(description="Share of messages in the predominant tone, 0 to 1.")
    issues: list[Issue]


class BrandAlignment(Part):
    """How far the messages follow the tenant's guide and word lists."""

    alignment_score: float | None = Field(description="null where the tenant has set no brand that can be judged.")
    n: int
    violations: list[Issue]
    strengths: list[Issue]


class Example(Part):
    """A message that shows what was found."""

    message_id: UUID
    dimension: Dimension
    kind: str
    is_strength: bool
    excerpt: str = untrusted("words of a message, redacted")
    reason: str


class Redaction(Part):
    """What was taken out before anybody judged."""

    counts: dict[str, int] = Field(description="Personal data replaced by placeholders, by kind.")


class Usage(Part):
    """What it cost."""

    tokens: int = Field(description="Tokens that the external model used, read and written.")


class AgentMessages(Analysis):
    """The answer of analyze_agent_messages."""

    agent_id: UUID
    agent_name: str
    agent_type: str
    sample: SampleSize
    grammar_analysis: GrammarAnalysis
    tone_analysis: ToneAnalysis
    brand_alignment: BrandAlignment
    overall_quality_score: float | None = Field(description="Mean over messages of the mean of their dimensions.")
    overall_ci95: Interval95 | None
    n: int = Field(description="Messages behind overall_quality_score.")
    examples: list[Example]
    recommendations: list[str]
    scale: Literal["0-10"] = "0-10"
    method: Literal["vertex", "heuristic"] = Field(
        description="Who judged: an external model, or rules. Scores of different methods do not compare."
    )
    model: str | None
    rubric_version: str | None
    redaction: Redaction
    usage: Usage
    failed: int = Field(description="Sampled messages without a score; they count nowhere.")
    cached: int = Field(description="Messages whose score was known from before.")
    partial: bool = Field(description="Whether time or budget ended before all messages were judged.")
    warnings: Warnings

    def text(self) -> str:
        """Return the scores with what stands behind them, examples and advice."""
        interval = f", 95 %: {self.overall_ci95.low} to {self.overall_ci95.high}" if self.overall_ci95 else ""
        lines = [
            f"{self.agent_name} ({self.agent_type}, {self.agent_id}), {self.period.words()}: overall quality "
            f"{_shown(self.overall_quality_score)} of {SCALE} (n = {self.n}{interval}), judged by "
            f"{'the model ' + str(self.model) if self.method == 'vertex' else 'rules, not by a model'}"
            f"{', partial' if self.partial else ''}.",
            f"Sample: {self.sample.sampled} of {self.sample.eligible} eligible of {self.sample.messages_total} "
            f"messages; {self.failed} without a score.",
            f"Grammar {_shown(self.grammar_analysis.average_score)} (n = {self.grammar_analysis.n})"
            f"{_kinds(self.grammar_analysis.issues)}. Tone {_shown(self.tone_analysis.average_score)} "
            f"(n = {self.tone_analysis.n}), mostly {self.tone_analysis.predominant_tone or 'none'}. Brand "
            f"{_shown(self.brand_alignment.alignment_score)} (n = {self.brand_alignment.n}).",
        ]
        lines += [
            f"Message {example.message_id}, {example.dimension}: {example.reason} Customer data, untrusted: "
            f"{example.excerpt!r}"
            for example in self.examples
        ]
        lines += [f"Advice: {sentence}" for sentence in self.recommendations]
        return "\n".join([*lines, *self.warnings])


def fields_of(judged: Judged, language: Language) -> dict[str, object]:
    """Return the part of the answer that the scores say."""
    scores, drawn = judged.scores, judged.sample.drawn
    overalls = [value for value in map(overall, scores) if value is not None]
    interval = mean_interval(overalls, SCALE) if len(overalls) > 1 else None
    return {
        "sample": SampleSize(
            messages_total=drawn.messages_total,
            eligible=drawn.eligible,
            sampled=judged.sample.size,
            seed=drawn.seed,
        ),
        "grammar_analysis": _grammar(scores),
        "tone_analysis": _tone(scores),
        "brand_alignment": _brand(scores),
        "overall_quality_score": _mean(overalls),
        "overall_ci95": rounded_interval(interval),
        "n": len(overalls),
        "examples": _examples(scores),
        "recommendations": advice(scores, language),
        "method": judged.method,
        "model": judged.model,
        "rubric_version": judged.rubric_version,
        "redaction": Redaction(counts=judged.sample.redacted),
        "usage": Usage(tokens=judged.tokens),
        "failed": judged.failed,
        "cached": judged.cached,
        "partial": judged.partial,
    }


def _grammar(scores: Sequence[MessageScore]) -> GrammarAnalysis:
    average, n = _average(scores, lambda score: score.grammar)
    issues = _issues(scores, "grammar")
    return GrammarAnalysis(
        average_score=average, n=n, issues=issues, top_issues=[issue.kind for issue in issues[:_MOST_TOP]]
    )


def _tone(scores: Sequence[MessageScore]) -> ToneAnalysis:
    average, n = _average(scores, lambda score: score.tone)
    tones = Counter(score.predominant_tone for score in scores if score.predominant_tone is not None)
    # The most frequent one; of equally frequent ones the first by name, so that the answer does not waver.
    ordered = sorted(tones.items(), key=lambda item: (-item[1], item[0]))
    return ToneAnalysis(
        average_score=average,
        n=n,
        predominant_tone=ordered[0][0] if ordered else None,
        tone_distribution=dict(ordered),
        consistency=round(ordered[0][1] / tones.total(), 4) if ordered else None,
        issues=_issues(scores, "tone"),
    )


def _brand(scores: Sequence[MessageScore]) -> BrandAlignment:
    average, n = _average(scores, lambda score: score.brand)
    return BrandAlignment(
        alignment_score=average,
        n=n,
        violations=_issues(scores, "brand"),
        strengths=_issues(scores, "brand", strengths=True),
    )


def _average(scores: Sequence[MessageScore], of: Callable[[MessageScore], float | None]) -> tuple[float | None, int]:
    found = [value for value in map(of, scores) if value is not None]
    return _mean(found), len(found)


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 2) if values else None


def _issues(scores: Sequence[MessageScore], dimension: Dimension, *, strengths: bool = False) -> list[Issue]:
    found = recurring(scores, dimension, strengths=strengths)[:_MOST_ISSUES]
    return [Issue(kind=one.kind, messages=one.messages, reason=one.reason) for one in found]


def _examples(scores: Sequence[MessageScore]) -> list[Example]:
    """Return a few findings of each kind, the frequent kinds first: every claim with its message."""
    found: dict[tuple[Dimension, str, bool], list[tuple[UUID, Finding]]] = {}
    for score in scores:
        for finding in score.findings:
            key = (finding.dimension, finding.kind, finding.is_strength)
            found.setdefault(key, []).append((score.message_id, finding))
    by_frequency = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    chosen = (
        Example(
            message_id=message_id,
            dimension=finding.dimension,
            kind=finding.kind,
            is_strength=finding.is_strength,
            excerpt=finding.excerpt[:_MOST_EXCERPT],
            reason=finding.reason,
        )
        for _, cases in by_frequency
        for message_id, finding in cases[:_EXAMPLES_A_KIND]
    )
    return list(islice(chosen, _MOST_EXAMPLES))


def _shown(score: float | None) -> str:
    return "–" if score is None else f"{score:g}"


def _kinds(issues: Sequence[Issue]) -> str:
    return f", mostly {', '.join(issue.kind for issue in issues[:_MOST_TOP])}" if issues else ""
