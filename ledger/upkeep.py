"""Writing the calls out as a usage log, and making the ledger smaller."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from .alerts.events import forget_before as forget_alerts
from .ledger import Ledger
from .places import make_folder, refuse_symlinks
from .rows import lines_after
from .sheet import Sheet, number_of
from .store import open_backend
from .tx import Tx, misuse, trouble
from .usage_log import line_of
from .windows import milliseconds

_PAGE = 5000
_OPEN_DAYS = 45


def export(ledger: Ledger) -> Iterator[list[str]]:
    """
    A line for each call that is over, the earliest first, page by page, so that nobody else waits long.
    """
    ms, key, lines = -1, "", [""] * _PAGE
    while len(lines) == _PAGE:
        lines, ms, key = ledger.do(lambda tx, ms=ms, key=key: _page(tx, ms, key))  # type: ignore[misc]
        yield lines


def _page(tx: Tx, ms: int, key: str) -> tuple[list[str], int, str]:
    """The next lines, and where to go on."""
    lines = []
    for stored, used, settled_ms in lines_after(tx, ms, key, _PAGE):
        ms, key = stored.reserved_ms, stored.attempt.key
        line = line_of(stored.attempt, used, stored.cost_nusd, stored.flag, settled_ms, None)
        lines.append(line + "\n")
    return lines, ms, key


def rebuild(ledger: Ledger) -> int:
    """
    Write the ledger's own usage log anew, in place of what is there; how many lines that were.

    Nobody else can use the ledger meanwhile.

    Raises:
        LedgerError: the log can't be written; the old one is as it was.
    """
    path, name = ledger.outbox.path, ledger.outbox.name
    assert path is not None and name is not None  # the command gives every ledger a log

    def work(tx: Tx) -> int:
        number = number_of(tx, f"lines of {name}") or 0
        count = _write_anew(path, _all_lines(tx, f"{ledger.outbox.ledger_id:x}-{number}"))
        tx.run("DELETE FROM outbox WHERE log = ?", name)
        tx.run("DELETE FROM counters WHERE name = ?", f"rebuilt at {name}")
        tx.run("INSERT INTO counters (name, value) VALUES (?, ?)", f"rebuilt at {name}", number)
        return count

    return ledger.do(work)


def _all_lines(tx: Tx, line_id: str) -> Iterator[str]:
    """
    All lines. The last one has the number of the last line that was ever made, so that those which wait
    aren't written again, whatever happens next.
    """
    ms, key, last = -1, "", None
    while page := lines_after(tx, ms, key, _PAGE):
        for found in page:
            if last is not None:
                yield line_of(last[0].attempt, last[1], last[0].cost_nusd, last[0].flag, last[2], None)
            last = found
        ms, key = page[-1][0].reserved_ms, page[-1][0].attempt.key
    if last is not None:
        yield line_of(last[0].attempt, last[1], last[0].cost_nusd, last[0].flag, last[2], line_id)


def _write_anew(path: Path, lines: Iterator[str]) -> int:
    refuse_symlinks(path)
    make_folder(path.parent)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        with os.fdopen(os.open(new, flags, mode), "w", encoding="utf-8") as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise trouble(f"{path} can't be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            new.unlink()
    return count


def forget_before(ledger: Ledger, when: datetime) -> int:
    """
    Take out the calls before a moment, but those of runs and stories that went on; how many that were.

    What they cost stays in the usage log. Their keys are forgotten too: they may be used again.

    Raises:
        LedgerMisuse: the moment lies in a window that may still be open.
    """
    cut = milliseconds(when)
    old = "reserved_ms < ? AND state IN ('unknown', 'released', 'committed')"
    later = "SELECT 1 FROM attempts AS later WHERE later.{0} = attempts.{0} AND later.reserved_ms >= ?"
    over = " AND ".join(f"NOT EXISTS ({later.format(column)})" for column in ("run_id", "story_id"))

    def work(tx: Sheet) -> int:
        if cut > ledger.now_ms() - _OPEN_DAYS * 86_400_000:
            raise misuse(f"windows of the last {_OPEN_DAYS} days may still be open", "name an earlier day")
        count = tx.run(f"DELETE FROM attempts WHERE {old} AND {over}", cut, cut, cut)  # noqa: S608
        tx.run("DELETE FROM windows")  # each is added up anew when it is used next
        for table in ("tallies", "latencies"):
            tx.run(f"DELETE FROM {table} WHERE calls = 0")  # noqa: S608  # names of our own
        forget_alerts(tx, cut)
        return count

    return ledger.do(work)


def reclaim(where: Path | str) -> None:
    """
    Give room that isn't used any more back to the disk. Nobody else can use the ledger meanwhile.

    Raises:
        LedgerError: the ledger can't be used.
    """
    backend = open_backend(where)
    try:
        backend.enter()
        try:
            backend.reclaim()
        finally:
            backend.leave()
    finally:
        backend.close()
