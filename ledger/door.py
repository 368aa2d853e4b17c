"""What may come into the ledger: short texts, whole numbers that fit, nothing secret."""

from __future__ import annotations

from dataclasses import fields, replace
from math import isfinite

from ..policy.hygiene import clean
from ..schemas.ledger import Attempt, Usage
from ..schemas.text import Source
from .money import MOST_NUSD, MOST_TOKENS, is_count
from .tx import misuse

LONGEST = 500
"""Characters of a text."""

MOST = 2**62
"""What a whole number may be, either way."""

_NAMED = ("key", "provider", "model")


def admitted(attempt: Attempt) -> Attempt:
    """
    An attempt that can be written down.

    Raises:
        LedgerMisuse: a field of it can't be.
    """
    for name in _NAMED:
        if not getattr(attempt, name):
            raise misuse(f"an attempt needs a {name}")
    for field in fields(attempt):
        _check(field.name, getattr(attempt, field.name))
    if attempt.most_nusd is not None and not is_count(attempt.most_nusd, MOST_NUSD):
        raise misuse(f"a hold can't be {attempt.most_nusd!r}: it is a whole number of nano-USD from 0 up")
    for name in ("max_input_tokens", "max_output_tokens"):
        if not is_count(getattr(attempt, name), MOST_TOKENS):
            raise misuse(f"`{name}` can't be {getattr(attempt, name)!r}")
    for name in ("price_in_nusd_per_mtok", "price_out_nusd_per_mtok"):
        price = getattr(attempt, name)
        if price is not None and not is_count(price, MOST_NUSD):
            raise misuse(f"`{name}` can't be {price!r}")
    return attempt if attempt.escalation is None else replace(attempt, escalation=shown(attempt.escalation))


def _check(name: str, value: object) -> None:
    if isinstance(value, str):
        if len(value) > LONGEST:
            raise misuse(f"`{name}` has {len(value):,} characters; at most {LONGEST} are kept")
        if not _is_plain(value):
            raise misuse(f"`{name}` holds characters that no text has")
    elif isinstance(value, float):
        if not isfinite(value):
            raise misuse(f"`{name}` can't be {value}")
    elif isinstance(value, int) and abs(value) >= MOST:
        raise misuse(f"`{name}` can't be as large as it is")


def _is_plain(text: str) -> bool:
    """Whether a text can be written as UTF-8, and into a database."""
    try:
        return "\0" not in text and bool(text.encode()) | (not text)
    except UnicodeEncodeError:
        return False


def admitted_usage(usage: Usage | None) -> Usage | None:
    """Usage with its error as it may be kept: one short line, without what looks like a key."""
    return usage if usage is None or usage.error is None else replace(usage, error=shown(usage.error))


def shown(text: object) -> str:
    """A text that somebody else wrote, in one short line, with secrets and control characters blotted out."""
    line = clean(Source("", str(text)[:LONGEST]))[0].text
    return " ".join(line.split())[:200]
