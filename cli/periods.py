"""The period that a report is about, as the command line says it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from ..engine.periods import period_of
from ..engine.reading import moment
from ..schemas.records import dataclass
from ..schemas.report import Period

MOST_DAYS = 36_500
DAYS_VARIABLE = "COST_REPORT_DAYS"

_AGO = re.compile(r"(\d{1,5})\s+(minute|hour|day|week|month|year)s?\s+ago", re.IGNORECASE)
_HINT = 'write 2026-01-05, 2026-01-05T10:00, "7 days ago", yesterday or today'


@dataclass(frozen=True, slots=True)
class Asked:
    """A period, and how one calls it."""

    period: Period
    words: str


def asked_period(options: dict[str, Any], default_days: int | None, now: datetime, zone: ZoneInfo) -> Asked:
    """
    The period that --days, --since, --until and --this-month name; else the last so many days, else all.

    Raises:
        click.UsageError: they say two things at once, or what can't be.
    """
    days, since, until, month = (options[name] for name in ("days", "since", "until", "this_month"))
    if sum(map(bool, (days is not None, since or until, month, options["everything"]))) > 1:
        raise click.UsageError("--days, --this-month, --all, and --since with --until: say one of them")
    if month:
        bounds = period_of("month", now.astimezone(zone))
        assert bounds is not None
        return Asked(Period(*bounds), f"This month ({now.astimezone(zone):%B %Y})")
    if since or until:
        return _between(since, until, now, zone)
    days = default_days if days is None else days
    if options["everything"] or days is None:
        return Asked(Period(), "All time")
    return last_days(days, now, zone)


def last_days(days: int, now: datetime, zone: ZoneInfo) -> Asked:
    """The last so many days up to now; by the clock on the wall, so that one may have 23 or 25 hours."""
    since = (now.astimezone(zone) - timedelta(days=days)).astimezone(UTC)
    return Asked(Period(since), f"Last {days:,} days" if days != 1 else "Last day")


def days_of(text: str | None) -> int | None:
    """
    What COST_REPORT_DAYS says.

    Raises:
        click.UsageError: it is no number of days.
    """
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= MOST_DAYS:
        raise click.UsageError(f"{DAYS_VARIABLE} {text}: that is no number of days; write 7")
    return int(text)


def _between(since: str | None, until: str | None, now: datetime, zone: ZoneInfo) -> Asked:
    period = Period(_moment("--since", since, now, zone), _moment("--until", until, now, zone, end=True))
    if period.since is not None and period.until is not None and period.since >= period.until:
        raise click.UsageError(f"--since {since} --until {until}: that period is empty")
    words = " ".join(word for word in (since and f"since {since}", until and f"until {until}") if word)
    return Asked(period, words[:1].upper() + words[1:])


def _moment(
    option: str, text: str | None, now: datetime, zone: ZoneInfo, *, end: bool = False
) -> datetime | None:
    """A moment; a day is meant from its start, or, where `end`, up to its end."""
    if text is None:
        return None
    day = _day(text.strip(), now.astimezone(zone).date())
    if day is not None:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
        bounds = period_of("day", noon)
        assert bounds is not None
        return bounds[end]
    match = _AGO.fullmatch(text.strip())
    found = moment(text, zone) if match is None else _ago(match, now.astimezone(zone))
    if found is None:
        raise click.UsageError(f"{option} {text}: that is no time; {_HINT}")
    return found.astimezone(UTC)


def _day(text: str, today: date) -> date | None:
    words = {"today": today, "yesterday": today - timedelta(days=1)}
    if text.lower() in words:
        return words[text.lower()]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 < day.year < 9000 else None


def _ago(match: re.Match[str], local: datetime) -> datetime | None:
    number, unit = int(match[1]), match[2].lower()
    try:
        if unit in ("minute", "hour"):
            return local.astimezone(UTC) - timedelta(**{f"{unit}s": number})
        if unit in ("day", "week"):
            return local - timedelta(**{f"{unit}s": number})
        months = local.year * 12 + local.month - 1 - number * (12 if unit == "year" else 1)
        first = local.replace(year=months // 12, month=months % 12 + 1, day=1)
        last = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
        return first.replace(day=min(local.day, last))
    except (OverflowError, ValueError):
        return None
