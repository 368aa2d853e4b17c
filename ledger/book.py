"""
What happens to money, in SQL: each function is one transaction's work.

An attempt's state only rises (see `HoldState`), so an event that comes twice or late changes nothing or
puts the sum right. A call belongs to the windows in which it was reserved, whatever happens when.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from operator import attrgetter

from ..policy.words import usd_short
from ..schemas.ledger import OPEN, Attempt, Denied, DeniedBy, Flag, Hold, HoldState, Usage, WindowSpend
from ..schemas.request import Spend
from .money import Charge, charge
from .tx import Tx, Value, misuse
from .usage_log import line_of
from .windows import Calendar, Claim, Window, cap_of, moment, scopes_of

_OWN = tuple(field.name for field in fields(Attempt) if field.name != "most_nusd")
_own_of = attrgetter(*_OWN)
_USED = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "latency_ms",
    "success",
    "error",
)
_STATE = ("state", "hold_nusd", "cost_nusd", "flag", "reserved_ms", "was_sent", "logged", "body")
_READ = f"SELECT {', '.join((*_OWN, *_STATE))} FROM attempts"  # noqa: S608  # names of our own
_NEW = (*_OWN, *_STATE, "owner", "lease_ms", "settled_ms", *_USED)
INSERT = (
    f"INSERT INTO attempts ({', '.join(_NEW)}) VALUES ({', '.join('?' * len(_NEW))})"  # noqa: S608
    " ON CONFLICT (key) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An attempt as it stands in the book."""

    attempt: Attempt
    state: HoldState
    hold_nusd: int
    cost_nusd: int
    flag: Flag | None
    reserved_ms: int
    was_sent: bool
    logged: bool
    body: str

    @property
    def hold(self) -> Hold:
        """What the book's user is told."""
        return Hold(self.attempt.key, self.state, self.hold_nusd, self.cost_nusd, self.flag)


@dataclass(frozen=True, slots=True)
class Act:
    """What a person changed of a budget: its limit in one window, or that it is paused."""

    limit_nusd: int | None
    window_name: str | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Book:
    """
    The work of one ledger's transactions.

    `log` names the usage log whose lines go to the outbox; None: none does. `ledger_id` marks them.
    """

    calendar: Calendar
    log: str | None
    ledger_id: int

    # --- reserving ----------------------------------------------------------------------------------

    def reserve(
        self, tx: Tx, attempt: Attempt, hold_nusd: int, *, now_ms: int, lease_ms: int, owner: str, send: bool
    ) -> Hold | Denied:
        """Set a hold aside in every window that the attempt counts in, or say which budget is in the way."""
        known = find(tx, attempt.key)
        body = digest_of(attempt, hold_nusd)
        if known is not None:
            if known.body != body:
                raise misuse(
                    f"the key `{attempt.key}` was used for another call",
                    "a key names one call for good; give each attempt a key of its own",
                )
            return known.hold
        now_ms = not_before(tx, now_ms)
        denied = self._denied(tx, attempt, hold_nusd, now_ms)
        if denied is not None:
            return denied
        state = HoldState.SENT if send else HoldState.HELD
        row = new_row(attempt, body, state, Charge(0, None), hold_nusd, now_ms, owner, now_ms + lease_ms)
        tx.run(INSERT, *row)
        count(tx, attempt, now_ms, held=hold_nusd)
        return Hold(attempt.key, state, hold_nusd, 0)

    def _denied(self, tx: Tx, attempt: Attempt, hold_nusd: int, now_ms: int) -> Denied | None:
        acts = acts_of(tx)
        for claim in self.calendar.claims(now_ms, attempt.run_id, attempt.story_id, scopes_of(attempt)):
            if claim.window is not None:
                # The row must be there before the hold is counted, whether or not the budget can refuse.
                spend = open_window(tx, claim.window)
                denied = _no_room(claim, claim.window, spend, hold_nusd, acts.get(claim.budget.name))
                if denied is not None:
                    return denied
        return None

    # --- what happens to an attempt -----------------------------------------------------------------

    def sent(self, tx: Tx, key: str) -> Hold:
        """The call is being sent; of no effect once the attempt is settled."""
        stored = get(tx, key)
        if stored.state is not HoldState.HELD:
            return stored.hold
        tx.run("UPDATE attempts SET state = 'sent', was_sent = 1 WHERE key = ?", key)
        return Hold(key, HoldState.SENT, stored.hold_nusd, 0)

    def commit(self, tx: Tx, key: str, usage: Usage | None, now_ms: int) -> Hold:
        """The call was billed; also where it was taken for lost or given back before."""
        stored = get(tx, key)
        if stored.state is HoldState.COMMITTED:
            return stored.hold
        charged = charge(stored.attempt, stored.hold_nusd, usage)
        return self._settle(tx, stored, HoldState.COMMITTED, charged, usage, now_ms)

    def release(self, tx: Tx, key: str, error: str | None, now_ms: int) -> Hold:
        """The call costs nothing."""
        stored = get(tx, key)
        if stored.state in (HoldState.RELEASED, HoldState.COMMITTED):
            return stored.hold
        usage = Usage(success=False, error=error) if stored.was_sent or error else None
        return self._settle(tx, stored, HoldState.RELEASED, Charge(0, None), usage, now_ms)

    def abandon(self, tx: Tx, key: str, now_ms: int) -> Hold:
        """Nobody knows what became of the call: it counts at its hold."""
        stored = get(tx, key)
        if stored.state not in OPEN:
            return stored.hold
        usage = Usage(success=False, error="outcome unknown")
        charged = Charge(stored.hold_nusd, Flag.UNKNOWN)
        return self._settle(tx, stored, HoldState.UNKNOWN, charged, usage, now_ms)

    def renew(self, tx: Tx, key: str, lease_ms: int, now_ms: int) -> Hold:
        """The call goes on: its lease ends no sooner than this, and never sooner than it did."""
        stored = get(tx, key)
        if stored.state in OPEN:
            until_ms = not_before(tx, now_ms) + lease_ms
            tx.run("UPDATE attempts SET lease_ms = ? WHERE key = ? AND lease_ms < ?", until_ms, key, until_ms)
        return stored.hold

    def _settle(
        self, tx: Tx, stored: Stored, state: HoldState, charged: Charge, usage: Usage | None, now_ms: int
    ) -> Hold:
        """Move an attempt to a settled state; `usage` None: it never was a call, so no line tells of it."""
        attempt, used = stored.attempt, believed(usage, charged)
        lined = usage is not None or charged.flag is not None
        tx.run(
            "UPDATE attempts SET state = ?, cost_nusd = ?, flag = ?,"
            " settled_ms = ?, was_sent = ?, logged = ?,"
            " input_tokens = ?, output_tokens = ?, cache_read_tokens = ?, cache_write_tokens = ?,"
            " latency_ms = ?, success = ?, error = ?, reported = ? WHERE key = ?",
            state.value,
            charged.cost_nusd,
            charged.flag and charged.flag.value,
            now_ms,
            int(stored.was_sent or state is not HoldState.RELEASED),
            int(stored.logged or lined),
            *used_values(used),
            reported(usage) if charged.flag in _QUARANTINED else None,
            attempt.key,
        )
        held = -stored.hold_nusd if stored.state in OPEN else 0
        more = charged.cost_nusd - stored.cost_nusd
        count(tx, attempt, stored.reserved_ms, spent=more, held=held)
        if lined:
            # A line that is there stays; another one puts the sum over all lines right.
            self._line(tx, attempt, used, more, charged.flag, now_ms, adjusts=stored.logged)
        return Hold(attempt.key, state, stored.hold_nusd, charged.cost_nusd, charged.flag)

    def _line(
        self,
        tx: Tx,
        attempt: Attempt,
        used: Usage,
        nusd: int,
        flag: Flag | None,
        now_ms: int,
        *,
        adjusts: bool,
    ) -> None:
        if self.log is None:
            return
        seq = next_number(tx, f"lines of {self.log}")
        line = line_of(attempt, used, nusd, flag, now_ms, f"{self.ledger_id:x}-{seq}", adjusts=adjusts)
        tx.run("INSERT INTO outbox (log, seq, line) VALUES (?, ?, ?)", self.log, seq, line)

    # --- calls that were made without a hold ---------------------------------------------------------

    def record(
        self, tx: Tx, attempt: Attempt, usage: Usage, cost_nusd: int, when_ms: int, now_ms: int
    ) -> bool:
        """Write down a call that is over; False: a call of this key is there already."""
        charged = Charge(cost_nusd, None)
        body = digest_of(attempt, cost_nusd)
        row = recorded_row(attempt, usage, charged, min(when_ms, now_ms), body)
        if not tx.run(INSERT, *row):
            if get(tx, attempt.key).body != body:
                raise misuse(f"the key `{attempt.key}` was used for another call")
            return False
        count(tx, attempt, min(when_ms, now_ms), spent=cost_nusd)
        self._line(tx, attempt, usage, cost_nusd, None, min(when_ms, now_ms), adjusts=False)
        return True

    # --- recovery --------------------------------------------------------------------------------------

    def recover(self, tx: Tx, now_ms: int, has_ended: Callable[[str], bool]) -> int:
        """
        Settle what dead owners, and leases that passed, left open; how many that were.

        What was never sent is given back; what was sent counts at its hold.
        """
        now_ms = not_before(tx, now_ms)
        left = tx.rows("SELECT key, owner, lease_ms, state FROM attempts WHERE state IN ('held', 'sent')")
        ended = {owner: has_ended(owner) for owner in {owner for _, owner, _, _ in left}}
        lost = [(key, state) for key, owner, lease, state in left if lease <= now_ms or ended[owner]]
        for key, state in lost:
            if state == HoldState.HELD:
                self.release(tx, key, None, now_ms)
            else:
                self.abandon(tx, key, now_ms)
        return len(lost)

    # --- what budgets have spent -------------------------------------------------------------------------

    def status(
        self, tx: Tx, now_ms: int, run_id: str | None, story_id: str | None
    ) -> tuple[WindowSpend, ...]:
        """Each budget of the policy in its window at a moment."""
        acts = acts_of(tx)
        return tuple(_standing(tx, c, acts) for c in self.calendar.claims(now_ms, run_id, story_id))


_QUARANTINED = (Flag.INVALID, Flag.ABSURD)


def believed(usage: Usage | None, charged: Charge) -> Usage:
    """The usage as far as it is believed; its tokens aren't, where it was quarantined."""
    if usage is None:
        return Usage()
    if charged.flag in _QUARANTINED:
        return Usage(success=bool(usage.success), error=usage.error)
    return usage


def reported(usage: Usage | None) -> str | None:
    """Usage that isn't believed, kept for a person to look at: numbers only, whatever they are."""
    if usage is None:
        return None
    told = {name: getattr(usage, name) for name in (*_USED[:5], "cost_nusd")}
    return json.dumps({name: _shown(value) for name, value in told.items()})


def _shown(value: object) -> object:
    """A number as it is, unless it is too long to be one; of everything else only what it is."""
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**30):
        return value
    return type(value).__name__


def used_values(usage: Usage) -> tuple[Value, ...]:
    """The columns of what was used."""
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.latency_ms,
        int(usage.success),
        usage.error,
    )


# --- rows ------------------------------------------------------------------------------------------------


def digest_of(attempt: Attempt, hold_nusd: int) -> str:
    """What tells whether a key is used for the same call again."""
    return sha256(repr((_own_of(attempt), hold_nusd)).encode()).hexdigest()[:32]


def _own_values(attempt: Attempt) -> list[Value]:
    return [int(value) if isinstance(value, bool) else value for value in _own_of(attempt)]


def new_row(
    attempt: Attempt,
    body: str,
    state: HoldState,
    charged: Charge,
    hold_nusd: int,
    now_ms: int,
    owner: str,
    lease_ms: int,
) -> tuple[Value, ...]:
    """The row of an attempt that starts."""
    own = _own_values(attempt)
    sent = int(state is HoldState.SENT)
    stands: list[Value] = [state.value, hold_nusd, charged.cost_nusd, None, now_ms, sent, 0, body]
    return (*own, *stands, owner, lease_ms, None, None, None, None, None, None, None, None)


def recorded_row(
    attempt: Attempt, usage: Usage, charged: Charge, when_ms: int, body: str
) -> tuple[Value, ...]:
    """The row of a call that is over: as if its hold had been what it cost."""
    own, cost = _own_values(attempt), charged.cost_nusd
    state = HoldState.UNKNOWN if charged.flag is Flag.UNKNOWN else HoldState.COMMITTED
    flag = charged.flag and charged.flag.value
    stands: list[Value] = [state.value, cost, cost, flag, when_ms, 1, 1, body]
    return (*own, *stands, "", when_ms, when_ms, *used_values(usage))


def lines_after(tx: Tx, ms: int, key: str, limit: int) -> list[tuple[Stored, Usage, int]]:
    """
    The calls that have a line in the log, with what they used and when they were settled.

    They come in the order of their reservation, after the one of this moment and key.
    """
    sql = (
        f"SELECT {', '.join((*_OWN, *_STATE, *_USED))}, settled_ms FROM attempts WHERE logged = 1"  # noqa: S608
        " AND reserved_ms >= ? AND (reserved_ms > ? OR key > ?) ORDER BY reserved_ms, key LIMIT ?"
    )
    found, start = [], len(_OWN) + len(_STATE)
    for row in tx.rows(sql, ms, ms, key, limit):
        used = dict(zip(_USED, row[start:-1], strict=True))
        used["success"] = bool(used["success"])
        found.append((_stored(row[:start]), Usage(**used), row[-1]))
    return found


def find(tx: Tx, key: str) -> Stored | None:
    """The attempt of a key, if there is one."""
    found = tx.rows(f"{_READ} WHERE key = ?", key)
    return _stored(found[0]) if found else None


def get(tx: Tx, key: str) -> Stored:
    """
    The attempt of a key.

    Raises:
        LedgerMisuse: there is none.
    """
    stored = find(tx, key)
    if stored is None:
        raise misuse(f"nothing is held under the key `{key}`", "reserve comes first")
    return stored


def _stored(row: Sequence[object]) -> Stored:
    own = dict(zip(_OWN, row, strict=False))
    state, hold, cost, flag, reserved_ms, was_sent, logged, body = row[len(_OWN) :]
    own["fallback_used"] = bool(own["fallback_used"])
    return Stored(
        Attempt(**own),  # type: ignore[arg-type]  # the columns are those of its fields
        HoldState(str(state)),
        hold,  # type: ignore[arg-type]
        cost,  # type: ignore[arg-type]
        None if flag is None else Flag(str(flag)),
        reserved_ms,  # type: ignore[arg-type]
        bool(was_sent),
        bool(logged),
        str(body),
    )


# --- time and numbers ------------------------------------------------------------------------------------


def not_before(tx: Tx, now_ms: int) -> int:
    """The moment by the ledger's clock, which never goes back: no window is opened twice."""
    latest = tx.rows("SELECT max(reserved_ms) FROM attempts")[0][0]
    return now_ms if latest is None else max(now_ms, latest)


def next_number(tx: Tx, name: str) -> int:
    """The next number of a counter, without gaps."""
    number: int = tx.rows(
        "INSERT INTO counters (name, value) VALUES (?, 1)"
        " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value",
        name,
    )[0][0]
    return number


def number_of(tx: Tx, name: str) -> int | None:
    """What a counter stands at."""
    found = tx.rows("SELECT value FROM counters WHERE name = ?", name)
    return found[0][0] if found else None


# --- windows -----------------------------------------------------------------------------------------------

_ADD = "UPDATE windows SET spent_nusd = spent_nusd + ?, held_nusd = held_nusd + ? WHERE "
_OF_THESE_SCOPES = " AND scope IN (?, ?, ?, ?, ?)"


def count(tx: Tx, attempt: Attempt, reserved_ms: int, *, spent: int = 0, held: int = 0) -> None:
    """Add to every window that an attempt counts in; there may be some of budgets that are gone."""
    if not spent and not held:
        return
    scopes = scopes_of(attempt)
    in_time = f"{_ADD} ends_ms > ? AND starts_ms <= ?{_OF_THESE_SCOPES}"
    tx.run(in_time, spent, held, reserved_ms, reserved_ms, *scopes)
    for period, name in (("run", attempt.run_id), ("story", attempt.story_id)):
        if name is not None:
            named = f"{_ADD} period = '{period}' AND name = ?{_OF_THESE_SCOPES}"
            tx.run(named, spent, held, name, *scopes)


def open_window(tx: Tx, window: Window) -> Spend:
    """What a window has spent and holds; a new one starts with all that the attempts say of it."""
    found = _kept(tx, window)
    if found is None:
        found = summed(tx, window)
        tx.run(
            "INSERT INTO windows (period, name, scope, zone, starts_ms, ends_ms, spent_nusd, held_nusd)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *window.identity,
            window.starts_ms,
            window.ends_ms,
            found.spent_nusd,
            found.held_nusd,
        )
    return found


def _kept(tx: Tx, window: Window) -> Spend | None:
    found = tx.rows(
        "SELECT spent_nusd, held_nusd FROM windows WHERE period = ? AND name = ? AND scope = ? AND zone = ?",
        *window.identity,
    )
    return Spend(*found[0]) if found else None


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


def acts_of(tx: Tx) -> dict[str, Act]:
    """What people changed, by budget."""
    found = tx.rows("SELECT budget, limit_nusd, window_name, paused FROM acts")
    return {budget: Act(limit, window, bool(paused)) for budget, limit, window, paused in found}


def _limit(claim: Claim, window: Window | None, act: Act | None) -> tuple[int, bool]:
    """The limit in force, and whether a person raised it for this window."""
    if act is None or act.limit_nusd is None or window is None or act.window_name != window.name:
        return claim.budget.limit_nusd, False
    return act.limit_nusd, True


def _no_room(claim: Claim, window: Window, spend: Spend, hold_nusd: int, act: Act | None) -> Denied | None:
    name = claim.budget.name
    until = None if window.ends_ms is None else moment(window.ends_ms)
    if act is not None and act.paused:
        return Denied(DeniedBy.BUDGET, f"budget `{name}` is paused by a person", name)
    limit, _ = _limit(claim, window, act)
    cap = cap_of(claim.budget, limit)
    # At its cap a budget pauses even what costs nothing, as in a decision.
    needed = max(hold_nusd, 1)
    if cap is None or spend.spent_nusd + spend.held_nusd + needed <= cap:
        return None
    text = (
        f"budget `{name}` has {usd_short(spend.spent_nusd)} spent and {usd_short(spend.held_nusd)} held of"
        f" {usd_short(cap)}, and this call may cost {usd_short(hold_nusd)}"
    )
    return Denied(DeniedBy.BUDGET, text, name, until, spend.spent_nusd + needed <= cap)


def _standing(tx: Tx, claim: Claim, acts: dict[str, Act]) -> WindowSpend:
    window, act = claim.window, acts.get(claim.budget.name)
    limit, raised = _limit(claim, window, act)
    times = [None if window is None or ms is None else moment(ms) for ms in _bounds(window)]
    return WindowSpend(
        budget=claim.budget.name,
        window=None if window is None else window.name,
        starts=times[0],
        ends=times[1],
        limit_nusd=limit,
        raised=raised,
        paused=act is not None and act.paused,
        spend=Spend() if window is None else (_kept(tx, window) or summed(tx, window)),
    )


def _bounds(window: Window | None) -> Iterable[int | None]:
    return (None, None) if window is None else (window.starts_ms, window.ends_ms)


def change(
    tx: Tx, budget: str, now_ms: int, *, limit_nusd: int | None, window_name: str | None, paused: bool
) -> None:
    """Write down what a person changes of a budget, in place of what was changed of it before."""
    tx.run("DELETE FROM acts WHERE budget = ?", budget)
    if limit_nusd is not None or paused:
        tx.run(
            "INSERT INTO acts (budget, limit_nusd, window_name, paused, made_ms) VALUES (?, ?, ?, ?, ?)",
            budget,
            limit_nusd,
            window_name,
            int(paused),
            now_ms,
        )
