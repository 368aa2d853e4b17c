"""Two policies -> whether every request gets the same decision, or the regions in which it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import field, replace
from math import prod
from typing import Any

from ...schemas.decision import Decision
from ...schemas.policy import FactKind, Policy
from ...schemas.records import dataclass
from ..cases import Case
from ..decide import decide, observe
from ..table import DecisionTable
from .beside import beside
from .cells import Space
from .diagram import LEAF, Diagrams, Node, Path, TooLarge
from .matching import Matching
from .outlook import outlook, parts_of
from .variations import View, by_cost, cooled, histories, naming
from .world import World

MOST_STEPS = 1_000_000
"""Nodes and combinations that a comparison may take."""

SAME = "same"


@dataclass(frozen=True, slots=True)
class Region:
    """
    Requests whose decision changes in one way.

    `old` and `new` are the decisions of `case` by each policy, as it takes them. `cells` gives for
    each subject that matters which of its values are in the region; `whole` says that all requests
    with such values are. `later` says that the plain decision is the same: only after the failures, with
    the cooldowns or with the model that is named in the case they differ.
    """

    case: tuple[Case, Case]
    old: Decision
    new: Decision
    later: bool
    cells: Mapping[str, tuple[int, ...]]
    whole: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """
    What two policies decide differently.

    `regions` are all, the plainest first, unless `proven` is false: then there may be more. `cells`
    are what they have in common. `apart` says what only one of them takes, and `beside` what changes
    that decides nothing, in sentences.
    """

    space: Space | None
    regions: tuple[Region, ...]
    cells: Mapping[str, tuple[int, ...]]
    apart: tuple[str, ...]
    beside: tuple[str, ...]
    proven: bool
    changed: _Changed | None = field(default=None, repr=False, compare=False)

    @property
    def equivalent(self) -> bool:
        """Whether every request is proven to get the same decision."""
        return self.proven and not self.regions and not self.apart


@dataclass(frozen=True, slots=True)
class _Changed:
    """The diagram that gives for each cell the region it is in; SAME where nothing changes."""

    diagrams: Diagrams
    node: Node

    def at(self, cells: Mapping[int, int]) -> Any:
        """The number of the region of a cell, or SAME."""
        return self.diagrams.at(self.node, cells)


def compare(old: DecisionTable, new: DecisionTable) -> Difference:
    """Look at all requests that both policies take, and find those that they decide differently."""
    policies = old.policy, new.policy
    unknown = Difference(None, (), {}, tuple(_apart(*policies)), tuple(beside(*policies)), proven=False)
    if any(_shared(*policies, name) is None for name in _inputs_of_both(*policies)):
        return unknown
    try:
        space = Space(old, new)
        matching = Matching(space, Diagrams(MOST_STEPS, space.weights))
        return _compared((World(matching, 0), World(matching, 1)), unknown)
    except TooLarge:
        return unknown


def _compared(worlds: tuple[World, World], unknown: Difference) -> Difference:
    space, diagrams = worlds[0].space, worlds[0].diagrams
    nodes = (*parts_of(worlds[0]), *parts_of(worlds[1]))
    settle = _alike_where_nodes_are(worlds)
    numbers: dict[Hashable, int] = {}
    regions: list[Region] = []
    kinds: dict[Hashable, Any] = {}
    try:
        for values, path in diagrams.leaves(*nodes, settle=settle):
            region = _region(worlds, values, path)
            if region is None:
                kinds[values] = SAME
                continue
            number = kinds[values] = numbers.setdefault(_kind(region), len(regions))
            if number == len(regions):
                regions.append(region)
        changed = _diagram(worlds, nodes, settle, kinds)
        common = _inside(space, changed, lambda kind: kind != SAME)[0]
        found = tuple(_described(space, changed, number, region) for number, region in enumerate(regions))
    except TooLarge:
        return replace(unknown, space=space, regions=tuple(regions))
    return replace(unknown, space=space, regions=found, cells=common, proven=True, changed=changed)


def _kind(region: Region) -> Hashable:
    old, new = region.old, region.new
    return old.outcome, old.chain, old.tier, new.outcome, new.chain, new.tier, region.later


def _alike_where_nodes_are(worlds: tuple[World, World]) -> Any:
    """Leaves out combinations in which both policies depend on the same, where they are else the same."""
    if _rest(worlds[0].policy) != _rest(worlds[1].policy):
        return None

    def settle(nodes: tuple[Node, ...]) -> tuple[Node, ...] | None:
        half = len(nodes) // 2
        return None if nodes[:half] == nodes[half:] else nodes

    return settle


def _rest(policy: Policy) -> Hashable:
    """What a decision takes from a policy beside the diagrams."""
    return (
        tuple((tier.name, tier.models) for tier in policy.tiers),
        tuple(
            (m.key, m.price_in_nusd_per_mtok, m.price_out_nusd_per_mtok, m.context_tokens, m.enabled)
            for m in policy.models.values()
        ),
        policy.fallback and policy.fallback.entries,
        tuple((e.from_tier, e.to_tier, e.gate, e.kinds) for e in policy.escalations),
    )


# --- one combination -------------------------------------------------------------------------------


def _region(worlds: tuple[World, World], values: tuple[Any, ...], path: Path) -> Region | None:
    """What changes in the cells of a combination; None where nothing does."""
    half = len(values) // 2
    shared = _models_of_both(worlds)
    views = [outlook(w, shared, *p) for w, p in zip(worlds, (values[:half], values[half:]), strict=True)]
    if views[0] == views[1]:
        return None
    cases = worlds[0].case(path), worlds[1].case(path)
    plain = _differing(worlds, cases)
    if plain is not None:
        return plain
    for later in _later(worlds, cases, path):
        found = _differing(worlds, later)
        if found is not None:
            return replace(found, later=True)
    return None


def _differing(worlds: tuple[World, World], cases: tuple[Case, Case]) -> Region | None:
    worlds[0].diagrams.spend(10)
    old, new = (
        decide(world.table, case.request, observe(world.table, case.state))
        for world, case in zip(worlds, cases, strict=True)
    )
    if (old.outcome, old.chain, old.tier) == (new.outcome, new.chain, new.tier):
        return None
    return Region(cases, old, new, later=False, cells={}, whole=False)


def _later(worlds: tuple[World, World], cases: tuple[Case, Case], path: Path) -> Iterator[tuple[Case, Case]]:
    """The cases after failures, with models in cooldown, and with models that somebody names."""
    shared = _models_of_both(worlds)
    views = [View(w, case, path, w.matched_rule(case, path)) for w, case in zip(worlds, cases, strict=True)]
    for failures in histories(views, anywhere=True):
        failed = [replace(case, request=replace(case.request, failures=failures)) for case in cases]
        tiers = [view.tier(failures) for view in views]
        mates = [by_cost(w, c, t) for w, c, t in zip(worlds, failed, tiers, strict=True) if t is not None]
        varied = [[*cooled(case, mates), *naming(case, shared)] for case in failed]
        for old, new in zip(*varied, strict=True):
            yield _known(worlds[0], old), _known(worlds[1], new)


def _known(world: World, case: Case) -> Case:
    """The case without cooldowns of models that a policy doesn't have."""
    return replace(case, state=replace(case.state, down=case.state.down & set(world.policy.models)))


def _models_of_both(worlds: tuple[World, World]) -> list[str]:
    return [key for key in worlds[0].policy.models if key in worlds[1].policy.models]


# --- where -----------------------------------------------------------------------------------------


def _diagram(
    worlds: tuple[World, World], nodes: tuple[Node, ...], settle: Any, kind_of: Mapping[Hashable, Any]
) -> _Changed:
    diagrams = worlds[0].diagrams
    same = diagrams.leaf(SAME)

    def shortcut(nodes: tuple[Node, ...]) -> Node | None:
        return same if settle is not None and settle(nodes) is None else None

    node = diagrams.apply(lambda *values: kind_of[values], *nodes, shortcut=shortcut)
    return _Changed(diagrams, node)


def _described(space: Space, changed: _Changed, number: int, region: Region) -> Region:
    """The region with the values of each subject that are in it, and whether these are all."""
    cells, whole = _inside(space, changed, lambda kind: kind == number)
    return replace(region, cells=cells, whole=whole)


def _inside(
    space: Space, changed: _Changed, wanted: Callable[[Any], bool]
) -> tuple[dict[str, tuple[int, ...]], bool]:
    """For each subject that matters the cells of some regions, and whether all combinations are in one."""
    node = changed.diagrams.apply(wanted, changed.node)
    full = [(1 << len(axis.cells)) - 1 for axis in space.axes]
    inside = _projected(changed.diagrams, node, full)
    cells = {
        axis.subject: tuple(cell for cell in range(len(axis.cells)) if mask >> cell & 1)
        for axis, mask, every in zip(space.axes, inside, full, strict=True)
        if mask != every
    }
    size = prod(mask.bit_count() for mask in inside)
    return cells, size == _size(changed.diagrams, node, full)


def _projected(diagrams: Diagrams, root: Node, full: list[int]) -> list[int]:
    """For each axis the cells that lie on a way to True."""
    inside = [0] * len(full)
    alive: dict[Node, bool] = {}

    def leads(node: Node) -> bool:
        """Whether a node has a way to True."""
        found = alive.get(node)
        if found is None:
            if diagrams.level(node) == LEAF:
                found = bool(diagrams.value(node))
            else:
                # All children, so that each is known.
                found = sum(map(leads, set(diagrams.children(node)))) > 0
            alive[node] = found
        return found

    def skip(first: int, last: int) -> None:
        for axis in range(first, min(last, len(full))):
            inside[axis] = full[axis]

    if not leads(root):
        return inside
    skip(0, diagrams.level(root))
    for node, found in list(alive.items()):
        level = diagrams.level(node)
        if not found or level == LEAF:
            continue
        for cell, child in enumerate(diagrams.children(node)):
            if alive[child]:
                inside[level] |= 1 << cell
                skip(level + 1, diagrams.level(child))
    return inside


def _size(diagrams: Diagrams, root: Node, full: list[int]) -> int:
    """How many cells are True."""
    widths = [mask.bit_length() for mask in full]
    memo: dict[Node, int] = {}

    def between(first: int, last: int) -> int:
        size = 1
        for axis in range(first, min(last, len(full))):
            size *= widths[axis]
        return size

    def count(node: Node) -> int:
        """The cells below the level of a node."""
        level = diagrams.level(node)
        if level == LEAF:
            return int(bool(diagrams.value(node)))
        if node not in memo:
            memo[node] = sum(
                count(child) * between(level + 1, diagrams.level(child)) for child in diagrams.children(node)
            )
        return memo[node]

    return count(root) * between(0, diagrams.level(root))


# --- what only one of them takes -------------------------------------------------------------------


def _apart(old: Policy, new: Policy) -> Iterator[str]:
    """What only one policy takes, in sentences."""
    for first, second, here, there in ((old, new, "OLD", "NEW"), (new, old, "NEW", "OLD")):
        tiers = {tier.name for tier in second.tiers}
        for name in (tier.name for tier in first.tiers if tier.name not in tiers):
            yield f"tier `{name}` is only in {here}: who asks for it gets an error from {there}"
        for name in (key for key in first.models if key not in second.models):
            yield f"model `{name}` is only in {here}: who names it gets an error from {there}"
        for name in (name for name in first.facts if name not in second.facts):
            yield f"input `{name}` is only in {here}: who gives it gets an error from {there}"
    for name in _inputs_of_both(old, new):
        yield from _input_apart(old, new, name)


def _input_apart(old: Policy, new: Policy, name: str) -> Iterator[str]:
    facts = old.facts[name], new.facts[name]
    shared = _shared(old, new, name)
    if shared is None:
        yield f"input `{name}` has no value in common: {facts[0].kind} in OLD, {facts[1].kind} in NEW"
    elif shared is False:
        yield f"input `{name}` has other values in OLD than in NEW; those of both are compared"
    if (facts[0].default is None) != (facts[1].default is None):
        where = ("NEW", "OLD") if facts[0].default is None else ("OLD", "NEW")
        yield f"input `{name}` has a default only in {where[0]}: in {where[1]} every request must give it"


def _inputs_of_both(old: Policy, new: Policy) -> list[str]:
    return [name for name, fact in old.facts.items() if name in new.facts and not fact.built_in]


def _shared(old: Policy, new: Policy, name: str) -> bool | None:
    """Whether an input has the same values in both policies; None where it has none in common."""
    first, second = old.facts[name], new.facts[name]
    if first.kind is not second.kind:
        return None
    if first.kind is FactKind.NUMBER:
        low = max(first.low, second.low)
        high = min((f.high for f in (first, second) if f.high is not None), default=None)
        if high is not None and low > high:
            return None
        return (first.low, first.high, first.whole) == (second.low, second.high, second.whole)
    if first.kind is FactKind.TEXT:
        return True
    if not set(first.values) & set(second.values):
        return None
    return set(first.values) == set(second.values)
