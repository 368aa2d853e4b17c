"""Numbers of the older form as amounts of the language, in the words it would write them in."""

from __future__ import annotations

from decimal import Decimal

from ...schemas.text import Span
from ..document import Amount, Unit


def plain(value: Decimal) -> str:
    """A number without exponent and needless zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: Decimal | int, span: Span) -> Amount:
    """A complexity, a parameter, or a number of attempts or tiers."""
    value = Decimal(value)
    return Amount(Unit.NUMBER, value, plain(value), span)


def tokens(value: Decimal, span: Span) -> Amount:
    """A number of tokens, with k or M where it is round."""
    for factor, letter in ((1_000_000, "M"), (1000, "k")):
        if value and value % factor == 0:
            return Amount(Unit.COUNT, value, plain(value / factor) + letter, span)
    return count(value, span)


def money(usd: Decimal, span: Span) -> Amount:
    """Dollars, with cents where there are any."""
    dollars, point, cents = plain(usd).partition(".")
    return Amount(Unit.MONEY, usd, f"${dollars}{point}{cents:0<2}" if point else f"${dollars}", span)


def price(usd_per_mtok: Decimal, span: Span) -> Amount:
    """Dollars for a million tokens, always with cents."""
    amount = money(usd_per_mtok, span)
    return amount if "." in amount.text else Amount(amount.unit, amount.value, amount.text + ".00", span)


def percent(value: Decimal, span: Span) -> Amount:
    """A percentage."""
    return Amount(Unit.PERCENT, value, plain(value) + "%", span)


def duration(seconds: Decimal, span: Span) -> Amount:
    """A time, in whole seconds where that is possible."""
    text = f"{plain(seconds)}s" if seconds % 1 == 0 else f"{plain(seconds * 1000)}ms"
    return Amount(Unit.DURATION, seconds, text, span)
