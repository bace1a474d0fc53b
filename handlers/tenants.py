"""What a tenant may set, with the defaults, and how a tool learns it."""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Final, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from rpc_server.contract.query import query
from rpc_server.contract.tool import Call

GET_SETTINGS = query("tenants/get_settings")
Answered = TypeVar("Answered")
# What tenants had set when they last asked: a guess, which the database says yes or no to before anybody is answered.
_GUESSES: dict[str, str] = {}
_MOST_GUESSES: Final = 10_000

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)(?:-(mon|tue|wed|thu|fri|sat|sun))?\s+(\d\d):(\d\d)-(\d\d):(\d\d)")
_Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
# A part left out of the weights has the weight 1.
_Weight: TypeAlias = Annotated[float, Field(ge=0, le=1000)]


class TenantSettings(BaseModel):
    """One tenant's settings; each is stored by its name, and an absent one has its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: str = Field("America/Sao_Paulo", description="IANA time zone of every period and day.")
    business_hours: str | None = Field(
        None,
        max_length=200,
        description="When response times count, as 'mon-fri 08:00-18:00; sat 09:00-13:00'; unset: always.",
    )
    lead_tag: _Name | None = Field(
        None, description="Only contacts that bear this tag are leads; unset: every contact is."
    )
    won_stage_names: list[_Name] | None = Field(
        None,
        max_length=50,
        description="Stages that mean won; unset: closed stages of names such as Won or Ganho.",
    )
    lost_stage_names: list[_Name] | None = Field(
        None,
        max_length=50,
        description="Stages that mean lost; unset: closed stages of names such as Lost or Perdido.",
    )
    bant_weights: dict[Literal["budget", "authority", "need", "timeline"], _Weight] | None = Field(
        None, description="Weight of each BANT part in a lead's score; unset: all equal."
    )
    bant_threshold: float = Field(5.0, ge=0, le=10, description="Score from which a lead is suggested as qualified.")
    conversion_window_days: int = Field(
        90, ge=1, le=730, description="How long after a conversation a win still counts as its conversion."
    )
    brand_guide: str | None = Field(None, max_length=20_000, description="How agents should write.")
    brand_preferred_words: list[_Name] | None = Field(
        None, max_length=200, description="Words and phrases that agents should use."
    )
    brand_avoided_words: list[_Name] | None = Field(
        None, max_length=200, description="Words and phrases that agents should not use."
    )
    language: Literal["pt-BR", "en"] = Field("pt-BR", description="Language of sentences about the figures.")
    external_model: bool = Field(False, description="Whether redacted messages may be sent to an external model.")
    external_model_daily_tokens: int = Field(
        1_000_000,
        ge=0,
        le=1_000_000_000,
        description="Most tokens that the external model may use for it in a UTC day.",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone; one is America/Sao_Paulo")
        return value

    @field_validator("business_hours")
    @classmethod
    def _readable_hours(cls, value: str | None) -> str | None:
        if value is not None:
            _spans(value)
        return value

    @property
    def zone(self) -> ZoneInfo:
        """Return the tenant's time zone."""
        return ZoneInfo(self.time_zone)

    def open_spans(self) -> tuple[list[int], list[int]]:
        """Return when business hours open and close, in seconds since Monday 00:00; empty: always open."""
        spans = _spans(self.business_hours) if self.business_hours else []
        return [opens for opens, _ in spans], [closes for _, closes in spans]


def _spans(text: str) -> list[tuple[int, int]]:
    """Read 'mon-fri 08:00-18:00; sat 09:00-13:00'; overlapping spans are an error."""
    spans = []
    for part in filter(None, (piece.strip() for piece in text.lower().split(";"))):
        match = _SPAN.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is not like 'mon-fri 08:00-18:00'")
        first, last, *clock = match.groups()
        opens, closes = (int(clock[0]) * 60 + int(clock[1])) * 60, (int(clock[2]) * 60 + int(clock[3])) * 60
        if not 0 <= opens < closes <= 86_400:
            raise ValueError(f"{part!r} must open before it closes, within one day")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        if end < start:
            raise ValueError(f"{part!r} must name its days from Monday on")
        spans += [(day * 86_400 + opens, day * 86_400 + closes) for day in range(start, end + 1)]
    spans.sort()
    if any(earlier[1] > later[0] for earlier, later in pairwise(spans)):
        raise ValueError("business hours overlap")
    return spans


async def settings_of(call: Call) -> TenantSettings:
    """Return the caller's tenant's settings."""
    row = await call.db.first(GET_SETTINGS)
    assert row is not None
    return _read(row["settings"])


async def by_settings(call: Call, answer: Callable[[TenantSettings], Awaitable[tuple[str, Answered]]]) -> Answered:
    """Answer by the tenant's settings without asking for them first.

    *answer* is given those that the tenant had last, and returns with what it makes of them what its statement
    says of `settings`. Where those are others by now, it answers once more, by them.
    """
    tenant = call.caller.tenant_id
    guess = _GUESSES.get(tenant, "{}")
    stored, answered = await answer(_read(guess))
    if stored != guess:
        _GUESSES.pop(tenant, None)
        _GUESSES[tenant] = stored
        if len(_GUESSES) > _MOST_GUESSES:
            del _GUESSES[next(iter(_GUESSES))]
        _, answered = await answer(_read(stored))  # in the same snapshot, so they are these
    return answered


@lru_cache(maxsize=256)
def _read(stored: str) -> TenantSettings:
    """Return what is stored; what no longer fits falls back to its default."""
    values = orjson.loads(stored)
    try:
        return TenantSettings.model_validate(values)
    except ValidationError as error:
        unfit = {str(detail["loc"][0]) for detail in error.errors()}
        return TenantSettings.model_validate({key: value for key, value in values.items() if key not in unfit})
