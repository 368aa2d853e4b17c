"""The answer, and the account of how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
