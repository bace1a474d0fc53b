"""What every answer that counts something bears: its period, its moment, its definitions."""

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from handlers.periods import Period, midnight
from rpc_server.contract.result import Part, Result

Definitions = Annotated[dict[str, str], Field(description="One line for each figure: what it counts.")]
Warnings = Annotated[list[str], Field(description="What to keep in mind when reading the figures.")]


class Analysis(Result):
    """An answer over a period."""

    period: Period
    as_of: datetime = Field(description="The moment that the answer refers to, in the tenant's zone.")
    definitions: Definitions

    def changes_at(self) -> datetime | None:
        """Return the end of the tenant's day: "today" and "the last 30 days" are others then."""
        zone = ZoneInfo(self.period.time_zone)
        return midnight(self.as_of.astimezone(zone).date() + timedelta(days=1), zone)


class Interval95(Part):
    """A 95 % interval: where the true value plausibly lies, given so few cases."""

    low: float
    high: float


def percent(rate: float | None) -> str:
    """Return a fraction in percent, or a dash where there is none."""
    return "–" if rate is None else f"{rate * 100:.1f} %"


def duration(seconds: float | None) -> str:
    """Return a duration in the largest units that matter, or a dash where there is none."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{number} {unit}" for number, unit in parts if number][:2]
    return " ".join(shown) or "0 s"
