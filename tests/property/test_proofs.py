"""
What is proven about a policy is what a walk through all of its requests finds.

POLICYCTL_PROOFS says how many random small policies are drawn, POLICYCTL_SEED from which seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from policyctl.engine.analysis.cells import Space
from policyctl.engine.analysis.conditions import adding_nothing, always_holding, contradictions
from policyctl.engine.analysis.diagram import Diagrams
from policyctl.engine.analysis.gaps import gaps
from policyctl.engine.analysis.idle import limits_without_effect, never_allowed
from policyctl.engine.analysis.matching import Matching, by_statement
from policyctl.engine.analysis.promises import broken
from policyctl.engine.analysis.rules import effect_of, never_winning, winning_paths, without_effect
from policyctl.engine.analysis.world import World
from policyctl.engine.cases import Case
from policyctl.engine.compile import compile_policy
from policyctl.schemas.decision import Decision, Outcome
from policyctl.schemas.policy import CheckedPolicy, Condition, Policy, Promise, ValueIs
from policyctl.schemas.request import Failure

from ..reference import evaluator
from ..reference.generate import maybe, seeded, some
from ..reference.small import Ask, conditions_of, decided, everything, small_policy, told, varied

POLICIES = int(os.environ.get("POLICYCTL_PROOFS", "600"))
SEED = os.environ.get("POLICYCTL_SEED", "20250611")
SHARES = 10
MOST_REQUESTS = 150


def policies(share: int) -> Iterator[tuple[Policy, list[Ask]]]:
    """Random policies, each with all its requests, which are few enough to walk through."""
    rng = seeded(f"{SEED}/{share}")
    left = POLICIES // SHARES
    while left:
        policy = small_policy(rng)
        asks = everything(policy, MOST_REQUESTS)
        if asks is not None:
            left -= 1
            yield policy, asks


def as_ask(case: Case) -> Ask:
    return Ask(case.request, case.state)


def world_of(policy: Policy) -> World:
    table = compile_policy(CheckedPolicy(policy))
    space = Space(table)
    return World(Matching(space, Diagrams(10**9, space.weights)))


def is_gap(policy: Policy, decision: Decision, ask: Ask) -> bool:
    """
    Nobody serves, and neither a `refuse` nor a pause is why; nor an `only` level that lacks capabilities
    of which no condition speaks.
    """
    if decision.outcome is Outcome.NO_MODEL:
        return True
    if decision.outcome is not Outcome.REFUSED_BY_BUDGET or decision.action != "only":
        return False
    conditions = [c for c in conditions_of(policy) if isinstance(c, ValueIs) and c.fact == "requires"]
    if ask.request.requires - {value for condition in conditions for value in condition.values}:
        return False
    asked = evaluator.gather(policy, ask.request)
    level = evaluator.level_in_force(policy, asked, ask.state)
    assert level is not None
    obstacles = evaluator.obstacles(policy, asked, ask.state)
    return all(obstacles[key] in ("forbidden", "unable") for key in level[1].models)


@pytest.mark.parametrize("share", range(SHARES))
def test_what_is_proven_is_what_a_walk_finds(share: int) -> None:
    """
    Gaps, rules that never win or change nothing, conditions that never hold and hard limits that change
    nothing are told exactly where a walk through all requests finds them.
    """
    for policy, asks in policies(share):
        walk = Walk(policy, asks)
        gaps_are_found(walk)
        rules_that_never_win_are_found(walk)
        rules_that_change_nothing_are_found(walk)
        conditions_that_never_hold_are_found(walk)
        alternatives_that_add_nothing_are_found(walk)
        conditions_that_always_hold_are_found(walk)
        limits_that_change_nothing_are_found(walk)
        models_that_are_never_allowed_are_found(walk)
        promises_are_proven_or_broken(walk)


class Walk:
    """A policy, all its requests, and what the reference makes of them."""

    def __init__(self, policy: Policy, asks: list[Ask]) -> None:
        self.policy = policy
        self.asks = asks
        self.gathered = [(evaluator.gather(policy, ask.request), ask.state) for ask in asks]
        self.decisions = [decided(policy, ask) for ask in asks]
        self.world = world_of(policy)
        self.won = winning_paths(self.world)

    def where(self, conditions: tuple[Condition, ...]) -> set[int]:
        """The requests, by their places, that satisfy all of some conditions."""
        return {
            place
            for place, (asked, state) in enumerate(self.gathered)
            if all(evaluator.holds(self.policy, asked, state, c) for c in conditions)
        }


def gaps_are_found(walk: Walk) -> None:
    """A policy has a gap exactly where some request has nobody, and the request that is told is one."""
    expected = {
        (decision.action == "only", ask.request.requires)
        for ask, decision in zip(walk.asks, walk.decisions, strict=True)
        if is_gap(walk.policy, decision, ask)
    }
    found = list(gaps(walk.world))

    assert {only for only, _ in expected} == {gap.level is not None for gap in found}, walk.policy
    assert {requires for _, requires in expected} >= {gap.case.request.requires for gap in found}, walk.policy
    for gap in found:
        ask = as_ask(gap.case)
        assert is_gap(walk.policy, decided(walk.policy, ask), ask), (walk.policy, gap)


def rules_that_never_win_are_found(walk: Walk) -> None:
    """A rule never wins where no request has it as the first match; deleting it changes no decision."""
    policy, world = walk.policy, walk.world
    won = {id(evaluator.matching_rule(policy, asked, state)) for asked, state in walk.gathered}
    covered = {found.rule.name for found in never_winning(world, walk.won) if found.alternative is None}
    impossible = {
        rule.name
        for n, rule in enumerate(policy.rules)
        if not any(box.bit & world.matching.held for box in world.rule_boxes if box.number == n)
    }
    never = {rule.name for rule in policy.rules if id(rule) not in won}

    assert never == covered | impossible, policy
    without = replace(policy, rules=tuple(r for r in policy.rules if r.name not in never))
    for ask in walk.asks[:: max(len(walk.asks) // 10, 1)] if never else ():
        assert told(policy, ask) == told(without, ask)


def rules_that_change_nothing_are_found(walk: Walk) -> None:
    """A rule that wins changes nothing where no decision is another without it."""
    policy, world = walk.policy, walk.world
    idle = {found.rule.name for found in without_effect(world, walk.won)}
    for number, rule in enumerate(policy.rules):
        without = replace(policy, rules=tuple(r for n, r in enumerate(policy.rules) if n != number))
        places = [place for place in walk.won if world.rule_boxes[place].number == number]
        if rule.name in idle:
            assert all(told(policy, ask) == told(without, ask) for ask in varied(policy, walk.asks)), (
                policy,
                rule,
            )
        elif places:
            cases = [effect_of(world, place, walk.won[place]) for place in places]
            shown = [as_ask(case) for case in cases if case is not None]
            assert any(told(policy, ask) != told(without, ask) for ask in shown), (policy, rule)


def conditions_that_never_hold_are_found(walk: Walk) -> None:
    """Conditions exclude each other where no request satisfies them all."""
    found = {box.bit for box, _ in contradictions(walk.world.matching)}
    for box in walk.world.space.boxes:
        assert bool(walk.where(box.conditions)) == (box.bit not in found), (walk.policy, box)


def alternatives_that_add_nothing_are_found(walk: Walk) -> None:
    """An alternative adds nothing where others of its statement hold wherever it does; last ones go first."""
    world = walk.world
    for boxes in (world.rule_boxes, world.limit_boxes, world.promise_boxes):
        for own in by_statement(boxes).values():
            told_of = {box.bit for box, _ in adding_nothing(world.matching, own)}
            holding = {box.bit: walk.where(box.conditions) for box in own}
            left = [box for box in own if holding[box.bit]]
            expected = set()
            for box in reversed(left):
                others = [other for other in left if other is not box]
                if others and holding[box.bit] <= set().union(*(holding[other.bit] for other in others)):
                    expected.add(box.bit)
                    left = others
            assert expected == told_of, (walk.policy, own)


def conditions_that_always_hold_are_found(walk: Walk) -> None:
    """A condition always holds where every request satisfies it."""
    space = walk.world.space
    told_of = set(always_holding(space, 0, space.boxes))
    for condition in {condition for box in space.boxes for condition in box.conditions}:
        assert (condition in told_of) == (len(walk.where((condition,))) == len(walk.asks)), condition


def models_that_are_never_allowed_are_found(walk: Walk) -> None:
    """An enabled model can never serve where hard limits forbid it, or refuse, wherever it is able."""
    allowed: set[str] = set()
    for asked, state in walk.gathered:
        if not evaluator.refusing_limits(walk.policy, asked, state):
            able = {k for k, m in walk.policy.models.items() if evaluator.is_able(m, asked, state)}
            allowed |= able - evaluator.forbidden_models(walk.policy, asked, state)
    enabled = {key for key, model in walk.policy.models.items() if model.enabled}

    if walk.policy.limits:
        assert enabled - allowed == set(never_allowed(walk.world)), walk.policy


def limits_that_change_nothing_are_found(walk: Walk) -> None:
    """A hard limit changes nothing where the others forbid all that it does."""
    policy = walk.policy

    def forbids(limits: tuple[Any, ...]) -> list[Any]:
        less = replace(policy, limits=limits)
        return [
            "refused"
            if evaluator.refusing_limits(less, asked, state)
            else frozenset(evaluator.forbidden_models(less, asked, state))
            for asked, state in walk.gathered
        ]

    idle = [id(limit) for limit, _ in limits_without_effect(walk.world)]
    left = policy.limits
    for limit in reversed(policy.limits):
        less = tuple(other for other in left if other is not limit)
        holds = any(evaluator.applies(policy, asked, state, limit.when) for asked, state in walk.gathered)
        superfluous = holds and forbids(left) == forbids(less)
        assert superfluous == (id(limit) in idle), (policy, limit)
        left = less if superfluous else left


def promises_are_proven_or_broken(walk: Walk) -> None:
    """A promise is told to be broken by a chain that breaks it, and else no chain does."""
    policy, rng = walk.policy, seeded(walk.policy.digest)
    for number, promise in enumerate(policy.promises):
        found = broken(walk.world, promise, number)
        if found is not None:
            asked = evaluator.gather(policy, found.case.request)
            assert evaluator.applies(policy, asked, found.case.state, promise.when), (policy, promise, found)
            assert breaks(policy, promise, decided(policy, as_ask(found.case)))
            continue
        covered = [
            ask
            for ask, (asked, state) in zip(walk.asks, walk.gathered, strict=True)
            if evaluator.applies(policy, asked, state, promise.when)
            and not any(spend.held_nusd for spend in state.spend.values())
        ]
        some_asks = rng.choices(covered, k=80) if covered else []
        for ask in [*covered, *(worse(rng, policy, ask, promise) for ask in some_asks)]:
            assert not breaks(policy, promise, decided(policy, ask)), (policy, promise, ask)


def breaks(policy: Policy, promise: Promise, decision: Decision) -> bool:
    """docs/language.md: what a promise says must be true of every chain, the whole chain."""
    models = [policy.models[key] for key in decision.chain]
    if not models:
        return False
    if promise.no_models:
        return any(model.key in promise.no_models for model in models)
    if promise.min_providers is not None:
        return len({model.provider for model in models}) < promise.min_providers
    if promise.max_price_in_nusd_per_mtok is not None:
        return any(m.price_in_nusd_per_mtok > promise.max_price_in_nusd_per_mtok for m in models)
    tokens = policy.estimate_input_tokens, policy.estimate_output_tokens
    costs = [
        (tokens[0] * m.price_in_nusd_per_mtok + tokens[1] * m.price_out_nusd_per_mtok + 500_000) // 1_000_000
        for m in models
    ]
    assert promise.max_cost_nusd is not None
    return any(cost > promise.max_cost_nusd for cost in costs)


def worse(rng: Random, policy: Policy, ask: Ask, promise: Promise) -> Ask:
    """A request after failures, each in the tier it was in, with models in cooldown, and maybe named ones."""
    down = frozenset(key for key in policy.models if maybe(rng, 0.4))
    state = replace(ask.state, down=down)
    request = ask.request
    if promise.no_models:
        named = rng.choice((None, *policy.models))
        request = replace(request, preferred=named, story_models=some(rng, tuple(policy.models), 0, 2))
    for _ in range(rng.randint(0, 3)):
        tier = decided(policy, Ask(request, state)).tier if maybe(rng, 0.5) else None
        failure = Failure(rng.choice(("gate tests", "gate lint", "timeout")), tier)
        request = replace(request, failures=(*request.failures, failure))
    return Ask(request, state)
