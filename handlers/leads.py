"""How many leads, and what became of them. Read-only."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, model_validator

from handlers.answers import Analysis
from handlers.periods import Period, PeriodLabel, Span, check_dates, previous, resolve, span
from handlers.tenants import TenantSettings, by_settings
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.errors import FieldProblem, InvalidArguments
from rpc_server.contract.fields import LocalDate
from rpc_server.contract.query import query
from rpc_server.contract.result import Part
from rpc_server.contract.tool import Call, tool

COUNT_LEADS = query("leads/count_leads")
COUNT_BY_BUCKET = query("leads/count_by_bucket")

MAX_BUCKETS = 400


class LeadsCountArguments(Arguments):
    """Which leads to count."""

    period: Annotated[
        PeriodLabel,
        Field(description="Current day, week (from Monday), month, …, in the tenant's time zone; custom needs dates."),
    ]
    start_date: Annotated[LocalDate | None, Field(description="First local day, with period custom.")] = None
    end_date: Annotated[LocalDate | None, Field(description="Last local day, inclusive, with period custom.")] = None
    status: Annotated[
        Literal["all", "qualified", "unqualified"],
        Field(description="Filters total_leads, previous, delta and series by the leads' current decision."),
    ] = "all"
    series: Annotated[
        Literal["none", "day", "week", "month"], Field(description="Break total_leads down by local time.")
    ] = "none"

    @model_validator(mode="after")
    def _dates_fit_the_period(self) -> "LeadsCountArguments":
        check_dates(self.period, self.start_date, self.end_date)
        return self


class PreviousPeriod(Part):
    """The same elapsed span one period earlier."""

    start: datetime
    end: datetime
    total_leads: int


class Bucket(Part):
    """One local day, week or month of the series."""

    start: date = Field(description="First local day of the bucket; it may lie before the period.")
    total_leads: int = Field(description="Only leads of the period.")


class LeadsCount(Analysis):
    """The answer of get_leads_count."""

    status: str
    total_leads: int = Field(description="Leads created in the period (filtered by status).")
    qualified_leads: int
    unqualified_leads: int
    undecided_leads: int
    opportunities: int = Field(description="Leads of the period that stand now in a stage of type active.")
    qualified_in_period: int = Field(description="Leads qualified in the period, whenever created.")
    previous: PreviousPeriod | None
    delta: int | None = Field(description="total_leads minus previous.total_leads.")
    delta_pct: float | None = Field(description="delta in percent of previous; null when previous is 0.")
    series: list[Bucket]

    def text(self) -> str:
        """Return the headline figures in a few lines."""
        which = "" if self.status == "all" else f"{self.status} "
        lines = [
            f"{self.total_leads} {which}leads were created in {self.period.words()}: "
            f"{self.qualified_leads} qualified, {self.unqualified_leads} unqualified, "
            f"{self.undecided_leads} undecided; {self.opportunities} are in an active stage now. "
            f"{self.qualified_in_period} leads were qualified in the period, whenever created."
        ]
        if self.previous is not None:
            change = "" if self.delta_pct is None else f", {self.delta_pct:+.1f} %"
            lines.append(
                f"One period earlier, to the same point: {self.previous.total_leads} (change {self.delta:+d}{change})."
            )
        lines += [f"{bucket.start}: {bucket.total_leads}" for bucket in self.series]
        return "\n".join(lines)


DEFINITIONS = {
    "total_leads": "Contacts created in the period and not deleted (bearing the tenant's lead tag, if it has one).",
    "qualified_leads": "Of the leads created in the period, those whose current decision is qualified; so the others.",
    "opportunities": "Of the leads created in the period, those now in a stage of type active.",
    "qualified_in_period": "Leads whose current decision is qualified and was made in the period, whenever created.",
    "previous": "The same elapsed local span one period earlier.",
}


@tool(title="Count leads", permission="analytics.view", cache_seconds=300)
async def get_leads_count(call: Call, arguments: LeadsCountArguments) -> LeadsCount:
    """Count the leads created in a period, by decision, beside the period before.

    Use it for "how many leads this month?", "are we getting more leads than before?" and "how
    many were qualified?". Answers are in the tenant's time zone; a running period is compared
    with the same elapsed part of the one before. Rates per agent are in
    get_agent_conversion_stats.
    """
    return await by_settings(call, partial(_counted, call, arguments))


async def _counted(call: Call, arguments: LeadsCountArguments, settings: TenantSettings) -> tuple[str, LeadsCount]:
    """Return the answer by *settings*, and what the tenant has set."""
    zone = settings.zone
    period = resolve(arguments.period, zone, call.now, arguments.start_date, arguments.end_date)
    _check_series(arguments, period)
    within, before = span(period), previous(period, zone, call.now) or Span(None, None)
    counts = await call.db.first(
        COUNT_LEADS,
        start=within.start,
        end=within.end,
        previous_start=before.start,
        previous_end=before.end,
        status=arguments.status,
    )
    assert counts is not None
    earlier = None
    if before.start is not None and before.end is not None:
        earlier = PreviousPeriod(
            start=before.start.astimezone(zone),
            end=before.end.astimezone(zone),
            total_leads=counts["previous_total_leads"],
        )
    delta = None if earlier is None else counts["total_leads"] - earlier.total_leads
    answer = LeadsCount(
        period=period,
        as_of=call.now.astimezone(zone),
        definitions=DEFINITIONS,
        status=arguments.status,
        total_leads=counts["total_leads"],
        qualified_leads=counts["qualified_leads"],
        unqualified_leads=counts["unqualified_leads"],
        undecided_leads=counts["undecided_leads"],
        opportunities=counts["opportunities"],
        qualified_in_period=counts["qualified_in_period"],
        previous=earlier,
        delta=delta,
        delta_pct=None
        if earlier is None or delta is None or not earlier.total_leads
        else round(100 * delta / earlier.total_leads, 2),
        series=await _series(call, arguments, period, zone.key),
    )
    return counts["settings"], answer


def _check_series(arguments: LeadsCountArguments, period: Period) -> None:
    """Refuse a series of more buckets than anybody reads: by local days, so in whatever zone."""
    if arguments.series == "none":
        return
    days = {"day": 1, "week": 7, "month": 28}[arguments.series]
    # "all" begins nobody knows when; only months keep within the bound.
    start, end = period.start, period.end
    length = (end.date() - start.date()).days if start is not None and end is not None else MAX_BUCKETS * 28
    if length / days > MAX_BUCKETS:
        raise InvalidArguments(
            [
                FieldProblem(
                    "series",
                    f"by {arguments.series} is more than {MAX_BUCKETS} buckets over this period",
                    expected="a larger bucket or a shorter period",
                )
            ]
        )


async def _series(call: Call, arguments: LeadsCountArguments, period: Period, time_zone: str) -> list[Bucket]:
    """Return a bucket for each local day, week or month of the period, zeros included."""
    if arguments.series == "none":
        return []
    within = span(period)
    rows = await call.db.all(
        COUNT_BY_BUCKET,
        start=within.start,
        end=within.end,
        status=arguments.status,
        bucket=arguments.series,
        time_zone=time_zone,
    )
    counted: dict[date, int] = {row["start"]: row["total_leads"] for row in rows}
    first = period.start.date() if period.start else min(counted, default=None)
    last = (period.end - timedelta(microseconds=1)).date() if period.end else max(counted, default=None)
    if first is None or last is None:
        return []
    buckets: list[Bucket] = []
    day = _bucket_of(first, arguments.series)
    while day <= last and len(buckets) < MAX_BUCKETS:
        buckets.append(Bucket(start=day, total_leads=counted.get(day, 0)))
        day = _bucket_of(day + timedelta(days={"day": 1, "week": 7, "month": 31}[arguments.series]), arguments.series)
    return buckets


def _bucket_of(day: date, series: str) -> date:
    """Return the first day of the bucket that *day* lies in."""
    match series:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case _:
            return day


TOOLS = (get_leads_count,)
