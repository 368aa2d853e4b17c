"""Promises: proven for every chain that they cover, or broken by one that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...policy.words import listed_count, usd_short
from ...schemas.decision import Outcome
from ...schemas.policy import Action, Promise
from ...schemas.records import dataclass
from ..cases import Case
from ..chain import expected_cost_nusd
from .cells import budget_subject
from .diagram import Node, Path
from .variations import View, by_cost, histories
from .world import REFUSED, World, is_pause


@dataclass(frozen=True, slots=True)
class Broken:
    """A chain that breaks a promise: the case that gives it, and what is wrong with it."""

    case: Case
    reason: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a promise claims of each chain that it covers."""

    world: World
    promise: Promise

    def broken_by(self, chain: tuple[str, ...]) -> str | None:
        """What is wrong with a chain, if anything is."""
        promise, policy = self.promise, self.world.policy
        if promise.min_providers is not None:
            providers = sorted({policy.models[key].provider for key in chain})
            if len(providers) >= promise.min_providers:
                return None
            return f"the chain has {listed_count(len(providers), 'provider')} ({', '.join(providers)})"
        return next((why for why in map(self.against, chain) if why is not None), None)

    def against(self, key: str) -> str | None:
        """What is wrong with a model in a chain, if anything is."""
        promise, model = self.promise, self.world.policy.models[key]
        if key in promise.no_models:
            return f"`{key}` can serve"
        most = promise.max_price_in_nusd_per_mtok
        if most is not None and model.price_in_nusd_per_mtok > most:
            return f"`{key}` costs {usd_short(model.price_in_nusd_per_mtok)} in"
        tokens = self.world.policy.estimate_input_tokens, self.world.policy.estimate_output_tokens
        cost = expected_cost_nusd(model, *tokens)
        if promise.max_cost_nusd is not None and cost > promise.max_cost_nusd:
            return f"`{key}` costs {usd_short(cost)}"
        return None

    def may_break(self, can: int) -> bool:
        """Whether a chain could break the promise where these models can serve and the fallback list does."""
        if self.promise.min_providers is not None:
            backed = can & self.world.fallback_mask
            return self.broken_by(self.world.keys(backed)) is not None
        return any(self.against(key) is not None for key in self.world.keys(can))


def broken(world: World, promise: Promise, number: int) -> Broken | None:
    """
    A chain that breaks a promise; None where it is proven.

    Args:
        number: the place of the promise in the policy.
    """
    covered = _covered(world, number)
    claim = _Claim(world, promise)
    if promise.no_models:
        return next(_serving(world, claim, covered), None)
    found = (*_under_only(world, claim, covered),) if _has_only(world) else ()
    return next(iter(found), None) or next(_elsewhere(world, claim, covered), None)


def covers_nothing(world: World, number: int) -> bool:
    """Whether every request that a promise covers is refused, by a `refuse` or a pause."""
    boxes = [box for box in world.promise_boxes if box.number == number]
    if not any(box.bit & world.matching.held for box in boxes):
        return False  # its conditions exclude each other, which is told of them
    parts = (_covered(world, number), world.forbidden, world.place)
    return next(world.diagrams.leaves(*parts, settle=_settle(world, 0, 1, 2)), None) is None


def _covered(world: World, number: int) -> Node:
    """
    Where the conditions of a promise hold, while nothing is held.

    What is held for calls under way may pause a budget for a while. No condition can speak of that,
    so no promise could be kept if it counted.
    """
    node = world.matching.holds([box for box in world.promise_boxes if box.number == number])
    for name in world.policy.budgets:
        free = world.on(budget_subject(name), lambda cell: cell.value.held_nusd == 0)
        node = world.diagrams.apply(lambda covered, free: covered and free, node, free)
    return node


def _settle(world: World, covered: int, forbidden: int, place: int) -> Any:
    """Leaves out what a promise doesn't cover, and what is refused."""
    diagrams = world.diagrams
    outside, refused = diagrams.leaf(False), diagrams.leaf(REFUSED)

    def settle(nodes: tuple[Node, ...]) -> tuple[Node, ...] | None:
        if nodes[covered] == outside or nodes[forbidden] == refused or is_pause(diagrams, nodes[place]):
            return None
        return nodes

    return settle


# --- no MODELS: whoever names them ------------------------------------------------------------------


def _serving(world: World, claim: _Claim, covered: Node) -> Iterator[Broken]:
    """Where one of the models can serve: a person or a story may name any model."""
    unwanted = world.mask(claim.promise.no_models)

    def serving(covered: bool, forbidden: Any, able: Any, place: Any, paused: int) -> int:
        standing = place[2]
        if not covered or forbidden == REFUSED or (standing is not None and standing[0] is Action.PAUSE):
            return 0
        can: int = able[0] & ~forbidden & ~paused & unwanted
        if standing is not None and standing[0] is Action.ONLY:
            can &= world.mask(standing[2])
        return can

    parts = (covered, world.forbidden, world.able, world.place, world.paused)
    node = world.diagrams.apply(serving, *parts)
    for values, path in world.diagrams.leaves(node):
        if values[0]:
            case = world.case(path)
            if claim.broken_by(world.routing(case, path).chain) is None:
                key = world.keys(values[0])[0]
                case = replace(case, request=replace(case.request, preferred=key))
            yield _proof(world, claim, case, path)


def _proof(world: World, claim: _Claim, case: Case, path: Path) -> Broken:
    reason = claim.broken_by(world.routing(case, path).chain)
    assert reason is not None, "the engine decides otherwise than the diagrams say"
    return Broken(case, reason)


# --- what the policy itself chooses -----------------------------------------------------------------


def _has_only(world: World) -> bool:
    return any(lv.action is Action.ONLY for budget in world.policy.budgets.values() for lv in budget.levels)


def _under_only(world: World, claim: _Claim, covered: Node) -> Iterator[Broken]:
    """Where an `only` level is in force: its models that can serve are the chain, whatever else there is."""

    def wrong(covered: bool, forbidden: Any, able: Any, place: Any, paused: int) -> Any:
        standing = place[2]
        if not covered or forbidden == REFUSED or standing is None or standing[0] is not Action.ONLY:
            return False
        can = able[0] & ~forbidden & ~paused
        chain = tuple(key for key in standing[2] if can & world.bit_of[key])
        return bool(chain) and claim.broken_by(chain) is not None

    parts = (covered, world.forbidden, world.able, world.place, world.paused)
    node = world.diagrams.apply(wrong, *parts)
    for values, path in world.diagrams.leaves(node):
        if values[0]:
            yield _proof(world, claim, world.case(path), path)


def _elsewhere(world: World, claim: _Claim, covered: Node) -> Iterator[Broken]:
    """Everywhere else: each combination of what decisions depend on, after any failures and cooldowns."""
    diagrams = world.diagrams

    def suspect(covered: bool, forbidden: Any, able: Any, paused: int) -> Any:
        if not covered or forbidden == REFUSED or not claim.may_break(able[0] & ~forbidden & ~paused):
            return None
        return able[0] & ~forbidden & ~paused, able, forbidden

    def place(place: Any) -> Any:
        models, free, standing = place
        if standing is not None and standing[0] is not Action.DOWNGRADE:
            return None
        return models, free, standing

    suspects = diagrams.apply(suspect, covered, world.forbidden, world.able, world.paused)
    placed, nothing = diagrams.apply(place, world.place), diagrams.leaf(None)

    def settle(nodes: tuple[Node, ...]) -> tuple[Node, ...] | None:
        return None if nothing in nodes else nodes

    for values, path in diagrams.leaves(suspects, placed, world.base, settle=settle):
        yield from _breaking(world, claim, world.case(path), path, values[0][0])


def _breaking(world: World, claim: _Claim, case: Case, path: Path, can: int) -> Iterator[Broken]:
    """The chains of one cell that break the claim: plainly, then after failures and with cooldowns."""
    rule = world.matched_rule(case, path)
    for failures in histories([View(world, case, path, rule)], anywhere=False):
        failed = replace(case, request=replace(case.request, failures=failures))
        routing = world.routing(failed, path)
        if routing.outcome is not Outcome.SERVED:
            continue
        reason = claim.broken_by(routing.chain)
        if reason is not None:
            yield Broken(failed, reason)
        elif claim.promise.min_providers is None:
            assert routing.tier is not None
            mates = [key for key in by_cost(world, failed, routing.tier) if can & world.bit_of[key]]
            yield from _with_cooldowns(world, claim, failed, path, mates)


def _with_cooldowns(
    world: World, claim: _Claim, case: Case, path: Path, mates: list[str]
) -> Iterator[Broken]:
    """
    The same while the cheapest models of the tier are in cooldown, as few of them as will do.

    A cooldown only ever adds the next models of the tier to a chain. So no chain has more than the one
    in which all but the last are in cooldown, and none has fewer providers than without any.
    """
    if not any(claim.against(key) for key in mates):
        return
    for count in range(1, len(mates)):
        down = frozenset(mates[:count])
        there = replace(case, state=replace(case.state, down=down))
        reason = claim.broken_by(world.routing(there, path).chain)
        if reason is not None:
            yield Broken(there, reason)
            return
