"""How a ledger that is a database is named."""

from __future__ import annotations

ADDRESSES = ("postgresql://", "postgres://")


def is_address(text: str) -> bool:
    """Whether a ledger is named by the address of a database, and not by a file."""
    return text.startswith(ADDRESSES)
