"""What a transaction can do, whichever database runs it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..schemas.errors import LedgerError, LedgerMisuse, Problem

Value = str | int | float | None
Row = tuple[Any, ...]


class Tx(Protocol):
    """
    A transaction under way, alone in its ledger: nobody else writes until it ends.

    SQL has `?` for each value, in statements that SQLite and PostgreSQL both understand.
    """

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """The rows that a statement gives."""

    def run(self, sql: str, *values: Value) -> int:
        """Carry a statement out; how many rows it changed."""

    def many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> int:
        """Carry a statement out for each row of values; how many rows it changed."""


class Backend(Tx, Protocol):
    """
    A database that holds a ledger, used by one thread at a time.

    Whatever it raises is a LedgerError, or one of the work that it carries out.
    """

    def enter(self) -> bool:
        """
        Wait until nobody else, in any process, is in this ledger; open it where it isn't.

        Returns:
            Whether somebody else was in it.
        """

    def leave(self) -> None:
        """Let the others in. It never raises."""

    def snapshot(self) -> AbstractContextManager[Tx]:
        """
        All that was committed before, as it stands, for reading; other threads and processes go on.

        It needs no `enter`, and any thread may ask for one.
        """

    def begin(self) -> None:
        """Start a transaction."""

    def commit(self) -> None:
        """End it: all others will see it. It is durable once `sync` has returned after it."""

    def sync(self) -> None:
        """Make durable all that was seen or done since `enter`; also after `leave`."""

    def keep_room(self) -> None:
        """
        See to it that there is room to settle what is held, also when the disk is full.

        Raises:
            LedgerError: there is none.
        """

    def make_room(self) -> bool:
        """Give that room up for what has failed for lack of room; whether it may be tried again."""

    def rollback(self) -> None:
        """Undo it, if there is one. It never raises."""

    def damage(self) -> list[str]:
        """What the database itself finds wrong with its files."""

    def reclaim(self) -> None:
        """Give room that isn't used back to the disk; outside a transaction."""

    def forget(self) -> None:
        """Let go of what a fork must not share with its parent; the next `enter` opens anew."""

    def close(self) -> None:
        """Close the database. It never raises."""


def trouble(message: str, help_text: str | None = None) -> LedgerError:
    """The ledger can't answer."""
    return LedgerError(Problem("ledger", message, help_text))


def misuse(message: str, help_text: str | None = None) -> LedgerMisuse:
    """The ledger was asked what can't be."""
    return LedgerMisuse(Problem("ledger", message, help_text))
