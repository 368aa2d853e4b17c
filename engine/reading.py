"""What people write of a request and of the world, as values: inputs, moments, what was spent."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from ..schemas.policy import NANO, Budget, Fact, FactKind

AMOUNTS = "80% or 400"
"""How an amount is written, for help lines."""

_YES = {"yes", "true", "1", "on"}
_NO = {"no", "false", "0", "off"}
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
"""Years far from the ends of the calendar, so that the next day, window or month always exists."""
_MOST = 10**9


def input_value(fact: Fact, text: str) -> str | float:
    """A text as a value of a fact's kind; one that doesn't fit stays a text, and is told later."""
    if fact.kind is FactKind.YES_NO:
        word = text.strip().lower()
        return "yes" if word in _YES else "no" if word in _NO else text
    if fact.kind is FactKind.NUMBER:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """A moment in ISO 8601, in a zone unless it says another; None where it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        return None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def nano_usd(text: str) -> int | None:
    """An amount of US dollars: `$0.05` or `0.05`. None where it is none."""
    value = _amount(text.strip().removeprefix("$"))
    return None if value is None else int((value * NANO).to_integral_value(ROUND_CEILING))


def spent_nusd(text: str, budget: Budget) -> int | None:
    """What a budget has spent: `80%` of its limit, or `400` US dollars. None where it is no amount."""
    if not text.strip().endswith("%"):
        return nano_usd(text)
    value = _amount(text.strip().removesuffix("%"))
    # Up: a share that is said must reach the level of that share.
    nusd = None if value is None else (value * budget.limit_nusd / 100).to_integral_value(ROUND_CEILING)
    return None if nusd is None else int(nusd)


def _amount(text: str) -> Decimal | None:
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return value if value.is_finite() and 0 <= value <= _MOST else None
