"""
Schedules: whether a window holds at a moment, and when that changes next.

A window looks at the wall clock of the policy's zone, to the minute. So on the day when clocks go
forward the lost hour belongs to no window; on the day when they go back the doubled hour counts
both times.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

from ..schemas.policy import Cron, WeekSpan, Window

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_DAY_MINUTES = 1440

HORIZON_DAYS = 366
"""How far ahead is looked where nobody says."""


def holds(windows: Mapping[str, Window], name: str, local: datetime) -> bool:
    """Whether a window holds at a local wall-clock time. Windows mustn't name each other in a circle."""
    window = windows[name]
    if window.outside is not None:
        return not holds(windows, window.outside, local)
    minute = local.hour * 60 + local.minute
    if window.cron is not None:
        return _cron_day(window.cron, local) and _cron_minute(window.cron, minute)
    return any(_in_span(span, local.weekday(), minute) for span in window.spans)


def active(windows: Mapping[str, Window], local: datetime) -> frozenset[str]:
    """The windows that hold at a local wall-clock time."""
    return frozenset(name for name in windows if holds(windows, name, local))


def changes(
    windows: Mapping[str, Window], zone: ZoneInfo, after: datetime, days: int = HORIZON_DAYS
) -> Iterator[datetime]:
    """
    The moments after `after` at which the set of active windows differs from the minute before,
    in UTC, earliest first, within so many days.
    """
    before = active(windows, after.astimezone(zone))
    for moment in boundaries(windows, zone, after, days):
        now = active(windows, moment.astimezone(zone))
        if now != before:
            yield moment
        before = now


def next_change(
    windows: Mapping[str, Window], zone: ZoneInfo, after: datetime, days: int = HORIZON_DAYS
) -> datetime | None:
    """The first of `changes`; None where nothing changes within so many days."""
    return next(changes(windows, zone, after, days), None)


def first_times(
    windows: Mapping[str, Window], zone: ZoneInfo, start: datetime, days: int = HORIZON_DAYS
) -> Iterator[tuple[datetime, frozenset[str]]]:
    """
    Each set of windows that hold together, and the first moment from `start` on at which just
    those do; in UTC, earliest first, within so many days.
    """
    seen: set[frozenset[str]] = set()
    for moment in moments_apart(windows, zone, start, days):
        now = active(windows, moment.astimezone(zone))
        if now not in seen:
            seen.add(now)
            yield moment, now


def moments_apart(
    windows: Mapping[str, Window], zone: ZoneInfo, start: datetime, days: int = HORIZON_DAYS
) -> Iterator[datetime]:
    """
    Moments from `start` on, in UTC, earliest first: one at least for each set of windows that hold
    together within so many days, and many that repeat one.
    """
    return chain([start.astimezone(UTC)], boundaries(windows, zone, start, days, repeat=False))


def _in_span(span: WeekSpan, weekday: int, minute: int) -> bool:
    if span.start_minute < span.end_minute:
        return weekday in span.days and span.start_minute <= minute < span.end_minute
    if weekday in span.days and minute >= span.start_minute:
        return True
    return (weekday - 1) % 7 in span.days and minute < span.end_minute


def _cron_day(cron: Cron, local: datetime) -> bool:
    return _cron_date(cron, local.month, local.day, local.weekday())


def _cron_date(cron: Cron, month: int, day: int, weekday: int) -> bool:
    if month not in cron.months:
        return False
    in_month, in_week = day in cron.days_of_month, weekday in cron.weekdays
    if cron.any_day_of_month or cron.any_weekday:
        return in_month and in_week
    return in_month or in_week


def _cron_minute(cron: Cron, minute: int) -> bool:
    return minute // 60 in cron.hours and minute % 60 in cron.minutes


def boundaries(
    windows: Mapping[str, Window], zone: ZoneInfo, after: datetime, days: int, *, repeat: bool = True
) -> Iterator[datetime]:
    """
    Every moment after `after` at which a window may change, earliest first.

    Without `repeat`, days that can't have other sets of windows than earlier ones are left out.
    """
    waiting: set[datetime] = set()
    for day, moments in _day_by_day(windows, zone, after, days, repeat):
        # INVARIANT: clocks are less than a day off UTC, so no moment of this day or a later one lies before
        # yesterday's date in UTC. Days do overlap: where clocks go back over midnight, or skip it.
        yesterday = (day - _DAY).replace(tzinfo=UTC)
        ripe = {moment for moment in waiting if moment < yesterday}
        yield from sorted(ripe)
        waiting = (waiting - ripe) | {moment for moment in moments if moment > after}
    yield from sorted(waiting)


def _day_by_day(
    windows: Mapping[str, Window], zone: ZoneInfo, after: datetime, days: int, repeat: bool
) -> Iterator[tuple[datetime, set[datetime]]]:
    """Local days, and the moments of each: its midnight, the edges of what runs on it, clock changes."""
    spans = [span for window in windows.values() for span in window.spans]
    weekly = {m % _DAY_MINUTES for span in spans for m in (span.start_minute, span.end_minute)}
    crons = {w.cron: _cron_edges(w.cron) for w in windows.values() if w.cron is not None}
    if not weekly and not crons:
        return
    known: set[tuple[int, ...]] = set()
    kinds: set[tuple[int, ...]] | None = {(weekday,) for weekday in range(7)} if not crons else None
    local = after.astimezone(zone)
    today = datetime(local.year, local.month, local.day)
    # Where clocks go back over midnight, yesterday isn't over.
    first = 0 if _is_quiet(today, zone) else -1
    for day in (today + n * _DAY for n in range(first, days + 1)):
        if kinds is None and not repeat and (day - today).days > HORIZON_DAYS:
            kinds = _day_kinds(list(crons))
        running = [cron for cron in crons if _cron_day(cron, day)]
        kind = (day.weekday(), *(cron in running for cron in crons))
        if kind in known:
            continue
        minutes = weekly.union({0}, *(crons[cron] for cron in running))
        quiet = _is_quiet(day, zone)
        moments = _quiet_moments(day, minutes, zone) if quiet else _moments(day, minutes, zone)
        yield day, moments
        # A day that is seen as a whole has all that its kind can have.
        if quiet and min(moments) > after and not repeat:
            known.add(kind)
        if known == kinds:
            return


def _day_kinds(crons: list[Cron]) -> set[tuple[int, ...]]:
    """The kinds of day that the calendar has: every date, 29 February too, falls on every weekday in time."""
    return {
        (weekday, *(_cron_date(cron, month, day, weekday) for cron in crons))
        for month in range(1, 13)
        for day in range(1, monthrange(2024, month)[1] + 1)
        for weekday in range(7)
    }


@lru_cache(maxsize=256)
def _cron_edges(cron: Cron) -> frozenset[int]:
    """The minutes of a matching day on which a run of matching minutes starts or has just ended."""
    matching = {h * 60 + m for h in cron.hours for m in cron.minutes}
    return frozenset(matching ^ {m + 1 for m in matching})


def _is_quiet(day: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks change neither on a local day nor on the day before or after."""
    before, after = (moment.replace(tzinfo=zone).utcoffset() for moment in (day - _DAY, day + 2 * _DAY))
    return before == after


def _quiet_moments(day: datetime, minutes: Iterable[int], zone: ZoneInfo) -> set[datetime]:
    """What `_moments` gives for a quiet day, without a look at the clock for each."""
    midnight = _instant(day, 0, zone, 0)
    return {midnight + minute * _MINUTE for minute in minutes}


def _moments(day: datetime, minutes: Iterable[int], zone: ZoneInfo) -> set[datetime]:
    """The moments at which a local clock shows some minutes of a day, and those at which it changes."""
    return {_instant(day, minute, zone, fold) for minute in minutes for fold in (0, 1)}.union(
        _clock_changes(day, zone)
    )


def _instant(day: datetime, minute: int, zone: ZoneInfo, fold: int) -> datetime:
    """A wall-clock time as a moment in UTC. In the lost hour: the same distance after it started."""
    local = day + timedelta(minutes=minute)
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _clock_changes(day: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The moment within a local day at which the zone's offset changes, to the minute."""
    first = day.replace(tzinfo=zone).astimezone(UTC)
    last = (day + _DAY).replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).utcoffset() == last.astimezone(zone).utcoffset():
        return
    while last - first > _MINUTE:
        middle = first + (last - first) / 2
        middle = middle.replace(second=0, microsecond=0)
        if middle <= first:
            break
        if middle.astimezone(zone).utcoffset() == first.astimezone(zone).utcoffset():
            first = middle
        else:
            last = middle
    yield last
