"""Budgets as they are in force: what the environment or a person changed of the policy's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from ..schemas.ledger import WindowSpend
from ..schemas.policy import Action, Budget, Level
from ..schemas.request import Spend
from ..schemas.text import Span

_NOWHERE = Span("", 0, 0)
_LEVELS = (
    Level(Decimal(75), Action.WARN, 0, (), _NOWHERE),
    Level(Decimal(100), Action.PAUSE, 0, (), _NOWHERE),
)
"""The levels of a monthly budget that the policy doesn't have."""


def with_monthly_limit(budgets: Mapping[str, Budget], limit_nusd: int) -> dict[str, Budget]:
    """Set the limit of the monthly budgets for the whole; where there is none, make one that pauses at it."""
    monthly = [b.name for b in budgets.values() if b.period == "month" and b.scope is None]
    if monthly:
        return {n: replace(b, limit_nusd=limit_nusd) if n in monthly else b for n, b in budgets.items()}
    name = "monthly" if "monthly" not in budgets else "monthly_cost_budget"
    return {**budgets, name: Budget(name, limit_nusd, "month", None, None, _LEVELS, _NOWHERE)}


def with_changes(budgets: Mapping[str, Budget], windows: Iterable[WindowSpend]) -> dict[str, Budget]:
    """The budgets with the limits that were raised for a window; those that a person paused, paused."""
    changed = dict(budgets)
    for window in windows:
        budget = replace(budgets[window.budget], limit_nusd=window.limit_nusd)
        if window.paused:
            budget = replace(budget, levels=(Level(Decimal(0), Action.PAUSE, 0, (), _NOWHERE),))
        changed[window.budget] = budget
    return changed


def spend_in(windows: Iterable[WindowSpend]) -> dict[str, Spend]:
    """What each budget has spent and holds; of those per run or story only where one is given."""
    return {window.budget: window.spend for window in windows if window.window is not None}
