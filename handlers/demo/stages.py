"""A contact's way through the pipelines, in step with its conversations."""

from dataclasses import dataclass
from random import Random

from handlers.demo.chance import Draw, new_id
from handlers.demo.clock import DAY, moment, opening
from handlers.demo.company import Company, Pipeline, Stage
from handlers.demo.conversation import Talk
from handlers.demo.people import Person
from handlers.demo.plan import Row

Step = tuple[int, Stage]


@dataclass(slots=True)
class Journey:
    """The stages that a contact entered in one pipeline, in order of time, each later than the last."""

    pipeline: Pipeline
    steps: list[Step]

    def enter(self, at: int, stage: Stage, end: int) -> None:
        """Enter a stage at this moment or just after the one before, unless that is later than `end`."""
        if self.steps:
            last, where = self.steps[-1]
            if stage is where:
                return
            at = max(at, last + 1)
        if at <= end:
            self.steps.append((at, stage))


def sales_journey(company: Company, person: Person, talks: list[Talk], draw: Draw) -> Journey | None:
    """Lead a contact from its arrival to won, lost or where it stands; a few never entered the pipeline."""
    pipeline, end = company.sales, company.end
    journey = Journey(pipeline, [])
    if not talks and draw() < 0.2:
        return None
    journey.enter(min(person.created + int(draw() * 20), end), pipeline.stages[0], end)
    *_, won, lost = pipeline.stages
    answered = next((talk.first_answer for talk in talks if talk.first_answer), 0)
    if not answered:
        if draw() < 0.25:
            journey.enter(_later(person.created, draw), lost, end)
        return journey
    closing = next((talk for talk in talks if talk.won or talk.lost), None)
    reached = closing.won or closing.lost if closing else talks[-1].last
    moments = [at for talk in talks for at in talk.answers if answered <= at <= reached]
    _climb(journey, moments or [answered], bool(closing and closing.won), draw, end)
    if closing and closing.won:
        journey.enter(closing.won + int(draw() * 600), won, end)
    elif closing:
        journey.enter(closing.lost + int(draw() * 3600), lost, end)
        after = next((t.first_answer for t in talks if t.started > closing.lost and t.first_answer), 0)
        if after:
            journey.enter(after + int(draw() * 900), pipeline.stages[1], end)
    elif draw() < 0.4:
        journey.enter(_later(talks[-1].last, draw), lost, end)
    return journey


def _later(at: int, draw: Draw) -> int:
    """Draw when somebody cleans up: some days later, at work."""
    return opening(at + 3 * DAY + int(draw() * draw() * 25 * DAY)) + int(draw() * 3600)


def _climb(journey: Journey, moments: list[int], far: bool, draw: Draw, end: int) -> None:
    """Enter active stages when somebody of the team wrote; some are skipped, some contacts step back."""
    ladder = journey.pipeline.stages[1:5]
    chance = draw()
    depth = 4 if far else 1 + int((chance + chance * chance) * 2)
    chosen = [stage for n, stage in enumerate(ladder[:depth]) if draw() < (0.9 if n == 0 else 0.7)]
    if len(chosen) > 1 and draw() < 0.08:
        chosen.append(chosen[-2])
    places = sorted(int(draw() * len(moments)) for _ in chosen[1:])
    for place, stage in zip([0, *places], chosen, strict=False):
        since = max(moments[place], journey.steps[-1][0])
        journey.enter(since + 5 + int(draw() * 175), stage, end)


def care_journey(company: Company, talks: list[Talk], sold: int, draw: Draw) -> Journey | None:
    """Lead a buyer through what comes after the sale, as far as a renewal; about half enter it."""
    renewal = next((talk for talk in talks if talk.kind == "renewal"), None)
    if renewal is None and draw() < 0.45:
        return None
    pipeline, end = company.care, company.end
    welcome, following, renewing, won, lost = pipeline.stages
    journey = Journey(pipeline, [])
    journey.enter(sold + 600 + int(draw() * 7200), welcome, end)
    if draw() < 0.85:
        journey.enter(opening(sold + DAY + int(draw() * 6 * DAY)) + int(draw() * 3600), following, end)
    if renewal is None:
        if draw() < 0.06:
            journey.enter(_later(sold + 10 * DAY, draw), lost, end)
    else:
        journey.enter(renewal.started + int(draw() * 120), renewing, end)
        if renewal.won:
            journey.enter(renewal.won + int(draw() * 600), won, end)
        elif renewal.lost:
            journey.enter(renewal.lost + int(draw() * 600), lost, end)
    return journey if journey.steps else None


def journey_rows(company: Company, person: Person, journey: Journey, rng: Random, rows: list[Row]) -> None:
    """Write a journey down: closed rows bear how long they lasted, the last row is open."""
    entered = moment(journey.steps[0][0])
    for (at, stage), (until, _) in zip(journey.steps, [*journey.steps[1:], (0, None)], strict=True):
        exited, duration = (moment(until), until - at) if until else (None, None)
        rows.append(
            (
                new_id(rng.getrandbits),
                person.id,
                journey.pipeline.id,
                stage.id,
                company.tenant_id,
                entered,
                exited,
                duration,
                entered,
                exited or entered,
            )
        )
        if exited:
            entered = exited
