"""
A policy changed one step at a time, to see whether its tests notice.

Each mutant differs in one condition, bound, value, model, tier, level or order, or lacks one
statement. What can be seen to decide as before isn't made: that no test notices it is no finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

from ..policy.words import (
    condition_words,
    escalation_words,
    level_words,
    limit_words,
    number,
    row_words,
)
from ..schemas.policy import (
    Action,
    Budget,
    BudgetIn,
    CheckedPolicy,
    Condition,
    Domain,
    During,
    Fact,
    Level,
    Mates,
    NumberIn,
    Policy,
    Rule,
    StartsWith,
    Tier,
    ValueIs,
    When,
)
from ..schemas.records import dataclass
from ..schemas.suite import Case
from ..schemas.text import Span
from .analysis.diagram import TooLarge
from .analysis.findings import winning_witnesses
from .changed import less, put, swapped, with_budget, with_domain, with_fallback
from .compile import alternatives, compile_policy
from .testing import Runner

_STEP = 1
"""Percent by which a level is moved."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    A changed policy, and the change in words with its place.

    `swapped` are the rules that changed places: where they never match together, nothing changed.
    """

    statement: str
    change: str
    span: Span
    policy: Policy
    swapped: tuple[Rule, Rule] | None = None


def tried(mutants: Iterable[Mutant], cases: tuple[Case, ...]) -> Iterator[tuple[Mutant, Case | None]]:
    """
    Each mutant with a case that notices it; None: all cases pass as before.

    One that no case can notice is left out.
    """
    order = list(cases)
    for mutant in mutants:
        runner = Runner(compile_policy(CheckedPolicy(mutant.policy)))
        noticing = next((case for case in order if not runner.passes(case)), None)
        if noticing is not None:  # what notices one change of a statement often notices the next
            order.remove(noticing)
            order.insert(0, noticing)
        elif mutant.swapped is not None and _never_together(mutant.policy, *mutant.swapped):
            continue
        yield mutant, noticing


def _never_together(policy: Policy, first: Rule, second: Rule) -> bool:
    """Whether it is proven that no request matches two rules."""
    pairs = product(alternatives(first.when), alternatives(second.when))
    both = replace(first, when=tuple((*one, *other) for one, other in pairs))
    alone = compile_policy(CheckedPolicy(replace(policy, rules=(both,), limits=())))
    try:
        return both.name not in winning_witnesses(alone)
    except TooLarge:
        return False


def mutants(policy: Policy) -> Iterator[Mutant]:
    """Every mutant of a policy, kind by kind in the order written."""
    yield from _tiers(policy)
    yield from _rules(policy)
    yield from _limits(policy)
    yield from _domains(policy)
    yield from _levels(policy)
    yield from _escalations(policy)
    yield from _fallback(policy)


# --- statements ---------------------------------------------------------------------------------------


def _tiers(policy: Policy) -> Iterator[Mutant]:
    for n, tier in enumerate(policy.tiers[1:], 1):
        other = replace(tier, above=not tier.above)
        words = f"`{_start(tier)}` turned into `{_start(other)}`"
        changed = replace(policy, tiers=put(policy.tiers, n, other))
        yield Mutant(f"tier {tier.name}", words, tier.span, changed)


def _start(tier: Tier) -> str:
    return f"{'above' if tier.above else 'from'} complexity {number(tier.start)}"


def _rules(policy: Policy) -> Iterator[Mutant]:
    for n, rule in enumerate(policy.rules):
        name = f"rule {rule.name}"
        yield Mutant(name, "dropped", rule.span, replace(policy, rules=less(policy.rules, n)))
        for words, span, when in _whens(policy, rule.when):
            changed = put(policy.rules, n, replace(rule, when=when))
            yield Mutant(name, words, span, replace(policy, rules=changed))
        for words, other in _targets(policy, rule):
            yield Mutant(name, words, rule.span, replace(policy, rules=put(policy.rules, n, other)))
        for below in policy.rules[n + 1 : n + 2]:
            if (rule.tier, rule.models) != (below.tier, below.models):
                other_order = replace(policy, rules=swapped(policy.rules, n))
                words = f"put below rule {below.name}"
                yield Mutant(name, words, rule.span, other_order, (rule, below))


def _targets(policy: Policy, rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with another tier or other models."""
    if rule.tier is not None:
        names = [tier.name for tier in policy.tiers]
        at = names.index(rule.tier)
        for other in names[at + 1 : at + 2] or names[max(at - 1, 0) : at]:
            yield f"`use tier {rule.tier}` turned into `use tier {other}`", replace(rule, tier=other)
        return
    for words, models in _lists("use", rule.models):
        yield words, replace(rule, models=models)
    if len(rule.models) == 1:
        another = next(
            (m.key for m in policy.models.values() if m.enabled and m.key not in rule.models), None
        )
        if another is not None:
            yield f"`use {rule.models[0]}` turned into `use {another}`", replace(rule, models=(another,))


def _limits(policy: Policy) -> Iterator[Mutant]:
    for n, limit in enumerate(policy.limits):
        name = limit_words(limit)
        yield Mutant(name, "dropped", limit.span, replace(policy, limits=less(policy.limits, n)))
        for words, span, when in _whens(policy, limit.when):
            changed = put(policy.limits, n, replace(limit, when=when))
            yield Mutant(name, words, span, replace(policy, limits=changed))
        for m, model in enumerate(limit.models if len(limit.models) > 1 else ()):
            changed = put(policy.limits, n, replace(limit, models=less(limit.models, m)))
            yield Mutant(name, f"without {model}", limit.span, replace(policy, limits=changed))


def _domains(policy: Policy) -> Iterator[Mutant]:
    for domain in policy.domains.values():
        for words, other in _other_domains(policy, domain) if domain.models else ():
            yield Mutant(f"domain {domain.name}", words, domain.span, with_domain(policy, other))


def _other_domains(policy: Policy, domain: Domain) -> Iterator[tuple[str, Domain]]:
    yield "prefers nothing", replace(domain, models=())
    for words, models in _lists("prefers", domain.models):
        yield words, replace(domain, models=models)
    if not set(domain.models) <= set(policy.tiers[0].models):  # no ceiling is below the first tier
        words = "without `at any tier`" if domain.any_tier else "with `at any tier`"
        yield words, replace(domain, any_tier=not domain.any_tier)


def _levels(policy: Policy) -> Iterator[Mutant]:
    for budget in policy.budgets.values():
        for n, level in enumerate(budget.levels):
            name = f"budget {budget.name}, {level_words(level)}"
            dropped = replace(budget, levels=less(budget.levels, n))
            yield Mutant(name, "dropped", level.span, with_budget(policy, dropped))
            for other in _other_levels(policy, budget, n):
                changed = replace(budget, levels=put(budget.levels, n, other))
                words = f"turned into `{level_words(other)}`"
                yield Mutant(name, words, level.span, with_budget(policy, changed))


def _other_levels(policy: Policy, budget: Budget, n: int) -> Iterator[Level]:
    level = budget.levels[n]
    low = budget.levels[n - 1].percent if n else -1
    high = budget.levels[n + 1].percent if n + 1 < len(budget.levels) else None
    for moved in (level.percent - _STEP, level.percent + _STEP):
        if moved > low and (high is None or moved < high):
            yield replace(level, percent=moved)
    if level.action is Action.DOWNGRADE and level.tiers + 1 < len(policy.tiers):
        yield replace(level, tiers=level.tiers + 1)
    if level.action is Action.ONLY:
        for _, models in _lists("only", level.models):
            yield replace(level, models=models)


def _escalations(policy: Policy) -> Iterator[Mutant]:
    for n, escalation in enumerate(policy.escalations):
        dropped = replace(policy, escalations=less(policy.escalations, n))
        yield Mutant(escalation_words(escalation), "dropped", escalation.span, dropped)
        if escalation.from_tier is not None:
            other = replace(escalation, from_tier=None)
            words = f"turned into `{escalation_words(other)}`"
            changed = replace(policy, escalations=put(policy.escalations, n, other))
            yield Mutant(escalation_words(escalation), words, escalation.span, changed)


def _fallback(policy: Policy) -> Iterator[Mutant]:
    fallback = policy.fallback
    if fallback is None:
        return
    words = [f"next {e.count} of tier" if isinstance(e, Mates) else e for e in fallback.entries]
    for n in range(len(words)):
        name = f"fallback to {words[n]}"
        yield Mutant(name, "dropped", fallback.span, with_fallback(policy, fallback, n))
        if n + 1 < len(words):
            other = replace(fallback, entries=swapped(fallback.entries, n))
            yield Mutant(name, f"put below {words[n + 1]}", fallback.span, replace(policy, fallback=other))


# --- conditions ---------------------------------------------------------------------------------------


def _whens(policy: Policy, when: When) -> Iterator[tuple[str, Span, When]]:
    """The alternatives with one condition changed or dropped, or without one of them."""
    for a, row in enumerate(when):
        for c, condition in enumerate(row):
            words = f"`{condition_words(condition)}`"
            for other in _conditions(policy, condition):
                changed = put(when, a, put(row, c, other))
                yield f"{words} turned into `{condition_words(other)}`", condition.span, changed
            if len(row) > 1:
                yield f"{words} dropped", condition.span, put(when, a, less(row, c))
            elif len(when) == 1:
                yield f"{words} dropped", condition.span, ()
        if len(when) > 1 and row:
            yield f"alternative `{row_words(row)}` dropped", row[0].span, less(when, a)


def _conditions(policy: Policy, condition: Condition) -> Iterator[Condition]:
    """The condition negated, with one bound moved over its edge, or with one value less."""
    match condition:
        case ValueIs():
            yield replace(condition, negated=not condition.negated)
            for n in range(len(condition.values) if len(condition.values) > 1 else 0):
                yield replace(condition, values=less(condition.values, n))
        case NumberIn():
            yield replace(condition, negated=not condition.negated)
            if condition.low != condition.high:
                if _can_be(policy.facts[condition.fact], condition.low):
                    yield replace(condition, low_open=not condition.low_open)
                if _can_be(policy.facts[condition.fact], condition.high):
                    yield replace(condition, high_open=not condition.high_open)
        case StartsWith():
            yield ValueIs(condition.fact, (condition.prefix,), False, condition.span)
        case During():
            yield replace(condition, negated=not condition.negated)
        case BudgetIn():
            yield _other_side(condition)
            if condition.low is not None:
                yield replace(condition, low_open=not condition.low_open)
            if condition.high is not None:
                yield replace(condition, high_open=not condition.high_open)


def _can_be(fact: Fact, bound: float | None) -> bool:
    """Whether a fact can have the very value of a bound; else it's all the same whether that is in."""
    if bound is None or bound < fact.low or (fact.high is not None and bound > fact.high):
        return False
    return not fact.whole or bound == int(bound)


def _other_side(condition: BudgetIn) -> BudgetIn:
    """What a budget has spent on the other side of a bound."""
    return replace(
        condition,
        low=condition.high,
        high=condition.low,
        low_open=not condition.high_open,
        high_open=not condition.low_open,
    )


# --- lists --------------------------------------------------------------------------------------------


def _lists(verb: str, models: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Lists of several models without each of them, and with each put below the next."""
    for n in range(len(models) if len(models) > 1 else 0):
        others = [less(models, n)] + ([swapped(models, n)] if n + 1 < len(models) else [])
        for other in others:
            yield f"`{verb} {', '.join(models)}` turned into `{verb} {', '.join(other)}`", other
