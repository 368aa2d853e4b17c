"""
Alerts on their way: what crossed a bound, how that is told, and what came of it.

A value is in the unit of its metric: nano-USD for costs, percent for rates, seconds for latencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from .ledger import Attempt, Denied


class AlertKind(StrEnum):
    """What a message says: a bound was crossed, it isn't any more, or nothing, to try the channel."""

    FIRED = "fired"
    RECOVERED = "recovered"
    TEST = "test"


class Delivery(StrEnum):
    """How far a message has come: it waits (for its next try, too), it was sent, or it was given up."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Standing(StrEnum):
    """Where an alert stands: quiet, firing, or unknown, as there are too few calls or no run or story."""

    QUIET = "quiet"
    FIRING = "firing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending a message once. `again`: another try may help. `what` never tells an address."""

    sent: bool
    what: str
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """
    The last thing that an alert told.

    `id` is the same at each try, so that a receiver can drop what it has already. `problem` is why the
    last try failed.
    """

    id: str
    kind: AlertKind
    window: str
    at: datetime
    delivery: Delivery
    tries: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStanding:
    """
    An alert in its current window; of a run's or story's the one that is nearest to its bound.

    `level` says that it is a level of a budget and not an `alert`. `target` is the variable or the
    e-mail address. `window` is None where there is none, `value` where nothing can be said yet.
    """

    alert: str
    level: bool
    condition: str
    metric: str
    channel: str
    target: str | None
    window: str | None
    value: Decimal | None
    state: Standing
    since: datetime | None
    last: AlertEvent | None


class AlertWatch(Protocol):
    """What an executor tells after each call. `ledger.alerts.alerter.Alerter` is one."""

    def after(self, attempt_key: str) -> None:
        """A call was settled: look, soon and in the background, whether that crosses a bound."""

    def refused(self, attempt: Attempt, denied: Denied) -> None:
        """A call was refused: where a budget has no room for it, its `pause` is reached."""

    def close(self, timeout_s: float = 2) -> None:
        """Look once more, send what waits, and stop; after this time at the latest."""
