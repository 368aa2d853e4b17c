"""Amounts where one unit belongs; anything else is reported and None."""

from __future__ import annotations

from decimal import Decimal

from ..schemas.policy import NANO
from .checks.p302_wrong_unit import wrong_unit
from .checks.p303_out_of_range import out_of_range
from .checks.p304_malformed import malformed
from .document import Amount, Unit
from .scope import Scope

_EXPECTED = {
    Unit.NUMBER: "a number",
    Unit.COUNT: "a number of tokens",
    Unit.MONEY: "an amount of money",
    Unit.PERCENT: "a percentage",
    Unit.DURATION: "a duration",
}

MAX_TOKENS = 10**9

_RANGES = {
    Unit.PERCENT: ("0%", "1000%", 1000),
    Unit.MONEY: ("$0", "$1,000,000,000", 10**9),
    Unit.DURATION: ("0s", "168h", 7 * 24 * 3600),
}


def in_unit(scope: Scope, amount: Amount, unit: Unit) -> Decimal | None:
    """The value of an amount in a unit, within what makes sense for that unit."""
    if amount.unit is not unit:
        scope.found.append(wrong_unit(amount.span, amount.text, _EXPECTED[unit]))
        return None
    low, high, most = _RANGES.get(unit, ("0", "", None))
    if amount.value is not None and most is not None and amount.value > most:
        scope.found.append(out_of_range(amount.span, amount.text, low, high))
        return None
    return amount.value


def whole(scope: Scope, amount: Amount, *, low: int = 0, high: int = MAX_TOKENS) -> int | None:
    """A whole number; with `k` or `M` for thousands and millions."""
    if amount.unit not in (Unit.NUMBER, Unit.COUNT) or (amount.value is not None and amount.value % 1):
        scope.found.append(wrong_unit(amount.span, amount.text, "a whole number"))
    elif amount.value is not None and not low <= amount.value <= high:
        scope.found.append(out_of_range(amount.span, amount.text, str(low), str(high)))
    elif amount.value is not None:
        return int(amount.value)
    return None


def money(scope: Scope, amount: Amount) -> int | None:
    """An amount of money in nano-USD."""
    value = in_unit(scope, amount, Unit.MONEY)
    if value is None:
        return None
    if (value * NANO) % 1:
        scope.found.append(malformed(amount.span, amount.text, amount.unit.value))
        return None
    return int(value * NANO)


def seconds(scope: Scope, amount: Amount) -> float | None:
    """A duration in seconds."""
    value = in_unit(scope, amount, Unit.DURATION)
    return None if value is None else float(value)
