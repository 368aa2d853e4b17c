"""
Explanations against the decision that they explain, and against a plain reading of the policy.

POLICYCTL_PAIRS scales how many random policies, requests and states are drawn.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from policyctl import Engine
from policyctl.engine.compile import compile_policy
from policyctl.engine.decide import decide, observe
from policyctl.engine.explain import explain, reasons
from policyctl.policy.words import condition_words, usd_short
from policyctl.schemas.decision import Explanation, Missed, Outcome, Seen
from policyctl.schemas.errors import RequestError
from policyctl.schemas.policy import BudgetIn, CheckedPolicy, Condition, During, Limit, Policy, Rule
from policyctl.schemas.request import Failure, Request, Spend, State

from ..reference import evaluator
from ..reference.evaluator import Asked
from ..reference.generate import describe, random_policy, random_request, random_state, seeded

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))
CASES = PAIRS // 5
CLOSELY = PAIRS // 60
"""How many cases the slower checks look at."""


def cases(name: str, count: int) -> Iterator[tuple[Policy, Request, State, Explanation]]:
    """
    Random policies, requests that can be decided, states, and their explanations.
    """
    rng = seeded(f"explain {name}")
    while count > 0:
        policy = random_policy(rng)
        table = compile_policy(CheckedPolicy(policy))
        for _ in range(4):
            state = random_state(rng, policy)
            situation = observe(table, state)
            for _ in range(5):
                request = random_request(rng, policy)
                try:
                    explanation = explain(table, request, situation)
                except RequestError:
                    continue
                count -= 1
                yield policy, request, state, explanation


# --- the same decision ---------------------------------------------------------------------------


def test_what_is_explained_is_what_is_decided() -> None:
    """
    `explain(…).decision` is `decide(…)`, errors included, in a fresh situation and in a kept one.
    """
    rng = seeded("explain agrees")
    count = CASES
    while count > 0:
        policy = random_policy(rng)
        table = compile_policy(CheckedPolicy(policy))
        for _ in range(4):
            situation = observe(table, random_state(rng, policy))
            for _ in range(20):
                request = random_request(rng, policy)
                count -= 1
                try:
                    decision = decide(table, request, situation)
                except RequestError as error:
                    with pytest.raises(RequestError) as caught:
                        explain(table, request, situation)
                    assert error.problems == caught.value.problems
                    continue
                assert decision == explain(table, request, situation).decision


def test_the_steps_are_the_chain() -> None:
    """
    One step for each model of the chain, in order, each with the cost of this request.
    """
    for policy, request, state, explanation in cases("steps", CLOSELY):
        asked = evaluator.gather(policy, request)
        keys = [step.model for step in explanation.steps]

        assert list(explanation.decision.chain) == keys
        assert [evaluator.estimate_nusd(policy, asked, key) for key in keys] == [
            step.cost_nusd for step in explanation.steps
        ]
        assert [key in state.down for key in keys] == [step.in_cooldown for step in explanation.steps]
        assert all(step.reason for step in explanation.steps)


# --- models ----------------------------------------------------------------------------------------


def test_every_model_has_its_verdict() -> None:
    """
    A model is kept once if it is in the chain, and never else; each model of the policy is told of,
    unless a rule refused or a budget paused.
    """
    for policy, request, state, explanation in cases("verdicts", CLOSELY):
        decision = explanation.decision
        kept = Counter(v.model for v in explanation.verdicts if v.kept)

        assert Counter(decision.chain) == kept, describe(policy, request, state)
        if decision.outcome is Outcome.REFUSED_BY_RULE or decision.action == "pause":
            assert () == explanation.verdicts
        else:
            assert set(policy.models) == {v.model for v in explanation.verdicts}
        assert all(v.reason for v in explanation.verdicts)


def test_what_removed_a_model_is_what_stands_in_its_way() -> None:
    """
    A model that can't serve says so: forbidden, unable or of a paused budget, in this order.
    """
    words = {
        "forbidden": ("forbidden by `never use", "not among `only use"),
        "unable": ("disabled in", "no key:", "its program", "can't do", "context of"),
        "paused": ("budget ",),
    }
    for policy, request, state, explanation in cases("removed", CLOSELY):
        if not explanation.verdicts or explanation.decision.action == "only":
            continue
        obstacles = evaluator.obstacles(policy, evaluator.gather(policy, request), state)
        for key, obstacle in obstacles.items():
            mine = [v.reason for v in explanation.verdicts if v.model == key]
            if obstacle is not None:
                assert not any(v.kept for v in explanation.verdicts if v.model == key)
                removed = [r for r in mine if r.startswith(words[obstacle])]
                placed = [r for r in mine if "ceiling" in r or "tier" in r or "failed already" in r]
                assert removed or placed, (key, obstacle, mine)


# --- rules and limits ----------------------------------------------------------------------------------


def expected_missed(
    policy: Policy, asked: Asked, state: State, statement: Rule | Limit
) -> tuple[Missed, ...]:
    """
    Of each alternative the first condition that fails, and the value of the request there.
    """
    if evaluator.applies(policy, asked, state, statement.when):
        return ()
    failed = [next(c for c in row if not evaluator.holds(policy, asked, state, c)) for row in statement.when]
    return tuple(Missed(condition_words(c), met(policy, asked, state, c)) for c in failed)


def met(policy: Policy, asked: Asked, state: State, condition: Condition) -> str:
    if isinstance(condition, During):
        local = state.now.astimezone(UTC).astimezone(ZoneInfo(policy.timezone))
        return f"{'Mon Tue Wed Thu Fri Sat Sun'.split()[local.weekday()]} {local.hour:02}:{local.minute:02}"
    if isinstance(condition, BudgetIn):
        budget = policy.budgets[condition.budget]
        spent = state.spend.get(budget.name, Spend()).spent_nusd
        return f"{usd_short(spent)} of {usd_short(budget.limit_nusd)}"
    value = asked.facts[condition.fact]
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "nothing"
    if isinstance(value, str):
        return value or '""'
    return str(int(value)) if value == int(value) else str(float(value))


def test_each_rule_above_the_winner_tells_what_failed() -> None:
    """
    A rule matches or tells the first failing condition of each alternative and the value it met; what
    stands below the winner isn't decisive.
    """
    winners: Counter[bool] = Counter()
    for policy, request, state, explanation in cases("rules", CLOSELY):
        asked = evaluator.gather(policy, request)
        winner = evaluator.matching_rule(policy, asked, state)
        names = [rule.name for rule in policy.rules]
        above = len(names) if winner is None else names.index(winner.name) + 1
        winners[winner is None] += 1

        assert names == [seen.name for seen in explanation.rules]
        assert [n < above for n in range(len(names))] == [seen.decisive for seen in explanation.rules]
        decisive = [seen.name for seen in explanation.rules if seen.decisive and seen.matched]
        assert ([] if winner is None else [winner.name]) == decisive
        if explanation.decision.chain:
            assert explanation.decision.rule == (None if winner is None else winner.name)
        for rule, seen in zip(policy.rules, explanation.rules, strict=True):
            check_seen(policy, asked, state, rule, seen)

    assert min(winners[True], winners[False]) > CLOSELY // 10


def test_each_limit_tells_what_failed() -> None:
    """
    Hard limits have no order: each is decisive, and holds or tells what failed.
    """
    for policy, request, state, explanation in cases("limits", CLOSELY):
        asked = evaluator.gather(policy, request)
        for limit, seen in zip(policy.limits, explanation.limits, strict=True):
            assert (limit.kind.value, ", ".join(limit.models), True) == (seen.name, seen.text, seen.decisive)
            check_seen(policy, asked, state, limit, seen)


def check_seen(policy: Policy, asked: Asked, state: State, statement: Rule | Limit, seen: Seen) -> None:
    assert evaluator.applies(policy, asked, state, statement.when) == seen.matched
    assert expected_missed(policy, asked, state, statement) == seen.missed


def test_facts_are_those_of_the_request() -> None:
    """
    Every fact of the policy has its value, and says whether the request gave it.
    """
    for policy, request, _, explanation in cases("facts", CLOSELY):
        asked = evaluator.gather(policy, request)
        given = {name for name, value in vars_of(request).items() if value not in (None, frozenset())}

        assert list(policy.facts) == [fact.name for fact in explanation.facts]
        for fact in explanation.facts:
            value = asked.facts[fact.name]
            assert (fact.value == '""') == (value == "")
            if fact.name not in ("domain", "tier"):  # one that the policy doesn't have counts as none
                assert fact.given == (fact.name in given)
            if isinstance(value, str) and value:
                assert value == fact.value


def vars_of(request: Request) -> dict[str, object]:
    return {field.name: getattr(request, field.name) for field in fields(request)} | dict(request.inputs)


# --- reasons -------------------------------------------------------------------------------------------


def test_there_is_always_a_reason() -> None:
    """
    The first reason names the first model of the chain, or says why there is none.
    """
    for _, _, _, explanation in cases("reasons", CLOSELY):
        found = reasons(explanation)
        decision = explanation.decision

        assert found and all(text.strip() and text.isprintable() for text in found)
        first = decision.chain[0] if decision.chain else decision.refusal
        assert first is not None and found[0].startswith(first)


HOSTILE = "\x1b]0;pwned\x07\r\n\u202edrawkcab\u200b\x00\x9b31m"


def test_reasons_have_no_control_characters() -> None:
    """
    What a story or a person wrote is quoted with everything escaped that a terminal would act on.
    """
    engine = Engine.from_text(
        """
        model m is offline/m costs nothing  model n is offline/n costs nothing
        tier low from complexity 0 has m  tier high from complexity 5 has n
        escalate to next tier when gate tests fails
        """
    )
    request = Request(
        complexity=1,
        domain=HOSTILE,
        branch=HOSTILE,
        kind=HOSTILE,
        story_models=(HOSTILE, "m"),
        failures=(Failure(f"gate {HOSTILE}"), Failure("gate tests")),
    )

    told = [
        *reasons(engine.explain(request)),
        *reasons(engine.explain(replace(request, requires=frozenset({HOSTILE})))),
    ]

    assert any("drawkcab" in text for text in told)
    assert [] == [text for text in told if not text.isprintable()]


def test_the_clock_that_a_window_met_is_that_of_the_call() -> None:
    """
    Two moments in one stretch of a window share a decision, but each is told its own time.
    """
    engine = Engine.from_text(
        """
        model m is offline/m costs nothing  tier low from complexity 0 has m
        window office is Mon to Fri 09:00 to 17:00
        rule r when during office use m
        """
    )
    times = [datetime(2026, 1, 5, 18, minute, tzinfo=UTC) for minute in (0, 30, 59)]
    found = [engine.explain(complexity=1, now=now).rules[0].missed[0].met for now in times]

    assert ["Mon 18:00", "Mon 18:30", "Mon 18:59"] == found


# --- sub-tasks -----------------------------------------------------------------------------------


def test_a_sub_task_is_bound_by_the_limits_of_its_story() -> None:
    """
    Over random policies: a sub-task is decided as if the hard limits that hold for its story, and for the
    story of that, held always; the explanation shows them as holding, and says whose they are.
    """
    met = Counter[bool]()
    story, of = Request(), None
    for policy, request, state, _ in cases("sub-tasks", CLOSELY):
        if policy is of:
            table = compile_policy(CheckedPolicy(policy))
            situation = observe(table, state)
            holding = explain(table, story, situation).limits
            child = replace(request, delegated_by=story)
            always = tuple(
                replace(limit, when=()) if seen.matched else limit
                for limit, seen in zip(policy.limits, holding, strict=True)
            )
            plain = compile_policy(CheckedPolicy(replace(policy, limits=always)))
            expected = decide(plain, request, observe(plain, state))
            found = explain(table, child, situation)

            assert found.decision == decide(table, child, situation)
            for name in ("outcome", "chain", "tier", "downgraded", "no_way_up", "served_by_fallback"):
                assert getattr(expected, name) == getattr(found.decision, name), describe(
                    policy, child, state
                )
            assert [True] * sum(s.matched for s in holding) == [
                mine.matched for mine, theirs in zip(found.limits, holding, strict=True) if theirs.matched
            ]
            met[any("that delegates this" in note for note in found.notes)] += 1
        deeper = policy is of and story.delegated_by is None
        of, story = policy, replace(request, delegated_by=story) if deeper else request
    assert min(met[True], met[False]) > 20, met
