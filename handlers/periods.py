"""Periods in a tenant's time zone: half-open, weeks from Monday, calendar quarters."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from rpc_server.contract.errors import FieldProblem, InvalidArguments
from rpc_server.contract.result import Part

# No CRM has leads outside, and whatever is reckoned from these is still a date.
FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(2999, 12, 31)
DEFAULT_DAYS = 30
_MOMENT = timedelta(microseconds=1)


class Period(Part):
    """The period that an answer refers to."""

    label: str = Field(description="As asked for.")
    start: datetime | None = Field(description="First moment, in the tenant's zone; null: since ever.")
    end: datetime | None = Field(description="First moment after it; null: without end.")
    time_zone: str = Field(description="IANA name of the tenant's zone.")
    is_partial: bool = Field(description="Whether the period is still running at as_of.")

    def words(self) -> str:
        """Return the period as a reader would say it."""
        if self.start is None or self.end is None:
            return f"all time ({self.time_zone})"
        first, last = self.start.date(), (self.end - _MOMENT).date()
        days = first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}"
        return f"{days} ({self.time_zone}{', still running' if self.is_partial else ''})"


class Span(NamedTuple):
    """A half-open span of time in UTC, without bounds where they are None."""

    start: datetime | None
    end: datetime | None


PeriodLabel = Literal["today", "yesterday", "week", "month", "quarter", "year", "all", "custom"]


def check_dates(label: str, start: date | None, end: date | None) -> None:
    """Raise InvalidArguments unless the dates go with the period and are in order."""
    problems = []
    if label == "custom":
        problems += [
            FieldProblem(name, "is required when period is custom", expected="a day as YYYY-MM-DD")
            for name, value in (("start_date", start), ("end_date", end))
            if value is None
        ]
    else:
        problems += [
            FieldProblem(name, f"goes only with period custom, not with {label}")
            for name, value in (("start_date", start), ("end_date", end))
            if value is not None
        ]
    problems += order_problems(start, end)
    if problems:
        raise InvalidArguments(problems)


def order_problems(start: date | None, end: date | None) -> list[FieldProblem]:
    """Return what is wrong with a pair of days: reversed, or out of range."""
    problems = [
        FieldProblem(name, f"is {value}", expected=f"a day from {FIRST_DAY} to {LAST_DAY}")
        for name, value in (("start_date", start), ("end_date", end))
        if value is not None and not FIRST_DAY <= value <= LAST_DAY
    ]
    if start is not None and end is not None and end < start:
        problems.append(
            FieldProblem("end_date", f"is {end}, before start_date {start}", expected="a day not before it")
        )
    return problems


def resolve(label: str, zone: ZoneInfo, now: datetime, start: date | None = None, end: date | None = None) -> Period:
    """Return the period *label* around *now*; for "custom", of the days from *start* to *end*, both inclusive."""
    over, running = _over_and_running(label, zone, now.astimezone(zone).date(), start, end)
    begins, ends = over.start, over.end
    return running if begins is None or ends is None or begins <= now < ends else over


@lru_cache(maxsize=1000)
def _over_and_running(
    label: str, zone: ZoneInfo, today: date, start: date | None, end: date | None
) -> tuple[Period, Period]:
    """Return a period as it is said when it is not running and when it is: the same all day, and many ask for it."""
    first, after = _days(label, today, start, end)
    begins, ends = midnight(first, zone), midnight(after, zone)
    over = Period(label=label, start=begins, end=ends, time_zone=zone.key, is_partial=False)
    return over, over.model_copy(update={"is_partial": True})


def latest(zone: ZoneInfo, now: datetime, start: date | None, end: date | None) -> Period:
    """Return the days from *start* to *end*, both inclusive; by default the 30 days up to *end*, which is today.

    The days given are in range (`order_problems`); raises InvalidArguments where a default is out of order.
    """
    last = end or now.astimezone(zone).date()
    first = start or last - timedelta(days=DEFAULT_DAYS - 1)
    if problems := order_problems(first, last):
        raise InvalidArguments(problems)
    return resolve("custom", zone, now, first, last)


def previous(period: Period, zone: ZoneInfo, now: datetime) -> Span | None:
    """Return the same elapsed local span one period earlier, or None where there is no such thing.

    Of a running month that is the month before up to the same local day and time, and never
    beyond its end: 30 days into March, February is over.
    """
    if period.start is None or period.end is None:
        return None
    first, after = period.start.date(), period.end.date()
    earlier = _one_before(period.label, first, after)
    begins = midnight(earlier, zone)
    assert begins is not None
    if not period.is_partial:
        ends = period.start
    else:
        # On clocks: as many days earlier, at the same time of day. In UTC and back, where clocks skip it, it is later.
        ends = min((now.astimezone(zone) - (first - earlier)).astimezone(UTC), period.start)
    return Span(utc(begins), utc(ends))


def span(period: Period) -> Span:
    """Return the bounds of *period* in UTC."""
    return Span(utc(period.start), utc(period.end))


@lru_cache(maxsize=10_000)
def midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    """Return the first moment of *day* in *zone*: not always 00:00, where clocks change at midnight."""
    return None if day is None else _at(datetime.combine(day, time()), zone)


def utc(moment: datetime | None) -> datetime | None:
    """Return *moment* in UTC."""
    return None if moment is None else moment.astimezone(UTC)


def _at(local: datetime, zone: ZoneInfo) -> datetime:
    # Through UTC and back, a local time that a clock change skips becomes the one after it.
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def _days(label: str, today: date, start: date | None, end: date | None) -> tuple[date | None, date | None]:
    """Return the first day of the period and the first day after it."""
    match label:
        case "today":
            return today, today + timedelta(days=1)
        case "yesterday":
            return today - timedelta(days=1), today
        case "week":
            monday = today - timedelta(days=today.weekday())
            return monday, monday + timedelta(days=7)
        case "month":
            return today.replace(day=1), _months_later(today.replace(day=1), 1)
        case "quarter":
            first = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
            return first, _months_later(first, 3)
        case "year":
            return date(today.year, 1, 1), date(today.year + 1, 1, 1)
        case "all":
            return None, None
        case _:
            assert start is not None and end is not None
            return start, end + timedelta(days=1)


def _one_before(label: str, first: date, after: date) -> date:
    """Return the first day of the period before."""
    match label:
        case "month":
            return _months_later(first, -1)
        case "quarter":
            return _months_later(first, -3)
        case "year":
            return date(first.year - 1, 1, 1)
        case _:
            return first - (after - first)


def _months_later(first: date, months: int) -> date:
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)
