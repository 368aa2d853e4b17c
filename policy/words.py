"""Pieces of a policy in the language's own words, the way the formatter would write them."""

from __future__ import annotations

import re
from decimal import Decimal

from ..schemas.policy import (
    NANO,
    Action,
    BudgetIn,
    Condition,
    During,
    Escalation,
    Level,
    Limit,
    LimitKind,
    NumberIn,
    StartsWith,
    ValueIs,
)


def usd(nusd: int, places: int = 4) -> str:
    """Nano-USD as dollars, rounded half up, with thousands grouped: `$1,500.00`."""
    return f"${Decimal(nusd) / NANO:,.{places}f}"


_AMOUNT = re.compile(r"\$?\s*((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,20})?(?:\.[0-9]{1,20})?)", re.ASCII)
_MOST_USD = 10**9


def nusd_of(text: str) -> int | None:
    """
    An amount of money that a person wrote (25, $25, 0.50 or 1,500) in nano-USD, rounded down.

    Returns:
        None: it is none. A comma groups thousands; one before cents may mean either, so it is no amount.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or not found[1]:
        return None
    amount = Decimal(found[1].replace(",", ""))
    return int(amount * NANO) if amount <= _MOST_USD else None


def usd_short(nusd: int) -> str:
    """Nano-USD as dollars without needless zeros, at least cents: `$500`, `$0.25`, `$0.0006`."""
    whole, _, cents = f"{Decimal(nusd) / NANO:,f}".partition(".")
    cents = cents.rstrip("0")
    return f"${whole}" + (f".{cents:0<2}" if cents else "")


def price(model_in: int, model_out: int) -> str:
    """A model's prices per million tokens: `$2.50/$10.00`."""
    return f"{_price(model_in)}/{_price(model_out)}"


def costs(price_in: int, price_out: int) -> str:
    """A model's prices as its `costs` clause writes them: `$2.50 in, $10.00 out`."""
    return f"{_price(price_in)} in, {_price(price_out)} out" if price_in or price_out else "nothing"


def _price(nusd: int) -> str:
    text = usd_short(nusd)
    return text if "." in text else f"{text}.00"


def number(value: float) -> str:
    """A number without needless zeros: `5`, `2.5`, `200000`."""
    return f"{int(value)}" if value == int(value) else repr(float(value))


def percent(value: Decimal) -> str:
    """`75%`, `92.5%`."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def condition_words(condition: Condition) -> str:
    """A condition as the language writes it."""
    match condition:
        case During():
            return f"{'outside' if condition.negated else 'during'} {condition.window}"
        case BudgetIn():
            return f"budget {condition.budget} is {_budget_bound(condition)}"
        case StartsWith():
            return f'{condition.fact} starts with "{condition.prefix}"'
        case NumberIn():
            return f"{condition.fact} is {'not ' if condition.negated else ''}{_bound(condition)}"
        case ValueIs():
            return f"{condition.fact} is {'not ' if condition.negated else ''}{_values(condition)}"


def _values(condition: ValueIs) -> str:
    text = condition.fact in ("branch", "kind", "skill")
    values = [f'"{v}"' if text or not v else v for v in condition.values]
    return values[0] if len(values) == 1 else f"one of {', '.join(values)}"


def _bound(condition: NumberIn) -> str:
    low, high = condition.low, condition.high
    if low is not None and high is not None and not (condition.low_open or condition.high_open):
        return number(low) if low == high else f"{number(low)} to {number(high)}"
    lower = f"{'above' if condition.low_open else 'at least'} {number(low)}" if low is not None else ""
    upper = f"{'below' if condition.high_open else 'at most'} {number(high)}" if high is not None else ""
    return " and ".join(filter(None, [lower, upper]))


def _budget_bound(condition: BudgetIn) -> str:
    bound = condition.low if condition.low is not None else condition.high
    assert bound is not None
    text = usd_short(int(bound)) if condition.in_money else percent(bound)
    if condition.low is not None:
        return f"{'above' if condition.low_open else 'at least'} {text}"
    return f"{'below' if condition.high_open else 'at most'} {text}"


def level_words(level: Level) -> str:
    """A budget level: `at 75% downgrade 1 tier`."""
    action = {
        Action.WARN: "warn",
        Action.DOWNGRADE: f"downgrade {level.tiers} tier",
        Action.ONLY: f"only {', '.join(level.models)}",
        Action.PAUSE: "pause",
    }[level.action]
    return f"at {percent(level.percent)} {action}"


def limit_words(limit: Limit) -> str:
    """A hard limit without its reason; of `never` and `only` also without the conditions."""
    if limit.kind is not LimitKind.REFUSE:
        return f"{limit.kind} {', '.join(limit.models)}"
    return f"refuse when {' or when '.join(row_words(row) for row in limit.when)}"


def row_words(conditions: tuple[Condition, ...]) -> str:
    """The conditions of one alternative: `private is yes and during nights`."""
    return " and ".join(condition_words(condition) for condition in conditions)


def escalation_words(escalation: Escalation) -> str:
    """An `escalate` statement."""
    source = f" from {escalation.from_tier}" if escalation.from_tier else ""
    cause = f"when gate {escalation.gate} fails" if escalation.gate else f"on {', '.join(escalation.kinds)}"
    return f"escalate{source} to {escalation.to_tier or 'next tier'} {cause}"


def listed_count(count: int, word: str) -> str:
    """`1 model`, `3 models`, `1,000 models`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
