"""Scores by a language model: what is kept already, then batches at once, within time and budget.

Whatever goes wrong, there is an answer that says so: a message is scored, or failed (the model was
asked and gave nothing usable), or left (it was not asked, or not to the end). None of them is 0.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Literal, TypeAlias
from uuid import UUID

from handlers.messages.model.kept_scores import KeptScores
from handlers.messages.model.prompt import Prompt, build
from handlers.messages.model.rubric import RUBRIC, Rubric
from handlers.messages.model.token_budget import TokenBudget
from handlers.messages.model.verdicts import Verdicts, parse
from handlers.messages.quality import Brand, Language, MessageScore, SampledMessage
from rpc_server.contract.errors import ToolError
from rpc_server.contract.model import Generated, Model, ModelFailed, ModelFailure
from rpc_server.contract.query import TransactionLost
from rpc_server.contract.tool import Call

Stopped: TypeAlias = Literal["unavailable", "rate_limited", "timed_out", "over_budget"]

# Enough for 250 messages by a brand guide of a page; what one call may spend.
CALL_TOKENS = 250_000
BATCH = 8
# Characters of a batch, so that long messages come in smaller ones.
_BATCH_TEXT = 16_000
_AT_ONCE = 4
# Batches in a row that got no answer at all: the model has been asked often enough.
_PATIENCE = 2
# A timer may fire that much too early.
_CLOCK_SECONDS = 0.01


@dataclass(slots=True)
class Scored:
    """What came of scoring: every message is in *scores*, or counted in *failed* or *left*.

    *stopped* says why the model was not asked any further, or gave no answer in the end; None where it did.
    *not_evidenced* counts findings that were dropped because their quotes are not in the message.
    """

    model: str
    rubric_version: str
    scores: list[MessageScore] = field(default_factory=list)
    failed: int = 0
    left: int = 0
    cached: int = 0
    tokens: int = 0
    not_evidenced: int = 0
    stopped: Stopped | None = None

    @property
    def partial(self) -> bool:
        """Tell whether some messages were left."""
        return self.left > 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Messages to ask for in one request; *again* where that has been tried once."""

    messages: Sequence[SampledMessage]
    again: bool = False


async def score(
    call: Call,
    messages: Sequence[SampledMessage],
    brand: Brand,
    language: Language,
    *,
    daily_tokens: int,
    until: float,
    on_done: Callable[[int, int], None],
    call_tokens: int = CALL_TOKENS,
    rubric: Rubric = RUBRIC,
) -> Scored:
    """Score *messages* by the call's model, and return what there is at *until*, on the event loop's clock.

    *on_done* is told how many of how many are scored or failed. Raises only what the database has to say
    before the model is asked for the first time.
    """
    assert call.model is not None
    kept = KeptScores(call, call.model.name, brand, rubric, language)
    budget = TokenBudget(call, of_call=call_tokens, of_day=daily_tokens)
    return await _Scoring(call, call.model, kept, budget, brand, language, rubric, until, on_done).run(messages)


@dataclass(slots=True)
class _Scoring:
    """One run: what is still to be asked, and what has come of it."""

    call: Call
    model: Model
    kept: KeptScores
    budget: TokenBudget
    brand: Brand
    language: Language
    rubric: Rubric
    until: float
    on_done: Callable[[int, int], None]
    scored: Scored = field(init=False)
    total: int = 0
    digests: dict[UUID, bytes] = field(default_factory=dict)
    # Two messages of the same words and question are one to the model.
    same: dict[bytes, list[SampledMessage]] = field(default_factory=dict)
    queue: deque[_Batch] = field(default_factory=deque)
    at_work: int = 0
    unanswered: int = 0
    failing: Stopped | None = None

    async def run(self, messages: Sequence[SampledMessage]) -> Scored:
        """Score the messages."""
        self.scored = Scored(self.model.name, self.rubric.version)
        self.total = len(messages)
        for message in messages:
            digest = self.digests[message.message_id] = self.kept.digest(message)
            self.same.setdefault(digest, []).append(message)
        await self._take_kept()
        self.queue.extend(_Batch(batch) for batch in batches([same[0] for same in self.same.values()]))
        try:
            async with asyncio.timeout_at(self.until), asyncio.TaskGroup() as workers:
                for _ in range(min(_AT_ONCE, len(self.queue))):
                    workers.create_task(self._work())
        except TimeoutError:
            self.scored.stopped = "timed_out"
        self.scored.stopped = self.scored.stopped or self.failing
        self.scored.tokens = self.budget.spent
        self.scored.left = self.total - len(self.scored.scores) - self.scored.failed
        return self.scored

    async def _take_kept(self) -> None:
        for digest, row in (await self.kept.find(list(self.same))).items():
            of_same = [self.kept.read(row, message) for message in self.same.pop(digest)]
            self.scored.scores += of_same
            self.scored.cached += len(of_same)
        if self.scored.cached:
            self._tell()

    def _tell(self) -> None:
        self.on_done(len(self.scored.scores) + self.scored.failed, self.total)

    async def _work(self) -> None:
        """Ask for batch after batch, as long as there is one and reason to go on."""
        self.at_work += 1
        while self.queue and self.scored.stopped is None:
            batch = self.queue.popleft()
            prompt = build(batch.messages, self.brand, secrets.token_hex(16), self.rubric)
            if not await self._reserved(prompt):
                self.queue.appendleft(batch)
                break
            await self._ask(batch, prompt)
        self.at_work -= 1
        # What runs may cost less than it reserved, so whoever ends last decides that nothing more is possible.
        if self.queue and not self.at_work and self.scored.stopped is None:
            self.scored.stopped = "over_budget"

    async def _reserved(self, prompt: Prompt) -> bool:
        try:
            return await self.budget.reserve(prompt.estimate)
        except (ToolError, TransactionLost):
            # Without the database nobody knows what may be spent.
            self.scored.stopped = "unavailable"
            return False

    async def _ask(self, batch: _Batch, prompt: Prompt) -> None:
        try:
            answer = await self.model.generate(
                instructions=prompt.instructions,
                content=prompt.content,
                schema=prompt.schema,
                most_tokens=prompt.most_tokens,
                until=self.until,
            )
        except ModelFailed as failure:
            await self._settle(prompt, _cost(failure, prompt), Verdicts())
            self._without_answer(batch, failure.reason)
            return
        self._answered()
        verdicts = parse(answer.content, prompt, self.language, self.rubric)
        await self._take(prompt, answer, verdicts)
        self._try_again_or_fail(batch, verdicts.failed)

    async def _take(self, prompt: Prompt, answer: Generated, verdicts: Verdicts) -> None:
        """Count the scores of a batch, for all messages of the same words, and keep them."""
        self.scored.not_evidenced += verdicts.not_evidenced
        for score in verdicts.scores:
            same = self.same[self.digests[score.message_id]]
            self.scored.scores += [replace(score, message_id=message.message_id) for message in same]
        self._tell()
        await self._settle(prompt, answer.tokens or prompt.estimate, verdicts)

    async def _settle(self, prompt: Prompt, spent: int, verdicts: Verdicts) -> None:
        """Put the budgets right and keep what was scored, in one transaction."""
        scores = {self.digests[score.message_id]: score for score in verdicts.scores}
        # The answer does not hang on it: a score that is not kept is paid for again, a reservation counts as spent.
        with suppress(ToolError, TransactionLost):
            async with self.call.store() as db:
                await self.budget.settle(db, reserved=prompt.estimate, spent=spent)
                await self.kept.keep(db, scores)
                await db.commit()

    def _answered(self) -> None:
        self.unanswered, self.failing = 0, None

    def _without_answer(self, batch: _Batch, reason: ModelFailure) -> None:
        """Give up on a batch that got no answer, and on the model if that goes on."""
        if reason == "blocked" or reason == "unreadable":
            self._answered()
            self._try_again_or_fail(batch, batch.messages)
            return
        self.failing = reason
        if reason == "timed_out" and asyncio.get_running_loop().time() >= self.until - _CLOCK_SECONDS:
            self.scored.stopped = reason
            return
        self._fail(batch.messages)
        self.unanswered += 1
        if self.unanswered >= _PATIENCE:
            self.scored.stopped = reason

    def _try_again_or_fail(self, batch: _Batch, messages: Sequence[SampledMessage]) -> None:
        """Ask once more for *messages*, in halves: one of them may have spoiled the answer for all."""
        if batch.again:
            self._fail(messages)
        elif messages:
            middle = ceil(len(messages) / 2)
            self.queue.extend(_Batch(half, again=True) for half in (messages[:middle], messages[middle:]) if half)

    def _fail(self, messages: Iterable[SampledMessage]) -> None:
        self.scored.failed += sum(len(self.same[self.digests[message.message_id]]) for message in messages)
        self._tell()


def _cost(failure: ModelFailed, prompt: Prompt) -> int:
    """Return what a failed request cost; where nobody knows, what was reserved for it."""
    if failure.tokens or failure.reason in ("unavailable", "rate_limited"):
        return failure.tokens
    return prompt.estimate


def batches(messages: Sequence[SampledMessage]) -> list[Sequence[SampledMessage]]:
    """Split messages into batches of about the same size: at most 8, and fewer where they are long."""
    size = ceil(len(messages) / (ceil(len(messages) / BATCH) or 1))
    split: list[Sequence[SampledMessage]] = []
    batch: list[SampledMessage] = []
    text = 0
    for message in messages:
        length = len(message.text) + len(message.question or "")
        if batch and (len(batch) == size or text + length > _BATCH_TEXT):
            split.append(batch)
            batch, text = [], 0
        batch.append(message)
        text += length
    return [*split, batch] if batch else split
