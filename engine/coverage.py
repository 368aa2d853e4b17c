"""
What cases reach of a policy: which statements decided in some case, and which conditions were seen
both true and false while it mattered.

docs/testing.md says for each kind of statement what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..policy.words import condition_words, escalation_words, level_words, limit_words
from ..schemas.decision import Decision, Outcome
from ..schemas.policy import Action, Limit, Mates, Policy, Rule
from ..schemas.records import dataclass
from ..schemas.suite import Case, Goal
from .chain import route
from .changed import less, with_budget, with_domain, with_fallback
from .decide import alive_rows, decision_of, matching
from .explain import condition_holds
from .facts import Facts, facts_of
from .situation import Situation, level_of, observe, spend_of
from .table import DecisionTable
from .testing import Runner

Key = tuple[object, ...]
"""The kind of a statement and its place among those; of a condition also alternative, place and value."""


def cover(table: DecisionTable, cases: Iterable[Case]) -> tuple[Goal, ...]:
    """Everything in a policy that tests can reach, in the order of kinds, and whether the cases do."""
    goals = dict(goals_of(table.policy))
    runner = Runner(table)
    reached: set[Key] = set()
    for case in cases:
        reached.update(seen(table, facts_of(table, case.request), runner.situation(case.state)))
    return tuple(replace(goal, reached=key in reached) for key, goal in goals.items())


# --- what there is to reach ---------------------------------------------------------------------------


def goals_of(policy: Policy) -> Iterator[tuple[Key, Goal]]:
    for n, tier in enumerate(policy.tiers):
        yield ("tier", n), Goal(f"tier {tier.name}", "serves", tier.span)
    for n, rule in enumerate(policy.rules):
        yield ("rule", n), Goal(f"rule {rule.name}", "decides", rule.span)
        yield from _conditions("rule", n, f"rule {rule.name}", rule)
    for n, limit in enumerate(policy.limits):
        yield ("limit", n), Goal(limit_words(limit), "changes an answer", limit.span)
        yield from _conditions("limit", n, limit_words(limit), limit)
    for n, domain in enumerate(policy.domains.values()):
        wanted = "changes an answer" if domain.models else "is asked for"
        yield ("domain", n), Goal(f"domain {domain.name}", wanted, domain.span)
    for n, budget in enumerate(policy.budgets.values()):
        for m, level in enumerate(budget.levels):
            yield (
                ("level", n, m),
                Goal(f"budget {budget.name}, {level_words(level)}", "is in force", level.span),
            )
    for n, escalation in enumerate(policy.escalations):
        yield ("escalation", n), Goal(escalation_words(escalation), "changes an answer", escalation.span)
    fallback = policy.fallback
    for n, entry in enumerate(fallback.entries if fallback is not None else ()):
        assert fallback is not None  # else it had no entries
        words = f"next {entry.count} of tier" if isinstance(entry, Mates) else entry
        yield ("fallback", n), Goal(f"fallback to {words}", "changes an answer", fallback.span)


def _conditions(kind: str, n: int, words: str, statement: Rule | Limit) -> Iterator[tuple[Key, Goal]]:
    for a, conditions in enumerate(statement.when):
        for c, condition in enumerate(conditions):
            for value in (True, False):
                wanted = f"`{condition_words(condition)}` is {'true' if value else 'false'}"
                yield (kind, n, a, c, value), Goal(words, wanted, condition.span)


# --- what one case reaches ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Met:
    """A case as the table met it."""

    table: DecisionTable
    facts: Facts
    situation: Situation
    alive: int
    rule: Rule | None
    limits: tuple[Limit, ...]
    answer: Decision


def seen(table: DecisionTable, facts: Facts, situation: Situation) -> Iterator[Key]:
    alive = alive_rows(table, facts, situation)
    rule, limits = matching(table, alive)
    answer = _answer(table, facts, situation, rule, limits)
    met = _Met(table, facts, situation, alive, rule, limits, answer)
    yield from _limits(met)
    if answer.outcome is Outcome.REFUSED_BY_RULE:
        return
    yield from _levels(met)
    if answer.action == Action.PAUSE:
        return
    yield from _rules(met)
    if answer.tier is not None:
        yield "tier", table.tiers[answer.tier]
    yield from _parts(met)


def _answer(
    table: DecisionTable, facts: Facts, situation: Situation, rule: Rule | None, limits: tuple[Limit, ...]
) -> Decision:
    """What comes out, but the words of a refusal."""
    decision = decision_of(table, facts, rule, route(table, facts, situation, rule, limits))
    return replace(decision, refusal=None)


def _rules(met: _Met) -> Iterator[Key]:
    """The rule that decides; and of each rule down to it the conditions on which it hung."""
    for n, rule in enumerate(met.table.policy.rules):
        yield from _decided_by_one(met, "rule", n, rule)
        if rule is met.rule:
            if met.answer.chain:
                yield "rule", n
            return


def _limits(met: _Met) -> Iterator[Key]:
    """
    The hard limits without which another answer came out; and of each the conditions on which it hung,
    but where it holds for the sake of the story that delegates this anyway.
    """
    limits = met.table.policy.limits
    alive = {id(row.statement) for row in met.table.limit_rows if met.alive & row.bit}
    holding = [n for n, limit in enumerate(limits) if id(limit) in alive]
    for n, limit in enumerate(limits):
        if n not in holding or not limit.when or any(map(all, _values(met, limit))):
            yield from _decided_by_one(met, "limit", n, limit)
    for n in holding:
        others = tuple(limits[m] for m in holding if m != n)
        if _answer(met.table, met.facts, met.situation, met.rule, others) != met.answer:
            yield "limit", n


def _values(met: _Met, statement: Rule | Limit) -> list[list[bool]]:
    """Of each alternative the conditions: which hold."""
    return [
        [condition_holds(met.table, met.facts, met.situation, c) for c in conditions]
        for conditions in statement.when
    ]


def _decided_by_one(met: _Met, kind: str, n: int, statement: Rule | Limit) -> Iterator[Key]:
    """
    The conditions on whose value alone it hung whether a statement matched: all others of the
    alternative held, and no other alternative did.
    """
    rows = _values(met, statement)
    for a, row in enumerate(rows):
        if any(all(other) for b, other in enumerate(rows) if b != a):
            continue
        for c, value in enumerate(row):
            if all(row[:c]) and all(row[c + 1 :]):
                yield kind, n, a, c, value


def _levels(met: _Met) -> Iterator[Key]:
    """The level of each budget that is in force; a `pause` of a part only where it is felt."""
    standing = met.situation.standing_for(met.facts.domain)
    for n, budget in enumerate(met.table.policy.budgets.values()):
        level = level_of(budget, spend_of(met.situation.state, budget))
        if level is None:
            continue
        m = budget.levels.index(level)
        if budget.scope in (None, "domain"):
            in_force = standing is not None and standing.level is level
        else:
            dropped = with_budget(met.table.policy, replace(budget, levels=less(budget.levels, m)))
            in_force = level.action is Action.WARN or _changes(met, dropped)
        if in_force:
            yield "level", n, m


def _parts(met: _Met) -> Iterator[Key]:
    """The domain, escalations and entries of the fallback list without which another answer came out."""
    policy = met.table.policy
    for n, domain in enumerate(policy.domains.values()):
        if domain.name == met.facts.domain:
            without = with_domain(policy, replace(domain, models=()))
            if not domain.models or _changes(met, without):
                yield "domain", n
    for n in range(len(policy.escalations) if met.facts.failures else 0):
        if _changes(met, replace(policy, escalations=less(policy.escalations, n))):
            yield "escalation", n
    fallback = policy.fallback
    for n in range(len(fallback.entries) if fallback is not None else 0):
        assert fallback is not None  # else it had no entries
        if _changes(met, with_fallback(policy, fallback, n)):
            yield "fallback", n


def _changes(met: _Met, policy: Policy) -> bool:
    """Whether another answer comes out of a policy that differs in what no row of the table reads."""
    table = replace(met.table, policy=policy)
    situation = observe(table, met.situation.state)
    return _answer(table, met.facts, situation, met.rule, met.limits) != met.answer
