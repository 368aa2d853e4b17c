"""
policyctl beside other engines: `make bench-peers` installs them from the package index and runs this.

Same rules, same requests. Each engine is given what suits it, ready made: nothing but the evaluation is
timed, from a request in the engine's own terms to the number of the first rule that matches. policyctl gives
more, the finished chain of models. An engine is shown only where it named the same rule as a plain walk
through the rules, for each request that was tried. Rounds are taken in turns, each on fresh requests that
all engines get.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from timing import machine, middle, table, write
from workload import NOW, Condition, Rule, files_of, first_match, requests, rules_of

from policyctl import Decision, Engine

Values = dict[str, Any]
ROUND_S = 0.1
CHECK_S = 5.0


@dataclass(frozen=True)
class Peer:
    """An engine with the rules: what is timed, a request in its terms, which rule an answer names."""

    decide: Callable[[Any], Any]
    encode: Callable[[Values], Any] = dict
    number: Callable[[Any], int] = int


def joined(rule: Rule, words: Callable[[Condition], str], conjunction: str) -> str:
    return conjunction.join(words(c) for c in rule.conditions if c[1] != "during") or words(
        ("", "true", None)
    )


# --- engines --------------------------------------------------------------------------------------


def policyctl_mapping(rules: list[Rule]) -> Peer:
    _, decide, number = _policyctl(rules)
    return Peer(decide, dict, number)


def policyctl_prepared(rules: list[Rule]) -> Peer:
    engine, decide, number = _policyctl(rules)
    return Peer(decide, engine.prepare, number)


def _policyctl(rules: list[Rule]) -> tuple[Engine, Callable[[Any], Decision], Callable[[Decision], int]]:
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine.load(*files_of(Path(folder), len(rules)))

    situation = engine.situation(NOW)

    def decide(request: Any) -> Decision:
        return engine.decide(request, situation=situation)

    def number(decision: Decision) -> int:
        return len(rules) if decision.rule is None else int(decision.rule[1:])

    return engine, decide, number


def if_chain(rules: list[Rule]) -> Peer:
    """What a programmer writes by hand: one `if` a rule, in a function of Python."""

    def words(condition: Condition) -> str:
        fact, test, value = condition
        if test == "between":
            return f"{value[0]} <= {fact} <= {value[1]}"
        if test == "at least":
            return f"{fact} >= {value}"
        return {"has": f"{value!r} in {fact}", "is": f"{fact} == {value!r}", "true": "True"}[test]

    facts = ("complexity", "requires", "domain", "kind", "branch", "attempt", "private", "stage", "score")
    lines = ["def decide(request):", *(f"    {fact} = request[{fact!r}]" for fact in facts)]
    lines += [f"    if {joined(rule, words, ' and ')}: return {rule.number}" for rule in rules]
    names: dict[str, Any] = {}
    exec("\n".join([*lines, f"    return {len(rules)}"]), names)  # noqa: S102
    return Peer(names["decide"])


def _cel_words(condition: Condition) -> str:
    fact, test, value = condition
    number = float if fact != "attempt" else int
    if test == "between":
        return f"{fact} >= {float(value[0])} && {fact} <= {float(value[1])}"
    if test == "at least":
        return f"{fact} >= {number(value)}"
    return {"has": f'"{value}" in {fact}', "is": f'{fact} == "{value}"', "true": "true"}[test]


def _cel_programs(rules: list[Rule], most: int) -> Iterable[str]:
    """The rules as nested choices, as many to a program as its parser takes; -1 where none matches."""
    for at in range(0, len(rules), most):
        text = "-1"
        for rule in reversed(rules[at : at + most]):
            text = f"{joined(rule, _cel_words, ' && ')} ? {rule.number} : ({text})"
        yield text


def _cel_request(values: Values) -> Values:
    return {**values, "requires": list(values["requires"]), "complexity": float(values["complexity"])}


def cel_rust(rules: list[Rule]) -> Peer:
    import cel  # common-expression-language

    programs = [cel.compile(text) for text in _cel_programs(rules, 40)]

    def decide(request: Values) -> int:
        for program in programs:
            number = program.execute(request)
            if number >= 0:
                return int(number)
        return len(rules)

    return Peer(decide, _cel_request)


def cel_cpp(rules: list[Rule]) -> Peer:
    from cel_expr_python import cel

    kinds = dict.fromkeys(("domain", "kind", "branch", "private", "stage"), cel.Type.STRING)
    kinds |= {"complexity": cel.Type.DOUBLE, "score": cel.Type.DOUBLE, "attempt": cel.Type.INT}
    env = cel.NewEnv(variables={**kinds, "requires": cel.Type.List(cel.Type.STRING)})
    programs = [env.compile(text) for text in _cel_programs(rules, 10)]

    def decide(request: Values) -> int:
        for program in programs:
            number = program.eval(data=request).value()
            if number >= 0:
                return int(number)
        return len(rules)

    return Peer(decide, _cel_request)


def zen_engine(rules: list[Rule]) -> Peer:
    import zen

    def cell(condition: Condition) -> tuple[str, str]:
        fact, test, value = condition
        if test == "between":
            return fact, f"[{value[0]}..{value[1]}]"
        if test == "at least":
            return fact, f">= {value}"
        return fact, f"some($, # == '{value}')" if test == "has" else f"'{value}'"

    facts = sorted({fact for rule in rules for fact, test, _ in rule.conditions if test != "during"})
    rows = [
        {"_id": str(rule.number), "out": str(rule.number)}
        | dict(cell(c) for c in rule.conditions if c[1] != "during")
        for rule in rules
    ]
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": fact, "name": fact, "field": fact} for fact in facts],
        "outputs": [{"id": "out", "name": "out", "field": "rule"}],
        "rules": [*rows, {"_id": "none", "out": str(len(rules))}],
    }
    at = {"position": {"x": 0, "y": 0}}
    graph = {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in", **at},
            {"id": "table", "type": "decisionTableNode", "name": "table", "content": content, **at},
            {"id": "end", "type": "outputNode", "name": "end", **at},
        ],
        "edges": [
            {"id": "1", "type": "edge", "sourceId": "in", "targetId": "table"},
            {"id": "2", "type": "edge", "sourceId": "table", "targetId": "end"},
        ],
    }
    decision = zen.ZenEngine().create_decision(zen.ZenDecisionContent(json.dumps(graph)))
    return Peer(lambda request: int(decision.evaluate(request)["result"]["rule"]), _cel_request)


def cedar(rules: list[Rule]) -> Peer:
    """All rules that match are named, so the first is looked for; Cedar has whole numbers only."""
    import cedarpy

    def words(condition: Condition) -> str:
        fact, test, value = condition
        if test == "between":
            return f"context.score >= {round(value[0] * 100)} && context.score <= {round(value[1] * 100)}"
        if test == "at least":
            return f"context.{fact} >= {round(value * _CEDAR_SCALE.get(fact, 1))}"
        return {
            "has": f'context.{fact}.contains("{value}")',
            "is": f'context.{fact} == "{value}"',
            "true": "true",
        }[test]

    texts = [
        f"permit (principal, action, resource) when {{ {joined(rule, words, ' && ')} }};" for rule in rules
    ]
    policies = cedarpy.PolicySet.from_str("\n".join(texts))

    def encode(values: Values) -> Values:
        scaled = {fact: round(values[fact] * scale) for fact, scale in _CEDAR_SCALE.items()}
        context = {**values, **scaled, "requires": list(values["requires"])}
        who = {"principal": 'User::"loop"', "action": 'Action::"route"', "resource": 'Story::"one"'}
        return {**who, "context": context}

    def decide(request: Values) -> int:
        reasons = cedarpy.is_authorized(request, policies, []).diagnostics.reasons
        return min((int(reason[6:]) for reason in reasons), default=len(rules))

    return Peer(decide, encode)


_CEDAR_SCALE = {"score": 100, "complexity": 10}


def rule_engine(rules: list[Rule]) -> Peer:
    import rule_engine

    def words(condition: Condition) -> str:
        fact, test, value = condition
        if test == "between":
            return f"{fact} >= {value[0]} and {fact} <= {value[1]}"
        if test == "at least":
            return f"{fact} >= {value}"
        return {"has": f'"{value}" in {fact}', "is": f'{fact} == "{value}"', "true": "true"}[test]

    compiled = [rule_engine.Rule(joined(rule, words, " and ")) for rule in rules]

    def decide(request: Values) -> int:
        for number, rule in enumerate(compiled):
            if rule.matches(request):
                return number
        return len(compiled)

    return Peer(decide, _cel_request)


ENGINES: dict[str, Callable[[list[Rule]], Peer]] = {
    "policyctl, prepared": policyctl_prepared,
    "policyctl, mapping": policyctl_mapping,
    "if-chain by hand": if_chain,
    "cel-expr-python (C++)": cel_cpp,
    "common-expression-language (Rust)": cel_rust,
    "zen-engine (Rust)": zen_engine,
    "cedarpy (Rust)": cedar,
    "rule-engine (Python)": rule_engine,
}


# --- rounds ---------------------------------------------------------------------------------------


def checked(peer: Peer, rules: list[Rule]) -> int:
    """How many requests were answered as the plain walk does; stops at the first that isn't."""
    end, count = perf_counter() + CHECK_S, 0
    for values in requests(f"check/{len(rules)}", 1_000):
        expected, found = first_match(rules, values), peer.number(peer.decide(peer.encode(values)))
        if expected != found:
            raise SystemExit(f"rule {expected} is right, {found} was named for {values}")
        count += 1
        if perf_counter() > end and count >= 20:
            break
    return count


def compare(count: int, rounds: int) -> list[dict[str, Any]]:
    """All engines at so many rules: the median of their rounds, CPU time a decision."""
    rules = rules_of(count)
    peers = {name: make(rules) for name, make in ENGINES.items()}
    found = {
        name: {"engine": name, "rules": count, "checked": checked(p, rules)} for name, p in peers.items()
    }
    each = {name: _fitting(peer, count) for name, peer in peers.items()}
    taken: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(rounds):
        fresh = list(requests(f"peers/{count}/{number}", max(each.values())))
        for name, peer in peers.items():
            encoded = [peer.encode(values) for values in fresh[: each[name]]]
            decide = peer.decide
            gc.collect()
            start = process_time()
            for request in encoded:
                decide(request)
            taken[name].append((process_time() - start) / len(encoded) * 1e6)
    for name, row in found.items():
        row |= {"us": middle(taken[name]), "lowest_us": min(taken[name]), "each": each[name]}
    return list(found.values())


def _fitting(peer: Peer, count: int) -> int:
    """How many requests make a round of fitting length; it warms up, too."""
    start, done = perf_counter(), 0
    for values in requests(f"fitting/{count}", 20_000):
        peer.decide(peer.encode(values))
        done += 1
        if perf_counter() - start > ROUND_S * 5:
            break
    return max(4, min(1_000, done // 5))


def litellm_router(rounds: int) -> dict[str, float]:
    """LiteLLM's Router picks a deployment of one group, which is other work: three deployments, no rules."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # don't look for prices on the network
    import litellm

    litellm.suppress_debug_info = True
    models = [
        {
            "model_name": "group",
            "litellm_params": {"model": f"openai/m{n}", "api_key": "none"},
            "model_info": {"id": str(n)},
        }
        for n in range(3)
    ]
    router = litellm.Router(model_list=models)
    messages = [{"role": "user", "content": "Name three rivers."}]
    taken = []
    for _ in range(rounds):
        start = process_time()
        for _ in range(100):
            router.get_available_deployment(model="group", messages=messages)
        taken.append((process_time() - start) * 1e6 / 100)
    return {"us": middle(taken), "lowest_us": min(taken)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=(10, 100, 1_000))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, default=Path(".benchmarks", "peers.json"))
    chosen = parser.parse_args()
    found: dict[str, Any] = {"before": machine(), "peers": []}
    for count in chosen.sizes:
        rows = compare(count, chosen.rounds)
        found["peers"] += rows
        ours = rows[0]["us"]
        heads = ("engine", "µs", "lowest", "times the first", "requests that agreed")
        table(
            f"{count:,} rules, CPU time of one decision",
            heads,
            ((r["engine"], r["us"], r["lowest_us"], r["us"] / ours, r["checked"]) for r in rows),
        )
        write(chosen.json, found)
    found["litellm_router"] = litellm_router(chosen.rounds)
    picked = [("pick one of three deployments", found["litellm_router"]["us"])]
    table("LiteLLM's Router, which does other work", ("what", "µs"), picked)
    found["after"] = machine()
    write(chosen.json, found)


if __name__ == "__main__":
    main()
