"""
DecisionTable, request, Situation -> Decision.

A request comes as a `Request`, as a plain mapping, or `Prepared`, which is the quickest. What is found by
its code is the answer at once; else the decision is made, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from ..schemas.decision import Decision
from ..schemas.policy import Limit, Rule
from ..schemas.request import Request
from .chain import Routing, expected_cost_nusd, route
from .facts import Facts, facts_of
from .finished import priced
from .pages import Page
from .plain import request_from
from .prepared import Prepared, prepared
from .readers import own_tokens, read
from .situation import Situation, observe
from .table import DecisionTable

__all__ = ["Prepared", "decide", "decide_facts", "decide_plain", "decide_prepared", "observe"]


def decide(
    table: DecisionTable, request: Request | Prepared | Mapping[str, object], situation: Situation
) -> Decision:
    """
    The chain for a request, or a refusal.

    Args:
        request: a mapping has plain values, as `request_from` takes them.

    Raises:
        RequestError: the request lacks a fact, or gives an impossible one.
        ValueError: the request was prepared, or the situation made, for another table.
    """
    if isinstance(request, Prepared):
        if request.table is not table:
            raise ValueError("this request was prepared for another policy")
        return decide_prepared(request, situation)
    if isinstance(request, dict):
        return decide_plain(table, request, situation)
    asked = request if isinstance(request, Request) else request_from(request)
    return decide_facts(table, facts_of(table, asked), situation)


def decide_facts(table: DecisionTable, facts: Facts, situation: Situation) -> Decision:
    """Decide for facts that are complete."""
    return decide_prepared(prepared(table, facts), situation)


def decide_prepared(request: Prepared, situation: Situation) -> Decision:
    """
    Decide for a request that was prepared for the situation's table.

    Raises:
        ValueError: it was prepared for another one.
    """
    table, page = request.table, request.page
    if situation.table is not table:
        raise ValueError("this situation was made for another policy")
    alive = situation.of_page[page.number]
    if alive is None:
        alive = situation.fill(page)
    for mask in request.masks:
        alive &= mask
    if request.special is not None:
        return _special(request, alive, situation)
    row = alive.bit_length()
    limits = alive & table.limit_mask
    kind: Hashable = request.tail + page.outcome_of[row]
    if limits:
        kind = kind, limits
    alike = situation.finished.by_kind.get(kind)
    if alike is not None and (kept := alike.of_page[page.number]) and (decision := kept[row]) is not None:
        return decision
    return _made(situation, page, row, limits, kind, lambda: request.facts)


def decide_plain(table: DecisionTable, values: Mapping[str, object], situation: Situation) -> Decision:
    """
    Decide for plain values.

    Raises:
        RequestError: the request lacks a fact, or gives an impossible one.
        ValueError: the situation was made for another table.
    """
    code = read(table.readers, values)
    if code is None:  # something unusual, or wrong
        return decide_facts(table, facts_of(table, request_from(values)), situation)
    if situation.table is not table:
        raise ValueError("this situation was made for another policy")
    codes = table.codes
    page, alive = codes.pivot[code >> codes.pivot_shift & codes.pivot_low]
    state = situation.of_page[page.number]
    alive &= situation.fill(page) if state is None else state
    for masks, shift, low in page.groups:
        alive &= masks[code >> shift & low]
    row = alive.bit_length()
    limits = alive & table.limit_mask
    kind: Hashable = (code & codes.tail_mask) + page.outcome_of[row]
    if limits:
        kind = kind, limits
    alike = situation.finished.by_kind.get(kind)
    if alike is None or not (kept := alike.of_page[page.number]) or (decision := kept[row]) is None:
        decision = _made(situation, page, row, limits, kind, lambda: facts_of(table, request_from(values)))
    if code >= codes.token_place:
        return _costed(table, decision, *own_tokens(table.readers, values))
    return decision


def _special(request: Prepared, alive: int, situation: Situation) -> Decision:
    """Decide for a request that its code doesn't say all of."""
    table, facts, page, row = request.table, request.facts, request.page, alive.bit_length()
    if facts.delegated_by is not None:
        alive |= alive_rows(table, facts.delegated_by, situation) & table.limit_mask
    limits = alive & table.limit_mask
    kind: Hashable = request.tail + page.outcome_of[row]
    if request.special:
        kind = kind, limits, request.special
    elif limits:
        kind = kind, limits
    decision = _made(situation, page, row, limits, kind, lambda: facts)
    return _costed(table, decision, facts.input_tokens, facts.output_tokens) if facts.own_tokens else decision


def _made(
    situation: Situation, page: Page, row: int, limits: int, kind: Hashable, facts: Callable[[], Facts]
) -> Decision:
    """A decision that may not be kept yet: that of other rules which ask for the same, or made anew."""
    table, finished = situation.table, situation.finished
    rule = table.rule_of[page.rule_of[row]]
    alike = finished.by_kind.get(kind)
    if alike is None:
        given = facts()
        routing = route(table, given, situation, rule, _limits(table, limits))
        decision = decision_of(table, given, rule, routing)
        if given.own_tokens:
            decision = priced(decision, None)
        alike = finished.start(kind, decision, table.codes.pages)
    kept = alike.of_page[page.number]
    return (kept[row] if kept else None) or finished.keep(alike, page, row, rule)


def _costed(table: DecisionTable, decision: Decision, input_tokens: int, output_tokens: int) -> Decision:
    """A decision with the expected cost for these token counts."""
    if not decision.chain:
        return decision
    cost_nusd = expected_cost_nusd(table.policy.models[decision.chain[0]], input_tokens, output_tokens)
    return decision if cost_nusd == decision.cost_estimate_nusd else priced(decision, cost_nusd)


def alive_rows(table: DecisionTable, facts: Facts, situation: Situation) -> int:
    """
    The rows of the table that match; of hard limits also those that match the story of a sub-task.

    Raises:
        ValueError: the situation was made for another table.
    """
    if situation.table is not table:
        raise ValueError("this situation was made for another policy")
    alive = situation.rows
    for name, column in table.columns.items():
        alive &= column.rows(facts.values[name])
    if facts.delegated_by is not None:
        alive |= alive_rows(table, facts.delegated_by, situation) & table.limit_mask
    return alive


def matching(table: DecisionTable, alive: int) -> tuple[Rule | None, tuple[Limit, ...]]:
    """The first rule among the rows that match, and all hard limits, in the order written."""
    return table.rule_of[alive.bit_length() - table.limit_bits - 1], _limits(table, alive)


def _limits(table: DecisionTable, alive: int) -> tuple[Limit, ...]:
    if not alive & table.limit_mask:
        return ()
    rows = (row for row in table.limit_rows if alive & row.bit)
    return tuple(dict.fromkeys(row.statement for row in rows if isinstance(row.statement, Limit)))


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
