"""
Schedules: whether a window holds at a moment, and when that changes next.

A window looks at the wall clock of the policy's zone, to the minute. So on the day when clocks go
forward the lost hour belongs to no window; on the day when they go back the doubled hour counts
both times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ..schemas.policy import Cron, WeekSpan, Window

_MINUTE = timedelta(minutes=1)
_DAY_MINUTES = 1440

HORIZON_DAYS = 366
"""How far ahead `next_change` looks."""


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


def changes(windows: Mapping[str, Window], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """
    The moments after `after` at which the set of active windows differs from the minute before,
    in UTC, earliest first, within HORIZON_DAYS.
    """
    before = active(windows, after.astimezone(zone))
    for moment in _candidates(windows, zone, after):
        now = active(windows, moment.astimezone(zone))
        if now != before:
            yield moment
        before = now


def next_change(windows: Mapping[str, Window], zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first of `changes`; None where nothing changes within HORIZON_DAYS."""
    return next(changes(windows, zone, after), None)


def _in_span(span: WeekSpan, weekday: int, minute: int) -> bool:
    if span.start_minute < span.end_minute:
        return weekday in span.days and span.start_minute <= minute < span.end_minute
    if weekday in span.days and minute >= span.start_minute:
        return True
    return (weekday - 1) % 7 in span.days and minute < span.end_minute


def _cron_day(cron: Cron, local: datetime) -> bool:
    if local.month not in cron.months:
        return False
    in_month, in_week = local.day in cron.days_of_month, local.weekday() in cron.weekdays
    if cron.any_day_of_month or cron.any_weekday:
        return in_month and in_week
    return in_month or in_week


def _cron_minute(cron: Cron, minute: int) -> bool:
    return minute // 60 in cron.hours and minute % 60 in cron.minutes


def _candidates(windows: Mapping[str, Window], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Every moment at which a window may change: its boundaries on each day, and clock changes."""
    start = after.astimezone(zone)
    weekly = sorted(_weekly_minutes(windows.values()))
    crons = [w.cron for w in windows.values() if w.cron is not None]
    if not weekly and not crons:
        return
    for offset in range(HORIZON_DAYS + 1):
        day = datetime(start.year, start.month, start.day) + timedelta(days=offset)
        minutes = set(weekly) | {m for c in crons if _cron_day(c, day) for m in _cron_edges(c)}
        moments = {_instant(day, minute, zone, fold) for minute in minutes for fold in (0, 1)}
        moments |= set(_clock_changes(day, zone))
        yield from sorted(m for m in moments if m > after)


def _weekly_minutes(windows: Iterable[Window]) -> set[int]:
    """Midnight, where a day starts or ends, and each start and end of a span."""
    edges = {m % _DAY_MINUTES for w in windows for s in w.spans for m in (s.start_minute, s.end_minute)}
    return edges | {0}


def _cron_edges(cron: Cron) -> set[int]:
    """The minutes of a matching day on which a run of matching minutes starts or has just ended."""
    matching = {h * 60 + m for h in cron.hours for m in cron.minutes}
    starts = {m for m in matching if m - 1 not in matching}
    ends = {m + 1 for m in matching if m + 1 not in matching}
    return starts | ends


def _instant(day: datetime, minute: int, zone: ZoneInfo, fold: int) -> datetime:
    """A wall-clock time as a moment in UTC. In the lost hour: the same distance after it started."""
    local = day + timedelta(minutes=minute)
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _clock_changes(day: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The moment within a local day at which the zone's offset changes, to the minute."""
    first = day.replace(tzinfo=zone).astimezone(UTC)
    last = (day + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
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
