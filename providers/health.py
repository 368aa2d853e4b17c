"""
Which models keep failing: a circuit breaker for each, with the figures of its last attempts.

A model that fails so and so often in a row is set aside for a while, each time for longer. When that
time has passed, one probe at a time may find out whether it is back. A probe has a lease, so one that
never reports doesn't wedge the breaker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

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

PROBE_S = 120.0
"""How long a probe may take before another one may start."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """
    What is known of one model. Moments are seconds since 1970, so that machines can share them.

    `in_a_row` counts failures since the last success, `until_s` is when the cooldown ends (0: there is
    none), `cooldowns` how many came one after the other, `probe_until_s` when the lease of a probe ends.
    """

    in_a_row: int = 0
    until_s: float = 0.0
    cooldowns: int = 0
    probe_until_s: float = 0.0


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
    The health of models as one process sees it.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._of: dict[str, Breaker] = {}

    def down(self) -> frozenset[str]:
        """The models that may not be tried now."""
        now_s = self._clock()
        with self._lock:
            return frozenset(m for m, breaker in self._of.items() if refused_s(breaker, now_s) > 0)

    def refused_s(self, model: str) -> float:
        """0, or for how long a model may not be tried; 0 for one whose cooldown has passed is its probe."""
        now_s = self._clock()
        with self._lock:
            breaker = self._of.get(model, Breaker())
            wait_s = refused_s(breaker, now_s)
            if wait_s == 0 and breaker.until_s > 0:
                self._of[model] = probing(breaker, now_s)
            return wait_s

    def succeeded(self, model: str, latency_s: float) -> None:
        """The model is back, whatever was before."""
        with self._lock:
            self._of.pop(model, None)

    def failed(self, model: str, kind: FailureKind, retry_after_s: float | None = None) -> None:
        """One more failure."""
        now_s = self._clock()
        with self._lock:
            self._of[model] = after_failure(self._of.get(model, Breaker()), kind, retry_after_s, now_s)

    def left(self, model: str) -> None:
        """An attempt ended without telling anything: if it was the probe, another may follow."""
        with self._lock:
            if model in self._of:
                self._of[model] = replace(self._of[model], probe_until_s=0.0)
