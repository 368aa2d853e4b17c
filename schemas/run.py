"""
A request on its way through its chain: what happened, step by step, and how it ended.

Moments are seconds since the run began; money is in nano-USD.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from .calls import Answer, Tokens
from .decision import Decision, Outcome
from .ledger import Denied
from .policy import FailureKind
from .records import dataclass


class Ending(StrEnum):
    """How a run ended."""

    SERVED = "served"
    REFUSED = "refused"
    FAILED = "every step failed"
    GATE_FAILED = "a gate failed"


class Next(StrEnum):
    """What follows a failed attempt."""

    RETRY = "retry"
    NEXT_MODEL = "next model"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt begins. `step` counts models from 0, `attempt` the tries of one model from 1."""

    model: str
    provider: str
    step: int
    attempt: int
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """
    An attempt is over: `kind` None: it was answered.

    `words` is one safe sentence. `cost_nusd` is what counts as spent for it (None: no ledger counts and
    the provider told no tokens); `estimated`: nobody counted the tokens. `then` says what follows a
    failure, and `wait_s` after how long.
    """

    model: str
    provider: str
    step: int
    attempt: int
    at_s: float
    took_s: float
    kind: FailureKind | None = None
    words: str = ""
    status: int | None = None
    tokens: Tokens | None = None
    estimated: bool = False
    cost_nusd: int | None = None
    then: Next | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A step that wasn't sent, and why: it is in cooldown, its hold doesn't fit, its window is too small."""

    model: str
    provider: str
    step: int
    at_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The rest of the chain is another one: a level was reached meanwhile, or a failure raised the tier."""

    at_s: float
    decision: Decision
    why: str


Event: TypeAlias = Started | Ended | Skipped | Changed

Observer: TypeAlias = Callable[[Event], None]
"""Told of each event as it happens, in the thread that runs the chain: it must be quick and mustn't raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    What became of a request.

    `decision` is the one in force at the end, `model` who answered. `cost_nusd` is the sum over all
    attempts of what is known to be spent. `escalations` counts failures that raised the tier, `failed_gate`
    names the gate that ended the run, `denied` what refused the last hold where that ended it.
    `words` is one sentence, empty where it was served.
    """

    ending: Ending
    decision: Decision
    request_id: str
    events: tuple[Event, ...]
    answer: Answer | None = None
    model: str | None = None
    provider: str | None = None
    cost_nusd: int = 0
    escalations: int = 0
    failed_gate: str | None = None
    denied: Denied | None = None
    words: str = ""

    @property
    def text(self) -> str:
        """What the model answered; empty where nobody did."""
        return "" if self.answer is None else self.answer.text

    @property
    def by_budget(self) -> bool:
        """Whether a budget refused it."""
        refused = self.denied is not None or self.decision.outcome is Outcome.REFUSED_BY_BUDGET
        return self.ending is Ending.REFUSED and refused

    @property
    def until(self) -> datetime | None:
        """Until when a refusal holds; None: nobody knows, or it is none."""
        return self.denied.until if self.denied is not None else self.decision.until

    @property
    def attempts(self) -> tuple[Ended, ...]:
        """The attempts that were made, in the order in which they ended."""
        return tuple(event for event in self.events if isinstance(event, Ended))
