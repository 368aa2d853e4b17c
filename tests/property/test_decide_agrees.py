"""
The engine and the second opinion agree on every decision.

POLICYCTL_PAIRS says how many cases are drawn, POLICYCTL_SEED from which seed. A case on which the
two disagree is made smaller and kept in tests/cases/decide, where every later run replays it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policyctl.engine.compile import compile_policy
from policyctl.engine.decide import decide, observe
from policyctl.engine.prepared import prepare
from policyctl.schemas.decision import Decision
from policyctl.schemas.errors import RequestError
from policyctl.schemas.policy import CAPABILITIES, CheckedPolicy, Policy
from policyctl.schemas.request import Request, State

from ..reference import evaluator
from ..reference.generate import (
    Case,
    changed,
    describe,
    maybe,
    on_one_line,
    random_policy,
    random_request,
    random_state,
    random_variation,
    read_case,
    seeded,
)

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))
SEED = os.environ.get("POLICYCTL_SEED", "20250611")
SHARES = 10
STATES_PER_POLICY = 5
REQUESTS_PER_STATE = 20
CASES = Path(__file__).parent.parent / "cases" / "decide"

COMPARED = (
    "outcome",
    "chain",
    "tier",
    "rule",
    "budget",
    "action",
    "downgraded",
    "no_way_up",
    "served_by_fallback",
    "cost_estimate_nusd",
    "until",
    "policy_digest",
)

Answer = dict[str, Any]


def told(decision: Decision | RequestError) -> Answer:
    """What is compared of an answer; of an error only that it is one, of a time the instant."""
    if isinstance(decision, RequestError):
        return {"outcome": "error"}
    answer = {name: getattr(decision, name) for name in COMPARED}
    if isinstance(decision.until, datetime):
        answer["until"] = decision.until.astimezone(UTC)
    return answer


def by_engine(table: Any, request: Request, situation: Any) -> Answer:
    """
    The answer to a request, however it is asked: as it is, prepared, or as plain values.

    A crash is an answer too: whatever it is, it is the finding. So are two ways with two answers.
    """
    answers = {
        "as it is": answer_of(lambda: decide(table, request, situation)),
        "prepared": answer_of(lambda: decide(table, prepare(table, request), situation)),
    }
    if request.requires <= set(CAPABILITIES):  # a story may require what nobody can, a program may not
        plain = as_plain(request)
        answers["as plain values"] = answer_of(lambda: decide(table, plain, situation))
    first, *others = answers.values()
    return first if others == [first] * len(others) else {"outcome": f"depends on the way: {answers}"}


def answer_of(ask: Callable[[], Decision]) -> Answer:
    try:
        return told(ask())
    except RequestError as error:
        return told(error)
    except Exception as error:
        return {"outcome": f"{type(error).__name__}: {error}"}


def as_plain(request: Request) -> dict[str, Any]:
    """The request as a program has it: only what it says, and inputs beside the rest."""
    said = {
        field.name: getattr(request, field.name)
        for field in fields(request)
        if getattr(request, field.name) != getattr(Request(), field.name)
    }
    return {**said.pop("inputs", {}), **said}


def differences(case: Case) -> dict[str, tuple[Any, Any]]:
    """What the reference says and what the engine says, where they differ."""
    policy, request, state = case
    expected = told(evaluator.decide(policy, request, state))
    table = compile_policy(CheckedPolicy(policy))
    actual = by_engine(table, request, observe(table, state))
    return {
        name: (expected.get(name), actual.get(name))
        for name in COMPARED
        if expected.get(name) != actual.get(name)
    }


# --- smaller cases ------------------------------------------------------------------------------------------


def shrunk(case: Case) -> Case:
    """The case without whatever isn't needed for the two to disagree in the same fields."""
    fields_that_differ = differences(case).keys()
    for smaller in smaller_cases(case):
        if differences(smaller).keys() == fields_that_differ:
            return shrunk(smaller)
    return case


def smaller_cases(case: Case) -> Iterator[Case]:
    """The case with one thing less."""
    policy, request, state = case
    for less_policy in smaller_policies(policy):
        yield less_policy, request, state
    for less_request in with_one_default(request):
        yield policy, less_request, state
    for index in range(len(request.failures)):
        yield policy, replace(request, failures=without(request.failures, index)), state
    for less_state in with_one_default(state):
        yield policy, request, less_state


def without(members: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return members[:index] + members[index + 1 :]


def with_one_default(value: Any) -> Iterator[Any]:
    empty = type(value)(now=value.now) if isinstance(value, State) else type(value)()
    for field in fields(value):
        default = getattr(empty, field.name)
        if getattr(value, field.name) != default:
            yield replace(value, **{field.name: default})


def smaller_policies(policy: Policy) -> Iterator[Policy]:
    for name in ("rules", "limits", "escalations"):
        statements = getattr(policy, name)
        for index in range(len(statements)):
            yield changed(policy, **{name: without(statements, index)})
    for name in ("rules", "limits"):
        statements = getattr(policy, name)
        for index, statement in enumerate(statements):
            for when in smaller_whens(statement.when):
                less = replace(statement, when=when)
                yield changed(policy, **{name: (*statements[:index], less, *statements[index + 1 :])})
    for index, tier in enumerate(policy.tiers):
        for place in range(len(tier.models) if len(tier.models) > 1 else 0):
            lighter = replace(tier, models=without(tier.models, place))
            yield replace(policy, tiers=(*policy.tiers[:index], lighter, *policy.tiers[index + 1 :]))
    if policy.fallback is not None:
        yield replace(policy, fallback=None)
        for index in range(len(policy.fallback.entries)):
            entries = without(policy.fallback.entries, index)
            yield replace(policy, fallback=replace(policy.fallback, entries=entries))
    yield from without_what_nobody_names(policy)


def without_what_nobody_names(policy: Policy) -> Iterator[Policy]:
    """What only its own entry names, which does so twice."""
    text = on_one_line(policy)
    for name in ("models", "windows", "budgets", "domains", "facts"):
        members = getattr(policy, name)
        for key, member in members.items():
            if text.count(repr(key)) == 2 and not getattr(member, "built_in", False):
                yield changed(policy, **{name: {k: v for k, v in members.items() if k != key}})


def smaller_whens(when: tuple[tuple[Any, ...], ...]) -> Iterator[tuple[tuple[Any, ...], ...]]:
    for index, row in enumerate(when):
        if len(when) > 1:
            yield without(when, index)
        for place in range(len(row) if len(row) > 1 else 0):
            yield (*when[:index], without(row, place), *when[index + 1 :])


def report(case: Case, origin: str) -> str:
    """Keep the smaller case as a file, and say what it shows."""
    if not differences(case):
        return f"{origin}: the engine's answer depends on the requests before\n{describe(*case)}"
    case = shrunk(case)
    found = "".join(
        f"# {name}: the reference says {expected}, the engine {actual}\n"
        for name, (expected, actual) in differences(case).items()
    )
    CASES.mkdir(parents=True, exist_ok=True)
    path = CASES / f"{case[0].digest}.txt"
    path.write_text(f"# {origin}\n{found}{describe(*case)}", encoding="utf-8")
    return f"{origin}, kept in tests/cases/decide/{path.name}:\n{found}"


# --- tests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", range(SHARES))
def test_engine_agrees_with_the_reference(share: int) -> None:
    """
    For random policies, requests and states both give the same answer, whichever way it is asked for.
    """
    origin = f"seed {SEED}, share {share}"
    print(origin)  # pytest shows it where the engine stops before any answer
    rng = seeded(f"{SEED}/{share}")
    left = PAIRS // SHARES
    while left > 0:
        policy = random_policy(rng)
        table = compile_policy(CheckedPolicy(policy))
        for _ in range(STATES_PER_POLICY):
            state = random_state(rng, policy)
            situation = observe(table, state)
            request = random_request(rng, policy)
            for _ in range(min(REQUESTS_PER_STATE, left)):
                near = maybe(rng, 0.4)
                request = random_variation(rng, policy, request) if near else random_request(rng, policy)
                left -= 1
                if told(evaluator.decide(policy, request, state)) != by_engine(table, request, situation):
                    pytest.fail(report((policy, request, state), origin))


def test_kept_cases() -> None:
    """
    Whatever they once disagreed on, they agree on for good.
    """
    cases = {path.name: read_case(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob("*.txt"))}

    assert {} == {name: found for name, case in cases.items() if (found := differences(case))}
