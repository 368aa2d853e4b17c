"""DecisionTable, Request, State -> Explanation: the decision, with a reason for everything."""

from __future__ import annotations

from collections.abc import Iterable

from ..policy.words import condition_words, number, usd_short
from ..schemas.decision import Explanation, FactSeen, Missed, Outcome, Seen, Step, Verdict
from ..schemas.policy import BudgetIn, Condition, During, LimitKind, Rule
from ..schemas.policy import Limit as HardLimit
from ..schemas.request import Request
from .chain import Routing, expected_cost_nusd, removal_of, route
from .compile import alternatives
from .conditions import FactValue, budget_holds, fact_holds
from .decide import alive_rows, decision_of, matching
from .facts import Facts, facts_of
from .situation import Situation, spend_of
from .table import DecisionTable

EMPTY = '""'
"""How an empty text is shown."""


def explain(table: DecisionTable, request: Request, situation: Situation) -> Explanation:
    """
    Decide, and say why: each layer, rule, limit and model.

    Raises:
        RequestError: the request lacks a fact, or gives an impossible one.
    """
    facts = facts_of(table, request)
    rule, limits = matching(table, alive_rows(table, facts, situation))
    routing = route(table, facts, situation, rule, limits)
    return Explanation(
        decision=decision_of(table, facts, rule, routing),
        steps=tuple(_steps(table, facts, situation, routing)),
        facts=tuple(_facts(table, facts)),
        limits=tuple(_limit_seen(table, facts, situation, limit, limits) for limit in table.policy.limits),
        rules=tuple(_rules_seen(table, facts, situation, rule)),
        layers=routing.layers,
        verdicts=(*routing.verdicts, *_unconsidered(table, facts, situation, limits, routing)),
        notes=tuple(_notes(table, request, facts, situation, limits, routing)),
    )


def reasons(explanation: Explanation) -> tuple[str, ...]:
    """
    The explanation in a few sentences, most important first.

    They may quote the request; what isn't printable there is escaped.
    """
    return tuple(_printable(text) for text in _reasons(explanation))


def _reasons(explanation: Explanation) -> tuple[str, ...]:
    decision = explanation.decision
    if not decision.chain:
        removed = [f"{v.model}: {v.reason}" for v in explanation.verdicts if not v.kept]
        return (decision.refusal or "refused", *removed)
    matched = [f"rule {s.name} matches: {s.text}" for s in explanation.rules if s.decisive and s.matched]
    layers = [f"{layer.name}: {layer.text}" for layer in explanation.layers]
    return (
        f"{explanation.steps[0].model}: {explanation.steps[0].reason}",
        *matched,
        *layers,
        *explanation.notes,
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# --- facts and chain ----------------------------------------------------------------------------


def _facts(table: DecisionTable, facts: Facts) -> Iterable[FactSeen]:
    for name in table.policy.facts:
        yield FactSeen(name, value_words(facts.values[name]), name not in facts.defaulted)


def value_words(value: FactValue) -> str:
    """A fact's value as a user would write it."""
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "nothing"
    if isinstance(value, str):
        return value or EMPTY
    return number(value)


def _steps(table: DecisionTable, facts: Facts, situation: Situation, routing: Routing) -> Iterable[Step]:
    kept = {v.model: v.reason for v in routing.verdicts if v.kept}
    for key in routing.chain:
        model = table.policy.models[key]
        cost = expected_cost_nusd(model, facts.input_tokens, facts.output_tokens)
        down = key in situation.state.down
        yield Step(key, model.provider, model.id, cost, kept[key], down)


def _unconsidered(
    table: DecisionTable,
    facts: Facts,
    situation: Situation,
    limits: tuple[HardLimit, ...],
    routing: Routing,
) -> Iterable[Verdict]:
    """The models that the decision never came to, and why."""
    if routing.outcome is Outcome.REFUSED_BY_RULE or not routing.verdicts:
        return
    considered = {v.model for v in routing.verdicts}
    for key in table.policy.models:
        if key not in considered:
            reason = removal_of(table, facts, situation, limits, key) or _not_asked(table, key, routing)
            yield Verdict(key, "", False, reason)


def _not_asked(table: DecisionTable, key: str, routing: Routing) -> str:
    if routing.standing is not None and routing.standing.level.action == "only":
        return f"not among the models that budget {routing.standing.budget.name} leaves"
    rank = table.rank.get(key)
    if rank is None:
        return "in no tier, and nothing names it"
    name = table.policy.tiers[rank].name
    if name == routing.tier:
        return "not needed: a named model can serve"
    if routing.tier is None:
        return f"in tier {name}, and nothing names it"
    return f"in tier {name}, the request is in {routing.tier}"


def _notes(
    table: DecisionTable,
    request: Request,
    facts: Facts,
    situation: Situation,
    limits: tuple[HardLimit, ...],
    routing: Routing,
) -> Iterable[str]:
    for name in facts.unknown_models:
        yield f"the story names `{name}`, which the policy doesn't have (or has more than once)"
    if request.domain is not None and request.domain != facts.domain:
        yield f"the policy has no domain `{request.domain}`, so it counts as none"
    if routing.served_by_fallback:
        yield "served by fallback: nobody above the fallback list can serve"
    if routing.no_way_up:
        yield "no way up: a failed gate can't raise the tier any more"
    inherited = [limit for limit in limits if _missed(table, facts, situation, limit) is not None]
    if inherited:
        words = "; ".join(f"{limit.kind.value} {', '.join(limit.models)}".strip() for limit in inherited)
        yield f"a hard limit of the story that delegates this holds here too: {words}"


# --- rules and limits ---------------------------------------------------------------------------


def _rules_seen(
    table: DecisionTable, facts: Facts, situation: Situation, winner: Rule | None
) -> Iterable[Seen]:
    decided = False
    for rule in table.policy.rules:
        missed = _missed(table, facts, situation, rule)
        text = f"use tier {rule.tier}" if rule.tier else f"use {', '.join(rule.models)}"
        yield Seen(
            rule.name,
            text,
            missed is None,
            not decided,
            missed or (),
            rule.because,
            rule.span.source,
            rule.span.start,
        )
        decided = decided or rule is winner


def _limit_seen(
    table: DecisionTable,
    facts: Facts,
    situation: Situation,
    limit: HardLimit,
    holding: tuple[HardLimit, ...],
) -> Seen:
    missed = None if limit in holding else _missed(table, facts, situation, limit)
    refuse = limit.kind is LimitKind.REFUSE
    text = "" if refuse else ", ".join(limit.models)
    return Seen(
        limit.kind.value,
        text,
        missed is None,
        True,
        missed or (),
        limit.because,
        limit.span.source,
        limit.span.start,
    )


def _missed(
    table: DecisionTable, facts: Facts, situation: Situation, statement: Rule | HardLimit
) -> tuple[Missed, ...] | None:
    """Of each alternative the first condition that fails; None where one alternative holds."""
    missed = []
    for conditions in alternatives(statement.when):
        failed = next((c for c in conditions if not condition_holds(table, facts, situation, c)), None)
        if failed is None:
            return None
        missed.append(Missed(condition_words(failed), _met(table, facts, situation, failed)))
    return tuple(missed)


def condition_holds(table: DecisionTable, facts: Facts, situation: Situation, condition: Condition) -> bool:
    if isinstance(condition, During):
        return (condition.window in situation.windows) != condition.negated
    if isinstance(condition, BudgetIn):
        budget = table.policy.budgets[condition.budget]
        return budget_holds(condition, budget, spend_of(situation.state, budget))
    return fact_holds(condition, facts.values[condition.fact])


def _met(table: DecisionTable, facts: Facts, situation: Situation, condition: Condition) -> str:
    """The value that a condition met."""
    if isinstance(condition, During):
        return situation.local.strftime("%a %H:%M")
    if isinstance(condition, BudgetIn):
        budget = table.policy.budgets[condition.budget]
        return f"{usd_short(spend_of(situation.state, budget).spent_nusd)} of {usd_short(budget.limit_nusd)}"
    return value_words(facts.values[condition.fact])
