"""The ledger as the other rooms meet it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from zoneinfo import ZoneInfo

from ..engine.periods import period_of
from ..policy.names import did_you_mean
from ..schemas.errors import LedgerError, LedgerMisuse
from ..schemas.ledger import Attempt, Denied, DeniedBy, Hold, Usage, WindowSpend
from ..schemas.policy import Budget, Policy
from ..schemas.report import GROUPS, Glance, Period, Report, Tally
from ..schemas.request import Spend
from . import owner as owners
from .book import Book, change
from .door import admitted, admitted_usage, shown
from .money import recorded_cost, worst_case
from .outbox import Outbox
from .rows import ask
from .sheet import Act, Sheet
from .store import open_backend
from .tx import misuse
from .windows import Calendar, milliseconds
from .writer import Writer

T = TypeVar("T")

RECOVER_S = 30
"""How often the leases of others are looked at."""

_WAITS_S = (0.02, 0.05, 0.1, 0.25)


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Ledger:
    """
    Money of one policy's budgets: what may be spent, what is held, what was spent.

    Every answer that permits something is durable before it is given. Where the ledger can't answer, the
    answer is no. It may be used by many threads, and goes on in a child process after a fork.

    Args:
        where: the file of a ledger in SQLite, or the address of one in PostgreSQL.
        policy: whose budgets count; None: none does, as for looking into the ledger.
        log: the usage log; None: no lines are written.
        create: make the ledger where there is none.
        wait_s: how long an answer may take before it is no.
        clock: tells the time; it must know its zone.
        owner: names the process that holds money.
        has_ended: whether an owner is known to be dead.
        monotonic, sleep: for waiting.

    Raises:
        LedgerError: there is no ledger, or it can't be used.
    """

    def __init__(
        self,
        where: Path | str,
        policy: Policy | None = None,
        *,
        log: Path | None = None,
        create: bool = False,
        wait_s: float = 10,
        clock: Callable[[], datetime] = utc_now,
        owner: Callable[[], str] = owners.this_process,
        has_ended: Callable[[str], bool] = owners.has_ended,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.where = where
        self.wait_s = wait_s
        self.clock, self._owner, self._has_ended = clock, owner, has_ended
        self._monotonic, self._sleep = monotonic, sleep
        self._recovered = monotonic()
        self.outbox = Outbox(log, where)
        self.policy = policy
        budgets: Mapping[str, Budget] = {} if policy is None else policy.budgets
        self.calendar = Calendar(budgets, ZoneInfo("UTC" if policy is None else policy.timezone))
        self._backend = open_backend(where, create=create)
        self._writer = Writer(self._backend, self.outbox.before, self.outbox.after)
        try:
            self.recover()
        except BaseException:
            self._writer.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was asked for. What is held stays held."""
        self._writer.close()

    def do(self, work: Callable[[Sheet], T], *, must: bool = False) -> T:
        """Carry work out in a transaction; `must`: room is made for it where the disk is full."""
        return self._writer.do(work, self.wait_s, must=must)

    def look(self, work: Callable[[Sheet], T]) -> T:
        """Carry out work that only reads, while others go on; it sees what was committed before."""
        with self._backend.snapshot() as tx:
            return work(Sheet(tx))

    def now_ms(self) -> int:
        """The clock, as the ledger counts."""
        return milliseconds(self.clock())

    def damage(self) -> list[str]:
        """What the database itself finds wrong with its files; to be asked inside a transaction."""
        return self._backend.damage()

    @property
    def _book(self) -> Book:
        return Book(self.calendar, self.outbox.name, self.outbox.ledger_id)

    # --- a call under way ------------------------------------------------------------------------------

    def reserve(
        self, attempt: Attempt, *, send: bool = False, lease_s: float = 120, wait_s: float = 0
    ) -> Hold | Denied:
        """
        Set aside what a call can cost at most, in every budget that it counts in, or in none.

        The same key with the same call gives the same hold again, whatever became of it meanwhile.

        Args:
            attempt: the call.
            send: it is sent at once; else `sent` must come before it.
            lease_s: for how long the hold is good without `renew`.
            wait_s: how long to wait where only calls under way are in the way.

        Returns:
            The hold, or what refused it. Where the ledger can't answer, that refuses it.

        Raises:
            LedgerMisuse: the attempt can't be, or its key stands for another call.
        """
        attempt = admitted(attempt)
        hold_nusd = worst_case(attempt)
        if hold_nusd is None:
            text = f"no price is known for `{attempt.model}`, so nothing can be set aside for it"
            return Denied(DeniedBy.NO_PRICE, text)
        give_up = self._monotonic() + wait_s
        for pause in _pauses():
            answer = self._reserve(attempt, hold_nusd, send=send, lease_ms=int(lease_s * 1000))
            left = give_up - self._monotonic()
            if not (isinstance(answer, Denied) and answer.only_held) or left <= 0:
                return answer
            self._sleep(min(pause, left))
        raise AssertionError  # pauses never end

    def _reserve(self, attempt: Attempt, hold_nusd: int, *, send: bool, lease_ms: int) -> Hold | Denied:
        asked = ask(attempt, hold_nusd, send=send, lease_ms=lease_ms, owner=self._owner())

        def work(sheet: Sheet) -> Hold | Denied:
            self._backend.keep_room()
            return self._book.reserve(sheet, asked, self.now_ms())

        try:
            self._recover_sometimes()
            return self.do(work)
        except LedgerMisuse:
            raise
        except LedgerError as error:
            return Denied(DeniedBy.LEDGER, str(error))

    def sent(self, key: str) -> Hold:
        """
        Note that a call is being sent. It may be only where the answer's state is SENT.

        Raises:
            LedgerError: the ledger can't answer, so the call must not be sent.
        """
        return self.do(lambda sheet: self._book.sent(sheet, key))

    def commit(self, key: str, usage: Usage | None) -> Hold:
        """
        Turn a hold into what the call cost. Missing or impossible usage counts at the hold.

        Raises:
            LedgerError: it isn't written down; the hold stays, and counts in full once its lease has
                passed. Committing again, later, puts that right.
        """
        usage = admitted_usage(usage)
        return self.do(lambda sheet: self._book.commit(sheet, key, usage, self.now_ms()), must=True)

    def release(self, key: str, error: str | None = None) -> Hold:
        """Give a hold back: the call was provably not sent, or is known not to be billed."""
        told = None if error is None else shown(error)
        return self.do(lambda sheet: self._book.release(sheet, key, told, self.now_ms()), must=True)

    def abandon(self, key: str, error: str | None = None) -> Hold:
        """The outcome is unknown: count the hold as spent until somebody knows better."""
        told = None if error is None else shown(error)
        return self.do(lambda sheet: self._book.abandon(sheet, key, self.now_ms(), told), must=True)

    def renew(self, key: str, lease_s: float = 120) -> Hold:
        """Say that a call is still under way. The answer's state tells whether it may go on."""
        return self.do(lambda sheet: self._book.renew(sheet, key, int(lease_s * 1000), self.now_ms()))

    # --- calls that are over -----------------------------------------------------------------------------

    def record(self, attempt: Attempt, usage: Usage, when: datetime | None = None) -> bool:
        """
        Write down a call that was made without a hold. No budget can refuse what was spent already.

        Returns:
            Whether it is new; the same call under the same key counts once.

        Raises:
            LedgerMisuse: it can't be, or neither a cost nor a price is known.
            LedgerError: the ledger can't answer.
        """
        attempt = admitted(attempt)
        known = admitted_usage(usage)
        assert known is not None
        try:
            cost = recorded_cost(attempt, known)
        except ValueError as error:
            raise misuse(f"this usage can't be: {error}") from error
        if cost is None:
            raise misuse(
                f"neither a cost nor a price is known for `{attempt.model}`",
                "give the cost, or tokens and prices",
            )
        when_ms = None if when is None else milliseconds(when)

        def work(sheet: Sheet) -> bool:
            now = self.now_ms()
            return self._book.record(sheet, attempt, known, cost, now if when_ms is None else when_ms, now)

        return self.do(work, must=True)

    # --- budgets -------------------------------------------------------------------------------------------

    def spend(self, *, run_id: str | None = None, story_id: str | None = None) -> Mapping[str, Spend]:
        """What each budget of the policy has spent and holds in its current window."""
        return {s.budget: s.spend for s in self.status(run_id=run_id, story_id=story_id)}

    def status(
        self, *, run_id: str | None = None, story_id: str | None = None, at: datetime | None = None
    ) -> tuple[WindowSpend, ...]:
        """Each budget of the policy in its window, now or at a moment."""
        book = self._book

        def work(sheet: Sheet) -> tuple[WindowSpend, ...]:
            # Another moment is asked for on purpose; only the clock may not go back.
            now = sheet.not_before(self.now_ms()) if at is None else milliseconds(at)
            return book.status(sheet, now, run_id, story_id)

        return self.do(work)

    def window(self, budget: str, *, run_id: str | None = None, story_id: str | None = None) -> WindowSpend:
        """
        One budget in its current window.

        Raises:
            LedgerMisuse: the policy has no such budget.
            LedgerError: the ledger can't answer.
        """
        return self.do(lambda sheet: self._one(sheet, budget, run_id, story_id))

    def raise_limit(
        self, budget: str, limit_nusd: int, *, run_id: str | None = None, story_id: str | None = None
    ) -> WindowSpend:
        """
        Give a budget another limit until its current window ends.

        Raises:
            LedgerMisuse: the policy has no such budget, or its window isn't known.
            LedgerError: the ledger can't answer.
        """

        def work(sheet: Sheet) -> WindowSpend:
            found = self._one(sheet, budget, run_id, story_id)
            if found.window is None:
                raise misuse(f"budget `{budget}` is per {self.calendar.budgets[budget].period}: say of which")
            change(
                sheet,
                budget,
                self.now_ms(),
                limit_nusd=limit_nusd,
                window_name=found.window,
                paused=found.paused,
            )
            return self._one(sheet, budget, run_id, story_id)

        return self.do(work)

    def pause(self, budget: str, *, paused: bool = True) -> bool:
        """
        Pause a budget until it is resumed, whatever it has spent; or resume it.

        Returns:
            Whether that changed anything.

        Raises:
            LedgerMisuse: the policy has no such budget.
            LedgerError: the ledger can't answer.
        """

        def work(sheet: Sheet) -> bool:
            self._one(sheet, budget, None, None)
            act = sheet.acts().get(budget, Act(None, None, False))
            change(
                sheet,
                budget,
                self.now_ms(),
                limit_nusd=act.limit_nusd,
                window_name=act.window_name,
                paused=paused,
            )
            return act.paused != paused

        return self.do(work)

    # --- reports -------------------------------------------------------------------------------------------

    def report(
        self,
        days: int | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        by: str | Sequence[str] = "provider",
        run_id: str | None = None,
        provider: str | None = None,
        counts_stories: bool = False,
    ) -> Report:
        """
        What was spent, added up, held against the policy's baseline.

        Args:
            days: the last so many days up to now, by the clock on the wall of the policy's zone.
            since, until: from a moment up to, not including, another one; None: without a bound.
            by: what the rows are: provider, model, tier, story, day or domain; of several the first.
            run_id, provider: only the calls of a run or a provider.
            counts_stories: count the stories of each tier, which takes a look at each call.

        Raises:
            LedgerMisuse: calls can't be added up by that.
            LedgerError: the ledger can't answer.
        """
        from .reports import Question, report  # who only spends doesn't need it

        groups = (by,) if isinstance(by, str) else tuple(by)
        for name in groups:
            if name not in GROUPS:
                raise misuse(f"calls can't be added up by `{name}`", did_you_mean(name, GROUPS))
        now = self.clock()
        if days is not None:
            # In local time, whose days may have 23 or 25 hours.
            since = (now.astimezone(self.calendar.zone) - timedelta(days=days)).astimezone(UTC)
        question = Question(
            period=Period(since, until),
            by=groups,
            run_id=run_id,
            provider=provider,
            counts_stories=counts_stories,
        )
        claims = self.calendar.claims(milliseconds(now), None, None, [""])
        return self.look(lambda sheet: report(sheet, question, self.policy, now, claims))

    def glance(self, run_id: str | None = None) -> Glance:
        """What was spent today, this month and in a run, and how the budgets stand: all at one moment."""
        from .figures import Scope, tallied

        now, zone, book = self.clock(), self.calendar.zone, self._book

        def work(sheet: Sheet) -> Glance:
            def spent(scope: Scope) -> Tally:
                return tallied(sheet, scope, ()).get((), Tally())

            today, month = (spent(Scope.of(period_of(p, now.astimezone(zone)))) for p in ("day", "month"))
            run = None if run_id is None else spent(Scope(run_id=run_id))
            return Glance(today, month, run, book.status(sheet, milliseconds(now), run_id, None))

        return self.look(work)

    def last_run(self) -> str | None:
        """The run of the latest call that has one."""
        from .figures import last_run

        return self.look(last_run)

    def providers(self) -> list[str]:
        """All providers that calls were made to."""
        from .figures import providers

        return self.look(providers)

    def _one(self, sheet: Sheet, budget: str, run_id: str | None, story_id: str | None) -> WindowSpend:
        if budget not in self.calendar.budgets:
            help_text = did_you_mean(budget, self.calendar.budgets, else_list="the budgets are")
            raise misuse(f"unknown budget `{budget}`", help_text)
        windows = self._book.status(sheet, sheet.not_before(self.now_ms()), run_id, story_id)
        return next(window for window in windows if window.budget == budget)

    # --- recovery ------------------------------------------------------------------------------------------

    def recover(self) -> int:
        """Settle what dead processes, and leases that passed, left open; how many that were."""
        self._recovered = self._monotonic()
        return self.do(self._recover)

    def _recover_sometimes(self) -> None:
        if self._monotonic() - self._recovered >= RECOVER_S:
            self._recovered = self._monotonic()
            self._writer.later(self._recover)

    def _recover(self, sheet: Sheet) -> int:
        return self._book.recover(sheet, self.now_ms(), self._has_ended)


def _pauses() -> Iterator[float]:
    yield from _WAITS_S
    while True:
        yield _WAITS_S[-1]
