"""DecisionTable, Request, State -> Decision."""

from __future__ import annotations

from ..schemas.decision import Decision
from ..schemas.policy import Limit, Rule
from ..schemas.request import Request
from .chain import Routing, expected_cost_nusd, route
from .facts import Facts, facts_of
from .situation import Situation, observe
from .table import DecisionTable

__all__ = ["decide", "decide_facts", "observe"]

MOST_KEPT = 4096
"""Finished decisions kept per situation; past that the store starts afresh."""


def decide(table: DecisionTable, request: Request, situation: Situation) -> Decision:
    """
    The chain for a request, or a refusal.

    Raises:
        RequestError: the request lacks a fact, or gives an impossible one.
    """
    return decide_facts(table, facts_of(table, request), situation)


def decide_facts(table: DecisionTable, facts: Facts, situation: Situation) -> Decision:
    """Decide for facts that are complete."""
    alive = alive_rows(table, facts, situation)
    cell = _cell(table, facts, alive)
    decision: Decision | None = situation.finished.get(cell)
    if decision is None:
        rule, limits = matching(table, alive)
        decision = decision_of(table, facts, rule, route(table, facts, situation, rule, limits))
        if len(situation.finished) >= MOST_KEPT:
            situation.finished.clear()
        situation.finished[cell] = decision
    return decision


def alive_rows(table: DecisionTable, facts: Facts, situation: Situation) -> int:
    """
    The rows of the table that match; of hard limits also those that match the story of a sub-task.

    Raises:
        ValueError: the situation was made for another table.
    """
    if situation.table is not table:
        raise ValueError("this situation was made for another policy")
    alive = situation.rows
    for name, column in table.columns:
        alive &= column.rows(facts.values[name])
    if facts.delegated_by is not None:
        alive |= _of_limits(table, alive_rows(table, facts.delegated_by, situation))
    return alive


def _of_limits(table: DecisionTable, alive: int) -> int:
    """Of some rows those of hard limits."""
    return alive & ((1 << table.limit_bits) - 1)


def matching(table: DecisionTable, alive: int) -> tuple[Rule | None, tuple[Limit, ...]]:
    """The first rule among the rows that match, and all hard limits, in the order written."""
    rule = table.rule_of[(alive >> table.limit_bits).bit_length() - 1]
    limits = dict.fromkeys(
        row.statement for row in table.limit_rows if alive & row.bit and isinstance(row.statement, Limit)
    )
    return rule, tuple(limits)


def decision_of(table: DecisionTable, facts: Facts, rule: Rule | None, routing: Routing) -> Decision:
    """A routing as the frozen answer."""
    head = table.policy.models[routing.chain[0]] if routing.chain else None
    standing = routing.standing
    return Decision(
        outcome=routing.outcome,
        chain=routing.chain,
        tier=routing.tier,
        rule=rule.name if rule is not None and routing.chain else None,
        budget=None if standing is None else standing.budget.name,
        action=None if standing is None else standing.level.action.value,
        downgraded=routing.downgraded,
        no_way_up=routing.no_way_up,
        served_by_fallback=routing.served_by_fallback,
        cost_estimate_nusd=None
        if head is None
        else expected_cost_nusd(head, facts.input_tokens, facts.output_tokens),
        refusal=routing.refusal,
        until=routing.until,
        policy_digest=table.policy.digest,
    )


def _cell(table: DecisionTable, facts: Facts, alive: int) -> tuple[object, ...]:
    """What tells requests apart beyond this: same cell, same decision (in one situation)."""
    limits = _of_limits(table, alive)
    rule = (alive >> table.limit_bits).bit_length()
    return (
        rule,
        limits,
        facts.complexity_tier,
        facts.domain,
        facts.requires,
        facts.story_tier,
        facts.tier,
        facts.preferred,
        facts.story_models,
        facts.failures,
        facts.input_tokens,
        facts.output_tokens,
    )
