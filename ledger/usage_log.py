"""
The usage log: one line of JSON for each attempt that is over, for people and their tools.

Lines are put at the end of the file in the order of their numbers. A number that is in the file already
isn't written again, and what a killed writer left unfinished is ended first, so that no two lines merge.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..schemas.ledger import Attempt, Flag, Usage
from ..schemas.policy import NANO
from .places import open_log
from .windows import moment

LONGEST_LINE = 64 * 1024
"""No line of a usage log is longer."""

_TAIL = 4 * 1024
_PIECE = 64 * 1024
_FARTHEST = 64 * 1024 * 1024
"""How far back from its end a log is searched for the last line of ours."""
_LONGEST_MARK = 80


def line_of(
    attempt: Attempt,
    used: Usage,
    nusd: int,
    flag: Flag | None,
    when_ms: int,
    line_id: str | None,
    *,
    adjusts: bool = False,
) -> str:
    """
    The line of an attempt; `line_id` None: it isn't one of those that the ledger's own log is checked by.

    Words that people count lines by, `fallback` and `escalated to`, stand only where they hold.
    """
    when = moment(when_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line: dict[str, object] = {
        "timestamp": when,
        "story_id": attempt.story_id,
        "iteration": attempt.iteration,
        "provider": attempt.provider,
        "model": attempt.model,
        "complexity": attempt.complexity,
        "input_tokens": used.input_tokens or 0,
        "output_tokens": used.output_tokens or 0,
        "cost_usd": nusd / NANO,
        "latency_ms": used.latency_ms,
        "success": bool(used.success),
    }
    sometimes: dict[str, object] = {
        "fallback_used": attempt.fallback_used,
        "error": used.error,
        "escalation": attempt.escalation,
        "flag": flag and flag.value,
        "adjusts": adjusts,
        "run_id": attempt.run_id,
        "domain": attempt.domain,
        "tier": attempt.tier,
        "model_tier": attempt.model_tier if attempt.model_tier != attempt.tier else None,
        "decision_id": attempt.decision_id,
        "policy_digest": attempt.policy_digest,
        "cache_read_tokens": used.cache_read_tokens,
        "cache_write_tokens": used.cache_write_tokens,
    }
    line |= {name: value for name, value in sometimes.items() if value}
    line |= {"attempt": attempt.attempt, "attempt_id": attempt.key}
    if line_id is not None:
        line["line_id"] = line_id
    return json.dumps(line)


@dataclass(slots=True)
class UsageLog:
    """One log file, as one ledger writes it."""

    path: Path
    ledger_id: int
    _seen: tuple[int, int, int] | None = None
    _last: int = 0

    def append(self, lines: Sequence[tuple[int, str]]) -> int:
        """
        Write the lines that aren't there yet; each comes with its number, in rising order.

        Returns:
            The last number that is now in the file.

        Raises:
            OSError: nothing was written; what was written of the lines has been taken back.
        """
        with _locked(self.path) as file:
            last = self._last_number(file)
            new = [line for number, line in lines if number > last]
            if new:
                self._write(file, new)
                last = lines[-1][0]
            self._seen, self._last = _identity(file), last
            return last

    def _write(self, file: int, lines: list[str]) -> None:
        _put_at_end(file, lines)

    def _last_number(self, file: int) -> int:
        """The number of the last whole line of this ledger; as it was left, where nobody has touched it."""
        if self._seen == _identity(file):
            return self._last
        return last_number(file, self.ledger_id)


def append_line(path: Path, line: str) -> None:
    """
    Put a line at the end of a log whose lines have no numbers; others who do so are waited for.

    Raises:
        OSError: nothing was written.
        LedgerError: the log is a symlink, or lies in one.
    """
    with _locked(path, wait=True) as file:
        _put_at_end(file, [line])


def _put_at_end(file: int, lines: Sequence[str]) -> None:
    size = os.fstat(file).st_size
    torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
    data = ("\n" if torn else "").encode() + "".join(f"{line}\n" for line in lines).encode()
    try:
        written = os.write(file, data)
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


def last_number(file: int, ledger_id: int) -> int:
    """The number of a ledger's last whole line in a file, read from the end; 0 where it has none."""
    mark = re.compile(rb'"line_id": "%x-(\d{1,18})"\}\n' % ledger_id)
    start = size = os.fstat(file).st_size
    after = b""
    while start > 0 and size - start < _FARTHEST:
        # Where the ledger's own lines are nearly all there is, the last one is at the very end.
        length = min(_TAIL if start == size else _PIECE, start)
        start -= length
        piece = os.pread(file, length, start)
        found = mark.findall(piece + after)  # a mark may lie across the border of two pieces
        if found:
            return int(found[-1])
        after = piece[:_LONGEST_MARK]
    return 0


def _identity(file: int) -> tuple[int, int, int]:
    stat = os.fstat(file)
    return stat.st_dev, stat.st_ino, stat.st_size


@contextmanager
def _locked(path: Path, *, wait: bool = False) -> Iterator[int]:
    """The file, which nobody else who asks writes to; another's lock isn't waited for unless that is said."""
    file = open_log(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield file
    finally:
        os.close(file)


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, object] | None, bytes]]:
    """
    The lines of a log: their numbers, what they hold, and as they stand; None for no object of JSON.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                while not (rest := file.readline(LONGEST_LINE)).endswith(b"\n") and rest:
                    pass
                yield number, None, line
            elif line.strip():
                yield number, _object(line), line


def _object(line: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
