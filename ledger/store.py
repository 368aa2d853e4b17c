"""Which database holds a ledger, by its address."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from .address import is_address
from .sqlite import SqliteBackend
from .tx import Backend, trouble


def open_backend(where: Path | str, *, create: bool = False) -> Backend:
    """
    The database of a ledger: the file of a path, or the server of an address.

    Raises:
        LedgerError: what it needs isn't installed.
    """
    if isinstance(where, Path) or not is_address(where):
        return SqliteBackend(Path(where), create=create)
    if find_spec("psycopg") is None:
        raise trouble("a ledger in PostgreSQL needs psycopg", "pip install 'policyctl[postgres]'")
    from .postgres import PostgresBackend

    return PostgresBackend(where, create=create)
