"""
A first test file for a policy: for each statement a case in which it counts, with what comes out today.

Each case is tried out before it is written down: coverage says that it reaches its statement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import product

from ..policy.words import level_words, number
from ..schemas.decision import Decision
from ..schemas.errors import RequestError
from ..schemas.policy import (
    CAPABILITIES,
    NANO,
    Budget,
    Condition,
    Escalation,
    Example,
    FactKind,
    Limit,
    Tier,
    ValueIs,
)
from ..schemas.records import dataclass
from ..schemas.request import Failure, Request, Spend, State
from .cases import Case, noon
from .coverage import Key, goals_of, seen
from .decide import decide
from .examples import case_of
from .expecting import sentences
from .explain import explain
from .facts import example as some_value
from .facts import facts_of
from .flips import OWN_FIELDS, another, reaches, spent_words, with_fact
from .reading import input_value, moment, spent_nusd
from .table import DecisionTable
from .testing import Runner


@dataclass(frozen=True, slots=True)
class Generated:
    """The text of a test file, how many cases it has, and the statements that none was found for."""

    text: str
    cases: int
    without: tuple[str, ...]


def generate(table: DecisionTable, witnesses: Mapping[str, Case], policies: Iterable[str]) -> Generated:
    """
    Write a test file.

    Args:
        witnesses: for the name of each rule a case in which it decides, as far as there is one.
        policies: the policy's files, as the test file names them.
    """
    generator = _Generator(table, witnesses, Runner(table))
    found, without = generator.all()
    lines = [
        "# Written by policyctl test --generate: what the policy gives today. Keep what it is meant to give,",
        "# and say in the names what each case shows.",
        f"policy: {_inline(list(policies))}",
        "cases:",
        *(line for name, case in found for line in generator.lines(name, case)),
    ]
    return Generated("\n".join(lines) + "\n", len(found), tuple(without))


@dataclass(frozen=True, slots=True)
class _Generator:
    table: DecisionTable
    witnesses: Mapping[str, Case]
    runner: Runner

    def all(self) -> tuple[list[tuple[str, Case]], list[str]]:
        """A case for each statement, each case once; and the statements without one."""
        found: dict[str, Case] = {}
        without: list[str] = []
        for key, goal in goals_of(self.table.policy):
            if len(key) > 3:  # a condition: its statement has a case
                continue
            case = next(filter(lambda case: self._reaches(case, key), self._candidates(key)), None)
            if case is None:
                without.append(goal.statement)
            elif case not in found.values():
                found[_unused(f"{goal.statement} {goal.wanted}", found)] = case
        return list(found.items()), without

    def _reaches(self, case: Case, key: Key) -> bool:
        try:
            facts = facts_of(self.table, case.request)
        except RequestError:
            return False
        return key in seen(self.table, facts, self.runner.situation(case.state))

    # candidates

    def _candidates(self, key: Key) -> Iterator[Case]:
        policy, n = self.table.policy, int(str(key[1]))
        match key[0]:
            case "rule":
                case = self.witnesses.get(policy.rules[n].name)
                yield from [case] if case is not None and _can_be_written(case) else []
            case "limit":
                yield from self._under(policy.limits[n])
            case "domain":
                name = tuple(policy.domains)[n]
                yield from (self._with(c, domain=name) for c in self._plain(domains=False))
            case "level":
                budget = tuple(policy.budgets.values())[n]
                yield from self._spent(budget, reaches(budget.levels[int(str(key[2]))].percent, budget))
            case "escalation":
                yield from self._failed(policy.escalations[n])
            case _:
                yield from self._plain()

    def _plain(self, *, domains: bool = True) -> Iterator[Case]:
        """A request in each tier and domain, the highest tier first, which has the most to lose."""
        state = State(now=noon(self.table))
        names = (None, *self.table.policy.domains) if domains else (None,)
        for name, tier in product(names, reversed(self.table.policy.tiers)):
            request = replace(self._base(), complexity=_within(tier), domain=name)
            yield Case(request, state)

    def _base(self) -> Request:
        """A request that says what has no default."""
        request = Request()
        for fact in self.table.policy.facts.values():
            if fact.default is None and fact.name != "complexity":
                request = with_fact(request, fact.name, input_value(fact, some_value(fact)))
        return request

    def _with(self, case: Case, *, domain: str) -> Case:
        return replace(case, request=replace(case.request, domain=domain))

    def _spent(self, budget: Budget, nusd: int) -> Iterator[Case]:
        for case in self._plain(domains=budget.scope == "domain"):
            yield replace(case, state=replace(case.state, spend={budget.name: Spend(nusd)}))

    def _failed(self, escalation: Escalation) -> Iterator[Case]:
        causes = [f"gate {escalation.gate}"] if escalation.gate else escalation.kinds
        for case in reversed(list(self._plain(domains=False))):  # from the lowest tier there is most way up
            for cause in causes:
                failures = (Failure(cause, escalation.from_tier),)
                yield replace(case, request=replace(case.request, failures=failures))

    def _under(self, limit: Limit) -> Iterator[Case]:
        """Requests that satisfy an alternative of a hard limit, in each tier and domain."""
        for conditions in limit.when or ((),):
            named = {getattr(condition, "fact", None) for condition in conditions}
            example = Example(tuple(self._positive(c) for c in conditions), (), limit.span)
            for plain in self._plain(domains="domain" not in named):
                case = case_of(self.table, example, start=plain)
                if not isinstance(case, str):
                    yield case

    def _positive(self, condition: Condition) -> Condition:
        """A condition that says a value in place of one that excludes some."""
        if not isinstance(condition, ValueIs) or not condition.negated:
            return condition
        fact = self.table.policy.facts[condition.fact]
        if fact.kind is FactKind.TEXT:
            values: tuple[str, ...] = ("", another("", condition.values))
        else:
            values = fact.values
        left = tuple(value for value in values if value not in condition.values)
        return replace(condition, values=left, negated=False) if left else condition

    # lines

    def lines(self, name: str, case: Case) -> Iterator[str]:
        """A case of the test file."""
        decision = decide(self.table, case.request, self.runner.situation(case.state))
        yield f"  - name: {_scalar(name)}"
        for key, value in self._said(case):
            yield f"    {key}: {_inline(value)}"
        expected = {key: value for key, value in self._expected(case, decision) if value != []}
        yield f"    expect: {_inline(expected)}"

    def _said(self, case: Case) -> Iterator[tuple[str, object]]:
        request, state = case.request, case.state
        facts: dict[str, object] = {
            name: getattr(request, name) for name in OWN_FIELDS if getattr(request, name) is not None
        }
        if request.requires:
            facts["requires"] = [name for name in CAPABILITIES if name in request.requires]
        if request.tier is not None:
            facts["tier"] = request.tier
        yield "facts", {**facts, **request.inputs}
        if request.preferred is not None:
            yield "preferred", request.preferred
        if request.failures:
            yield "failed", [f.cause + (f" in {f.tier}" if f.tier else "") for f in request.failures]
        if state.now != noon(self.table):
            yield "at", self._time(state.now)
        if state.spend:
            yield "spend", {name: self._amount(name, spend) for name, spend in state.spend.items()}
        if state.down:
            yield "down", sorted(state.down)

    def _amount(self, name: str, spend: Spend) -> str:
        """What a budget has spent: as a share, where that can be read back."""
        budget = self.table.policy.budgets[name]
        share = spent_words(spend.spent_nusd, budget)[1]
        exact = spent_nusd(share, budget) == spend.spent_nusd
        return share if exact else f"{Decimal(spend.spent_nusd) / NANO:f}"

    def _time(self, now: datetime) -> str:
        """A moment as the policy's clock shows it; with its offset where the clock shows it twice."""
        local = now.astimezone(self.table.zone)
        plain = local.replace(tzinfo=None).isoformat(timespec="minutes")
        return plain if moment(plain, self.table.zone) == local else local.isoformat(timespec="minutes")

    def _expected(self, case: Case, decision: Decision) -> Iterator[tuple[str, object]]:
        if decision.chain:
            yield "chain", list(decision.chain)
            yield "tier", decision.tier
            yield "rule", decision.rule or "none"
        else:
            yield "outcome", decision.outcome.value
        if decision.refusal is not None:
            yield "why", decision.refusal
        elif case.state.spend:
            situation = self.runner.situation(case.state)
            told = "\n".join(sentences(explain(self.table, case.request, situation)))
            words = [level_words(each.level) for each in situation.reached]
            yield "why", [text for text in words if text in told]


def _can_be_written(case: Case) -> bool:
    """Whether a test file can say a case: not what is held, and what a story asks for by a story only."""
    held = any(spend.held_nusd for spend in case.state.spend.values())
    return case.request.story_tier is None and not case.request.story_models and not held


def _within(tier: Tier) -> float:
    """A complexity of a tier, near its start."""
    return min(tier.start + 0.1, 10.0) if tier.above else tier.start


def _unused(name: str, taken: Mapping[str, object]) -> str:
    names = (name if n == 1 else f"{name} ({n})" for n in range(1, len(taken) + 2))
    return next(each for each in names if each not in taken)


# --- YAML -----------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./%-]*(?: [A-Za-z0-9_./%-]+)*|\d+(\.\d+)?%|[\d-]+T[\d:+-]+")
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def _inline(value: object) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return _inline(value[0]) if len(value) == 1 else "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, int | float):
        return number(value)
    return _scalar(str(value))


def _scalar(text: str) -> str:
    """A text, in quotes where YAML would else read it as something else."""
    if text in ("yes", "no"):  # as the language writes them; YAML 1.2 reads texts
        return text
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain else json.dumps(text, ensure_ascii=False)
