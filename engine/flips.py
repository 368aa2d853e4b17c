"""
What would flip a decision: for each fact, the clock, each budget, each gate and the first model's
health the smallest change that alone gives another chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from itertools import combinations

from ..policy.words import number, percent
from ..schemas.decision import Decision
from ..schemas.errors import RequestError
from ..schemas.policy import (
    CAPABILITIES,
    Budget,
    BudgetIn,
    Condition,
    Fact,
    FactKind,
    Limit,
    NumberIn,
    Rule,
    StartsWith,
    ValueIs,
)
from ..schemas.request import Failure, Request, Spend, State
from .compile import alternatives
from .decide import decide, observe
from .facts import facts_of, option
from .situation import Situation, spend_of
from .table import DecisionTable
from .windows import changes

_MOST_CLOCK_CHANGES = 60
_STEP = 0.1
"""How far beyond a bound a number is tried, where there is room for so much."""

_OWN_FIELD = ("complexity", "kind", "skill", "branch", "attempt", "input_tokens", "output_tokens", "domain")


@dataclass(frozen=True, slots=True)
class Flip:
    """One change: what it is in words, the options that make it, and what comes out."""

    change: str
    options: tuple[str, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Trial:
    change: str
    options: tuple[str, ...]
    request: Request
    state: State | None = None


def flips(table: DecisionTable, request: Request, situation: Situation) -> tuple[Flip, ...]:
    """The smallest change of each kind that gives another chain, for a request that has all facts."""
    was = decide(table, request, situation)
    found = (_first(table, situation, was, trials) for trials in _kinds(table, request, situation, was))
    return tuple(flip for flip in found if flip is not None)


def _first(
    table: DecisionTable, situation: Situation, was: Decision, trials: Iterable[_Trial]
) -> Flip | None:
    """The first trial with another chain; trials come nearest first."""
    for trial in trials:
        there = situation if trial.state is None else observe(table, trial.state)
        try:
            now = decide(table, trial.request, there)
        except RequestError:  # such as tokens beyond what can be: no change to offer
            continue
        if (now.chain, now.outcome) != (was.chain, was.outcome):
            return Flip(trial.change, trial.options, now)
    return None


def _kinds(
    table: DecisionTable, request: Request, situation: Situation, was: Decision
) -> Iterator[Iterable[_Trial]]:
    for fact in table.policy.facts.values():
        if fact.kind is FactKind.NUMBER:
            yield _numbers(table, request, fact, up=False)
            yield _numbers(table, request, fact, up=True)
        elif fact.kind is FactKind.SET:
            yield _capabilities(request)
        elif fact.name != "tier":
            yield _texts(table, request, fact)
    yield _clocks(table, request, situation)
    for budget in table.policy.budgets.values():
        yield _spends(table, request, situation, budget, up=False)
        yield _spends(table, request, situation, budget, up=True)
    yield _gates(table, request)
    yield _health(request, situation, was)


def _conditions(table: DecisionTable) -> Iterator[Condition]:
    statements: list[Rule | Limit] = [*table.policy.rules, *table.policy.limits]
    for statement in statements:
        for conditions in alternatives(statement.when):
            yield from conditions


# --- facts ------------------------------------------------------------------------------------------


def with_fact(request: Request, name: str, value: str | float) -> Request:
    """The request with one fact changed."""
    if name in ("attempt", "input_tokens", "output_tokens"):
        return replace(request, **{name: int(value)})  # type: ignore[arg-type]
    if name in _OWN_FIELD:
        return replace(request, **{name: value})  # type: ignore[arg-type]
    return replace(request, inputs={**request.inputs, name: value})


def _trial(request: Request, name: str, value: str | float) -> _Trial:
    text = value if isinstance(value, str) else number(value)
    words = f"{name.replace('_', ' ')} {text}" if text else f"no {name}"
    return _Trial(words, (option(name), text), with_fact(request, name, value))


def _numbers(table: DecisionTable, request: Request, fact: Fact, *, up: bool) -> Iterator[_Trial]:
    now = facts_of(table, request).values[fact.name]
    assert isinstance(now, int | float)
    points = sorted(_points(table, request, fact))
    candidates = {v for v in _around(points, fact) if (v > now if up else v < now)}
    for value in sorted(candidates, reverse=not up):
        yield _trial(request, fact.name, value)


def _points(table: DecisionTable, request: Request, fact: Fact) -> set[float]:
    """The numbers at which this fact may change something."""
    points = {
        bound
        for c in _conditions(table)
        if isinstance(c, NumberIn) and c.fact == fact.name
        for bound in (c.low, c.high)
        if bound is not None
    }
    if fact.name == "complexity":
        points |= {tier.start for tier in table.policy.tiers}
    if fact.name in ("input_tokens", "output_tokens"):
        points |= _token_points(table, request, fact.name)
    return points


def _token_points(table: DecisionTable, request: Request, name: str) -> set[float]:
    """Where a context window is full, and where one model becomes cheaper than another."""
    facts = facts_of(table, request)
    other = facts.output_tokens if name == "input_tokens" else facts.input_tokens
    models = list(table.policy.models.values())
    points = {float(m.context_tokens - other) for m in models if m.context_tokens is not None}
    for a, b in combinations(models, 2):
        rise = a.price_in_nusd_per_mtok - b.price_in_nusd_per_mtok
        rest = b.price_out_nusd_per_mtok - a.price_out_nusd_per_mtok
        if name == "output_tokens":
            rise, rest = -rest, -rise
        if rise:
            points.add(float(other * rest // rise))
    return {p for p in points if p >= 0}


def _around(points: list[float], fact: Fact) -> Iterator[float]:
    """Each point, and a number just below and just above it that is no farther than half way on."""
    step = 1.0 if fact.whole else _STEP
    for i, point in enumerate(points):
        below = point - step if i == 0 else max(point - step, (points[i - 1] + point) / 2)
        above = point + step if i == len(points) - 1 else min(point + step, (point + points[i + 1]) / 2)
        for value in (point, round(below, 6), round(above, 6)):
            whole = not fact.whole or value == int(value)
            if value >= fact.low and (fact.high is None or value <= fact.high) and whole:
                yield value


def _texts(table: DecisionTable, request: Request, fact: Fact) -> Iterator[_Trial]:
    now = facts_of(table, request).values[fact.name]
    values = list(fact.values)
    if fact.kind is FactKind.TEXT:
        values = [""]
        for condition in _conditions(table):
            if isinstance(condition, ValueIs) and condition.fact == fact.name:
                values += condition.values
            elif isinstance(condition, StartsWith) and condition.fact == fact.name:
                values.append(condition.prefix)
    for value in dict.fromkeys(values):
        if value != now:
            yield _trial(request, fact.name, value)


def _capabilities(request: Request) -> Iterator[_Trial]:
    for name in CAPABILITIES:
        flag = name.replace("_", "-")
        if name in request.requires:
            without = replace(request, requires=request.requires - {name})
            yield _Trial(f"{name} not required", (f"--no-requires-{flag}",), without)
        else:
            more = replace(request, requires=request.requires | {name})
            yield _Trial(f"{name} required", (f"--requires-{flag}",), more)


# --- the state -----------------------------------------------------------------------------------------


def _clocks(table: DecisionTable, request: Request, situation: Situation) -> Iterator[_Trial]:
    state = situation.state
    moments = changes(table.policy.windows, table.zone, state.now)
    for _, moment in zip(range(_MOST_CLOCK_CHANGES), moments, strict=False):
        local = moment.astimezone(table.zone)
        change = local.strftime("%a %d %b %H:%M")
        options = ("--at", local.isoformat(timespec="minutes"))
        yield _Trial(change, options, request, replace(state, now=moment))


def _spends(
    table: DecisionTable, request: Request, situation: Situation, budget: Budget, *, up: bool
) -> Iterator[_Trial]:
    if budget.limit_nusd == 0:
        return
    now = Decimal(spend_of(situation.state, budget).spent_nusd) * 100 / budget.limit_nusd
    shares = {share for share in _shares(table, budget) if (share > now if up else 0 <= share < now)}
    for share in sorted(shares, reverse=not up):
        spent = int((share * budget.limit_nusd / 100).to_integral_value(ROUND_FLOOR))
        spend = {**situation.state.spend, budget.name: Spend(spent)}
        text = percent(share)
        yield _Trial(
            f"{budget.name} at {text}",
            ("--spend", f"{budget.name}={text}"),
            request,
            replace(situation.state, spend=spend),
        )


def _shares(table: DecisionTable, budget: Budget) -> Iterator[Decimal]:
    """Shares of a budget, in percent, at and just beside which something may change."""
    hair = Decimal("0.01")
    shares = [level.percent for level in budget.levels]
    for condition in _conditions(table):
        if isinstance(condition, BudgetIn) and condition.budget == budget.name:
            for bound in (condition.low, condition.high):
                if bound is not None:
                    shares.append(bound * 100 / budget.limit_nusd if condition.in_money else bound)
    for share in shares:
        yield from (share, share + hair, share - hair)


def _gates(table: DecisionTable, request: Request) -> Iterator[_Trial]:
    for gate in dict.fromkeys(e.gate for e in table.policy.escalations if e.gate is not None):
        failed = replace(request, failures=(*request.failures, Failure(f"gate {gate}")))
        yield _Trial(f"gate {gate} fails", ("--gate", f"{gate}=failed"), failed)


def _health(request: Request, situation: Situation, was: Decision) -> Iterator[_Trial]:
    state = situation.state
    for key in was.chain[:1]:
        down = replace(state, down=state.down | {key})
        yield _Trial(f"{key} in cooldown", ("--down", key), request, down)
