"""
What would flip a decision: for each fact, the clock, each budget, each gate and the first model's
health the smallest change that alone gives another chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from itertools import combinations, count, islice, pairwise
from math import inf

from ..policy.words import number, percent, usd_short
from ..schemas.decision import Decision
from ..schemas.errors import RequestError
from ..schemas.policy import (
    CAPABILITIES,
    NANO,
    Action,
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
from ..schemas.records import dataclass
from ..schemas.request import Failure, Request, State
from .compile import alternatives
from .decide import decide, observe
from .facts import facts_of, said
from .situation import Situation, spend_of
from .table import DecisionTable
from .windows import first_times

_MOST_WINDOW_SETS = 400
_STEP = 0.1
"""How far beyond a bound a number is tried, where there is room for so much."""
_HAIRS = 10_000
"""What is spent is tried a ten-thousandth of the limit beyond a bound, where there is room."""

OWN_FIELDS = ("complexity", "kind", "skill", "branch", "attempt", "input_tokens", "output_tokens", "domain")
"""Facts that are fields of a request by the same name."""


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
        if now.chain != was.chain:
            return Flip(trial.change, trial.options, now)
    return None


def _kinds(
    table: DecisionTable, request: Request, situation: Situation, was: Decision
) -> Iterator[Iterable[_Trial]]:
    """The trials of each kind of change, what people ask about first in front."""
    facts = table.policy.facts.values()
    for fact in sorted(facts, key=lambda fact: fact.built_in and fact.name not in ("complexity", "domain")):
        if fact.name not in _LAST:
            yield from _fact_trials(table, request, fact)
    yield _clocks(table, request, situation)
    for budget in table.policy.budgets.values():
        yield _spends(table, request, situation, budget, up=False)
        yield _spends(table, request, situation, budget, up=True)
    yield _gates(table, request)
    yield _health(request, situation, was)
    yield _capabilities(request)
    for name in _LAST:
        yield from _fact_trials(table, request, table.policy.facts[name])


_LAST = ("attempt", "input_tokens", "output_tokens")


def _fact_trials(table: DecisionTable, request: Request, fact: Fact) -> Iterator[Iterable[_Trial]]:
    if fact.kind is FactKind.NUMBER:
        yield _numbers(table, request, fact, up=False)
        yield _numbers(table, request, fact, up=True)
    elif fact.kind is not FactKind.SET and fact.name != "tier":
        yield _texts(table, request, fact)


def _conditions(table: DecisionTable) -> Iterator[Condition]:
    statements: list[Rule | Limit] = [*table.policy.rules, *table.policy.limits]
    for statement in statements:
        for conditions in alternatives(statement.when):
            yield from conditions


# --- facts ------------------------------------------------------------------------------------------


def with_fact(request: Request, name: str, value: str | float) -> Request:
    """The request with one fact changed; what holds for a whole run changes for a sub-task's story too."""
    if request.delegated_by is not None and (name == "branch" or name not in OWN_FIELDS):
        request = replace(request, delegated_by=with_fact(request.delegated_by, name, value))
    if name in ("attempt", "input_tokens", "output_tokens"):
        return replace(request, **{name: int(value)})  # type: ignore[arg-type]
    if name in OWN_FIELDS:
        return replace(request, **{name: value})  # type: ignore[arg-type]
    return replace(request, inputs={**request.inputs, name: value})


def _trial(request: Request, fact: Fact, value: str | float) -> _Trial:
    text = value if isinstance(value, str) else number(value)
    words = f"{fact.name.replace('_', ' ')} {text}" if text else f"no {fact.name}"
    return _Trial(words, said(fact, text), with_fact(request, fact.name, value))


def _numbers(table: DecisionTable, request: Request, fact: Fact, *, up: bool) -> Iterator[_Trial]:
    now = facts_of(table, request).values[fact.name]
    assert isinstance(now, int | float)
    values = numbers_around(_points(table, request, fact), fact)
    candidates = {v for v in values if (v > now if up else v < now)}
    for value in sorted(candidates, reverse=not up):
        yield _trial(request, fact, value)


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


def numbers_around(points: Iterable[float], fact: Fact) -> Iterator[float]:
    """
    A number of each kind that some points tell apart: the points, the ends of the fact's range, and beside
    each a number that is no farther than half way to the next.
    """
    high = inf if fact.high is None else fact.high
    stops = sorted({fact.low, high, *(point for point in points if fact.low <= point <= high)})
    step = 1.0 if fact.whole else _STEP
    for low, high in pairwise(stops):
        half = (low + high) / 2
        beside = min(low + step, half), max(high - step, half)
        for value in (low, *(_rounded(value, low, high) for value in beside)):
            if value < inf and not (fact.whole and value % 1):
                yield value
    if stops[-1] < inf:
        yield stops[-1]


def _rounded(value: float, low: float, high: float) -> float:
    """A number as people write it, if it stays between its bounds."""
    short = round(value, 6)
    return short if low < short < high else value


def _texts(table: DecisionTable, request: Request, fact: Fact) -> Iterator[_Trial]:
    now = facts_of(table, request).values[fact.name]
    values = _texts_apart(table, fact) if fact.kind is FactKind.TEXT else fact.values
    for value in dict.fromkeys(values):
        if value != now:
            yield _trial(request, fact, value)


def _texts_apart(table: DecisionTable, fact: Fact) -> Iterator[str]:
    """A text of each kind that conditions tell apart: those they name, and others with each prefix."""
    conditions = list(_conditions(table))
    prefixes = [c.prefix for c in conditions if isinstance(c, StartsWith) and c.fact == fact.name]
    values = [v for c in conditions if isinstance(c, ValueIs) and c.fact == fact.name for v in c.values]
    named = dict.fromkeys(["", *values, *prefixes])
    yield from named
    for stem in dict.fromkeys([*prefixes, ""]):
        yield another(stem, named)


def another(stem: str, named: Iterable[str]) -> str:
    """A text that starts with `stem`, but is none of those named and starts with no longer one."""
    taken = {text[len(stem)] for text in named if text.startswith(stem) and text != stem}
    letters = filter(str.isalpha, map(chr, count(ord("x"))))
    return stem + next(letter for letter in letters if letter not in taken)


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
    found = first_times(table.policy.windows, table.zone, state.now)
    for moment, _ in islice(found, 1, _MOST_WINDOW_SETS):  # the first is the present
        local = moment.astimezone(table.zone)
        change = local.strftime("%a %d %b %H:%M")
        options = ("--at", local.isoformat(timespec="minutes"))
        yield _Trial(change, options, request, replace(state, now=moment))


def _spends(
    table: DecisionTable, request: Request, situation: Situation, budget: Budget, *, up: bool
) -> Iterator[_Trial]:
    spend = spend_of(situation.state, budget)
    amounts = amounts_around(_amounts(table, budget, spend.held_nusd), budget)
    candidates = {a for a in amounts if (a > spend.spent_nusd if up else a < spend.spent_nusd)}
    for nusd in sorted(candidates, reverse=not up):
        words, text = spent_words(nusd, budget)
        there = {**situation.state.spend, budget.name: replace(spend, spent_nusd=nusd)}
        yield _Trial(
            f"{budget.name} at {words}",
            ("--spend", f"{budget.name}={text}"),
            request,
            replace(situation.state, spend=there),
        )


def _amounts(table: DecisionTable, budget: Budget, held_nusd: int) -> Iterator[int]:
    """What must be spent for each level, held money being what it is, and for each condition."""
    for level in budget.levels:
        held = held_nusd if level.action is Action.PAUSE else 0
        yield reaches(level.percent, budget) - held
    for condition in _conditions(table):
        if isinstance(condition, BudgetIn) and condition.budget == budget.name:
            yield bound_nusd(condition, budget)


def reaches(percents: Decimal, budget: Budget) -> int:
    """The smallest spend that is at least so many percent of a budget."""
    return int((percents * budget.limit_nusd / 100).to_integral_value(ROUND_CEILING))


def bound_nusd(condition: BudgetIn, budget: Budget) -> int:
    """The smallest spend at or above the bound of a condition, which has one."""
    bound = condition.low if condition.low is not None else condition.high
    assert bound is not None
    return int(bound.to_integral_value(ROUND_CEILING)) if condition.in_money else reaches(bound, budget)


def amounts_around(points: Iterable[int], budget: Budget) -> Iterator[int]:
    """A spend of each kind that some amounts tell apart: those, nothing, and some just beside each."""
    stops = sorted({0, *(point for point in points if point >= 0)})
    hair = max(budget.limit_nusd // _HAIRS, 1)
    for low, high in pairwise(stops):
        half = (low + high) // 2
        yield from (low, min(low + hair, half), max(high - hair, half))
    yield from (stops[-1], stops[-1] + hair)


def spent_words(nusd: int, budget: Budget) -> tuple[str, str]:
    """What is spent in words, and as `--spend` reads it: as a share where that is short and exact."""
    millionths, rest = divmod(nusd * 10**6, budget.limit_nusd) if budget.limit_nusd else (0, 1)
    if rest:
        return usd_short(nusd), f"{Decimal(nusd) / NANO:f}"
    share = percent(Decimal(millionths) / 10**4)
    return share, share


def _gates(table: DecisionTable, request: Request) -> Iterator[_Trial]:
    for gate in dict.fromkeys(e.gate for e in table.policy.escalations if e.gate is not None):
        failed = replace(request, failures=(*request.failures, Failure(f"gate {gate}")))
        yield _Trial(f"gate {gate} fails", ("--gate", f"{gate}=failed"), failed)


def _health(request: Request, situation: Situation, was: Decision) -> Iterator[_Trial]:
    state = situation.state
    for key in was.chain[:1]:
        down = replace(state, down=state.down | {key})
        yield _Trial(f"{key} in cooldown", ("--down", key), request, down)
