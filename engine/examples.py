"""`example` statements: the request that one describes, and whether its chain starts as it says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

from ..policy.checks.p501_example import example_fails
from ..policy.words import number, percent
from ..schemas.diagnostics import Diagnostic
from ..schemas.errors import RequestError
from ..schemas.policy import (
    NANO,
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
from .conditions import budget_holds, fact_holds
from .decide import decide, observe
from .facts import option
from .flips import with_fact
from .table import DecisionTable
from .windows import active, changes

NOON = datetime(2026, 1, 5, 12)
"""Local time of an example that says nothing of the clock: a Monday."""

_MOST_CLOCK_CHANGES = 400


@dataclass(frozen=True, slots=True)
class Case:
    """The request and state that an example describes, and the options that make them."""

    request: Request
    state: State
    options: tuple[str, ...]


def failing_examples(table: DecisionTable) -> Iterator[Diagnostic]:
    """A diagnostic for each example that doesn't hold."""
    for example in table.policy.examples:
        case = case_of(table, example)
        if isinstance(case, str):
            yield example_fails(example.span, example.gives, case, "policyctl explain --help")
            continue
        found = _chain(table, case)
        if found[: len(example.gives)] != example.gives:
            words = ", ".join(found[: max(len(example.gives), 1)]) or "no model"
            asked = shlex.join(["policyctl", "explain", *case.options])
            yield example_fails(example.span, example.gives, words, asked)


def _chain(table: DecisionTable, case: Case) -> tuple[str, ...]:
    return decide(table, case.request, observe(table, case.state)).chain


def case_of(table: DecisionTable, example: Example) -> Case | str:
    """The case of an example, or why there can be none."""
    by_subject: dict[str, list[Condition]] = {}
    for condition in example.conditions:
        by_subject.setdefault(_subject(condition), []).append(condition)
    case = Case(Request(), State(now=NOON.replace(tzinfo=table.zone)), ())
    for conditions in by_subject.values():
        step = _with(table, case, conditions)
        if step is None:
            return "no request, since its conditions contradict each other"
        case = step
    return _complete(table, case)


def _complete(table: DecisionTable, case: Case) -> Case | str:
    try:
        decide(table, case.request, observe(table, case.state))
    except RequestError as error:
        return f"no request: {error}"
    return case


def _subject(condition: Condition) -> str:
    if isinstance(condition, During):
        return "the clock"
    return f"budget {condition.budget}" if isinstance(condition, BudgetIn) else condition.fact


def _with(table: DecisionTable, case: Case, conditions: list[Condition]) -> Case | None:
    """The case with one more subject settled; None where no value satisfies all its conditions."""
    first = conditions[0]
    if isinstance(first, During):
        return _at(table, case, [c for c in conditions if isinstance(c, During)])
    if isinstance(first, BudgetIn):
        return _spent(table, case, [c for c in conditions if isinstance(c, BudgetIn)])
    if first.fact == "requires":
        values = [c for c in conditions if isinstance(c, ValueIs)]
        names = frozenset(v for c in values for v in c.values if v != "nothing")
        options = tuple(f"--requires-{name.replace('_', '-')}" for name in sorted(names))
        return replace(case, request=replace(case.request, requires=names), options=case.options + options)
    fact = table.policy.facts[first.fact]
    for value in _values(fact, conditions):
        if all(fact_holds(c, value) for c in conditions if not isinstance(c, During | BudgetIn)):
            text = value if isinstance(value, str) else number(value)
            request = _set(case.request, fact, value)
            return replace(case, request=request, options=(*case.options, option(fact.name), text))
    return None


def _set(request: Request, fact: Fact, value: str | float) -> Request:
    if fact.name == "tier" and isinstance(value, str):
        return replace(request, tier=None if value == "none" else value)
    return with_fact(request, fact.name, value)


def _values(fact: Fact, conditions: list[Condition]) -> Iterator[str | float]:
    """Values at the edges of the conditions, which include one that satisfies all if there is one."""
    step = 1.0 if fact.whole else 0.1
    for condition in conditions:
        if isinstance(condition, ValueIs):
            yield from condition.values
        elif isinstance(condition, StartsWith):
            yield condition.prefix
        elif isinstance(condition, NumberIn):
            for bound in (condition.low, condition.high):
                if bound is not None:
                    yield from (bound, round(bound + step, 6), round(bound - step, 6))
    if fact.kind is FactKind.CHOICE:
        yield from fact.values


def _at(table: DecisionTable, case: Case, conditions: list[During]) -> Case | None:
    start = case.state.now.astimezone(UTC)
    later = changes(table.policy.windows, table.zone, start)
    for _, moment in zip(range(_MOST_CLOCK_CHANGES), (start, *later), strict=False):
        local = moment.astimezone(table.zone)
        windows = active(table.policy.windows, local)
        if all((c.window in windows) != c.negated for c in conditions):
            options = (*case.options, "--at", local.isoformat(timespec="minutes"))
            return replace(case, state=replace(case.state, now=local), options=options)
    return None


def _spent(table: DecisionTable, case: Case, conditions: list[BudgetIn]) -> Case | None:
    budget = table.policy.budgets[conditions[0].budget]
    for condition in conditions:
        bound = condition.low if condition.low is not None else condition.high
        assert bound is not None
        share = bound if not condition.in_money else bound * 100 / max(budget.limit_nusd, 1)
        for percents in (share, share + Decimal("0.01"), share - Decimal("0.01")):
            spent = int((percents * budget.limit_nusd / 100).to_integral_value(ROUND_CEILING))
            spend = Spend(max(spent, 0))
            if all(budget_holds(c, budget, spend) for c in conditions):
                text = percent(percents) if not condition.in_money else f"{Decimal(spent) / NANO:f}"
                state = replace(case.state, spend={**case.state.spend, budget.name: spend})
                options = (*case.options, "--spend", f"{budget.name}={text}")
                return replace(case, state=state, options=options)
    return None
