"""Requests that nobody can serve, and whose doing that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...schemas.decision import Outcome
from ...schemas.policy import Action, Level, Limit, LimitKind, ValueIs
from ...schemas.records import dataclass
from ..cases import Case
from ..chain import route
from ..decide import alive_rows, matching
from ..facts import facts_of
from .cells import REQUIRES
from .diagram import Node, Path, cells_of
from .world import REFUSED, Base, World


@dataclass(frozen=True, slots=True)
class Gap:
    """
    A request that nobody serves though no budget and no `refuse` forbids it.

    `tier` is the one it is in; `level` the `only` level, or `limit` the first hard limit, without
    which somebody could. Neither: nobody is able. `ordinary` says that it asks for nothing special.
    """

    case: Case
    tier: str
    level: Level | None
    limit: Limit | None
    ordinary: bool


def gaps(world: World) -> Iterator[Gap]:
    """A gap for each combination of what decisions depend on in which nobody serves."""
    yield from _under_only(world)
    yield from _elsewhere(world)


def _under_only(world: World) -> Iterator[Gap]:
    """
    Where an `only` level is in force, none of whose models is able and allowed.

    That it leaves nobody for capabilities which no condition speaks of is what such a level is for.
    """
    diagrams = world.diagrams
    nothing = diagrams.leaf(None)

    def unserved(forbidden: Any, able: Any, place: Any, spoken: bool) -> Any:
        standing = place[2]
        if forbidden == REFUSED or standing is None or standing[0] is not Action.ONLY or not spoken:
            return None
        models = standing[2]
        can = able[0] & ~forbidden & world.mask(models)
        return None if can else (models, able[0], forbidden)

    spoken = world.on(REQUIRES, lambda cell: cell.value <= spoken_of(world))
    node = diagrams.apply(unserved, world.forbidden, world.able, world.place, spoken)
    for _, path in diagrams.leaves(node, settle=lambda nodes: None if nodes[0] == nothing else nodes):
        case = world.case(path)
        routing = world.routing(case, path)
        assert routing.standing is not None
        yield Gap(case, "", routing.standing.level, None, ordinary=False)


def spoken_of(world: World) -> frozenset[str]:
    """The capabilities that conditions name."""
    boxes = (*world.rule_boxes, *world.limit_boxes, *world.promise_boxes)
    read = (c for box in boxes for c in box.conditions if isinstance(c, ValueIs) and c.fact == REQUIRES)
    return frozenset(value for condition in read for value in condition.values)


def _elsewhere(world: World) -> Iterator[Gap]:
    """Where neither the fallback list nor anybody else is able and allowed."""
    diagrams = world.diagrams

    def without_fallback(forbidden: Any, able: Any) -> Any:
        if forbidden == REFUSED or able[0] & ~forbidden & world.fallback_mask:
            return None
        return able[0], forbidden

    def place(place: Any) -> Any:
        models, free, standing = place
        if standing is not None and standing[0] is not Action.DOWNGRADE:
            return None
        return models, free, 0 if standing is None else standing[1]

    need = diagrams.apply(without_fallback, world.forbidden, world.able)
    placed = diagrams.apply(place, world.place)
    nothing = diagrams.leaf(None)

    def settle(nodes: tuple[Node, ...]) -> tuple[Node, ...] | None:
        return None if nothing in nodes else nodes

    for (needed, placed_, base), path in diagrams.leaves(need, placed, world.base, settle=settle):
        able, forbidden = needed
        tier = _lowered(base, placed_[2])
        if not able & ~forbidden & world.tier_masks[tier]:
            found = _gap(world, path)
            if found is not None:
                yield found


def _lowered(base: Base, tiers: int) -> int:
    return base.tier if base.by_person else max(base.tier - tiers, 0)


def _gap(world: World, path: Path) -> Gap | None:
    """The gap in the cell of a path, if the engine finds nobody there."""
    case = world.case(path)
    if world.routing(case, path).outcome is not Outcome.NO_MODEL:
        return None
    facts = facts_of(world.table, case.request)
    situation = world.situation(case, path)
    rule, limits = matching(world.table, alive_rows(world.table, facts, situation))
    without = route(world.table, facts, situation, rule, ())
    limit = None
    if without.chain:
        limit = next(limit for limit in limits if _forbids(limit, without.chain))
    tier = _tier(world, path)
    return Gap(case, tier, None, limit, ordinary=not without.chain and _is_ordinary(world, path))


def _forbids(limit: Limit, keys: tuple[str, ...]) -> bool:
    return any((key in limit.models) == (limit.kind is LimitKind.NEVER) for key in keys)


def _tier(world: World, path: Path) -> str:
    base: Base = world.diagrams.at(world.base, cells_of(path))
    standing = world.diagrams.at(world.place, cells_of(path))[2]
    lowered = (
        _lowered(base, standing[1]) if standing is not None and standing[0] is Action.DOWNGRADE else base.tier
    )
    return world.policy.tiers[lowered].name


def _is_ordinary(world: World, path: Path) -> bool:
    """Whether a request says no more than its complexity and what every request must say."""
    case = world.case(path)
    request = case.request
    required = {name for name, fact in world.policy.facts.items() if fact.default is None}
    said = [request.domain, request.kind, request.skill, request.branch, request.attempt]
    said += [request.input_tokens, request.output_tokens, request.tier, request.story_tier]
    return (
        not request.requires
        and not case.state.spend
        and set(request.inputs) <= required
        and all(value is None for value in said)
    )
