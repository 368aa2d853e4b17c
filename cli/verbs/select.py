"""`policyctl select`: the models for a request, in six lines or as JSON."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

import click

from ...deciding import Engine
from ...engine.explain import reasons
from ...policy.words import usd
from ...schemas.decision import Decision, Explanation, Outcome
from ...schemas.policy import NANO
from ..exits import Exit
from ..options import FREE_FORM, Asked, RequestVerb, ask, color_option, policy_option, request_options
from ..output import bad, named, note, out, safe, strong

FORMAT_VERSION = "1.0"

EXITS = {
    Outcome.SERVED: Exit.OK,
    Outcome.REFUSED_BY_RULE: Exit.NO_MODEL,
    Outcome.NO_MODEL: Exit.NO_MODEL,
    Outcome.REFUSED_BY_BUDGET: Exit.BUDGET_REFUSED,
}


@click.command(cls=RequestVerb, context_settings=FREE_FORM)
@policy_option
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **options: Any) -> int:
    """
    Choose the models for a request: the chain, its cost, its reason.

    Inputs that the policy declares are options too: --private yes. The exit code is 0 where a model
    serves, 3 where none can or a rule refuses, 4 where a budget refuses.
    """
    asked = ask(ctx, options)
    engine = asked.engine
    situation = engine.situation(asked.state.now, asked.state.spend, asked.state.down, asked.state.available)
    start = perf_counter()
    decision = engine.decide(asked.request, situation=situation)
    elapsed_ms = (perf_counter() - start) * 1000
    explanation = engine.explain(asked.request, situation=situation)
    if as_json:
        out(json.dumps(as_document(asked, explanation, elapsed_ms), indent=2))
    elif decision.chain:
        _six_lines(asked, explanation, elapsed_ms)
    else:
        tell_refusal(engine, decision)
    return EXITS[decision.outcome]


def _six_lines(asked: Asked, explanation: Explanation, elapsed_ms: float) -> None:
    first = explanation.steps[0]
    chain = " -> ".join(explanation.decision.chain)
    out(f"{strong('Provider:')} {safe(first.provider)}")
    out(f"{strong('Model:')} {named(safe(first.model))}")
    out(f"{strong('Reasoning:')} {safe(reasoning(explanation))}")
    out(f"{strong('Fallback chain:')} {safe(chain)}")
    out(f"{strong('Estimated cost:')} {usd(first.cost_nusd)}")
    out(f"{strong('Selection time:')} {elapsed_ms:.2f}ms")
    for remark in explanation.notes:
        note(f"note: {safe(remark)}")


def reasoning(explanation: Explanation) -> str:
    """One line: the complexity, the tier and why the first model is the first."""
    complexity = next(fact.value for fact in explanation.facts if fact.name == "complexity")
    decision = explanation.decision
    # A rule that the story or --tier overruled isn't the reason.
    by_rule = any(layer.name == "tier" and "rule" in layer.text for layer in explanation.layers)
    rule = f", rule {decision.rule}" if decision.rule and by_rule else ""
    level = f", budget {decision.budget}: {decision.action}" if decision.action else ""
    return f"complexity {complexity}, tier {decision.tier}{rule}{level}: {explanation.steps[0].reason}"


def tell_refusal(engine: Engine, decision: Decision) -> None:
    """A refusal on stderr: by what, and until when."""
    from ..explaining import until

    note(f"{bad(decision.outcome.value)}: {safe(decision.refusal or '')}{until(engine, decision)}")
    note("  policyctl explain, with the same options, says why")


def as_document(asked: Asked, explanation: Explanation, elapsed_ms: float) -> dict[str, object]:
    """The JSON of a decision; schemas/select.schema.json is its shape."""
    decision = explanation.decision
    first = explanation.steps[0] if explanation.steps else None
    standing = None if decision.budget is None else {"name": decision.budget, "action": decision.action}
    cost = decision.cost_estimate_nusd
    return {
        "format_version": FORMAT_VERSION,
        "outcome": decision.outcome.value,
        "model": first.model if first else None,
        "provider": first.provider if first else None,
        "model_id": first.model_id if first else None,
        "tier": decision.tier,
        "chain": list(decision.chain),
        "rule": decision.rule,
        "budget": standing,
        "downgraded": decision.downgraded,
        "no_way_up": decision.no_way_up,
        "served_by_fallback": decision.served_by_fallback,
        "cost_estimate_usd": None if cost is None else cost / NANO,
        "cost_estimate_nusd": cost,
        "reasons": list(reasons(explanation)),
        "refusal": decision.refusal,
        "until": None if decision.until is None else decision.until.isoformat(),
        "story": None if asked.story is None else asked.story.id,
        "policy": asked.engine.policy.name,
        "policy_digest": decision.policy_digest,
        "selection_time_ms": round(elapsed_ms, 4),
    }
