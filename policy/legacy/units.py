"""
What numbers of a file mean that its keys don't tell: prices for 1K or 1M tokens, `max_tokens` as the
length of an answer or of the window. A file means one of the two throughout; models whose true
numbers are known decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from ...schemas.records import dataclass
from ...schemas.text import Span
from ..checks.p121_price_unit import contradictory, undecided
from .fields import Notes

PER_1K, PER_1M = "1k", "1m"
FACTORS = {PER_1K: Decimal(1000), PER_1M: Decimal(1)}
"""By what a price is multiplied to be for a million tokens."""

_NEAR = Decimal(10)
"""Prices change; but not, in either direction, by more than this."""

LARGE_TOKENS = 100_000
"""So many tokens are a window, where nothing else is known: no known model answers at such length."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A written price without a unit, and what is known of it in USD for a million tokens."""

    key: str
    span: Span
    written: Decimal
    known: tuple[Decimal, ...]


def price_unit(notes: Notes, prices: Iterable[Compared]) -> str | None:
    """The unit of all prices of a file; None where it can't be told, which is reported."""
    first: Compared | None = None
    votes: dict[str, Compared] = {}
    for price in prices:
        first = first or price
        for unit in _fitting(price):
            votes.setdefault(unit, price)
    if len(votes) == 1:
        return next(iter(votes))
    if first is None:
        return PER_1M
    if votes:
        thousand, million = votes[PER_1K], votes[PER_1M]
        notes.found.append(contradictory((thousand.key, thousand.span), (million.key, million.span)))
    else:
        notes.found.append(undecided(first.span, first.key))
    return None


def _fitting(price: Compared) -> Iterator[str]:
    """The units in which a written price is near a known one."""
    for known in price.known:
        for unit, factor in FACTORS.items():
            if known > 0 and price.written > 0 and 1 / _NEAR <= price.written * factor / known <= _NEAR:
                yield unit


def is_window(limits: Iterable[tuple[Decimal, int, int]]) -> bool | None:
    """
    Whether `max_tokens` of a file are context windows; None where it can't be told.

    Args:
        limits: for each model what is written, and what is known of its window and its longest answer.
    """
    votes = 0
    for written, context, output in limits:
        if written > 0 and context != output:
            # Nearer to the one or to the other, as a ratio.
            votes += 1 if written * written > Decimal(context) * Decimal(output) else -1
    return None if votes == 0 else votes > 0
