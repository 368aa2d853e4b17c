"""Which database holds a ledger, by its address."""

from __future__ import annotations

from pathlib import Path

from .sqlite import SqliteBackend
from .tx import Backend


def open_backend(where: Path | str, *, create: bool = False) -> Backend:
    """The database of a ledger: the file of a path."""
    return SqliteBackend(Path(where), create=create)
