"""
A ledger in PostgreSQL, for several machines. The only file that knows psycopg.

It works as the one in SQLite does: one connection a process, and a lock of the database, held for a
whole group of work, in place of the lock on a file. So it needs a session of its own: no pooler
that hands a session to somebody else between two transactions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

import psycopg

from ..policy.hygiene import clean
from ..schemas.errors import LedgerError
from ..schemas.text import Source
from .schema import VERSION, upgrade
from .tx import Row, Value, trouble

SCHEMA = "policyctl"
_LOCK = 0x706F6C696379  # any number that nobody else locks: "policy"
_LEAKED: list[psycopg.Connection[Row]] = []
"""Connections of a parent process: a child must neither use nor close them."""


class PostgresBackend:
    """
    The schema `policyctl` of a PostgreSQL database.

    Args:
        address: where the database is, as `postgresql://user@host/name`.
        create: make the tables where they are missing.
        busy_s: how long to wait for another process that is in the ledger.
    """

    def __init__(self, address: str, *, create: bool = False, busy_s: float = 60) -> None:
        self._address = address
        self._create = create
        self._busy_s = busy_s
        self._db: psycopg.Connection[Row] | None = None

    def enter(self) -> bool:
        """Take the lock, with a connection that is made where there is none."""
        if self._db is None or self._db.closed:
            self._connect()
            try:
                self.rows("SELECT pg_advisory_lock(?)", _LOCK)
                self._migrate()
            except BaseException:
                self.close()
                raise
        else:
            self.rows("SELECT pg_advisory_lock(?)", _LOCK)
        return False  # to ask would take a trip of its own

    def _connect(self) -> None:
        try:
            self._db = psycopg.connect(
                self._address, autocommit=True, connect_timeout=10, application_name="policyctl"
            )
        except psycopg.Error as error:
            raise _told(error, "can't be reached") from error
        self.run(f"SET lock_timeout = {int(self._busy_s * 1000)}")
        self.run("SET synchronous_commit = on")
        self.run(f"SET search_path = {SCHEMA}")

    def _migrate(self) -> None:
        found = 0
        if self.rows("SELECT to_regclass(?)", f"{SCHEMA}.counters")[0][0] is not None:
            found = self.rows("SELECT value FROM counters WHERE name = 'version'")[0][0]
        if found == VERSION:
            return
        if found == 0 and not self._create:
            raise trouble("there is no ledger in this database", "policyctl ledger init makes one")
        self.begin()
        self.run(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        upgrade(self, found, "the database")
        self.run("DELETE FROM counters WHERE name = 'version'")
        self.run("INSERT INTO counters (name, value) VALUES ('version', ?)", VERSION)
        self.commit()

    def leave(self) -> None:
        """Give the lock back."""
        if self._db is not None and not self._db.closed:
            with suppress(LedgerError):
                self.rows("SELECT pg_advisory_unlock(?)", _LOCK)

    # --- transactions ------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[PostgresBackend]:
        """What is committed, for reading, over a connection of its own without the lock."""
        reader = PostgresBackend(self._address, busy_s=self._busy_s)
        try:
            reader._connect()
            reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield reader
        finally:
            reader.close()

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """The rows that a statement gives."""
        try:
            return self._opened.execute(_dialect(sql), values).fetchall()
        except psycopg.Error as error:
            raise _told(error, "can't be used") from error

    def run(self, sql: str, *values: Value) -> int:
        """Carry a statement out; how many rows it changed."""
        try:
            return self._opened.execute(_dialect(sql), values or None).rowcount
        except psycopg.Error as error:
            raise _told(error, "can't be used") from error

    def many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> int:
        """Carry a statement out for each row of values; how many rows it changed."""
        try:
            cursor = self._opened.cursor()
            cursor.executemany(_dialect(sql), rows)
            return cursor.rowcount
        except psycopg.Error as error:
            raise _told(error, "can't be used") from error

    def begin(self) -> None:
        """Start a transaction."""
        self.run("BEGIN")

    def commit(self) -> None:
        """Make it durable."""
        self.run("COMMIT")

    def sync(self) -> None:
        """Nothing: what is committed is durable."""

    def keep_room(self) -> None:
        """Nothing: the server looks after its disk."""

    def make_room(self) -> bool:
        """Nothing: the server looks after its disk."""
        return False

    def rollback(self) -> None:
        """Undo what isn't committed."""
        if self._db is not None and not self._db.closed:
            with suppress(LedgerError):
                self.run("ROLLBACK")

    @property
    def _opened(self) -> psycopg.Connection[Row]:
        if self._db is None:
            raise trouble("the database of the ledger isn't open")
        return self._db

    def damage(self) -> list[str]:
        """Nothing: the server looks after its files."""
        return []

    def reclaim(self) -> None:
        """Let the server use the room of rows that are gone."""
        for table in ("attempts", "windows", "outbox", "alerts", "messages"):
            self.run(f"VACUUM {table}")

    def forget(self) -> None:
        """In a child process: leave the parent's connection alone."""
        if self._db is not None:
            _LEAKED.append(self._db)
        self._db = None

    def close(self) -> None:
        """Close the connection, which gives back its locks."""
        if self._db is not None:
            with suppress(psycopg.Error):
                self._db.close()
            self._db = None


_TRIGGER = re.compile(r"CREATE TRIGGER (\w+) (.+?) BEGIN (.+) END", re.DOTALL)
_FUNCTION = (
    r"CREATE FUNCTION \1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \3 RETURN NULL; END $$;"
    r" CREATE TRIGGER \1 \2 EXECUTE FUNCTION \1()"
)
"""What a trigger does is a function there."""


@lru_cache(maxsize=256)
def _dialect(sql: str) -> bytes:
    """A statement as PostgreSQL has it; psycopg marks values with `%s`."""
    if sql.lstrip().startswith("CREATE TABLE"):
        sql = sql.replace(" INTEGER", " BIGINT").replace(" REAL", " DOUBLE PRECISION").replace(" STRICT", "")
    if sql.startswith("CREATE TRIGGER"):
        sql = _TRIGGER.sub(_FUNCTION, sql)
    return sql.replace("?", "%s").encode()


def _told(error: psycopg.Error, what: str) -> LedgerError:
    """An error without what it might tell of the address."""
    line = (error.diag.message_primary or str(error)).strip().partition("\n")[0]
    text = clean(Source("", line[:300]))[0].text
    return trouble(
        f"the database of the ledger {what}: {text}", "see to the server; until then nothing is spent"
    )
