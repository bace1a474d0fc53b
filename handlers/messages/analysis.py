"""From a sample to scores: by the model where the tenant wants it and it answers, else by rules."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING

from handlers.messages.model.scoring import CALL_TOKENS, Scored, Stopped, score
from handlers.messages.quality import Brand, Language, MessageScore, SampledMessage
from handlers.messages.sampling import Drawn, Sample, redacted
from handlers.tenants import TenantSettings
from rpc_server.contract.tool import Call

if TYPE_CHECKING:
    from handlers.messages.rules.heuristic import Heuristic

_AT_A_TIME = 10
# Of the time, for taking personal data out: seconds only where texts were made to be slow.
_REDACTION_SHARE = 0.5
# Kept of the time for the rules, which judge where the model has used up its own and scored nothing.
_RULES_SECONDS = 5.0
_RULES_SHARE = 0.25

_UNSCORED: Mapping[Stopped | None, str] = {
    "unavailable": "The external model could not be reached",
    "rate_limited": "The external model takes no more requests at the moment",
    "timed_out": "The external model did not answer in time",
    "over_budget": "The budget of tokens for the external model is used up",
    None: "The external model's answers could not be used",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The scores of a sample, all by one method, and what it took."""

    sample: Sample
    method: str
    scores: list[MessageScore]
    model: str | None = None
    rubric_version: str | None = None
    tokens: int = 0
    failed: int = 0
    cached: int = 0
    partial: bool = False
    warnings: tuple[str, ...] = ()


async def judge(
    call: Call,
    drawn: Drawn,
    settings: TenantSettings,
    until: float,
    on_done: Callable[[int, int], None],
    *,
    call_tokens: int = CALL_TOKENS,
) -> Judged:
    """Score the messages *drawn*, no later than *until* on the event loop's clock; *on_done* hears how many are.

    Personal data is taken out before anything else is done with them.

    The model's scores and those of the rules are never mixed: either the model scored some, and the
    others count as failed, or the rules score all.
    """
    now = asyncio.get_running_loop().time()
    sample = await redacted(drawn, now + _REDACTION_SHARE * (until - now))
    judged = await _judged(call, sample, settings, until, on_done, call_tokens)
    if not (unread := sample.size - len(sample.messages)):
        return judged
    warning = f"{unread} of the sampled messages were not rid of personal data in time, and so not judged."
    return replace(judged, failed=judged.failed + unread, partial=True, warnings=(*judged.warnings, warning))


async def _judged(
    call: Call,
    sample: Sample,
    settings: TenantSettings,
    until: float,
    on_done: Callable[[int, int], None],
    call_tokens: int,
) -> Judged:
    brand = brand_of(settings)
    warning, spent = "", 0
    if sample.messages and settings.external_model:
        if call.model is None:
            warning = "No external model is configured on this server"
        else:
            scored = await score(
                call,
                sample.messages,
                brand,
                settings.language,
                daily_tokens=settings.external_model_daily_tokens,
                until=until - min(_RULES_SECONDS, _RULES_SHARE * (until - asyncio.get_running_loop().time())),
                on_done=on_done,
                call_tokens=call_tokens,
            )
            if scored.scores:
                return _by_model(sample, scored)
            warning, spent = _UNSCORED[scored.stopped], scored.tokens
    return replace(await _by_rules(sample, brand, settings, until, on_done, warning), tokens=spent)


def brand_of(settings: TenantSettings) -> Brand:
    """Return how the tenant wants its agents to write."""
    return Brand(
        settings.brand_guide,
        tuple(settings.brand_preferred_words or ()),
        tuple(settings.brand_avoided_words or ()),
    )


def overall(score: MessageScore) -> float | None:
    """Return the mean of a message's dimensions, each as heavy as another; None where none applies."""
    found = [value for value in (score.grammar, score.tone, score.brand) if value is not None]
    return fmean(found) if found else None


def _by_model(sample: Sample, scored: Scored) -> Judged:
    missing = scored.failed + scored.left
    return Judged(
        sample,
        "vertex",
        scored.scores,
        scored.model,
        scored.rubric_version,
        scored.tokens,
        missing,
        scored.cached,
        scored.partial,
        (f"{missing} of the sampled messages were not scored. {_UNSCORED[scored.stopped]}.",) if missing else (),
    )


async def _by_rules(
    sample: Sample,
    brand: Brand,
    settings: TenantSettings,
    until: float,
    on_done: Callable[[int, int], None],
    warning: str,
) -> Judged:
    rules = await asyncio.to_thread(_heuristic)
    loop = asyncio.get_running_loop()
    total, scores = len(sample.messages), list[MessageScore]()
    for begins in range(0, total, _AT_A_TIME):
        if loop.time() > until:
            break
        batch = sample.messages[begins : begins + _AT_A_TIME]
        # In a thread: a hostile text of full length takes a few tenths of a second.
        scores += await asyncio.to_thread(_scored, rules, batch, brand, settings.language)
        on_done(len(scores), total)
    warnings = (f"{warning}; rules judged instead.",) if warning else ()
    failed = total - len(scores)
    return Judged(sample, "heuristic", scores, failed=failed, partial=failed > 0, warnings=warnings)


def _scored(
    rules: "Heuristic", messages: Sequence[SampledMessage], brand: Brand, language: Language
) -> list[MessageScore]:
    return [rules.score(message, brand, language) for message in messages]


@cache
def _heuristic() -> "Heuristic":
    """Load rules and dictionaries once, when they are needed: most calls ask something else."""
    from handlers.messages.rules.heuristic import Heuristic
    from handlers.messages.rules.spelling import load_spelling

    return Heuristic(load_spelling())
