"""How models have been doing, as an executor asks and tells it."""

from __future__ import annotations

from typing import Protocol

from .policy import FailureKind


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
