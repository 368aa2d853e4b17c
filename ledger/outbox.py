"""The lines of attempts that are over, on their way from the ledger into the usage log."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from time import monotonic

from ..schemas.errors import LedgerError
from .tx import Backend, Tx
from .usage_log import UsageLog

MOST_LINES = 2000

REST_S = 0.2
"""How long lines may wait where other processes do."""


class Outbox:
    """
    Moves lines into the log after a commit, while nobody else is in the ledger.

    Where others wait, not after each one, but five times a second.

    What is in the log is taken out of the ledger with the next transaction. A line that can't be
    written waits, and `problem` says why.
    """

    def __init__(self, path: Path | None, where: Path | str) -> None:
        self.path = path
        self.name = None if path is None else _name(path, where)
        self.ledger_id = 0
        self.problem: str | None = None
        self._log: UsageLog | None = None
        self._written = self._let_go = 0
        self._looked = self._waited = -REST_S

    def before(self, tx: Tx) -> None:
        """At the start of a transaction: let go of the lines that are in the log."""
        if not self.ledger_id:
            self.ledger_id = tx.rows("SELECT value FROM counters WHERE name = 'id'")[0][0]
        if self._written > self._let_go and self.name is not None:
            tx.run("DELETE FROM outbox WHERE log = ? AND seq <= ?", self.name, self._written)
            self._let_go = self._written  # if this fails, they go with the next ones

    def after(self, backend: Backend, waited: bool, may_leave: bool) -> bool:
        """
        After a commit: write the lines that wait, unless others wait and it was done a moment ago.

        Args:
            backend: the ledger, which has the lines.
            waited: others were in it; who has just waited for them will again.
            may_leave: it may be left for later.

        Returns:
            Whether it was left for later.
        """
        if self.path is None or self.name is None:
            return False
        now = monotonic()
        if waited:
            self._waited = now
        if may_leave and max(now - self._waited, now - self._looked) < REST_S:
            return True
        self._write(backend)
        self._looked = now
        return False

    def _write(self, backend: Backend) -> None:
        assert self.path is not None
        if self._log is None:
            self._log = UsageLog(self.path, self.ledger_id)
        try:
            while lines := self._waiting(backend):
                # A line that a power cut takes out of the ledger, but not out of the log, would be in the
                # way of the next one of its number.
                backend.sync()
                self._written = self._log.append(lines)
                if len(lines) < MOST_LINES:
                    break
            self.problem = None
        except OSError as error:
            self.problem = f"{self.path} can't be written: {error.strerror}"
        except LedgerError as error:
            self.problem = str(error)

    def _waiting(self, tx: Tx) -> list[tuple[int, str]]:
        assert self.name is not None
        return [
            (seq, line)
            for seq, line in tx.rows(
                "SELECT seq, line FROM outbox WHERE log = ? AND seq > ? ORDER BY seq LIMIT ?",
                self.name,
                self._written,
                MOST_LINES,
            )
        ]


def _name(path: Path, where: Path | str) -> str:
    """What a log is called in the ledger: the same for all processes, other than those of other machines."""
    if isinstance(where, Path):
        return Path(os.path.relpath(path.absolute(), where.absolute().parent)).as_posix()
    return f"{socket.gethostname()}:{path.absolute().as_posix()}"
