"""All that the decisions of a cell can be, whatever fails and whatever is in cooldown, as one value."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from ...schemas.policy import Action, Mates
from ..chain import expected_cost
from .world import REFUSED, Base, World

Models = tuple[tuple[str, int, bool], ...]
"""Models that are able and allowed: key, lowest tier, and whether no paused budget removes them."""


def parts_of(world: World) -> tuple[int, ...]:
    """The diagrams whose values an outlook is made of."""
    return world.base, world.forbidden, world.able, world.place, world.paused


def outlook(
    world: World, named: Iterable[str], base: Base, forbidden: Any, able: Any, place: Any, paused: int
) -> Hashable:
    """
    What a combination of what decisions depend on leads to.

    Two combinations, of one policy or of two, with equal outlooks give the same chain and tier for
    every history of failures and every set of models in cooldown, whichever of the models `named` a
    person or a story names.
    """
    if forbidden == REFUSED:
        return REFUSED
    preferred, free, standing = place
    action = None if standing is None else standing[0]
    if action is Action.PAUSE:
        return "paused"
    view = _View(world, able[0] & ~forbidden, paused, able[1])
    tiers = tuple(tier.name for tier in world.policy.tiers)
    common = (tiers, base.tier, _escalations(world), view.models(named))
    if action is Action.ONLY:
        return "only", common, view.models(standing[2], ranked=False)
    downgraded = action is Action.DOWNGRADE and not base.by_person
    lowest = max(base.tier - standing[1], 0) if downgraded else base.tier
    domain = view.models(preferred)
    bound = "exactly" if base.by_person else "free" if free and not downgraded else "under"
    return (
        common,
        lowest,
        downgraded,
        view.models(base.models),
        (domain, bound) if domain else None,
        tuple(
            (view.mates(number), bool(able[0] & world.tier_masks[number]))
            for number in range(lowest, len(world.policy.tiers))
        ),
        view.fallback(),
    )


def _escalations(world: World) -> Hashable:
    return tuple((e.from_tier, e.to_tier, e.gate, e.kinds) for e in world.policy.escalations)


class _View:
    """The models of a world, of which some are able and allowed, and some of these paused."""

    def __init__(self, world: World, allowed: int, paused: int, tokens: tuple[int, int]) -> None:
        self._world = world
        self._allowed = allowed
        self._paused = paused
        self._tokens = tokens

    def models(self, keys: Iterable[str], *, ranked: bool = True) -> Models:
        """Those of some models that are able and allowed."""
        world = self._world
        return tuple(
            (key, world.table.rank.get(key, -1) if ranked else -1, not world.bit_of[key] & self._paused)
            for key in keys
            if world.bit_of[key] & self._allowed
        )

    def mates(self, tier: int) -> Models:
        """The models of a tier, the cheapest first."""
        policy = self._world.policy
        keys = sorted(
            policy.tiers[tier].models, key=lambda key: (expected_cost(policy.models[key], *self._tokens), key)
        )
        return self.models(keys, ranked=False)

    def fallback(self) -> tuple[Any, ...]:
        """The fallback list."""
        fallback = self._world.policy.fallback
        return tuple(
            entry.count if isinstance(entry, Mates) else self.models((entry,), ranked=False)
            for entry in (fallback.entries if fallback is not None else ())
            if isinstance(entry, Mates) or self._world.bit_of[entry] & self._allowed
        )
