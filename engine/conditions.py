"""One condition against one value, plainly. Tables are filled and decisions explained with it."""

from __future__ import annotations

from decimal import Decimal

from ..schemas.policy import Budget, BudgetIn, NumberIn, StartsWith, ValueIs
from ..schemas.request import Spend

FactValue = str | float | frozenset[str]
"""A text (or choice, or "yes" and "no"), a number, or the set of required capabilities."""

FactCondition = ValueIs | NumberIn | StartsWith


def fact_holds(condition: FactCondition, value: FactValue) -> bool:
    """Whether a condition on a fact holds for a value of that fact's kind."""
    match condition:
        case ValueIs():
            return _is_one_of(condition.values, value) != condition.negated
        case NumberIn():
            assert isinstance(value, float | int)
            return _within(condition, value) != condition.negated
        case StartsWith():
            assert isinstance(value, str)
            return value.startswith(condition.prefix)


def _is_one_of(values: tuple[str, ...], value: FactValue) -> bool:
    if isinstance(value, frozenset):
        return any(v in value or (v == "nothing" and not value) for v in values)
    return value in values


def _within(condition: NumberIn, value: float) -> bool:
    low, high = condition.low, condition.high
    if low is not None and (value <= low if condition.low_open else value < low):
        return False
    return high is None or (value < high if condition.high_open else value <= high)


def budget_holds(condition: BudgetIn, budget: Budget, spend: Spend) -> bool:
    """Whether what a budget has spent lies within the condition's bounds; exact."""
    spent = Decimal(spend.spent_nusd)
    if not condition.in_money:
        # percent = 100 * spent / limit, without dividing: a limit of 0 is always used up.
        if budget.limit_nusd == 0:
            spent = Decimal("Infinity")
        else:
            return _between(condition, spent * 100, Decimal(budget.limit_nusd))
    return _between(condition, spent, Decimal(1))


def _between(condition: BudgetIn, amount: Decimal, unit: Decimal) -> bool:
    low, high = condition.low, condition.high
    if low is not None and (amount <= low * unit if condition.low_open else amount < low * unit):
        return False
    return high is None or (amount < high * unit if condition.high_open else amount <= high * unit)
