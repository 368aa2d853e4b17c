"""
A ledger in one SQLite file, for one machine. The only file that knows sqlite3.

Whatever is done to the file, checkpoints and closing included, happens inside a lock beside it, which
also keeps SQLite out of a known fault: until 3.51.3 two connections that write and checkpoint at one
moment can spoil a database.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ..schemas.errors import LedgerError
from .ballast import Ballast
from .places import prepare
from .schema import VERSION, upgrade
from .tx import Row, Value, trouble

OLDEST = (3, 37, 0)
"""The first SQLite with STRICT tables."""

CHECKPOINT_PAGES = 1000
"""
So many pages gather in the WAL before they are moved into the file. The WAL is then written over, and
not cut off: a file that needn't grow is made durable sooner.
"""
LARGEST_WAL = 8 * 1024 * 1024
"""What is left of a WAL that had to hold more."""

_LEAKED: list[sqlite3.Connection] = []
"""Connections of a parent process: a child must neither use nor close them."""


class SqliteBackend:
    """
    One SQLite file.

    Args:
        path: the file.
        create: make it where it is missing.
        busy_s: how long to wait for a program that is in the file without asking for our lock.
    """

    def __init__(self, path: Path, *, create: bool = False, busy_s: float = 5) -> None:
        self.path = path
        self._create = create
        self._busy_s = busy_s
        self._lock_path = Path(f"{path}-lock")
        self._lock: int | None = None
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._wal_path = Path(f"{path}-wal")
        self._wal: int | None = None
        self._synced = False
        self._lost: str | None = None
        self._gone = False
        self._ballast = Ballast(Path(f"{path}-ballast"))
        self._lacks_room = False

    # --- the lock ----------------------------------------------------------------------------------------

    def enter(self) -> bool:
        """Take the lock, and open the file where it isn't open, or see that it is still the same one."""
        try:
            if self._db is None:
                prepare(self.path, create=self._create)
            waited = self._take_lock()
        except OSError as error:
            raise trouble(f"{self._lock_path} can't be locked: {error.strerror}") from error
        try:
            self._open_or_verify()
        except BaseException:
            self.leave()
            raise
        self._synced = False
        return waited

    def _take_lock(self) -> bool:
        waited = False
        while True:
            if self._lock is None:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._lock = os.open(self._lock_path, flags, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            if _identity(self._lock_path) == _identity(self._lock):
                return waited
            self._drop_lock()  # somebody has removed the file: others will lock the new one

    def leave(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _drop_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- the file ----------------------------------------------------------------------------------------

    def _open_or_verify(self) -> None:
        if self._db is None:
            self._open()
        elif self._wal is None:
            self._open_again()
        elif _identity(self.path) != self._file or _identity(self._wal_path) != _identity(self._wal):
            self._drop()
            raise self._replaced()

    def _replaced(self) -> LedgerError:
        self._gone = True  # for good: what is there now may lack what was answered here
        return trouble(
            f"{self.path} was deleted or replaced while it was in use",
            "put it back and start again, or make a new one: policyctl ledger init, and import the usage log",
        )

    def _open(self) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise trouble(f"the ledger needs SQLite 3.37 or newer; this is {sqlite3.sqlite_version}")
        self._drop_wal()
        before = _identity(self.path)
        if self._gone or self._file not in (None, before):
            raise self._replaced()
        try:
            self._db = self._connect()
            if before is None or _identity(self.path) != before:
                raise trouble(f"{self.path} was replaced while it was opened")
            self._file = before
            self._migrate()
            self._wal = os.open(self._wal_path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._create = False  # what was there once isn't made anew
        except OSError as error:
            self._drop()
            raise trouble(f"{self._wal_path} can't be opened: {error.strerror}") from error
        except sqlite3.Error as error:
            self._drop()
            raise self._told(error) from error
        except LedgerError:
            self._drop()
            raise

    def _open_again(self) -> None:
        """Open the file after a failure to make something durable, and write all that it may lack anew."""
        self._drop()
        self._open()
        busy = self.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
        if busy:
            self._drop()
            raise trouble(f"another program is reading {self.path}", "end it, or wait until it is done")

    def _connect(self, mode: str = "rw") -> sqlite3.Connection:
        uri = f"file:{quote(str(self.path.absolute()))}?mode={mode}"
        db = sqlite3.connect(
            uri, uri=True, timeout=self._busy_s, isolation_level=None, check_same_thread=False
        )
        for pragma in (
            "synchronous = NORMAL",  # `sync` does the rest
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {LARGEST_WAL}",
            "temp_store = MEMORY",
            "cache_size = -16000",
            "trusted_schema = OFF",
        ):
            db.execute(f"PRAGMA {pragma}")
        return db

    def _migrate(self) -> None:
        assert self._db is not None
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found == VERSION:
            return
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found == 0 and (tables or not self._create):
            help_text = "policyctl ledger init makes one; this file was left as it is"
            raise trouble(f"{self.path} is no ledger", help_text)
        self._db.execute("PRAGMA journal_mode = WAL")
        self.begin()
        upgrade(self, found, str(self.path))
        self._db.execute(f"PRAGMA user_version = {VERSION}")
        self.commit()

    def _drop(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _drop_wal(self) -> None:
        if self._wal is not None:
            os.close(self._wal)
            self._wal = None

    # --- transactions ------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[SqliteBackend]:
        """
        What is committed, for reading, without the lock.

        INVARIANT: it can't write, so it makes no checkpoint either, not even when it is closed.
        """
        reader = SqliteBackend(self.path, busy_s=self._busy_s)
        try:
            reader._db = reader._connect("ro")
            reader.run("BEGIN")
            yield reader
        except sqlite3.Error as error:
            raise reader._told(error) from error
        finally:
            reader._drop()

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """The rows that a statement gives."""
        try:
            return self._opened.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._told(error) from error

    def run(self, sql: str, *values: Value) -> int:
        """Carry a statement out; how many rows it changed."""
        try:
            return self._opened.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise self._told(error) from error

    def many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> int:
        """Carry a statement out for each row of values; how many rows it changed."""
        try:
            return self._opened.executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise self._told(error) from error

    def begin(self) -> None:
        """Start a transaction that may write."""
        self.run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Write it to the WAL; and now and then move what gathered there into the file itself."""
        self.run("COMMIT")

    def sync(self) -> None:
        """
        Make durable all that is in the WAL: what this process has seen and done, and what came before.

        SQLite would do it at each commit, with the lock held. Here it happens while others go on
        writing, and the disk makes durable at once what several processes wait for. Nothing is answered
        before; so it holds as much as with `synchronous = FULL`.
        """
        if self._synced:
            return
        if self._wal is None:
            raise trouble(f"{self._wal_path} can't be written: {self._lost}")
        try:
            _to_disk(self._wal)
        except OSError as error:
            # The system tells of a failure once: until all was written anew nothing can be relied upon.
            self._drop_wal()
            self._lost = error.strerror
            raise trouble(f"{self._wal_path} can't be written: {self._lost}") from error
        self._synced = True

    def rollback(self) -> None:
        """Undo what isn't committed."""
        if self._db is not None and self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    # --- room --------------------------------------------------------------------------------------------

    def keep_room(self) -> None:
        """See to it that there is room to settle what is held, also when the disk is full."""
        try:
            self._ballast.lay()
        except OSError as error:
            text = f"the disk of {self.path} has no room left to settle what is held: {error.strerror}"
            raise trouble(text, "make room; until then nothing is spent") from error

    def make_room(self) -> bool:
        """Where room was lacking: give up what was kept. Whether what failed may be tried again."""
        if not self._lacks_room or not self._ballast.give_up():
            return False
        if self._db is None:
            self._open()
        return True

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise trouble(f"{self.path} isn't open")
        return self._db

    def damage(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        return [text for (text,) in self.rows("PRAGMA integrity_check(20)") if text != "ok"]

    def reclaim(self) -> None:
        """Write the file anew without its holes."""
        self.run("VACUUM")
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def forget(self) -> None:
        """In a child process: leave the parent's connection alone, and its lock to it."""
        if self._db is not None:
            _LEAKED.append(self._db)
        self._db = None
        self._drop_wal()
        self._drop_lock()
        self._ballast.close()

    def close(self) -> None:
        """Close the file, inside the lock: closing moves what gathered into it."""
        if self._db is not None:
            with suppress(OSError):
                self._take_lock()
            self._drop()
            self.leave()
        self._drop_wal()
        self._ballast.close()
        self._drop_lock()

    # --- errors --------------------------------------------------------------------------------------------

    def _told(self, error: sqlite3.Error) -> LedgerError:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        self._lacks_room = code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
        if code in _BROKEN:
            self._drop()
        message, help_text = _WORDS.get(code, (f"{{path}} can't be used: {error}", None))
        return trouble(message.format(path=self.path), help_text)


_BROKEN = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)
_WORDS = {
    sqlite3.SQLITE_FULL: ("the disk of {path} is full", "make room; until then nothing is spent"),
    sqlite3.SQLITE_BUSY: ("another program is writing to {path}", "end it, or wait until it is done"),
    sqlite3.SQLITE_READONLY: ("{path} can't be written", "give yourself the right, or name another ledger"),
    sqlite3.SQLITE_CORRUPT: ("{path} is damaged", "restore a copy, or make a new one from the usage log"),
    sqlite3.SQLITE_NOTADB: ("{path} is no ledger", "name another one with --ledger"),
}


_to_disk = getattr(os, "fdatasync", os.fsync)


def _identity(file: Path | int) -> tuple[int, int] | None:
    """What tells a file from all others; None where there is none."""
    try:
        found = os.fstat(file) if isinstance(file, int) else file.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
