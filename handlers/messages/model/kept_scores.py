"""Scores that were paid for once: found again by a keyed hash of all that the model was shown of a message.

No text of a message is kept. The quotes of its findings are: they were redacted before the model
saw them, and are at most 200 characters long. After 180 days a score is neither used nor kept.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from handlers.messages.model.rubric import Rubric
from handlers.messages.quality import DIMENSIONS, TONES, Brand, Finding, Language, MessageScore, SampledMessage
from rpc_server.contract.query import Row, WritableDatabase, query
from rpc_server.contract.tool import Call

FIND_SCORES = query("messages/find_scores")
KEEP_SCORES = query("messages/keep_scores")
FORGET_SCORES = query("messages/forget_scores")

KEPT = timedelta(days=180)


class KeptScores:
    """The scores that a tenant has of one model by one rubric and guide."""

    def __init__(self, call: Call, model: str, brand: Brand, rubric: Rubric, language: Language) -> None:
        self._call = call
        self._model = model
        self._rubric = rubric
        self._language = language
        self._brand = call.digest(json.dumps([brand.guide, brand.preferred, brand.avoided])).hex()

    def digest(self, message: SampledMessage) -> bytes:
        """Return the hash by which a message's score is found: of its text, the question, and the brand's guide."""
        return self._call.digest(json.dumps([message.text, message.question, self._brand]))

    async def find(self, digests: Sequence[bytes]) -> dict[bytes, Row]:
        """Return what is kept, by digest; what is too old is forgotten on the way, some at a time."""
        since = self._call.now - KEPT
        async with self._call.store() as db:
            rows = await db.all(
                FIND_SCORES, digests=digests, rubric=self._rubric.version, model=self._model, since=since
            )
            await db.all(FORGET_SCORES, before=since)
            await db.commit()
        return {bytes(row["digest"]): row for row in rows}

    def read(self, row: Row, message: SampledMessage) -> MessageScore:
        """Return a kept score as one of *message*, in the language of this call."""
        findings = (self._finding(kept) for kept in row["findings"])
        return MessageScore(
            message.message_id,
            **{dimension: row[dimension] for dimension in DIMENSIONS},
            predominant_tone=row["predominant_tone"] if row["predominant_tone"] in TONES else None,
            findings=tuple(finding for finding in findings if finding is not None),
        )

    async def keep(self, db: WritableDatabase, scores: Mapping[bytes, MessageScore]) -> None:
        """Keep scores, in a transaction that the caller commits."""
        if scores:
            rows = [{"digest": digest.hex(), **_row(score)} for digest, score in scores.items()]
            await db.all(KEEP_SCORES, scores=rows, rubric=self._rubric.version, model=self._model)

    def _finding(self, kept: Mapping[str, Any]) -> Finding | None:
        return self._rubric.finding(kept["dimension"], kept["kind"], kept["excerpt"], self._language)


def _row(score: MessageScore) -> dict[str, Any]:
    return {
        **{dimension: getattr(score, dimension) for dimension in DIMENSIONS},
        "predominant_tone": score.predominant_tone,
        "findings": list(_shortened(score.findings)),
    }


def _shortened(findings: Iterable[Finding]) -> Iterable[dict[str, str]]:
    """Leave out what the rubric says of each kind: that is in the language of whoever asks."""
    for finding in findings:
        yield {"dimension": finding.dimension, "kind": finding.kind, "excerpt": finding.excerpt}
