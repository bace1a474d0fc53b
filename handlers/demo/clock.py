"""The hours of São Paulo: when customers write, when the team works, when an answer comes.

Moments are whole seconds since 1970. Brazil has had no summer time since 2019, so local time
is three hours behind UTC all year round.
"""

from datetime import UTC, datetime
from math import sqrt

from handlers.demo.chance import Draw, lognormal, weighted

TIME_ZONE = "America/Sao_Paulo"
HOUR, DAY, WEEK = 3600, 86_400, 604_800
BEHIND_UTC = 3 * HOUR
# 1970-01-05 was a Monday.
MONDAY = 4 * DAY + BEHIND_UTC

# Share of a day's customers by hour, from midnight.
WEEKDAY_HOURS = (9, 6, 3, 2, 2, 4, 10, 26, 58, 88, 96, 88, 66, 74, 92, 90, 86, 78, 66, 58, 52, 44, 32, 18)
WEEKEND_HOURS = (14, 9, 6, 4, 3, 4, 7, 16, 36, 62, 74, 70, 56, 50, 54, 54, 52, 50, 48, 46, 42, 36, 28, 20)
WEEKDAY = weighted(enumerate(WEEKDAY_HOURS))
WEEKEND = weighted(enumerate(WEEKEND_HOURS))
# Share of customers by day of the week, against the busiest.
DAYS = (1.0, 0.98, 0.95, 0.95, 0.9, 0.5, 0.32)

CHAT = lognormal(75, 1.25)
PAUSE = lognormal(4 * HOUR, 0.8)


def _opens_in(hour_of_week: int) -> int:
    """Give the whole hours until somebody works: Monday to Friday 8–18, Saturday 9–13."""
    wait = 0
    while True:
        day, hour = divmod((hour_of_week + wait) % 168, 24)
        if (day < 5 and 8 <= hour < 18) or (day == 5 and 9 <= hour < 13):
            return wait
        wait += 1


OPENS_IN = tuple(_opens_in(hour) for hour in range(168))


def moment(at: int) -> datetime:
    """Give the moment as PostgreSQL wants it."""
    return datetime.fromtimestamp(at, UTC)


def hour_of_day(at: int) -> int:
    """Give the local hour, 0 to 23."""
    return (at - BEHIND_UTC) % DAY // HOUR


def closed(at: int) -> bool:
    """Tell whether nobody works at this moment."""
    return OPENS_IN[(at - MONDAY) % WEEK // HOUR] > 0


def opening(at: int) -> int:
    """Give the first moment from here on at which the team works."""
    wait = OPENS_IN[(at - MONDAY) % WEEK // HOUR]
    return at - (at - MONDAY) % HOUR + wait * HOUR if wait else at


def on_the_day(at: int, draw: Draw) -> int:
    """Draw a moment of the same local day at which a customer might write."""
    midnight = at - (at - BEHIND_UTC) % DAY
    hours = WEEKDAY if (at - MONDAY) % WEEK < 5 * DAY else WEEKEND
    return midnight + hours[int(draw() * len(hours))] * HOUR + int(draw() * HOUR)


def arrival(start: int, end: int, place: float, draw: Draw) -> int:
    """Draw when a contact arrives in (start, end]; `place` in [0, 1) is its place in the line.

    Arrivals grow by about two thirds over the time, pause at night and are fewer on weekends.
    """
    for _ in range(12):
        grown = (sqrt(0.5625 + place) - 0.75) / 0.5
        at = on_the_day(start + int(grown * (end - start)), draw)
        if start < at <= end and draw() < DAYS[(at - MONDAY) % WEEK // DAY]:
            return at
        place = draw()
    return start + 1 + int(place * (end - start - 1))


def return_after(at: int, seconds: int, draw: Draw) -> int:
    """Draw when a customer writes again, about so many seconds later and at least an hour."""
    return max(at + HOUR, on_the_day(at + seconds, draw))


def customer_writes(at: int, draw: Draw) -> int:
    """Draw when a customer goes on with the conversation; most sleep between midnight and seven."""
    gap = (PAUSE if draw() < 0.07 else CHAT)[int(draw() * 256)]
    then = at + 4 + gap
    hour = (then - BEHIND_UTC) % DAY // HOUR
    if hour < 7 and draw() < 0.8:
        then += (7 - hour) * HOUR + int(draw() * 2 * HOUR)
    return then


def team_answers(at: int, replies: tuple[int, ...], off_hours: float, draw: Draw) -> int:
    """Draw when an agent answers: fast while working, else in the hours after the next opening.

    `off_hours` is about the share of messages that are answered outside working hours, and slowly:
    more of them in the evening, fewer at night.
    """
    delay = 5 + replies[int(draw() * 256)]
    if closed(at):
        awake = 7 <= hour_of_day(at) < 22
        if draw() < off_hours * (3 if awake else 0.5):
            return at + 3 * delay
        return opening(at) + delay // 2 + int(draw() * 4 * HOUR)
    then = at + delay
    if closed(then) and draw() < 0.7:
        then = opening(then) + delay // 4 + int(draw() * 2 * HOUR)
    return then
