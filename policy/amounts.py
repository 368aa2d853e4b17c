"""Numbers with units, as they are written: `$1,500`, `75%`, `30s`, `128k`, `2.5`."""

from __future__ import annotations

import re
from decimal import Decimal

from ..schemas.diagnostics import Diagnostic
from ..schemas.text import Span
from .checks.p304_malformed import malformed
from .document import Amount, Unit

MAX_DIGITS = 18
"""A longer number is a mistake or an attack; none that means something here needs more."""

_UNITS = {
    "NUMBER": Unit.NUMBER,
    "COUNT": Unit.COUNT,
    "MONEY": Unit.MONEY,
    "PERCENT": Unit.PERCENT,
    "DURATION": Unit.DURATION,
}
_MONEY = re.compile(r"(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")
_SUFFIX = re.compile(r"[a-zA-Z%]*$")
_FACTORS = {
    "": Decimal(1),
    "%": Decimal(1),
    "k": Decimal(1000),
    "M": Decimal(1000_000),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}


def read_amount(terminal: str, text: str, span: Span) -> tuple[Amount, Diagnostic | None]:
    """The amount that a token writes, and what is wrong with it (its value is then None)."""
    unit = _UNITS[terminal]
    value = None if _too_long(text) else _value(unit, text)
    return Amount(unit, value, text, span), malformed(span, text, unit.value) if value is None else None


def _too_long(text: str) -> bool:
    return sum(c.isdigit() for c in text) > MAX_DIGITS


def _value(unit: Unit, text: str) -> Decimal | None:
    if unit is Unit.MONEY:
        match = _MONEY.fullmatch(text[1:])
        return None if match is None else Decimal(text[1:].replace(",", ""))
    suffix = _SUFFIX.search(text)
    assert suffix is not None  # the pattern matches the empty text too
    return Decimal(text[: suffix.start()]) * _FACTORS[suffix.group()]
