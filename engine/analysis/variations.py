"""What may change between two decisions for one request: gates that fail, models that go into cooldown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...schemas.request import Failure
from ..cases import Case
from ..chain import Ceiling, Routing, ceiling_of, expected_cost
from ..facts import facts_of
from .diagram import Path
from .world import Matched, World

_STEPS = 5
"""What a decision counts for against the cap, in nodes."""


def difference(
    world: World, path: Path, first: Matched, second: Matched, *, plainly: bool = False
) -> Case | None:
    """
    A case of a cell in which it makes a difference which of two rules (None: none) matches; None without.

    Unless `plainly`, after any failures, whatever is in cooldown and whoever names a model.
    """
    case = world.case(path)
    if plainly:
        return None if _same(*_both(world, case, path, first, second)) else case
    for failures in histories(world, case, path, (first, second), anywhere=True):
        failed = replace(case, request=replace(case.request, failures=failures))
        tiers = {r.tier for r in _both(world, failed, path, first, second) if r.tier is not None}
        mates = [by_cost(world, case, tier) for tier in tiers]
        for there in (*cooled(failed, mates), *naming(failed, world.policy.models)):
            if not _same(*_both(world, there, path, first, second)):
                return there
    return None


def cooled(case: Case, mates: Iterable[list[str]]) -> Iterator[Case]:
    """A case with so many of the cheapest models of some tiers in cooldown, each list cheapest first."""
    sets = {frozenset[str]()}
    for keys in mates:
        sets = {down | frozenset(keys[:n]) for down in sets for n in range(len(keys) + 1)}
    for down in sorted(sets, key=lambda down: (len(down), sorted(down))):
        yield replace(case, state=replace(case.state, down=down))


def naming(case: Case, keys: Iterable[str]) -> Iterator[Case]:
    """A case in which a person, or a story, names one of some models."""
    for key in keys:
        yield replace(case, request=replace(case.request, preferred=key))
        yield replace(case, request=replace(case.request, story_models=(key,)))


def _both(world: World, case: Case, path: Path, first: Matched, second: Matched) -> tuple[Routing, Routing]:
    world.diagrams.spend(2 * _STEPS)
    return world.routing(case, path, rule=first), world.routing(case, path, rule=second)


def _same(first: Routing, second: Routing) -> bool:
    return (first.outcome, first.chain, first.tier) == (second.outcome, second.chain, second.tier)


def histories(
    world: World, case: Case, path: Path, rules: tuple[Matched, ...], *, anywhere: bool
) -> Iterator[tuple[Failure, ...]]:
    """
    Failures one after the other, as many as lead to another ceiling with one of some rules; none first.

    Args:
        anywhere: they may have happened in any tier; else in the one that the request was in.
    """
    facts = facts_of(world.table, case.request)
    standing = world.situation(case, path).standing_for(facts.domain)
    seen: set[tuple[Ceiling, ...]] = set()
    waiting: deque[tuple[Failure, ...]] = deque([()])
    while waiting:
        failures = waiting.popleft()
        world.diagrams.spend()
        now = replace(facts, failures=tuple(_resolved(world, f) for f in failures))
        ceilings = tuple(ceiling_of(world.table, now, standing, rule)[0] for rule in rules)
        if ceilings in seen:
            continue
        seen.add(ceilings)
        yield failures
        for failure in _failures(world, case, path, rules, failures, anywhere):
            waiting.append((*failures, failure))


def _resolved(world: World, failure: Failure) -> tuple[str, int | None]:
    return failure.cause, None if failure.tier is None else world.table.tiers[failure.tier]


def _failures(
    world: World,
    case: Case,
    path: Path,
    rules: tuple[Matched, ...],
    before: tuple[Failure, ...],
    anywhere: bool,
) -> Iterator[Failure]:
    """What may fail next: each cause, in the tier as it stands, or where else it can have happened."""
    causes = causes_of(world)
    if not causes:
        return
    tiers: list[str | None] = [None]
    if anywhere:
        tiers += [tier.name for tier in world.policy.tiers]
    else:
        failed = replace(case, request=replace(case.request, failures=before))
        tiers += [world.routing(failed, path, rule=rule).tier for rule in rules]
    for tier in dict.fromkeys(tiers):
        yield from (Failure(cause, tier) for cause in causes)


def causes_of(world: World) -> list[str]:
    """One failure of each kind that the policy's escalations tell apart, gates first."""
    escalations = world.policy.escalations
    named = [f"gate {e.gate}" for e in escalations if e.gate is not None]
    named += [str(kind) for e in escalations for kind in e.kinds]
    apart: dict[tuple[int, ...], str] = {}
    for cause in named:
        statements = tuple(n for n, e in enumerate(escalations) if cause in (f"gate {e.gate}", *e.kinds))
        apart.setdefault(statements, cause)
    return list(apart.values())


def by_cost(world: World, case: Case, tier: str) -> list[str]:
    """The models of a tier, the cheapest for a request first."""
    policy = world.policy
    tokens = (
        case.request.input_tokens if case.request.input_tokens is not None else policy.estimate_input_tokens,
        case.request.output_tokens
        if case.request.output_tokens is not None
        else policy.estimate_output_tokens,
    )
    keys = policy.tiers[world.table.tiers[tier]].models
    return sorted(keys, key=lambda key: (expected_cost(policy.models[key], *tokens), key))
