"""What a case of a test file expects: read from its nodes, and held against what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from ..policy.checks.p903_test_name import unknown_name
from ..policy.checks.p904_no_request import unreadable_value
from ..policy.checks.p905_impossible import impossible
from ..policy.suite import texts
from ..policy.words import usd_short
from ..policy.yaml import Mapping, Node, Scalar, Sequence
from ..schemas.decision import Decision, Explanation, Outcome, Seen
from ..schemas.diagnostics import Diagnostic
from ..schemas.suite import NO_RULE, Expected, Mismatch
from ..schemas.text import Span
from .reading import nano_usd
from .table import DecisionTable

_IN_A_CHAIN = ("chain", "starts_with", "first", "tier", "costs_at_most")
"""What only a chain can have."""


@dataclass(slots=True)
class Names:
    """Looks names of a test file up in the policy; one that isn't declared there is told."""

    table: DecisionTable
    found: list[Diagnostic] = field(default_factory=list)

    def check(self, span: Span, kind: str, name: str, known: Iterable[str]) -> bool:
        """Whether a name is declared."""
        names = tuple(known)
        if name not in names:
            self.found.append(unknown_name(span, kind, name, names))
        return name in names

    def named(self, node: Node | None, kind: str, known: Iterable[str]) -> str | None:
        """The name that a text is; None where there is none, or it isn't declared."""
        if not isinstance(node, Scalar) or not self.check(node.span, kind, node.text, known):
            return None
        return node.text

    def model(self, node: Node | None) -> str | None:
        """The key of the model that a text means."""
        name = self.named(node, "model", self.table.references)
        return None if name is None else self.table.references[name]

    def models(self, node: Node | None) -> tuple[str, ...]:
        """The keys of the models that a list means."""
        keys = (self.model(scalar) for scalar in texts(node))
        return tuple(key for key in keys if key is not None)


# --- reading ------------------------------------------------------------------------------------------


def read_expected(names: Names, node: Node | None) -> Expected | None:
    """What a case expects; None where something of it can't be, which has been told."""
    before = len(names.found)
    if not isinstance(node, Mapping):
        return None
    outcome, why = node.get("outcome"), node.get("why")
    sentences = why.items if isinstance(why, Sequence) else (why,)
    expected = Expected(
        chain=names.models(node.get("chain")) or None,
        starts_with=names.models(node.get("starts_with")),
        first=names.model(node.get("first")),
        without=names.models(node.get("not")),
        tier=names.named(node.get("tier"), "tier", names.table.tiers),
        rule=_rule(names, node.get("rule")),
        outcome=outcome.text if isinstance(outcome, Scalar) else None,
        most_nusd=_cost(names, node.get("costs_at_most")),
        why=tuple(sentence.text for sentence in sentences if isinstance(sentence, Scalar)),
    )
    if len(names.found) == before:
        names.found += _impossible(names.table, node, expected)
    return expected if len(names.found) == before else None


def _rule(names: Names, node: Node | None) -> str | None:
    known = [rule.name for rule in names.table.policy.rules]
    if isinstance(node, Scalar) and node.text == "none" and "none" not in known:
        return NO_RULE
    return names.named(node, "rule", known)


def _cost(names: Names, node: Node | None) -> int | None:
    if not isinstance(node, Scalar):
        return None
    nusd = nano_usd(node.text)
    if nusd is None:
        names.found.append(unreadable_value(node.span, node.text, "amount of money", "$0.05"))
    return nusd


def _impossible(table: DecisionTable, node: Mapping, expected: Expected) -> Iterator[Diagnostic]:
    """What no decision gives, each at its key."""
    keys = {key.text: key.span for key, _ in node.pairs}
    chains = {
        "chain": expected.chain or (),
        "starts_with": expected.starts_with,
        "first": () if expected.first is None else (expected.first,),
    }
    for key, chain in chains.items():
        for model in dict.fromkeys(chain):
            if not table.policy.models[model].enabled:
                yield impossible(keys[key], f"`{model}` is disabled in the policy", "expect another model")
            if model in expected.without:
                help = "take it out of one of them"
                yield impossible(keys["not"], f"`{model}` can't be in `{key}` and in `not`", help)
        if len(set(chain)) < len(chain):
            yield impossible(keys[key], "no chain has a model twice", "the first place counts")
    said = [(key, chain) for key, chain in chains.items() if chain]
    for (key, chain), (other, short) in pairwise(said):
        if chain[: len(short)] != short[: len(chain)] or (key == "chain" and len(short) > len(chain)):
            yield impossible(keys[other], f"`{other}` and `{key}` start otherwise", "keep one of them")
    if expected.outcome not in (None, Outcome.SERVED):
        for key in (*_IN_A_CHAIN, *(("rule",) if expected.rule else ())):
            if key in keys:
                message = f"a request that ends as `{expected.outcome}` has no `{key}`"
                yield impossible(keys[key], message, "keep one of them")


# --- holding ------------------------------------------------------------------------------------------


def mismatches(
    expected: Expected, decision: Decision, explained: Callable[[], Explanation]
) -> Iterator[Mismatch]:
    """What came out otherwise; the explanation is asked for only where a case expects a `why`."""
    chain, cost = decision.chain, decision.cost_estimate_nusd
    got = ", ".join(chain) or decision.outcome.value
    if expected.outcome not in (None, decision.outcome):
        yield Mismatch("outcome", expected.outcome or "", decision.outcome.value)
    if expected.chain not in (None, chain):
        yield Mismatch("chain", ", ".join(expected.chain or ()), got)
    if chain[: len(expected.starts_with)] != expected.starts_with:
        yield Mismatch("starts_with", ", ".join(expected.starts_with), got)
    if expected.first is not None and chain[:1] != (expected.first,):
        yield Mismatch("first", expected.first, chain[0] if chain else got)
    for key in expected.without:
        if key in chain:
            yield Mismatch("not", f"no {key}", got)
    if expected.tier not in (None, decision.tier):
        yield Mismatch("tier", expected.tier or "", decision.tier or "none")
    if expected.rule not in (None, decision.rule or NO_RULE):
        yield Mismatch("rule", expected.rule or "none", decision.rule or "none")
    if expected.most_nusd is not None and (cost is None or cost > expected.most_nusd):
        paid = decision.outcome.value if cost is None else usd_short(cost)
        yield Mismatch("costs_at_most", usd_short(expected.most_nusd), paid)
    if expected.why:
        told = "\n".join(sentences(explained())).casefold()
        for text in expected.why:
            if text.casefold() not in told:
                yield Mismatch("why", text, "nothing that says so")


def sentences(explanation: Explanation) -> Iterator[str]:
    """Everything that an explanation says, a sentence each."""
    if explanation.decision.refusal:
        yield explanation.decision.refusal
    yield from (
        _statement(f"{s.name} {s.text}".strip() + " holds", s) for s in explanation.limits if s.matched
    )
    yield from winner(explanation)
    yield from (f"{layer.name}: {layer.text}" for layer in explanation.layers)
    yield from (f"{step.model}: {step.reason}" for step in explanation.steps)
    yield from (f"{verdict.model}: {verdict.reason}" for verdict in explanation.verdicts if not verdict.kept)
    yield from explanation.notes


def winner(explanation: Explanation) -> Iterator[str]:
    """The rule that decides, if one does."""
    for seen in explanation.rules:
        if seen.matched and seen.decisive:
            yield _statement(f"rule {seen.name} matches: {seen.text}", seen)


def _statement(words: str, seen: Seen) -> str:
    return f"{words} ({seen.because})" if seen.because else words
