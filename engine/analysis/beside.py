"""What changes between two policies and decides nothing: what is called, how often, who is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...policy.words import usd_short
from ...schemas.policy import Model, Policy


def beside(old: Policy, new: Policy) -> Iterator[str]:
    """The changes of a policy that no decision can tell, each in a sentence."""
    for key, model in old.models.items():
        if key in new.models:
            yield from _model(model, new.models[key])
    if old.baseline != new.baseline:
        yield f"the baseline is {new.baseline or 'none'}, not {old.baseline or 'none'}"
    estimates = [(p.estimate_input_tokens, p.estimate_output_tokens) for p in (old, new)]
    if estimates[0] != estimates[1]:
        yield f"the estimate is {_tokens(estimates[1])}, not {_tokens(estimates[0])}"
    parallel = [policy.fallback is not None and policy.fallback.parallel for policy in (old, new)]
    if parallel[0] != parallel[1]:
        yield f"the fallback list is tried {'in parallel' if parallel[1] else 'one by one'}"
    if old.hedge_after_s != new.hedge_after_s:
        yield "the hedge is another"
    for word, first, second in (
        ("retries", old.retries, new.retries),
        ("alerts", old.alerts, new.alerts),
        ("promises", old.promises, new.promises),
        ("examples", old.examples, new.examples),
    ):
        if _plain(first) != _plain(second):
            yield f"the {word} are others"


def _model(old: Model, new: Model) -> Iterator[str]:
    if old.id != new.id:
        yield f"model `{old.key}` is {new.id}, not {old.id}"
    prices = [(m.price_in_nusd_per_mtok, m.price_out_nusd_per_mtok) for m in (old, new)]
    if prices[0] != prices[1]:
        now, then = (f"{usd_short(in_)} in, {usd_short(out)} out" for in_, out in (prices[1], prices[0]))
        yield f"model `{old.key}` costs {now}, not {then}"
    calls = [(m.output_tokens, m.timeout_s, m.settings, m.key_names, m.server) for m in (old, new)]
    if calls[0] != calls[1]:
        yield f"model `{old.key}` is called with other settings"


def _tokens(estimate: tuple[int, int]) -> str:
    return f"{estimate[0]} in, {estimate[1]} out"


def _plain(value: Any) -> Any:
    """Statements without their places in the text."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    names = [name for name in getattr(value, "__slots__", ()) if name != "span"]
    return (type(value), *(_plain(getattr(value, name)) for name in names)) if names else value
