"""
A transaction that keeps in mind what piece after piece of its work asks for.

A group of work counts in the same few windows. Here each is read once a transaction and written once,
whatever the number of calls; so the lock of the ledger is held for a shorter time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..schemas.ledger import Attempt
from ..schemas.request import Spend
from .tx import Row, Tx, Value
from .windows import Window, scopes_of


@dataclass(frozen=True, slots=True)
class Act:
    """What a person changed of a budget: its limit in one window, or that it is paused."""

    limit_nusd: int | None
    window_name: str | None
    paused: bool


@dataclass(slots=True)
class _Sum:
    """A window with its sums, as they are to be."""

    window: Window
    spent_nusd: int
    held_nusd: int
    changed: bool = False

    def add(self, spent: int, held: int) -> None:
        self.spent_nusd += spent
        self.held_nusd += held
        self.changed = True


class Sheet:
    """
    What one transaction knows of the ledger, and has yet to write.

    INVARIANT: whoever reads or writes through `rows`, `run` and `many` finds and leaves the ledger as if
    nothing were kept in mind: what waits is written first, and what is known is forgotten after a change.

    Args:
        direct: the transaction itself. It is for the rows of attempts alone, of which nothing is kept.
    """

    def __init__(self, direct: Tx) -> None:
        self.direct = direct
        self._numbers: dict[str, int] = {}
        self._lines: list[tuple[str, int, str]] = []
        self._forget()

    def _forget(self) -> None:
        self._latest_ms: int | None = None
        self._acts: dict[str, Act] | None = None
        self._sums: dict[tuple[str, str, str, str], _Sum] = {}
        self._since_ms: int | None = None
        self._named: set[tuple[str, str]] = set()

    # --- as a transaction ------------------------------------------------------------------------------

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """The rows that a statement gives."""
        self.write()
        return self.direct.rows(sql, *values)

    def run(self, sql: str, *values: Value) -> int:
        """Carry a statement out; how many rows it changed."""
        self.write()
        self._forget()
        return self.direct.run(sql, *values)

    def many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> int:
        """Carry a statement out for each row of values; how many rows it changed."""
        self.write()
        self._forget()
        return self.direct.many(sql, rows)

    def write(self) -> None:
        """Write what waits."""
        changed = [kept for kept in self._sums.values() if kept.changed]
        if changed:
            values = [(kept.spent_nusd, kept.held_nusd, *kept.window.identity) for kept in changed]
            self.direct.many(_CHANGE, values)
            for kept in changed:
                kept.changed = False
        if self._lines:
            self.direct.many("INSERT INTO outbox (log, seq, line) VALUES (?, ?, ?)", self._lines)
            self._lines = []
        for name, number in self._numbers.items():
            self.direct.run(_NUMBER, name, number)
        self._numbers = {}

    # --- time ------------------------------------------------------------------------------------------

    def not_before(self, now_ms: int) -> int:
        """The moment by the ledger's clock, which never goes back: no window is opened twice."""
        if self._latest_ms is None:
            latest = self.direct.rows("SELECT max(reserved_ms) FROM attempts")[0][0]
            self._latest_ms = now_ms if latest is None else latest
        return max(now_ms, self._latest_ms)

    def reserved(self, ms: int) -> None:
        """An attempt of this moment was written."""
        if self._latest_ms is not None:
            self._latest_ms = max(ms, self._latest_ms)

    # --- lines for the log -----------------------------------------------------------------------------

    def next_number(self, name: str) -> int:
        """The next number of a counter, without gaps."""
        known = self._numbers.get(name)
        number = ((number_of(self.direct, name) or 0) if known is None else known) + 1
        self._numbers[name] = number
        return number

    def add_line(self, log: str, number: int, line: str) -> None:
        """Put a line into the outbox."""
        self._lines.append((log, number, line))

    # --- budgets ---------------------------------------------------------------------------------------

    def acts(self) -> dict[str, Act]:
        """What people changed, by budget."""
        if self._acts is None:
            found = self.direct.rows("SELECT budget, limit_nusd, window_name, paused FROM acts")
            self._acts = {budget: Act(limit, window, bool(paused)) for budget, limit, window, paused in found}
        return self._acts

    def spend_of(self, window: Window) -> Spend:
        """What a window has spent and holds."""
        self._learn(window)
        kept = self._sums.get(window.identity)
        return summed(self.direct, window) if kept is None else Spend(kept.spent_nusd, kept.held_nusd)

    def open_window(self, window: Window) -> Spend:
        """The same; a new one starts with all that the attempts say of it, and is kept from now on."""
        spend = self.spend_of(window)
        if window.identity not in self._sums:
            self.direct.run(_OPEN, *window.identity, window.starts_ms, window.ends_ms, *_both(spend))
            self._sums[window.identity] = _Sum(window, *_both(spend))
        return spend

    def count(self, attempt: Attempt, reserved_ms: int, *, spent: int = 0, held: int = 0) -> None:
        """Add to every window that an attempt counts in; there may be some of budgets that are gone."""
        if not spent and not held:
            return
        self.learn_since(reserved_ms)
        named = {"run": attempt.run_id, "story": attempt.story_id}
        for period, name in named.items():
            if name is not None:
                self._learn_named(period, name)
        scopes = scopes_of(attempt)
        for kept in self._sums.values():
            window = kept.window
            if window.scope in scopes and (
                named.get(window.period) == window.name
                if window.starts_ms is None or window.ends_ms is None
                else window.starts_ms <= reserved_ms < window.ends_ms
            ):
                kept.add(spent, held)

    # --- windows are read once -------------------------------------------------------------------------

    def _learn(self, window: Window) -> None:
        if window.ends_ms is None:
            self._learn_named(window.period, window.name)
        else:
            self.learn_since(window.ends_ms - 1)

    def learn_since(self, ms: int) -> None:
        """Read the windows that end after a moment, in one go; what asks for one of them does so anyway."""
        if self._since_ms is None or ms < self._since_ms:
            self._since_ms = ms - _SLACK_MS
            self._keep(self.direct.rows(f"{_READ} WHERE ends_ms > ?", self._since_ms))

    def _learn_named(self, period: str, name: str) -> None:
        """Read the windows of a run or story."""
        if (period, name) not in self._named:
            self._named.add((period, name))
            self._keep(self.direct.rows(f"{_READ} WHERE period = ? AND name = ?", period, name))

    def _keep(self, rows: Iterable[Row]) -> None:
        for *fields, spent, held in rows:
            window = Window(*fields)
            self._sums.setdefault(window.identity, _Sum(window, spent, held))  # what is known is newer


_SLACK_MS = 600_000
"""So much sooner is read at once: calls that end now began some minutes ago."""

_READ = "SELECT period, name, scope, zone, starts_ms, ends_ms, spent_nusd, held_nusd FROM windows"
_OPEN = (
    "INSERT INTO windows (period, name, scope, zone, starts_ms, ends_ms, spent_nusd, held_nusd)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_CHANGE = (
    "UPDATE windows SET spent_nusd = ?, held_nusd = ?"
    " WHERE period = ? AND name = ? AND scope = ? AND zone = ?"
)
_NUMBER = (
    "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def _both(spend: Spend) -> tuple[int, int]:
    return spend.spent_nusd, spend.held_nusd


def number_of(tx: Tx, name: str) -> int | None:
    """What a counter stands at."""
    found = tx.rows("SELECT value FROM counters WHERE name = ?", name)
    return found[0][0] if found else None


def summed(tx: Tx, window: Window) -> Spend:
    """What the attempts themselves say of a window."""
    column, _, name = window.scope.partition(" ")
    values: list[Value] = []
    if window.period in ("run", "story"):
        where = f"{window.period}_id = ?"
        values.append(window.name)
    else:
        where = "reserved_ms >= ? AND reserved_ms < ?"
        values += [window.starts_ms, window.ends_ms]
    if column:
        where += f" AND {_COLUMN[column]} = ?"
        values.append(name)
    spent = "CAST(coalesce(sum(cost_nusd), 0) AS BIGINT)"
    held = "CAST(coalesce(sum(CASE WHEN state IN ('held', 'sent') THEN hold_nusd ELSE 0 END), 0) AS BIGINT)"
    sums = tx.rows(f"SELECT {spent}, {held} FROM attempts WHERE {where}", *values)  # noqa: S608
    return Spend(*sums[0])


_COLUMN = {"provider": "provider", "model": "model", "tier": "model_tier", "domain": "domain"}
