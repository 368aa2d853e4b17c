"""Cron lines, as the sets of what each field matches. The only file that knows croniter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..schemas.policy import Cron

_NO_MORE_THAN = 200
_FIELDS = ("minute", "hour", "day of month", "month", "weekday")
_RANGES = (range(60), range(24), range(1, 32), range(1, 13), range(7))


def read_cron(text: str) -> Cron | str:
    """The fields of a five-field cron line, or one clause that says why it is none."""
    fields = text.split()
    if len(text) > _NO_MORE_THAN or len(fields) != 5:
        return f"it has {len(fields)} fields" if len(text) <= _NO_MORE_THAN else "it is too long"
    if any(c in text.lower() for c in "#lwhr?") and not _plain_words(fields):
        return "`#`, `L`, `W`, `H`, `R` and `?` aren't supported"
    expanded, nth = _expand(text)
    if expanded is None:
        return _odd_field(fields)
    if nth:
        return "`#` and `L` aren't supported"
    minutes, hours, days, months, weekdays = (
        _values(field, everything) for field, everything in zip(expanded, _RANGES, strict=True)
    )
    return Cron(
        text,
        minutes,
        hours,
        days,
        months,
        # Cron counts from Sunday (0, or 7); the house counts from Monday.
        frozenset((day - 1) % 7 for day in weekdays),
        any_day_of_month=fields[2].startswith("*"),
        any_weekday=fields[4].startswith("*"),
    )


def _expand(text: str) -> tuple[list[list[Any]] | None, Any]:
    """What each field matches (None: it can't be read), and the n-th weekdays of a month."""
    # Imported here: most policies have no cron line, and the library takes a while to import.
    from croniter import CroniterBadCronError, croniter

    try:
        expanded, nth = croniter.expand(text)[:2]
    except (CroniterBadCronError, ValueError, KeyError, IndexError):
        return None, None
    return expanded, nth


def _plain_words(fields: list[str]) -> bool:
    """Letters belong to month and weekday names only."""
    return not any(c in field for field in fields for c in "#?") and not any(
        c.isalpha() for field in fields[:3] for c in field
    )


def _values(field: Sequence[int | str], everything: range) -> frozenset[int]:
    if "*" in field:
        return frozenset(everything)
    return frozenset(int(value) for value in field)


def _odd_field(fields: list[str]) -> str:
    """The first field that can't be read when all others are `*`."""
    for number, field in enumerate(fields):
        alone = ["*"] * 5
        alone[number] = field
        if _expand(" ".join(alone))[0] is None:
            return f"`{field}` is no {_FIELDS[number]}"
    return "its fields don't go together"
