"""What may change between two decisions for one request: gates that fail, models that go into cooldown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ...schemas.policy import Escalation, Policy
from ...schemas.records import dataclass
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
    views = [View(world, case, path, rule) for rule in (first, second)]
    for failures in histories(views, anywhere=True):
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


@dataclass(frozen=True, slots=True)
class View:
    """A case of a cell, as one policy takes it, and the rule that matches there."""

    world: World
    case: Case
    path: Path
    rule: Matched

    def ceiling(self, failures: tuple[Failure, ...]) -> Ceiling:
        """The ceiling after some failures."""
        table = self.world.table
        facts = facts_of(table, replace(self.case.request, failures=failures))
        standing = self.world.situation(self.case, self.path).standing_for(facts.domain)
        return ceiling_of(table, facts, standing, self.rule)[0]

    def tier(self, failures: tuple[Failure, ...]) -> str | None:
        """The tier that serves after some failures."""
        failed = replace(self.case, request=replace(self.case.request, failures=failures))
        return self.world.routing(failed, self.path, rule=self.rule).tier


def histories(views: Sequence[View], *, anywhere: bool) -> Iterator[tuple[Failure, ...]]:
    """
    Failures one after the other, as many as lead to another ceiling in one of some views; none first.

    Args:
        anywhere: they may have happened in any tier; else in the one that the request was in.
    """
    policies = [view.world.policy for view in views]
    causes = _causes(policies)
    shared = [t.name for t in policies[0].tiers if all(t.name in view.world.table.tiers for view in views)]
    seen: set[tuple[Ceiling, ...]] = set()
    waiting: deque[tuple[Failure, ...]] = deque([()])
    while waiting:
        failures = waiting.popleft()
        views[0].world.diagrams.spend(len(views))
        # What else may fail depends on where all of them are, not on how each came there.
        ceilings = tuple(view.ceiling(failures) for view in views)
        if ceilings in seen:
            continue
        seen.add(ceilings)
        yield failures
        if causes:
            # None: in the tier as it stands.
            tiers = [None, *(shared if anywhere else (view.tier(failures) for view in views))]
            waiting += ((*failures, Failure(c, tier)) for tier in dict.fromkeys(tiers) for c in causes)


def _causes(policies: Iterable[Policy]) -> list[str]:
    """One failure of each kind that the escalations of some policies tell apart, gates first."""
    escalations = [escalation for policy in policies for escalation in policy.escalations]
    named = [cause for e in escalations for cause in causes_of(e)]
    apart: dict[tuple[bool, ...], str] = {}
    for cause in sorted(named, key=lambda cause: not cause.startswith("gate ")):
        apart.setdefault(tuple(cause in causes_of(e) for e in escalations), cause)
    return list(apart.values())


def causes_of(escalation: Escalation) -> list[str]:
    """The failures that an escalation names."""
    gate = escalation.gate
    return [f"gate {gate}"] if gate is not None else [str(kind) for kind in escalation.kinds]


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
