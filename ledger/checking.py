"""Whether a ledger says the same everywhere: rows against sums, the log against the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..policy.words import listed_count, usd_short
from ..schemas.errors import Problem
from .ledger import Ledger
from .sheet import number_of, summed
from .tallies import FILL, KEPT_AND_REAL
from .tx import Tx
from .windows import Window

MOST_TOLD = 20
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """
    What a ledger holds, and what is wrong with it.

    `unknown_nusd` is what calls of unknown outcome count as spent: at most so much is counted that
    wasn't. `flagged` are calls whose usage wasn't believed or was more than held.
    """

    attempts: int
    spent_nusd: int
    open_holds: int
    held_nusd: int
    unknown: int
    unknown_nusd: int
    flagged: int
    waiting_lines: int
    problems: tuple[Problem, ...]


def check(ledger: Ledger, *, mend: bool = False) -> Health:
    """
    Look at everything that a ledger has; nobody else can use it meanwhile.

    Args:
        ledger: the ledger.
        mend: let the sums be added up anew afterwards; what was wrong is told all the same.

    Raises:
        LedgerError: it can't be used at all.
    """

    def work(tx: Tx) -> Health:
        health = _health(ledger, tx)
        if mend:
            tx.run("DELETE FROM windows")  # each is added up anew when it is used next
            for statement in FILL:
                tx.run(statement)
        return health

    return ledger.do(work)


def _health(ledger: Ledger, tx: Tx) -> Health:
    attempts, spent = tx.rows("SELECT count(*), CAST(coalesce(sum(cost_nusd), 0) AS BIGINT) FROM attempts")[0]
    return Health(
        attempts=attempts,
        spent_nusd=spent,
        **dict(
            zip(("open_holds", "held_nusd"), _sum(tx, "hold_nusd", "state IN ('held', 'sent')"), strict=True)
        ),
        **dict(zip(("unknown", "unknown_nusd"), _sum(tx, "cost_nusd", "state = 'unknown'"), strict=True)),
        flagged=_sum(tx, "cost_nusd", "flag IS NOT NULL AND state = 'committed'")[0],
        waiting_lines=tx.rows("SELECT count(*) FROM outbox")[0][0],
        problems=tuple(_problems(ledger, tx)),
    )


def _sum(tx: Tx, column: str, where: str) -> tuple[int, int]:
    sql = f"SELECT count(*), CAST(coalesce(sum({column}), 0) AS BIGINT) FROM attempts WHERE {where}"  # noqa: S608
    number, total = tx.rows(sql)[0]
    return number, total


def _problems(ledger: Ledger, tx: Tx) -> Iterator[Problem]:
    yield from (Problem("database", text) for text in ledger.damage())
    yield from _wrong_sums(tx)
    yield from _wrong_tallies(tx)
    yield from _wrong_clock(ledger, tx)
    yield from _wrong_log(ledger, tx)


def _wrong_sums(tx: Tx) -> Iterator[Problem]:
    rows = tx.rows(
        "SELECT period, name, scope, zone, starts_ms, ends_ms, spent_nusd, held_nusd FROM windows"
        " ORDER BY period, name, scope, zone"
    )
    for *fields, spent, held in rows:
        window = Window(*fields)
        real = summed(tx, window)
        if (spent, held) != (real.spent_nusd, real.held_nusd):
            where = f"{window.period} {window.name}" + (f" of {window.scope}" if window.scope else "")
            yield Problem(
                where,
                f"{where} has {usd_short(spent)} spent and {usd_short(held)} held,"
                f" its attempts say {usd_short(real.spent_nusd)} and {usd_short(real.held_nusd)}",
                "policyctl ledger check --mend adds them up anew",
            )


def _wrong_tallies(tx: Tx) -> Iterator[Problem]:
    wrong = sum(len(set(tx.rows(kept)) ^ set(tx.rows(real))) for kept, real in KEPT_AND_REAL)
    if wrong:
        text = f"{listed_count(wrong, 'sum')} of calls that reports read aren't those of the calls"
        yield Problem("reports", text, "policyctl ledger check --mend adds them up anew")


def _wrong_clock(ledger: Ledger, tx: Tx) -> Iterator[Problem]:
    latest = tx.rows("SELECT max(reserved_ms) FROM attempts")[0][0]
    ahead_s = 0 if latest is None else (latest - ledger.now_ms()) // 1000
    if ahead_s > 60:
        text = f"the ledger has an attempt {ahead_s:,} s in the future of this machine's clock"
        yield Problem("clock", text, "set the clock; until it catches up, budgets count in that window")


def _wrong_log(ledger: Ledger, tx: Tx) -> Iterator[Problem]:
    outbox = ledger.outbox
    if outbox.path is None:
        return
    if outbox.problem is not None:
        yield Problem("log", outbox.problem, "its lines wait in the ledger until it can be")
    rebuilt = number_of(tx, f"rebuilt at {outbox.name}") or 0
    made = (number_of(tx, f"lines of {outbox.name}") or 0) - rebuilt
    waiting = tx.rows("SELECT count(*) FROM outbox WHERE log = ?", outbox.name)[0][0]
    there = _line_numbers(outbox.path, outbox.ledger_id)
    missing = made - sum(number > rebuilt for number in there) - waiting
    if missing > 0:
        text = f"{outbox.path} lacks {listed_count(missing, 'line')} of this ledger"
        yield Problem("log", text, "policyctl ledger export --rebuild writes it anew")


def _line_numbers(path: Path, ledger_id: int) -> set[int]:
    """The numbers of a ledger's lines in a log."""
    mark = re.compile(rb'"line_id": "%x-(\d{1,18})"\}\n' % ledger_id)
    numbers: set[int] = set()
    try:
        with path.open("rb") as file:
            after = b""
            while piece := file.read(_PIECE):
                text = after + piece
                numbers.update(int(found) for found in mark.findall(text))
                after = text[text.rfind(b"\n", 0, -1) + 1 :][-80:]
    except OSError:
        return numbers
    return numbers
