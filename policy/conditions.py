"""Conditions with their facts: does the test fit what the fact can be?"""

from __future__ import annotations

from collections.abc import Iterable

from ..schemas.policy import (
    NANO,
    BudgetIn,
    Condition,
    During,
    Fact,
    FactKind,
    NumberIn,
    StartsWith,
    ValueIs,
    When,
)
from . import document as doc
from .checks.p209_unknown_value import unknown_value
from .checks.p210_unknown_capability import unknown_capability
from .checks.p301_wrong_type import no_yes_or_no, wrong_type
from .checks.p302_wrong_unit import wrong_unit
from .checks.p303_out_of_range import empty_range, out_of_range
from .checks.p307_not_here import not_here
from .document import Amount, Name, Unit
from .names import quoted
from .scope import Scope

_BOUNDS = ("above", "below", "at least", "at most", "between")


def build_when(scope: Scope, when: Iterable[doc.Alternative], *, budgets: bool = True) -> When:
    """
    The alternatives of a statement.

    A condition that doesn't fit is reported and left out; `budgets` False says that conditions
    on a budget have no place here.
    """
    alternatives = list(when)
    for number, alternative in enumerate(alternatives):
        _check_joint(scope, alternative, first=number == 0)
    return tuple(build_conditions(scope, a.conditions, budgets=budgets) for a in alternatives)


def build_conditions(
    scope: Scope, conditions: Iterable[doc.Condition], *, budgets: bool = True
) -> tuple[Condition, ...]:
    """The conditions of one alternative."""
    built = (_build(scope, condition, budgets) for condition in conditions)
    return tuple(condition for condition in built if condition is not None)


def _check_joint(scope: Scope, alternative: doc.Alternative, *, first: bool) -> None:
    if first and alternative.joined:
        message = "the first alternative can't start with `or`"
        scope.found.append(not_here(alternative.span, message, "write `when`"))
    elif not first and not alternative.joined:
        message = "it isn't clear how this `when` joins the one before"
        help = "write `or when` for an alternative, or `and` on the line before"
        scope.found.append(not_here(alternative.span, message, help))


def _build(scope: Scope, condition: doc.Condition, budgets: bool) -> Condition | None:
    if condition.form in ("during", "outside"):
        name = condition.subject
        window = scope.window(name)
        return None if window is None else During(window, condition.form == "outside", condition.span)
    if condition.budget:
        return _budget(scope, condition, budgets)
    fact = scope.fact(condition.subject)
    if fact is None:
        return None
    if fact.kind is FactKind.NUMBER:
        return _number(scope, fact, condition)
    if condition.form in _BOUNDS:
        message = f"`{fact.name}` is no number"
        scope.found.append(wrong_type(condition.span, message, _forms(fact)))
        return None
    if condition.form == "starts with":
        return _prefix(scope, fact, condition)
    return _value_is(scope, fact, condition)


def _budget(scope: Scope, condition: doc.Condition, budgets: bool) -> BudgetIn | None:
    if not budgets:
        message = "a hard limit reads request facts and the clock, never a budget"
        help = "give the budget a level instead: `at 90% only MODEL` or `at 100% pause`"
        scope.found.append(not_here(condition.span, message, help))
        return None
    budget = scope.budget(condition.subject)
    amount = condition.values[0]
    assert isinstance(amount, Amount)
    if amount.unit not in (Unit.PERCENT, Unit.MONEY):
        scope.found.append(wrong_unit(amount.span, amount.text, "a percentage"))
        return None
    if budget is None or amount.value is None:
        return None
    in_money = amount.unit is Unit.MONEY
    value = amount.value * NANO if in_money else amount.value
    low = value if condition.form in ("above", "at least") else None
    high = value if condition.form in ("below", "at most") else None
    return BudgetIn(
        budget,
        low,
        high,
        condition.form == "above",
        condition.form == "below",
        in_money,
        condition.span,
    )


def _number(scope: Scope, fact: Fact, condition: doc.Condition) -> NumberIn | None:
    form, span = condition.form, condition.span
    if form in ("one of", "not one of", "starts with"):
        message = f"`{fact.name}` is a number"
        help = "write a range such as `is 3 to 5`, or one `or when` line each"
        scope.found.append(wrong_type(span, message, help))
        return None
    numbers = [number_for(scope, fact, value) for value in condition.values]
    if any(n is None for n in numbers):
        return None
    first, last = numbers[0], numbers[-1]
    assert first is not None and last is not None
    if first > last:
        texts = [v.text for v in condition.values]
        scope.found.append(empty_range(span, texts[0], texts[-1]))
        return None
    return NumberIn(
        fact.name,
        None if form in ("below", "at most") else first,
        None if form in ("above", "at least") else last,
        form == "above",
        form == "below",
        form == "is not",
        span,
    )


def number_for(scope: Scope, fact: Fact, value: doc.Value) -> float | None:
    """The number that a value writes, if the fact can have it; else None, reported."""
    tokens = fact.name in ("input_tokens", "output_tokens")
    units = (Unit.NUMBER, Unit.COUNT) if tokens else (Unit.NUMBER,)
    if isinstance(value, Name):
        scope.found.append(wrong_type(value.span, f"`{fact.name}` is a number, not `{value.text}`"))
        return None
    if value.unit not in units:
        scope.found.append(wrong_unit(value.span, value.text, "a number of tokens" if tokens else "a number"))
        return None
    if value.value is None:
        return None
    if fact.whole and value.value % 1:
        scope.found.append(wrong_unit(value.span, value.text, "a whole number"))
        return None
    number = float(value.value)
    if number < fact.low or (fact.high is not None and number > fact.high):
        high = None if fact.high is None else f"{fact.high:g}"
        scope.found.append(out_of_range(value.span, value.text, f"{fact.low:g}", high))
        return None
    return number


def _prefix(scope: Scope, fact: Fact, condition: doc.Condition) -> StartsWith | None:
    if fact.kind is not FactKind.TEXT:
        scope.found.append(wrong_type(condition.span, f"`{fact.name}` is no text", _forms(fact)))
        return None
    return StartsWith(fact.name, condition.values[0].text, condition.span)


def _value_is(scope: Scope, fact: Fact, condition: doc.Condition) -> ValueIs | None:
    values = tuple(text for v in condition.values if (text := value_for(scope, fact, v)) is not None)
    if len(values) < len(condition.values):
        return None
    return ValueIs(fact.name, values, condition.form in ("is not", "not one of"), condition.span)


def value_for(scope: Scope, fact: Fact, value: doc.Value) -> str | None:
    """The text that a value writes, if the fact can have it; else None, reported."""
    if isinstance(value, Amount):
        help = (
            f"a text stands in quotes: {quoted(value.text)}" if fact.kind is FactKind.TEXT else _forms(fact)
        )
        scope.found.append(wrong_type(value.span, f"`{fact.name}` is no number", help))
        return None
    text = value.text
    if fact.kind is FactKind.TEXT or scope.can_be(fact, text):
        return text
    if fact.kind is FactKind.YES_NO:
        if text in ("yes", "no"):
            return text
        scope.found.append(no_yes_or_no(value.span, fact.name, text))
    elif fact.kind is FactKind.SET:
        scope.found.append(unknown_capability(value.span, text, fact.values))
    elif fact.name in ("domain", "tier"):
        (scope.domain if fact.name == "domain" else scope.tier)(value)
    else:
        scope.found.append(unknown_value(value.span, fact.name, text, scope.candidates(fact.values)))
    return None


def _forms(fact: Fact) -> str:
    """How conditions on a fact of this kind read."""
    if fact.kind is FactKind.YES_NO:
        return f"write `{fact.name} is yes` or `{fact.name} is no`"
    if fact.kind is FactKind.TEXT:
        return f'write `{fact.name} is "…"` or `{fact.name} starts with "…"`'
    return f"write `{fact.name} is {fact.values[0]}` or `is one of …`"
