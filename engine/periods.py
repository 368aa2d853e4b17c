"""Days, weeks from Monday and months in a time zone: where each starts and ends, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

CALENDAR = ("day", "week", "month")
"""The periods that turn by the clock; a run or a story ends by itself."""


def period_of(period: str, local: datetime) -> tuple[datetime, datetime] | None:
    """
    The period that holds a local moment, from its start up to, not including, its end.

    None for a run or story, which have no times.
    """
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    if period == "day":
        start = midnight
        end = start + timedelta(days=1)
    elif period == "week":
        start = midnight - timedelta(days=local.weekday())
        end = start + timedelta(days=7)
    elif period == "month":
        start = midnight.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        return None
    return _moment(start.replace(tzinfo=local.tzinfo)), _moment(end.replace(tzinfo=local.tzinfo))


def _moment(midnight: datetime) -> datetime:
    """A local midnight in UTC; where the clock skips it, the moment at which the clock resumes."""
    # Read with the offset before and after a skip, the skipped time lies after and before it.
    low, high = (int(midnight.replace(fold=fold).timestamp()) for fold in (1, 0))
    wanted = midnight.replace(tzinfo=None)
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, midnight.tzinfo).replace(tzinfo=None) >= wanted:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
