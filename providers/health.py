"""
Which models keep failing: a circuit breaker for each, with the figures of its last attempts.

A model that fails so and so often in a row is set aside for a while, each time for longer. When that
time has passed, one probe at a time may find out whether it is back. A probe has a lease, so one that
never reports doesn't wedge the breaker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from ..schemas.errors import LedgerError
from ..schemas.health import Breaker, HealthStore
from ..schemas.policy import FailureKind

IN_A_ROW = 3
"""Failures in a row that set a model aside."""

AT_ONCE = frozenset({FailureKind.AUTH, FailureKind.QUOTA, FailureKind.NOT_FOUND})
"""Kinds that don't mend by themselves: one is enough."""

NOT_ITS_FAULT = frozenset(
    {
        FailureKind.INVALID_REQUEST,
        FailureKind.CONTEXT_WINDOW,
        FailureKind.CONTENT_FILTER,
        FailureKind.CANCELLED,
    }
)
"""Kinds that are about the request and tell nothing of the model."""

FIRST_S = 30.0
LONGEST_S = 300.0
"""The first cooldown, and what its doublings end at."""

MOST_RETRY_AFTER_S = 3600.0
"""A provider can't set itself aside for longer than this."""

REFRESH_S = 1.0
"""How old what others have noticed may be."""

PROBE_S = 120.0
"""How long a probe may take before another one may start."""


def refused_s(breaker: Breaker, now_s: float) -> float:
    """For how long a model may not be tried: 0, if it may now."""
    if breaker.until_s == 0.0:
        return 0.0
    return max(0.0, breaker.until_s - now_s, breaker.probe_until_s - now_s)


def probing(breaker: Breaker, now_s: float) -> Breaker:
    """The breaker with the lease of a probe that starts now."""
    return replace(breaker, probe_until_s=now_s + PROBE_S)


def after_failure(breaker: Breaker, kind: FailureKind, retry_after_s: float | None, now_s: float) -> Breaker:
    """The breaker after a failed attempt: of two cooldowns the longer one counts."""
    if kind in NOT_ITS_FAULT:
        return replace(breaker, probe_until_s=0.0)
    in_a_row = breaker.in_a_row + 1
    asked_s = 0.0 if retry_after_s is None else min(retry_after_s, MOST_RETRY_AFTER_S)
    opens = in_a_row >= IN_A_ROW or kind in AT_ONCE or breaker.until_s > 0.0
    if not opens and asked_s == 0.0:
        return replace(breaker, in_a_row=in_a_row)
    # Failures of attempts that were under way when it opened are the same outage, not a new one.
    fresh = now_s >= breaker.until_s
    cooldowns = breaker.cooldowns + 1 if opens and fresh else breaker.cooldowns
    own_s = min(FIRST_S * 2 ** (cooldowns - 1), LONGEST_S) if opens and fresh else 0.0
    until_s = max(breaker.until_s, now_s + max(own_s, asked_s))
    return Breaker(in_a_row, until_s, cooldowns, probe_until_s=0.0)


class Breakers:
    """
    The health of models, as all see it who share a store.

    A store is read at most once a second, and written only where something changes: a model that is fine
    costs nothing. Where the store can't answer, what this process knows goes on counting: health
    is no money, and whoever needs the ledger will hear of it there.

    Args:
        store: keeps breakers for others too; None: this process alone.
        clock: seconds since 1970.
    """

    def __init__(self, store: HealthStore | None = None, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._of: dict[str, Breaker] = {}
        self._read_s = -REFRESH_S

    def all(self) -> Mapping[str, Breaker]:
        """Each model that isn't fine."""
        self._refresh(self._clock())
        with self._lock:
            return dict(self._of)

    def down(self) -> frozenset[str]:
        """The models that may not be tried now."""
        now_s = self._clock()
        self._refresh(now_s)
        with self._lock:
            return frozenset(m for m, breaker in self._of.items() if refused_s(breaker, now_s) > 0)

    def refused_s(self, model: str) -> float:
        """0, or for how long a model may not be tried; 0 for one whose cooldown has passed is its probe."""
        now_s = self._clock()
        with self._lock:
            known = self._of.get(model, _FINE)
        wait_s = refused_s(known, now_s)
        if known.until_s == 0.0 or wait_s > 0:
            return wait_s
        # The leave to probe is given once among all who share the store.
        before, _ = self._change(model, lambda b: b if refused_s(b, now_s) > 0 else probing(b, now_s))
        return refused_s(before, now_s)

    def succeeded(self, model: str, latency_s: float) -> None:
        """The model is back, whatever was before."""
        with self._lock:
            fine = model not in self._of
        if not fine:
            self._change(model, lambda _: _FINE)

    def failed(self, model: str, kind: FailureKind, retry_after_s: float | None = None) -> None:
        """One more failure."""
        now_s = self._clock()
        self._change(model, lambda b: after_failure(b, kind, retry_after_s, now_s))

    def left(self, model: str) -> None:
        """An attempt ended without telling anything: if it was the probe, another may follow."""
        with self._lock:
            probed = self._of.get(model, _FINE).probe_until_s > 0
        if probed:
            self._change(model, lambda b: replace(b, probe_until_s=0.0))

    def _change(self, model: str, work: Callable[[Breaker], Breaker]) -> tuple[Breaker, Breaker]:
        if self._store is not None:
            with suppress(LedgerError):
                before, after = self._store.change(model, work)
                with self._lock:
                    self._keep(model, after)
                return before, after
        with self._lock:
            before = self._of.get(model, _FINE)
            after = work(before)
            self._keep(model, after)
            return before, after

    def _keep(self, model: str, breaker: Breaker) -> None:
        if breaker == _FINE:
            self._of.pop(model, None)
        else:
            self._of[model] = breaker

    def _refresh(self, now_s: float) -> None:
        with self._lock:
            if self._store is None or 0 <= now_s - self._read_s < REFRESH_S:
                return
            self._read_s = now_s
        with suppress(LedgerError):
            found = self._store.breakers()
            with self._lock:
                self._of = dict(found)


_FINE = Breaker()
