"""The answer, and the account of how it came about."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from .records import dataclass


class Outcome(StrEnum):
    """How a decision ended."""

    SERVED = "served"
    REFUSED_BY_RULE = "refused by rule"
    REFUSED_BY_BUDGET = "refused by budget"
    NO_MODEL = "no model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    A chain of model keys to try in order, or a refusal.

    `tier` is the tier that serves (after level, escalation and climbing); `rule` the rule that
    matched; `budget` the budget whose level is in force and `action` what that level does.
    `cost_estimate_nusd` is the expected cost of the first step.
    """

    outcome: Outcome
    chain: tuple[str, ...]
    tier: str | None
    rule: str | None
    budget: str | None
    action: str | None
    downgraded: bool
    no_way_up: bool
    served_by_fallback: bool
    cost_estimate_nusd: int | None
    refusal: str | None
    until: datetime | None
    policy_digest: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    One model that was considered: where it came from, whether it stayed, and why.

    `source` is "--preferred", "rule NAME", "story", "domain NAME", "tier NAME", "fallback list" or
    "budget NAME".
    """

    model: str
    source: str
    kept: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a decision in a sentence, such as tier or budget."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Missed:
    """An alternative that didn't hold: its first condition that failed, and the value it met."""

    condition: str
    met: str


@dataclass(frozen=True, slots=True)
class Seen:
    """
    A rule or hard limit as the request met it.

    `matched` says that it holds; `decisive` that it took part in the decision (a rule below the
    first match isn't). `missed` has one entry an alternative where it doesn't hold.
    """

    name: str
    text: str
    matched: bool
    decisive: bool
    missed: tuple[Missed, ...]
    because: str | None
    source: str
    start: int


@dataclass(frozen=True, slots=True)
class FactSeen:
    """A fact, its value as text, and whether the request gave it or a default did."""

    name: str
    value: str
    given: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain, with its expected cost for this request."""

    model: str
    provider: str
    model_id: str
    cost_nusd: int
    reason: str
    in_cooldown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that led to a decision, in the order in which it counted."""

    decision: Decision
    steps: tuple[Step, ...]
    facts: tuple[FactSeen, ...]
    limits: tuple[Seen, ...]
    rules: tuple[Seen, ...]
    layers: tuple[Layer, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
