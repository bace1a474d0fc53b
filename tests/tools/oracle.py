"""What every figure must be, counted in the slowest and plainest way over the rows of a World.

Nothing here knows of SQL or of the server: the definitions are those of SPEC.md section 4, read anew.
"""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from statistics import median
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from scipy.stats import binom
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from tests.tools.world import Agent, Contact, Entry, Message, Session, World

Bound: TypeAlias = datetime | None
ONE_DAY = timedelta(days=1)
NO_PERSON = ("system", "virtual")
MIN_SAMPLE = 10
USUAL_NAMES = {
    "won": ["won", "closed_won", "ganho", "vendido", "fechado"],
    "lost": ["lost", "closed_lost", "perdido", "cancelado"],
}


# Time


@cache
def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """Return the first quarter of an hour in UTC that lies on the local *day*: clocks change on such."""
    moment = datetime.combine(day, time(), UTC) - timedelta(hours=15)
    while moment.astimezone(zone).date() < day:
        moment += timedelta(minutes=15)
    return moment


def in_same_period(label: str, day: date, other: date) -> bool:
    """Tell whether two local days lie in the same week, month, quarter or year."""
    keys: dict[str, Any] = {
        "week": lambda d: d - timedelta(days=d.weekday()),
        "month": lambda d: (d.year, d.month),
        "quarter": lambda d: (d.year, (d.month - 1) // 3),
        "year": lambda d: d.year,
    }
    return bool(keys[label](day) == keys[label](other))


def days_of(label: str, today: date) -> tuple[date, date]:
    """Return the first and the last day of the calendar period around *today*, found by walking."""
    first = last = today
    while in_same_period(label, first - ONE_DAY, today):
        first -= ONE_DAY
    while in_same_period(label, last + ONE_DAY, today):
        last += ONE_DAY
    return first, last


class Seconds(float):
    """A duration, which answers round more coarsely than a rate."""


@dataclass(frozen=True)
class Days:
    """A period: local days, both inclusive, and the moments they span, the end exclusive."""

    first: date
    last: date
    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def period(
    label: str, zone: ZoneInfo, now: datetime, start: date | None = None, end: date | None = None
) -> Days | None:
    """Return the days of a period around *now*; None for all of time."""
    today = now.astimezone(zone).date()
    if label == "all":
        return None
    if start is not None and end is not None:
        first, last = start, end
    elif label == "today":
        first = last = today
    elif label == "yesterday":
        first = last = today - ONE_DAY
    elif label == "last 30 days":
        first, last = today - 29 * ONE_DAY, today
    else:
        first, last = days_of(label, today)
    return Days(first, last, first_moment(first, zone), first_moment(last + ONE_DAY, zone))


def period_before(label: str, current: Days, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """Return the bounds of the same elapsed local span one period earlier."""
    if label in ("month", "quarter", "year"):
        first = days_of(label, current.first - ONE_DAY)[0]
    else:
        first = current.first - (current.last - current.first + ONE_DAY)
    end = current.start
    if current.holds(now):
        elapsed = now.astimezone(zone).replace(tzinfo=None) - datetime.combine(current.first, time())
        same_hour = (datetime.combine(first, time()) + elapsed).replace(tzinfo=zone)
        end = min(end, same_hour.astimezone(UTC))
    return first_moment(first, zone), end


@cache
def open_minutes(text: str) -> set[tuple[int, int]]:
    """Return the (weekday, minute of the day) that business hours cover."""
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    covered = set()
    for part in text.split(";"):
        days, hours = part.split()
        first, _, last = days.partition("-")
        opens, closes = ([int(piece) for piece in clock.split(":")] for clock in hours.split("-"))
        for day in range(names.index(first), names.index(last or first) + 1):
            covered |= {(day, minute) for minute in range(opens[0] * 60 + opens[1], closes[0] * 60 + closes[1])}
    return covered


def seconds_between(since: datetime, until: datetime, hours: str | None, zone: ZoneInfo) -> float:
    """Return the seconds between two moments, or those of them within business hours, minute by minute."""
    if hours is None:
        return (until - since).total_seconds()
    covered, total = open_minutes(hours), 0.0
    minute = since.astimezone(UTC).replace(second=0, microsecond=0)
    while minute < until:
        local, after = minute.astimezone(zone), minute + timedelta(minutes=1)
        if (local.weekday(), local.hour * 60 + local.minute) in covered:
            total += (min(after, until) - max(minute, since)).total_seconds()
        minute = after
    return total


# Rows that count


def folded(name: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def uuids_in(text: str | None) -> set[UUID]:
    """Return the ids in a JSON array; whatever else stands there is nobody."""
    value = json.loads(text) if text is not None else None
    found = set()
    for item in value if isinstance(value, list) else []:
        try:
            found.add(UUID(item))
        except (ValueError, AttributeError, TypeError):
            continue
    return found


class Books:
    """One tenant's rows that count at *now*: of that tenant, not deleted; and its settings."""

    def __init__(self, world: World, tenant: str, now: datetime) -> None:
        def live(rows: Iterable[Any]) -> list[Any]:
            return [r for r in rows if r.tenant_id == tenant and getattr(r, "deleted_at", None) is None]

        self.now = now
        self.settings = {row.key: json.loads(row.value) for row in world.settings if row.tenant_id == tenant}
        self.zone = ZoneInfo(self.settings.get("time_zone", "America/Sao_Paulo"))
        self.window_days: int = self.settings.get("conversion_window_days", 90)
        self.hours: str | None = self.settings.get("business_hours")
        self.contacts: list[Contact] = live(world.contacts)
        self.sessions: list[Session] = live(world.sessions)
        self.talks: dict[UUID, list[Session]] = defaultdict(list)
        for session in self.sessions:
            self.talks[session.contact_id].append(session)
        self.ratings = live(world.ratings)
        self.decisions = {d.contact_id: d for d in live(world.decisions) if d.superseded_at is None}
        self.everyone: list[Agent] = [a for a in world.agents if a.tenant_id == tenant]
        self.agents = [a for a in live(world.agents) if a.type not in NO_PERSON]
        self.agent_sessions = [a for a in world.agent_sessions if a.deleted_at is None]
        self.messages: dict[UUID, list[Message]] = defaultdict(list)
        for message in sorted(live(world.messages), key=lambda m: (m.timestamp, m.id)):
            if message.session_id is not None:
                self.messages[message.session_id].append(message)
        self.entries: dict[UUID, list[Entry]] = defaultdict(list)
        for entry in sorted(live(world.entries), key=lambda e: (e.entered_at, e.id)):
            self.entries[entry.contact_id].append(entry)
        pipelines = {row.id for row in world.pipelines if row.tenant_id == tenant}
        self.stages = {row.id: row for row in world.stages if row.pipeline_id in pipelines}
        self.present = {session.id: self._present(session) for session in self.sessions}

    def outcome(self, stage_id: UUID) -> str | None:
        """Return won or lost, by the tenant's own names, else by usual names of closed stages."""
        stage = self.stages.get(stage_id)
        if stage is None:
            return None
        name = folded(stage.name)
        own = {outcome: self.settings.get(f"{outcome}_stage_names") for outcome in USUAL_NAMES}
        for outcome, names in own.items():
            if names is not None and name in [folded(other) for other in names]:
                return outcome
        for outcome, names in USUAL_NAMES.items():
            if own[outcome] is None and stage.status_type == "closed" and name in names:
                return outcome
        return None

    def leads(self) -> list[Contact]:
        tag = self.settings.get("lead_tag")
        if tag is None:
            return self.contacts
        return [c for c in self.contacts if tag in _array(c.tags)]

    def decision(self, contact_id: UUID) -> str:
        return self.decisions[contact_id].status if contact_id in self.decisions else "undecided"

    def _present(self, session: Session) -> set[UUID]:
        """Return who of the tenant's agents took part in a conversation."""
        ids = uuids_in(session.agent_ids) | {j.agent_id for j in self.agent_sessions if j.session_id == session.id}
        written = {m.agent_id for m in self.messages[session.id] if m.from_me and m.source == "manual"} - {None}
        return {a.id for a in self.everyone if a.id in ids or a.id in written or a.user_id in written}

    def sender(self, message: Message) -> Agent | None:
        """Return whose message this is: the agent of that id, else the agent of that user."""
        for agent in self.everyone:
            if agent.id == message.agent_id:
                return agent
        for agent in self.everyone:
            if agent.user_id is not None and agent.user_id == message.agent_id:
                return agent
        return None

    def is_by_a_human(self, message: Message) -> bool:
        if not message.from_me or message.source != "manual":
            return False
        agent = self.sender(message)
        return agent is None or agent.type == "human"

    def credited(self, message: Message) -> UUID | None:
        """Return the agent that a human message counts for: a human one that is still there."""
        agent = self.sender(message)
        return agent.id if agent is not None and agent.type == "human" and agent.deleted_at is None else None

    def last_human(self, session_id: UUID, until: datetime) -> UUID | None:
        """Return the last human agent who wrote by hand in a conversation that is not deleted."""
        last = None
        for message in self.messages[session_id]:
            if message.timestamp <= until and self.is_by_a_human(message):
                last = self.credited(message) or last
        return last if session_id in self.present else None


def _array(text: str | None) -> list[Any]:
    value = json.loads(text) if text is not None else None
    return value if isinstance(value, list) else []


# get_leads_count


def leads_count(
    books: Books, label: str, *, status: str = "all", start: date | None = None, end: date | None = None
) -> dict[str, Any]:
    """Return what get_leads_count must say, without the series."""
    days = period(label, books.zone, books.now, start, end)
    created = [c for c in books.leads() if days is None or days.holds(c.created_at)]
    wanted = [c for c in created if status in ("all", books.decision(c.id))]
    decided = [c for c in books.leads() if books.decision(c.id) == "qualified"]
    before: dict[str, Any] | None = None
    if days is not None:
        since, until = period_before(label, days, books.zone, books.now)
        earlier = [c for c in books.leads() if since <= c.created_at < until]
        total = sum(status in ("all", books.decision(c.id)) for c in earlier)
        before = {"start": since, "end": until, "total_leads": total}
    delta = None if before is None else len(wanted) - before["total_leads"]
    return {
        "total_leads": len(wanted),
        "qualified_leads": sum(books.decision(c.id) == "qualified" for c in created),
        "unqualified_leads": sum(books.decision(c.id) == "unqualified" for c in created),
        "undecided_leads": sum(books.decision(c.id) == "undecided" for c in created),
        "opportunities": sum(_is_opportunity(books, c) for c in created),
        "qualified_in_period": sum(days is None or days.holds(books.decisions[c.id].decided_at) for c in decided),
        "previous": before,
        "delta": delta,
        "delta_pct": round(100 * delta / before["total_leads"], 2)
        if before and delta is not None and before["total_leads"]
        else None,
    }


def _is_opportunity(books: Books, contact: Contact) -> bool:
    stays = [e for e in books.entries[contact.id] if e.exited_at is None and e.status_id in books.stages]
    return any(books.stages[e.status_id].status_type == "active" for e in stays)


def leads_series(books: Books, label: str, bucket: str, status: str = "all") -> list[tuple[date, int]]:
    """Return (first local day, leads) of each day, week or month of the period, empty ones too."""
    days = period(label, books.zone, books.now)
    wanted = [c for c in books.leads() if status in ("all", books.decision(c.id))]
    local = [c.created_at.astimezone(books.zone).date() for c in wanted if days is None or days.holds(c.created_at)]
    if days is None and not local:
        return []
    first, last = (min(local), max(local)) if days is None else (days.first, days.last)
    counts: dict[date, int] = {}
    while first <= last:
        begins = first if bucket == "day" else days_of(bucket, first)[0]
        counts[begins] = counts.get(begins, 0) + local.count(first)
        first += ONE_DAY
    return sorted(counts.items())


# get_agent_conversion_stats


@dataclass(frozen=True)
class Case:
    """What became of one contact, for whoever took part in its conversation that began at *since*."""

    contact_id: UUID
    since: datetime
    won_at: datetime | None
    already_won: bool
    converted: bool
    lost: bool
    immature: bool
    qualified: bool


def cases(books: Books, days: Days, who: set[UUID], window_days: int) -> list[Case]:
    """Return a case for each contact that anybody of *who* talked with in the period."""
    found = []
    for contact in books.contacts:
        starts = [
            session.started_at
            for session in books.talks[contact.id]
            if days.holds(session.started_at) and books.present[session.id] & who
        ]
        if starts:
            found.append(_case(books, contact, min(starts), window_days))
    return found


def _case(books: Books, contact: Contact, since: datetime, window_days: int) -> Case:
    until = since + timedelta(days=window_days)
    entries = books.entries[contact.id]
    won_at = min((e.entered_at for e in entries if books.outcome(e.status_id) == "won"), default=None)
    converted = won_at is not None and since <= won_at < until and won_at <= books.now
    within = [e for e in entries if since <= e.entered_at < until and e.entered_at <= books.now]
    return Case(
        contact_id=contact.id,
        since=since,
        won_at=won_at,
        already_won=won_at is not None and won_at < since,
        converted=converted,
        lost=not converted and bool(within) and books.outcome(within[-1].status_id) == "lost",
        immature=until > books.now,
        qualified=books.decision(contact.id) == "qualified",
    )


def figures(found: Sequence[Case]) -> dict[str, Any]:
    """Return the figures over some cases."""
    counted = [case for case in found if not case.already_won]
    total = len(counted)
    won = [case for case in counted if case.converted]
    decided = len(won) + sum(case.lost for case in counted)
    times = [(case.won_at - case.since).total_seconds() for case in won if case.won_at is not None]
    return {
        "total_contacts": total,
        "qualified": sum(case.qualified for case in counted),
        "conversions": len(won),
        "conversion_rate": len(won) / total if total else None,
        "ci95": wilson(len(won), total),
        "decided": decided,
        "win_rate": len(won) / decided if decided else None,
        "win_rate_ci95": wilson(len(won), decided),
        "still_open": total - decided,
        "immature": sum(case.immature for case in counted),
        "already_won": len(found) - total,
        "avg_time_to_conversion_seconds": Seconds(sum(times) / len(times)) if times else None,
        "median_time_to_conversion_seconds": Seconds(median(times)) if times else None,
        "low_sample": total < MIN_SAMPLE,
    }


def conversion_stats(
    books: Books, days: Days, *, agent_ids: Sequence[UUID] | None = None, window_days: int | None = None
) -> dict[str, Any]:
    """Return what get_agent_conversion_stats must say of agents and team."""
    window = books.window_days if window_days is None else window_days
    asked = [a for a in books.agents if agent_ids is None or a.id in agent_ids]
    by_agent = {agent.id: cases(books, days, {agent.id}, window) for agent in asked}
    listed = [a for a in asked if agent_ids is not None or by_agent[a.id]]
    stats = [{"agent_id": a.id, "agent_name": a.name, "agent_type": a.type, **figures(by_agent[a.id])} for a in listed]
    stats.sort(key=_by_conversion)
    touched = [case.contact_id for agent in listed for case in by_agent[agent.id]]
    rates = {row["agent_id"]: (row["conversions"], row["total_contacts"]) for row in stats}
    ranking, decisive = rank(rates)
    return {
        "stats": stats,
        "team": figures(cases(books, days, {a.id for a in asked}, window)),
        "shared_contacts": sum(touched.count(contact_id) > 1 for contact_id in set(touched)),
        "top_agent": {"agent_id": ranking[0]["agent_id"]} if decisive else None,
        "not_found": sorted(set(agent_ids or ()) - {a.id for a in books.agents}),
    }


def _by_conversion(row: dict[str, Any]) -> tuple[Any, ...]:
    rate = row["conversion_rate"]
    return (rate is None, -(rate or 0), -row["conversions"], row["agent_id"])


# Intervals


def wilson(hits: int, n: int) -> dict[str, float] | None:
    """Return the 95 % Wilson interval of a rate."""
    if n == 0:
        return None
    low, high = proportion_confint(hits, n, alpha=0.05, method="wilson")
    # Without hits it begins at exactly 0, and ends at 1 without a miss, but for the last bits of a float.
    return {"low": float(low) if hits else 0.0, "high": float(high) if hits < n else 1.0}


def rates_differ(one: tuple[int, int], other: tuple[int, int], alpha: float) -> bool:
    """Tell whether Newcombe's interval of the difference of two rates (hits, n) excludes 0."""
    low, high = confint_proportions_2indep(*one, *other, method="newcomb", compare="diff", alpha=alpha)
    return bool(low > 0 or high < 0)


def median_interval(values: Sequence[float], alpha: float) -> tuple[float, float] | None:
    """Return the narrowest symmetric pair of order statistics that holds the median with 1 - alpha; None if too few."""
    ordered, n = sorted(values), len(values)
    best = None
    for rank in range(1, n // 2 + 1):
        # Above the median lie fewer than `rank` of n, or below it: each with this chance.
        if 2 * float(binom.cdf(rank - 1, n, 0.5)) <= alpha:
            best = (ordered[rank - 1], ordered[n - rank])
    return best


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile, interpolated between its two neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


# get_top_performing_agent


@dataclass(frozen=True)
class Wait:
    """A customer who waited for an answer."""

    started_at: datetime
    seconds: float | None
    agent_id: UUID | None


def waits(books: Books, days: Days) -> list[Wait]:
    """Return the waits that began in the period, answered by a human or not."""
    found = []
    for session in books.sessions:
        waiting: Message | None = None
        for message in books.messages[session.id]:
            if message.timestamp > books.now:
                break
            if not message.from_me:
                waiting = waiting or message
            elif waiting is not None and books.is_by_a_human(message):
                found.append(_wait(books, waiting, message))
                waiting = None
        if waiting is not None:
            found.append(Wait(waiting.timestamp, None, None))
    return [wait for wait in found if days.holds(wait.started_at)]


def first_responses(books: Books, days: Days) -> list[Wait]:
    """Return how long conversations opened by the customer in the period waited for their first human answer."""
    found = []
    for session in books.sessions:
        said = [message for message in books.messages[session.id] if message.timestamp <= books.now]
        if said and not said[0].from_me and days.holds(said[0].timestamp):
            replies = [message for message in said if books.is_by_a_human(message)]
            found += [_wait(books, said[0], message) for message in replies[:1]]
    return found


def _wait(books: Books, question: Message, answer: Message) -> Wait:
    seconds = seconds_between(question.timestamp, answer.timestamp, books.hours, books.zone)
    return Wait(question.timestamp, seconds, books.credited(answer))


def verdicts(books: Books, days: Days, metric: str) -> list[tuple[UUID | None, bool]]:
    """Return (agent, good or not) for each case of a share."""
    if metric == "resolution_rate":
        ended = [s for s in books.sessions if s.ended_at and days.holds(s.ended_at) and s.ended_at <= books.now]
        return [(books.last_human(s.id, books.now), bool(s.resolved)) for s in ended]
    if metric == "satisfaction" and books.ratings:
        given = [r for r in books.ratings if days.holds(r.rated_at)]
        return [(books.last_human(r.session_id, r.rated_at), r.rating >= 4) for r in given]
    if metric == "satisfaction":
        felt = [s for s in books.sessions if s.sentiment and days.holds(s.started_at)]
        return [(books.last_human(s.id, books.now), s.sentiment == "positive") for s in felt]
    return [
        (agent.id, case.converted)
        for agent in books.agents
        for case in cases(books, days, {agent.id}, books.window_days)
        if not case.already_won and (metric == "conversion_rate" or case.converted or case.lost)
    ]


def top_by_rate(books: Books, days: Days, metric: str) -> dict[str, Any]:
    """Return what get_top_performing_agent must say for a metric that is a share."""
    judged = [(agent_id, good) for agent_id, good in verdicts(books, days, metric) if agent_id is not None]
    rates = {
        agent_id: (
            sum(good for other, good in judged if other == agent_id),
            [other for other, _ in judged].count(agent_id),
        )
        for agent_id, _ in judged
    }
    ranking, decisive = rank(rates)
    excluded = {agent_id: n for agent_id, (_, n) in rates.items() if n < MIN_SAMPLE}
    return {"ranking": ranking, "excluded": excluded, "decisive": decisive}


def rank(rates: dict[UUID, tuple[int, int]]) -> tuple[list[dict[str, Any]], bool]:
    """Return agents of enough cases by the low end of their rates (hits, n), and whether the first is surely ahead."""
    ranking: list[dict[str, Any]] = [
        {"agent_id": agent_id, "value": hits / n, "ci95": wilson(hits, n), "n": n}
        for agent_id, (hits, n) in rates.items()
        if n >= MIN_SAMPLE
    ]
    ranking.sort(key=_by_low_end)
    ordered = [rates[row["agent_id"]] for row in ranking]
    alpha = 0.05 / max(1, len(ordered) - 1)
    return ranking, len(ordered) > 1 and all(rates_differ(ordered[0], other, alpha) for other in ordered[1:])


def _by_low_end(row: dict[str, Any]) -> tuple[float, UUID]:
    return -row["ci95"]["low"], row["agent_id"]


def top_by_response_time(books: Books, days: Days) -> dict[str, Any]:
    """Return what get_top_performing_agent must say for response_time."""
    times: dict[UUID, list[float]] = defaultdict(list)
    firsts: dict[UUID, list[float]] = defaultdict(list)
    waited = waits(books, days)
    for found, by_agent in ((waited, times), (first_responses(books, days), firsts)):
        for wait in found:
            if wait.agent_id is not None and wait.seconds is not None:
                by_agent[wait.agent_id].append(wait.seconds)
    ranking = [_response_times(agent_id, times[agent_id], firsts[agent_id]) for agent_id in list(times)]
    excluded = {row["agent_id"]: row["n"] for row in ranking if row["n"] < MIN_SAMPLE}
    ranking = [row for row in ranking if row["n"] >= MIN_SAMPLE]
    ranking.sort(key=lambda row: (row["ci95"]["high"], row["agent_id"]))
    alpha = 0.05 / max(1, len(ranking) - 1)
    intervals = [median_interval(times[row["agent_id"]], alpha) for row in ranking]
    return {
        "ranking": ranking,
        "excluded": excluded,
        "decisive": len(intervals) > 1 and all(_is_below(intervals[0], other) for other in intervals[1:]),
        "unanswered": sum(wait.seconds is None for wait in waited),
    }


def _response_times(agent_id: UUID, seconds: list[float], first: list[float]) -> dict[str, Any]:
    interval = median_interval(seconds, 0.05)
    return {
        "agent_id": agent_id,
        "value": Seconds(median(seconds)),
        "ci95": None if interval is None else {"low": Seconds(interval[0]), "high": Seconds(interval[1])},
        "p90": Seconds(percentile(seconds, 0.9)),
        "n": len(seconds),
        "first_response": {"median": Seconds(median(first)) if first else None, "n": len(first)},
    }


def _is_below(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    return one is not None and other is not None and one[1] < other[0]
