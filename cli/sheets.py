"""Cells of a CSV file, as a spreadsheet takes them."""

from __future__ import annotations

from decimal import Decimal

from ..schemas.policy import NANO
from .planning import one_line


def plain(text: str) -> str:
    """A text that a spreadsheet takes for a text: one that looks like a formula gets an apostrophe."""
    line = one_line(text)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def exact(nusd: int) -> str:
    """An amount in USD with all its digits, so that sums of it are exact."""
    return f"{Decimal(nusd) / NANO:f}"
