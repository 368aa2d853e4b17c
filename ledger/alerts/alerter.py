"""Alerts as a program or a loop meets them: looked after in the background, so that no request waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from zoneinfo import ZoneInfo

from ...schemas.alerts import AlertStanding, Outcome, Standing
from ...schemas.errors import LedgerError
from ...schemas.ledger import Attempt, Denied, DeniedBy
from ...schemas.policy import Policy
from ..ledger import Ledger
from ..sheet import Sheet, number_of
from ..windows import moment
from .channels import LOG_NAME, Channels, checked_post
from .events import Claimed, Teller, claim, fired_ms, last_of, next_due_ms, settle
from .settings import Settings, machine_settings
from .watching import (
    Looker,
    Reading,
    Refusal,
    Touched,
    Watched,
    condition_of,
    nearest,
    touched_by,
    touched_since,
    watched_by,
    window_words,
)

EVERY_S = 1.0
"""The background looks at most this often, and is at rest for 50 times as long as a look took."""

RECENT_MS = 2 * 86_400_000
"""Runs and stories without a call for so long aren't looked at by `check` and `standings`."""

LONGEST_MS = 40 * 86_400_000
"""What was left unlooked at for longer isn't made up for."""

MOST_KEYS = 10_000
_LOOKED = "alerts looked at"
_HOUR_MS = 3_600_000
_STEP_MS = 20 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look told, and what came of sending it: messages made, sent, and not sent."""

    made: int
    sent: int
    unsent: tuple[str, ...]


class Alerts:
    """
    The alerts of a policy over a ledger. Each call does its work before it returns; `Alerter` is for beside
    requests.

    Args:
        ledger: what was spent.
        policy: whose alerts and budgets count, with the limits in force.
        channels: how messages are sent; None: as the machine says.
        environ: has the addresses of webhooks; None: the environment.

    Raises:
        SettingError: a setting of the machine can't be what it is.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        *,
        channels: Channels | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.ledger = ledger
        self.policy = policy
        self.watched: tuple[Watched, ...] = watched_by(policy)
        log = ledger.outbox.path
        self.channels = channels or channels_of(None if log is None else log.with_name(LOG_NAME), environ)
        self._looker = Looker(self.watched, ZoneInfo(policy.timezone))

    # --- looking -----------------------------------------------------------------------------------------

    def look(self, keys: Iterable[str] | None = None, refusals: Iterable[Refusal] = ()) -> int:
        """
        See what is crossed, and write down what is to be told of it; how many messages that makes.

        Args:
            keys: the calls that were settled; None: any may have been.
            refusals: the calls for which a budget had no room.

        Raises:
            LedgerError: the ledger can't answer; nothing was written down.
        """
        settled, refused = None if keys is None else list(keys), list(refusals)

        def work(sheet: Sheet) -> int:
            now = sheet.not_before(self.ledger.now_ms())
            touched = self._recent(sheet, now) if settled is None else touched_by(sheet, settled)
            teller = Teller(self.ledger.outbox.ledger_id, self.policy.name)
            made = teller.tell(sheet, self._readings(sheet, touched, now), now)
            return made + teller.tell(sheet, self._looker.refused(sheet, refused, now), now)

        return self.ledger.do(work)

    def _readings(self, sheet: Sheet, touched: Touched, now_ms: int) -> list[Reading]:
        """
        What is to be looked at: the windows of now, and those in which something may have happened since the
        last look, or in which a call was made that was only settled now.
        """
        before = number_of(sheet, _LOOKED)
        if before is None or now_ms - before > _HOUR_MS:
            sheet.run("DELETE FROM counters WHERE name = ?", _LOOKED)
            sheet.run("INSERT INTO counters (name, value) VALUES (?, ?)", _LOOKED, now_ms)
        readings = self._looker.by_clock(sheet, _moments(before, touched.since_ms, now_ms), keep=True)
        return [*readings, *self._looker.by_name(sheet, touched, keep=True)]

    def _recent(self, sheet: Sheet, now_ms: int) -> Touched:
        return touched_since(sheet, now_ms - RECENT_MS) if self._looker.has_names else Touched()

    # --- sending -----------------------------------------------------------------------------------------

    def send(self, until: Callable[[], bool] = lambda: False) -> tuple[int, list[str]]:
        """
        Send what waits and is due, until nothing is or `until` says so; how many, and what went wrong.

        Raises:
            LedgerError: the ledger can't answer.
        """
        sent, problems = 0, []
        message = None if until() else self.ledger.do(lambda sheet: claim(sheet, self.ledger.now_ms()))
        while message is not None:
            outcome = self.channels.send(message.channel, message.target, message.body)
            if outcome.sent:
                sent += 1
            else:
                problems.append(f"{message.channel}: {outcome.what}")
            message = self._settled(message, outcome, claim_next=not until())
        return sent, problems

    def _settled(self, message: Claimed, outcome: Outcome, *, claim_next: bool) -> Claimed | None:
        """Write down what came of a message, and claim the next one with that."""

        def work(sheet: Sheet) -> Claimed | None:
            now_ms = self.ledger.now_ms()
            settle(sheet, message, outcome, now_ms)
            return claim(sheet, now_ms) if claim_next else None

        return self.ledger.do(work)

    def check(self) -> Checked:
        """
        Look at everything, and send all that waits and is due.

        Raises:
            LedgerError: the ledger can't answer.
        """
        made = self.look()
        sent, problems = self.send()
        return Checked(made, sent, tuple(problems))

    def next_due_s(self) -> float | None:
        """In how many seconds a message that waits may be sent; None: none waits."""
        due = self.ledger.do(next_due_ms)
        return None if due is None else max(0.0, (due - self.ledger.now_ms()) / 1000)

    # --- showing -----------------------------------------------------------------------------------------

    def standings(self) -> tuple[AlertStanding, ...]:
        """
        Where each alert and level stands now. Nothing is told and nothing is sent.

        Raises:
            LedgerError: the ledger can't answer.
        """

        def work(sheet: Sheet) -> tuple[AlertStanding, ...]:
            now = sheet.not_before(self.ledger.now_ms())
            readings = self._looker.by_clock(sheet, [now], keep=False)
            readings += self._looker.by_name(sheet, self._recent(sheet, now), keep=False)
            by_name: dict[str, list[Reading]] = {}
            for reading in readings:
                by_name.setdefault(reading.watched.name, []).append(reading)
            return tuple(_standing(sheet, w, nearest(by_name.get(w.name, ()))) for w in self.watched)

        return self.ledger.do(work)


def _moments(before_ms: int | None, since_ms: int | None, now_ms: int) -> list[int]:
    """Moments of which each day from the earlier of two to now has one, of the last weeks."""
    first = min(ms for ms in (before_ms, since_ms, now_ms) if ms is not None)
    first = max(first, now_ms - LONGEST_MS)
    return [*range(first, now_ms, _STEP_MS), now_ms]


def _standing(sheet: Sheet, watched: Watched, reading: Reading | None) -> AlertStanding:
    limit = reading.limit if reading is not None else watched.value
    if limit is None:  # a level of a budget that no run or story has met yet
        assert watched.level is not None
        limit = watched.level.percent * watched.budget.limit_nusd / 100
    since = None if reading is None else fired_ms(sheet, reading)
    if reading is None or reading.value is None:
        state = Standing.UNKNOWN
    else:
        state = Standing.FIRING if reading.crosses or (watched.pauses and since) else Standing.QUIET
    return AlertStanding(
        alert=watched.name,
        level=watched.level is not None,
        condition=condition_of(watched, limit),
        metric=watched.metric,
        channel=watched.channel,
        target=watched.target,
        window=None if reading is None else window_words(reading.window),
        value=None if reading is None else reading.value,
        state=state,
        since=None if since is None else moment(since),
        last=last_of(sheet, watched.name),
    )


def channels_of(
    log: Path | None, environ: Mapping[str, str] | None = None, settings: Settings | None = None
) -> Channels:
    """
    The channels as this machine has them.

    Args:
        log: the log of alerts; None: there is none.
        environ: has the addresses of webhooks; None: the environment.
        settings: the machine's; None: as the environment itself and the machine's file say.

    Raises:
        SettingError: a setting of the machine can't be what it is.
    """
    said = machine_settings(os.environ) if settings is None else settings
    return Channels(
        log=log,
        environ=os.environ if environ is None else environ,
        post=checked_post(said),
        mail=said.mail,
        ca_file=said.ca_file,
    )


class Alerter:
    """
    Alerts beside requests: `after` costs next to nothing and never waits; a thread of its own does the rest.

    What it can't do in time, or before the process ends, waits in the ledger for the next process.

    Args:
        ledger: what was spent. It is closed after the alerter.
        policy: whose alerts and budgets count, with the limits in force.
        channels: how messages are sent; None: as the machine says.
        environ: has the addresses of webhooks; None: the environment.
        every_s: how often it looks at most.

    Raises:
        SettingError: a setting of the machine can't be what it is.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        *,
        channels: Channels | None = None,
        environ: Mapping[str, str] | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._alerts = Alerts(ledger, policy, channels=channels, environ=environ)
        self._every_s = every_s
        self.problem: str | None = None
        """Why the last look or sending failed, if it did."""
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._told: SimpleQueue[str | Refusal | None] = SimpleQueue()
        self._ended = Event()
        self._starting = Lock()
        self._thread: Thread | None = None
        # What a process before this one left is looked at first, whatever this one's calls touch.
        self._everything, self._waiting, self._refused = True, set[str](), set[Refusal]()

    def after(self, attempt_key: str) -> None:
        """A call was settled: look soon whether that crosses a bound."""
        self._tell(attempt_key)

    def refused(self, attempt: Attempt, denied: Denied) -> None:
        """A call was refused: where its budget's window has no room for it, its `pause` is reached."""
        # Where only calls under way are in the way, there may be room again in a moment.
        if denied.by is DeniedBy.BUDGET and denied.budget is not None and not denied.only_held:
            self._tell(Refusal(denied.budget, attempt.run_id, attempt.story_id))

    def _tell(self, what: str | Refusal) -> None:
        if not self._alerts.watched:
            return
        if self._pid != os.getpid():  # the parent's thread isn't in a child
            self._begin()
        self._told.put(what)
        if self._thread is None:
            self._start()

    def close(self, timeout_s: float = 2) -> None:
        """Look once more, send what waits, and stop; after this time at the latest."""
        self._ended.set()
        if self._thread is not None and self._pid == os.getpid():
            self._told.put(None)
            self._thread.join(timeout_s)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._ended.is_set():
                self._thread = Thread(target=self._work, name="policyctl-alerts", daemon=True)
                self._thread.start()

    # --- in the thread -----------------------------------------------------------------------------------

    def _work(self) -> None:
        due_s: float | None = None
        while True:
            self._collect(0 if self._unlooked else due_s)
            began = time.monotonic()
            unlooked = self._tried(self._look)
            took = time.monotonic() - began
            if self._ended.is_set():
                self._tried(self._alerts.send)
                return
            self.problem = self._tried(self._send) or unlooked
            due_s = self._due_s()
            self._ended.wait(max(self._every_s, 50 * took))

    @property
    def _unlooked(self) -> bool:
        return bool(self._everything or self._waiting or self._refused)

    def _look(self) -> None:
        if not self._unlooked:
            return
        self._everything |= len(self._waiting) > MOST_KEYS
        self._alerts.look(None if self._everything else self._waiting, self._refused)
        self._everything, self._waiting, self._refused = False, set(), set()

    def _send(self) -> None:
        """Send what is due, until this is closed: then there is a last look before the rest."""
        self._alerts.send(until=self._ended.is_set)

    def _collect(self, wait_s: float | None) -> None:
        """Take in what was told meanwhile; where there is nothing, the next is waited for."""
        try:
            what = self._told.get(timeout=wait_s)
            while True:
                if isinstance(what, Refusal):
                    self._refused.add(what)
                elif what is not None and not self._everything:  # where all is looked at, none is needed
                    self._waiting.add(what)
                what = self._told.get_nowait()
        except Empty:
            return

    def _tried(self, work: Callable[[], object]) -> str | None:
        """Do work, or say why the ledger keeps it from being done; then it comes later."""
        try:
            work()
        except LedgerError as error:
            return str(error)
        return None

    def _due_s(self) -> float | None:
        try:
            return self._alerts.next_due_s()
        except LedgerError:
            return self._every_s
