"""How models have been doing: as an executor asks and tells it, and as it is kept for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from .policy import FailureKind
from .records import dataclass


@dataclass(frozen=True, slots=True)
class Breaker:
    """
    Whether one model is set aside. Moments are seconds since 1970, so that machines can share them.

    `in_a_row` counts failures since the last success, `until_s` is when the cooldown ends (0: there is
    none), `cooldowns` how many came one after the other, `probe_until_s` when the lease of a probe ends.
    """

    in_a_row: int = 0
    until_s: float = 0.0
    cooldowns: int = 0
    probe_until_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    What a model did over a stretch of time. Latencies are of answers, in milliseconds; None: there were none.

    `last_error` is the kind of its last failure, `last_error_s` when that was, in seconds since 1970.
    """

    calls: int = 0
    answers: int = 0
    p50_ms: int | None = None
    p95_ms: int | None = None
    last_error: str | None = None
    last_error_s: float | None = None


class HealthStore(Protocol):
    """Keeps breakers for all who share a ledger."""

    def breakers(self) -> Mapping[str, Breaker]:
        """
        Of each model that isn't fine.

        Raises:
            LedgerError: the ledger can't answer.
        """

    def change(self, model: str, work: Callable[[Breaker], Breaker]) -> tuple[Breaker, Breaker]:
        """
        Change one, alone; the breaker before and after.

        Args:
            work: may be called more than once; what it gives last counts.

        Raises:
            LedgerError: nothing was changed.
        """


class Health(Protocol):
    """
    Sets models aside that keep failing, and lets one probe at a time find out whether they are back.

    It is asked and told by many threads.
    """

    def down(self) -> frozenset[str]:
        """The keys of models in cooldown, for the next decision."""

    def refused_s(self, model: str) -> float:
        """
        Ask to try a model now: 0, or for how long it may not be tried yet.

        For a model whose cooldown has passed, 0 is given to one asker: its probe. The leave is good
        until the probe's outcome is told, or its lease has passed.
        """

    def succeeded(self, model: str, latency_s: float) -> None:
        """Note that an attempt was answered."""

    def failed(self, model: str, kind: FailureKind, retry_after_s: float | None = None) -> None:
        """Note that an attempt failed, and for how long the provider asks to be left alone."""

    def left(self, model: str) -> None:
        """Note that an attempt ended without telling anything of its model, as by a cancelled hedge."""
