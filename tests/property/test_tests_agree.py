"""
Test runs and coverage against a plain reading of the policy.

Cases are random requests that expect what the second opinion says, or something near it. Coverage is
read off docs/testing.md, statement by statement, with the second opinion asked about each policy that
lacks one of them. POLICYCTL_PAIRS scales how many are drawn.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from policyctl.engine.analysis.findings import winning_witnesses
from policyctl.engine.compile import compile_policy
from policyctl.engine.coverage import cover
from policyctl.engine.generate import generate
from policyctl.engine.mutants import mutants, tried
from policyctl.engine.suite import resolve
from policyctl.engine.testing import Runner
from policyctl.policy.suite import read_suite
from policyctl.schemas.decision import Decision, Outcome
from policyctl.schemas.errors import RequestError
from policyctl.schemas.policy import Action, CheckedPolicy, Policy
from policyctl.schemas.request import Request, Spend, State
from policyctl.schemas.suite import NO_RULE, Case, Expected
from policyctl.schemas.text import Source

from ..reference import evaluator
from ..reference.generate import HERE, maybe, random_policy, random_request, random_state, seeded, some

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))
SEED = os.environ.get("POLICYCTL_SEED", "20250611")
POLICIES = max(PAIRS // 1000, 40)
SHARES = 4
CASES = 12


def case_of(request: Request, state: State, expected: Expected) -> Case:
    return Case(name="a case", span=HERE, request=request, state=state, expected=expected, options=())


def random_cases(rng: random.Random, policy: Policy) -> Iterator[tuple[Case, Decision]]:
    """Some cases that can be asked, with the decision of the second opinion."""
    for _ in range(CASES):
        request, state = random_request(rng, policy), random_state(rng, policy)
        decision = evaluator.decide(policy, request, state)
        if isinstance(decision, Decision):
            yield case_of(request, state, random_expected(rng, policy, decision)), decision


def random_expected(rng: random.Random, policy: Policy, decision: Decision) -> Expected:
    """What the decision is, or something near it, in some of the ways in which a case can say it."""
    near = Expected(
        chain=decision.chain or None,
        starts_with=decision.chain[: rng.randint(0, 3)],
        first=decision.chain[0] if decision.chain else None,
        without=tuple(key for key in policy.models if key not in decision.chain),
        tier=decision.tier,
        rule=decision.rule or NO_RULE,
        outcome=decision.outcome.value,
        most_nusd=decision.cost_estimate_nusd,
    )
    keys = tuple(policy.models)
    other = Expected(
        chain=some(rng, keys, 1, 3),
        starts_with=some(rng, keys, 0, 2),
        first=rng.choice(keys),
        without=some(rng, keys, 0, 2),
        tier=rng.choice(policy.tiers).name,
        rule=rng.choice([NO_RULE, *(rule.name for rule in policy.rules)]),
        outcome=rng.choice(tuple(Outcome)).value,
        most_nusd=max((decision.cost_estimate_nusd or 0) - rng.choice((0, 1, 10**9)), 0),
    )
    taken = {}
    for name in Expected.__dataclass_fields__:
        if maybe(rng, 0.5) and name != "why":
            taken[name] = getattr(other if maybe(rng, 0.15) else near, name)
    return Expected(**taken)


def as_expected(expected: Expected, decision: Decision) -> bool:
    """docs/testing.md: "At least one of these; all that are said must hold"."""
    chain, cost = list(decision.chain), decision.cost_estimate_nusd
    return all(
        [
            expected.chain is None or list(expected.chain) == chain,
            list(expected.starts_with) == chain[: len(expected.starts_with)],
            expected.first is None or [expected.first] == chain[:1],
            not set(expected.without) & set(chain),
            expected.tier is None or expected.tier == decision.tier,
            expected.rule is None or expected.rule == (decision.rule or NO_RULE),
            expected.outcome is None or expected.outcome == decision.outcome.value,
            expected.most_nusd is None or (cost is not None and cost <= expected.most_nusd),
        ]
    )


# --- coverage, read off the page ------------------------------------------------------------------------


def answer(policy: Policy, case: Case) -> dict[str, Any]:
    """
    "An answer is the whole decision: outcome, chain, tier, rule, level and cost."
    """
    decision = evaluator.decide(policy, case.request, case.state)
    assert isinstance(decision, Decision)
    fields = {name: getattr(decision, name) for name in Decision.__dataclass_fields__}
    return {name: value for name, value in fields.items() if name not in ("refusal", "policy_digest")}


def changes(policy: Policy, case: Case, **fields: Any) -> bool:
    return answer(replace(policy, **fields), case) != answer(policy, case)


def without(members: Any, n: int) -> Any:
    if isinstance(members, tuple):
        return tuple(member for m, member in enumerate(members) if m != n)
    return {name: member for m, (name, member) in enumerate(members.items()) if m != n}


def reached_by(policy: Policy, case: Case) -> Iterator[bool]:
    """For each goal, in the order in which they are told, whether one case reaches it."""
    asked = evaluator.gather(policy, case.request)
    told = answer(policy, case)
    refused = told["outcome"] is Outcome.REFUSED_BY_RULE
    paused = told["action"] == Action.PAUSE.value and not refused
    for tier in policy.tiers:
        yield told["tier"] == tier.name
    yield from reached_rules(policy, case, asked, told, decides=not refused and not paused)
    for n, limit in enumerate(policy.limits):
        yield changes(policy, case, limits=without(policy.limits, n))
        yield from reached_conditions(policy, case, asked, limit.when)
    for domain in policy.domains.values():
        bare = {**policy.domains, domain.name: replace(domain, models=())}
        hit = asked.domain == domain.name and not refused and not paused
        yield hit and (not domain.models or changes(policy, case, domains=bare))
    for budget in policy.budgets.values():
        for level in budget.levels:
            yield not refused and in_force(policy, case, asked, budget, level)
    for n in range(len(policy.escalations)):
        yield changes(policy, case, escalations=without(policy.escalations, n))
    for n in range(len(policy.fallback.entries) if policy.fallback else 0):
        assert policy.fallback is not None
        less = replace(policy.fallback, entries=without(policy.fallback.entries, n))
        yield changes(policy, case, fallback=less)


def reached_rules(
    policy: Policy, case: Case, asked: evaluator.Asked, told: dict[str, Any], *, decides: bool
) -> Iterator[bool]:
    """ "It decides, and somebody serves"; conditions count where "no rule above matches"."""
    above = False
    for rule in policy.rules:
        applies = evaluator.applies(policy, asked, case.state, rule.when)
        yield decides and applies and not above and bool(told["chain"])
        for hung in reached_conditions(policy, case, asked, rule.when):
            yield hung and decides and not above
        above = above or applies


def reached_conditions(policy: Policy, case: Case, asked: evaluator.Asked, when: Any) -> Iterator[bool]:
    """
    "Twice: it is true, and it is false, while the others of its alternative hold, no other alternative
    does".
    """
    for a, row in enumerate(when):
        others = any(all(evaluator.holds(policy, asked, case.state, c) for c in r) for r in without(when, a))
        for n, condition in enumerate(row):
            rest = all(evaluator.holds(policy, asked, case.state, c) for c in without(row, n))
            value = evaluator.holds(policy, asked, case.state, condition)
            for wanted in (True, False):
                yield rest and not others and value is wanted


def in_force(policy: Policy, case: Case, asked: evaluator.Asked, budget: Any, level: Any) -> bool:
    """
    "The worst of the levels that apply; of a budget for a provider, tier or model: `warn` when reached,
    `pause` when another answer would come out without it".
    """
    if evaluator.reached_level(budget, case.state) != level:
        return False
    if budget.scope in (None, "domain"):
        return evaluator.level_in_force(policy, asked, case.state) == (budget, level)
    less = replace(budget, levels=tuple(other for other in budget.levels if other != level))
    return level.action is Action.WARN or changes(policy, case, budgets={**policy.budgets, budget.name: less})


# --- tests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", range(SHARES))
def test_cases_and_coverage_agree(share: int) -> None:
    """
    A case passes just where the second opinion gives what it expects, and the cases reach just what the
    page says.
    """
    rng = seeded(f"tests/{SEED}/{share}")
    passed = failed = 0
    for number in range(POLICIES // SHARES):
        policy = random_policy(rng)
        table = compile_policy(CheckedPolicy(policy))
        drawn = list(random_cases(rng, policy))
        cases = [case for case, _ in drawn]
        wanted = [as_expected(case.expected, decision) for case, decision in drawn]
        runner = Runner(table)

        assert wanted == [result.passed for result in runner.results(cases)], (share, number)
        assert wanted == [runner.passes(case) for case in cases], (share, number)
        goals = cover(table, cases)
        rows = [list(reached_by(policy, case)) for case in cases]
        reached = [any(row[n] for row in rows) for n in range(len(goals))]
        assert all(len(row) == len(goals) for row in rows)
        assert reached == [goal.reached for goal in goals], (share, number, told(goals, reached))
        passed, failed = passed + sum(wanted), failed + wanted.count(False)
    assert min(passed, failed) > POLICIES // SHARES


def told(goals: Any, reached: list[bool]) -> list[Any]:
    return [goal for goal, wanted in zip(goals, reached, strict=True) if goal.reached is not wanted]


def test_every_change_is_one_and_is_noticed_as_the_reference_says() -> None:
    """
    Each mutant differs from its policy, and a case notices it just where the second opinion, asked about
    the changed policy, doesn't give what the case expects.
    """
    rng = seeded(f"mutants/{SEED}")
    noticed = total = 0
    for _ in range(max(POLICIES // 20, 5)):
        policy = random_policy(rng)
        drawn = list(random_cases(rng, policy))
        cases = tuple(case for case, decision in drawn if as_expected(case.expected, decision))
        some_mutants = rng.sample(every := list(mutants(policy)), min(len(every), 30))
        results = list(tried(some_mutants, cases))
        left_out = [mutant for mutant in some_mutants if mutant not in [each for each, _ in results]]
        assert [] == [m.change for m in left_out if any(notices(m.policy, each) for each in cases)]
        for mutant, case in results:
            total += 1
            noticed += case is not None
            assert mutant.policy != policy, mutant.change
            assert (case is not None) == any(notices(mutant.policy, each) for each in cases), mutant.change
    assert 0 < noticed < total


def notices(policy: Policy, case: Case) -> bool:
    decision = evaluator.decide(policy, case.request, case.state)
    return isinstance(decision, RequestError) or not as_expected(case.expected, decision)


def test_each_state_is_a_situation_of_its_own() -> None:
    """
    Cases share a situation where all of their state is the same, and only there.
    """
    policy = random_policy(seeded("states"))
    runner = Runner(compile_policy(CheckedPolicy(policy)))
    state = random_state(seeded("states"), policy)
    key, other = list(policy.models)[:2]
    states = [
        replace(state, spend={"a": Spend(1)}, down=frozenset(), available=None),
        replace(state, spend={"a": Spend(2)}, down=frozenset(), available=None),
        replace(state, spend={"b": Spend(1)}, down=frozenset(), available=None),
        replace(state, spend={"a": Spend(1)}, down=frozenset({key}), available=None),
        replace(state, spend={"a": Spend(1)}, down=frozenset({other}), available=None),
        replace(state, spend={"a": Spend(1)}, down=frozenset(), available=frozenset({key})),
        replace(state, spend={"a": Spend(1)}, down=frozenset(), available=frozenset()),
    ]
    seen = [runner.situation(each) for each in states]

    assert seen == [runner.situation(replace(each)) for each in states]
    assert len(states) == len({id(situation) for situation in seen})


def test_what_is_generated_can_be_read_and_passes() -> None:
    """
    The test file that is generated for a random policy has no finding, and each of its cases passes.
    """
    rng = seeded(f"generated/{SEED}")
    cases = 0
    for number in range(max(POLICIES // 4, 10)):
        policy = random_policy(rng)
        table = compile_policy(CheckedPolicy(policy))
        witnesses = winning_witnesses(table)
        generated = generate(table, witnesses, ["random.policy"])
        if generated.cases == 0:  # a budget of nothing pauses everything
            continue
        text = generated.text
        read = read_suite(Source("generated", text))
        assert read.suite is not None
        resolved = resolve(table, read.suite, {})
        results = list(Runner(table).results(resolved.cases))

        assert () == (*read.diagnostics, *resolved.diagnostics), (number, text)
        assert [] == [result.mismatches for result in results if not result.passed], (number, text)
        assert {rule.name for rule in policy.rules} >= set(witnesses)
        cases += len(results)
    assert cases > 5 * POLICIES // 4
