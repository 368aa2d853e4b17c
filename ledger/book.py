"""
What happens to money, in SQL: each function is one transaction's work.

An attempt's state only rises (see `HoldState`), so an event that comes twice or late changes nothing or
puts the sum right. A call belongs to the windows in which it was reserved, whatever happens when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..policy.words import usd_short
from ..schemas.ledger import OPEN, Attempt, Denied, DeniedBy, Flag, Hold, HoldState, Usage, WindowSpend
from ..schemas.policy import Budget
from ..schemas.request import Spend
from .money import Charge, charge
from .rows import (
    INSERT,
    QUARANTINED,
    Asked,
    Stored,
    believed,
    digest_of,
    find,
    get,
    recorded_row,
    reported,
    used_values,
)
from .sheet import Act, Sheet
from .tx import Tx, misuse
from .usage_log import line_of
from .windows import Calendar, Claim, Window, moment, scopes_of


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

    def reserve(self, sheet: Sheet, asked: Asked, now_ms: int) -> Hold | Denied:
        """Set a hold aside in every window that the attempt counts in, or say which budget is in the way."""
        attempt = asked.attempt
        known = find(sheet.direct, attempt.key)
        if known is not None:
            if known.body != asked.body:
                raise misuse(
                    f"the key `{attempt.key}` was used for another call",
                    "a key names one call for good; give each attempt a key of its own",
                )
            return replace(known.hold, again=True)
        now_ms = sheet.not_before(now_ms)
        denied = self._denied(sheet, attempt, asked.hold_nusd, now_ms)
        if denied is not None:
            return denied
        sheet.direct.run(INSERT, *asked.row(now_ms))
        sheet.reserved(now_ms)
        sheet.count(attempt, now_ms, held=asked.hold_nusd)
        return Hold(attempt.key, asked.state, asked.hold_nusd, 0)

    def _denied(self, sheet: Sheet, attempt: Attempt, hold_nusd: int, now_ms: int) -> Denied | None:
        acts = sheet.acts()
        sheet.learn_since(now_ms)
        for claim in self.calendar.claims(now_ms, attempt.run_id, attempt.story_id, scopes_of(attempt)):
            if claim.window is not None:
                # The row must be there before the hold is counted, whether or not the budget can refuse.
                spend = sheet.open_window(claim.window)
                denied = _no_room(claim, claim.window, spend, hold_nusd, acts.get(claim.budget.name))
                if denied is not None:
                    return denied
        return None

    # --- what happens to an attempt -----------------------------------------------------------------

    def sent(self, sheet: Sheet, key: str) -> Hold:
        """The call is being sent; of no effect once the attempt is settled."""
        stored = get(sheet.direct, key)
        if stored.state is not HoldState.HELD:
            return stored.hold
        sheet.direct.run("UPDATE attempts SET state = 'sent', was_sent = 1 WHERE key = ?", key)
        return Hold(key, HoldState.SENT, stored.hold_nusd, 0)

    def commit(self, sheet: Sheet, key: str, usage: Usage | None, now_ms: int) -> Hold:
        """The call was billed; also where it was taken for lost or given back before."""
        stored = get(sheet.direct, key)
        if stored.state is HoldState.COMMITTED:
            return stored.hold
        charged = charge(stored.attempt, stored.hold_nusd, usage)
        return self._settle(sheet, stored, HoldState.COMMITTED, charged, usage, now_ms)

    def release(self, sheet: Sheet, key: str, error: str | None, now_ms: int) -> Hold:
        """The call costs nothing."""
        stored = get(sheet.direct, key)
        if stored.state in (HoldState.RELEASED, HoldState.COMMITTED):
            return stored.hold
        usage = Usage(success=False, error=error) if stored.was_sent or error else None
        return self._settle(sheet, stored, HoldState.RELEASED, Charge(0, None), usage, now_ms)

    def abandon(self, sheet: Sheet, key: str, now_ms: int, error: str | None = None) -> Hold:
        """Nobody knows what became of the call: it counts at its hold."""
        stored = get(sheet.direct, key)
        if stored.state not in OPEN:
            return stored.hold
        usage = Usage(success=False, error=error or "outcome unknown")
        charged = Charge(stored.hold_nusd, Flag.UNKNOWN)
        return self._settle(sheet, stored, HoldState.UNKNOWN, charged, usage, now_ms)

    def renew(self, sheet: Sheet, key: str, lease_ms: int, now_ms: int) -> Hold:
        """The call goes on: its lease ends no sooner than this, and never sooner than it did."""
        stored = get(sheet.direct, key)
        if stored.state in OPEN:
            until_ms = sheet.not_before(now_ms) + lease_ms
            sheet.direct.run(
                "UPDATE attempts SET lease_ms = ? WHERE key = ? AND lease_ms < ?", until_ms, key, until_ms
            )
        return stored.hold

    def _settle(
        self,
        sheet: Sheet,
        stored: Stored,
        state: HoldState,
        charged: Charge,
        usage: Usage | None,
        now_ms: int,
    ) -> Hold:
        """Move an attempt to a settled state; `usage` None: it never was a call, so no line tells of it."""
        attempt, used = stored.attempt, believed(usage, charged)
        lined = usage is not None or charged.flag is not None
        sheet.direct.run(
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
            reported(usage) if charged.flag in QUARANTINED else None,
            attempt.key,
        )
        held = -stored.hold_nusd if stored.state in OPEN else 0
        more = charged.cost_nusd - stored.cost_nusd
        sheet.count(attempt, stored.reserved_ms, spent=more, held=held)
        if lined:
            # A line that is there stays; another one puts the sum over all lines right.
            self._line(sheet, attempt, used, more, charged.flag, now_ms, adjusts=stored.logged)
        return Hold(attempt.key, state, stored.hold_nusd, charged.cost_nusd, charged.flag)

    def _line(
        self,
        sheet: Sheet,
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
        seq = sheet.next_number(f"lines of {self.log}")
        line = line_of(attempt, used, nusd, flag, now_ms, f"{self.ledger_id:x}-{seq}", adjusts=adjusts)
        sheet.add_line(self.log, seq, line)

    # --- calls that were made without a hold ---------------------------------------------------------

    def record(
        self, sheet: Sheet, attempt: Attempt, usage: Usage, cost_nusd: int, when_ms: int, now_ms: int
    ) -> bool:
        """Write down a call that is over; False: a call of this key is there already."""
        charged = Charge(cost_nusd, None)
        body = digest_of(attempt, cost_nusd)
        row = recorded_row(attempt, usage, charged, min(when_ms, now_ms), body)
        if not sheet.direct.run(INSERT, *row):
            if get(sheet.direct, attempt.key).body != body:
                raise misuse(f"the key `{attempt.key}` was used for another call")
            return False
        sheet.reserved(min(when_ms, now_ms))
        sheet.count(attempt, min(when_ms, now_ms), spent=cost_nusd)
        self._line(sheet, attempt, usage, cost_nusd, None, min(when_ms, now_ms), adjusts=False)
        return True

    # --- recovery --------------------------------------------------------------------------------------

    def recover(self, sheet: Sheet, now_ms: int, has_ended: Callable[[str], bool]) -> int:
        """
        Settle what dead owners, and leases that passed, left open; how many that were.

        What was never sent is given back; what was sent counts at its hold.
        """
        now_ms = sheet.not_before(now_ms)
        left = sheet.direct.rows(
            "SELECT key, owner, lease_ms, state FROM attempts WHERE state IN ('held', 'sent')"
        )
        ended = {owner: has_ended(owner) for owner in {owner for _, owner, _, _ in left}}
        lost = [(key, state) for key, owner, lease, state in left if lease <= now_ms or ended[owner]]
        for key, state in lost:
            if state == HoldState.HELD:
                self.release(sheet, key, None, now_ms)
            else:
                self.abandon(sheet, key, now_ms)
        return len(lost)

    # --- what budgets have spent -------------------------------------------------------------------------

    def status(
        self, sheet: Sheet, now_ms: int, run_id: str | None, story_id: str | None
    ) -> tuple[WindowSpend, ...]:
        """Each budget of the policy in its window at a moment."""
        acts = sheet.acts()
        return tuple(_standing(sheet, c, acts) for c in self.calendar.claims(now_ms, run_id, story_id))


def limit_of(budget: Budget, window: Window | None, act: Act | None) -> tuple[int, bool]:
    """The limit in force, and whether a person raised it for this window."""
    if act is None or act.limit_nusd is None or window is None or act.window_name != window.name:
        return budget.limit_nusd, False
    return act.limit_nusd, True


def _no_room(claim: Claim, window: Window, spend: Spend, hold_nusd: int, act: Act | None) -> Denied | None:
    name = claim.budget.name
    until = None if window.ends_ms is None else moment(window.ends_ms)
    if act is not None and act.paused:
        return Denied(DeniedBy.BUDGET, f"budget `{name}` is paused by a person", name)
    limit, _ = limit_of(claim.budget, window, act)
    cap = claim.cap(limit)
    # At its cap a budget pauses even what costs nothing, as in a decision.
    needed = max(hold_nusd, 1)
    if cap is None or spend.spent_nusd + spend.held_nusd + needed <= cap:
        return None
    text = (
        f"budget `{name}` has {usd_short(spend.spent_nusd)} spent and {usd_short(spend.held_nusd)} held of"
        f" {usd_short(cap)}, and this call may cost {usd_short(hold_nusd)}"
    )
    return Denied(DeniedBy.BUDGET, text, name, until, spend.spent_nusd + needed <= cap)


def _standing(sheet: Sheet, claim: Claim, acts: dict[str, Act]) -> WindowSpend:
    window, act = claim.window, acts.get(claim.budget.name)
    limit, raised = limit_of(claim.budget, window, act)
    times = [None if window is None or ms is None else moment(ms) for ms in _bounds(window)]
    return WindowSpend(
        budget=claim.budget.name,
        window=None if window is None else window.name,
        starts=times[0],
        ends=times[1],
        limit_nusd=limit,
        raised=raised,
        paused=act is not None and act.paused,
        spend=Spend() if window is None else sheet.spend_of(window),
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
