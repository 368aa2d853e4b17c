"""`example` statements: the request that one describes, and whether its chain starts as it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from ..policy.checks.p501_example import example_fails, no_request
from ..schemas.diagnostics import Diagnostic
from ..schemas.errors import RequestError
from ..schemas.policy import (
    BudgetIn,
    Condition,
    During,
    Example,
    Fact,
    FactKind,
    NumberIn,
    StartsWith,
    ValueIs,
)
from ..schemas.request import Request, Spend, State
from .cases import Case, command, noon
from .conditions import FactCondition, FactValue, budget_holds, fact_holds
from .decide import decide, observe
from .flips import amounts_around, bound_nusd, numbers_around, with_fact
from .table import DecisionTable
from .windows import first_times

_FAR_DAYS = 40 * 366
"""How far ahead a window of an example is looked for: a leap day may have to be a Sunday as well."""


def failing_examples(table: DecisionTable, files: tuple[str, ...] = ()) -> Iterator[Diagnostic]:
    """A diagnostic for each example that doesn't hold; `files` are those that the policy came from."""
    times = _Times(table)
    for example in table.policy.examples:
        case = case_of(table, example, times)
        if isinstance(case, str):
            yield no_request(example.span, case)
            continue
        found = _chain(table, case)
        if found[: len(example.gives)] != example.gives:
            words = ", ".join(found[: max(len(example.gives), 1)]) or "no model"
            yield example_fails(example.span, example.gives, words, command(table, case, files))


def _chain(table: DecisionTable, case: Case) -> tuple[str, ...]:
    return decide(table, case.request, observe(table, case.state)).chain


def case_of(
    table: DecisionTable, example: Example, times: _Times | None = None, start: Case | None = None
) -> Case | str:
    """
    The case of an example, or why there can be none.

    Args:
        times: shared by the examples of a table.
        start: the case that the example changes, in place of one that says nothing.
    """
    times = times or _Times(table)
    by_subject: dict[str, list[Condition]] = {}
    for condition in example.conditions:
        by_subject.setdefault(_subject(condition), []).append(condition)
    case = start or Case(Request(), State(now=noon(table)))
    for conditions in by_subject.values():
        step = _with(table, case, conditions, times)
        if step is None:
            return "no value satisfies all its conditions"
        case = step
    return _complete(table, case)


def _complete(table: DecisionTable, case: Case) -> Case | str:
    try:
        decide(table, case.request, observe(table, case.state))
    except RequestError as error:
        return str(error)
    return case


_CLOCK = "the clock"


def _subject(condition: Condition) -> str:
    if isinstance(condition, During):
        return _CLOCK
    return f"budget {condition.budget}" if isinstance(condition, BudgetIn) else condition.fact


# --- one subject -----------------------------------------------------------------------------------------


def _with(table: DecisionTable, case: Case, conditions: list[Condition], times: _Times) -> Case | None:
    """The case with one more subject settled; None where no value satisfies all its conditions."""
    during = [c for c in conditions if isinstance(c, During)]
    budgets = [c for c in conditions if isinstance(c, BudgetIn)]
    tests = [c for c in conditions if not isinstance(c, During | BudgetIn)]
    if during:
        return _at(table, case, during, times)
    if budgets:
        return _spent(table, case, budgets)
    fact = table.policy.facts[tests[0].fact]
    values = (v for v in _values(fact, tests) if all(fact_holds(c, v) for c in tests))
    value = next(values, None)
    return None if value is None else _given(case, fact, value)


def _values(fact: Fact, tests: list[FactCondition]) -> Iterable[FactValue]:
    """Values that include one which satisfies all tests if there is one, the plainest first."""
    bounds = [b for c in tests if isinstance(c, NumberIn) for b in (c.low, c.high) if b is not None]
    if bounds:
        numbers = numbers_around(bounds, fact)
        return sorted(numbers, key=lambda value: (_distance(value, bounds), value))
    texts = [v for c in tests if isinstance(c, ValueIs) for v in c.values]
    if fact.kind is FactKind.SET:
        return [frozenset(texts) - {"nothing"}]
    return [*texts, *(c.prefix for c in tests if isinstance(c, StartsWith))]


def _distance(value: float, bounds: Iterable[float]) -> float:
    """How far a number is from the nearest bound that a condition names."""
    return round(min(abs(value - bound) for bound in bounds), 9)


def _given(case: Case, fact: Fact, value: FactValue) -> Case:
    """The case with a value for a fact."""
    request = case.request
    if isinstance(value, frozenset):
        return replace(case, request=replace(request, requires=value))
    if fact.name == "tier" and value == "none":
        return case
    if fact.name == "tier":
        return replace(case, request=replace(request, tier=str(value)))
    return replace(case, request=with_fact(request, fact.name, value))


class _Times:
    """When which windows hold first, from NOON on: searched once for all examples of a table."""

    def __init__(self, table: DecisionTable) -> None:
        self._more = first_times(table.policy.windows, table.zone, noon(table), _FAR_DAYS)
        self._found: list[tuple[datetime, frozenset[str]]] = []

    def __iter__(self) -> Iterator[tuple[datetime, frozenset[str]]]:
        yield from self._found
        for found in self._more:
            self._found.append(found)
            yield found


def _at(table: DecisionTable, case: Case, conditions: list[During], times: _Times) -> Case | None:
    for moment, windows in times:
        if all((c.window in windows) != c.negated for c in conditions):
            return replace(case, state=replace(case.state, now=moment.astimezone(table.zone)))
    return None


def _spent(table: DecisionTable, case: Case, conditions: list[BudgetIn]) -> Case | None:
    budget = table.policy.budgets[conditions[0].budget]
    bounds = [bound_nusd(c, budget) for c in conditions]
    amounts = amounts_around(bounds, budget)
    for nusd in sorted(amounts, key=lambda value: (_distance(value, bounds), value)):
        if all(budget_holds(c, budget, Spend(nusd)) for c in conditions):
            state = replace(case.state, spend={**case.state.spend, budget.name: Spend(nusd)})
            return replace(case, state=state)
    return None
