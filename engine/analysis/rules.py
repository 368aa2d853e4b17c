"""Rules that can never win, and rules that change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...schemas.policy import Rule
from ...schemas.records import dataclass
from ..cases import Case
from .cells import Box
from .diagram import Node, Path, union
from .matching import Matching, by_statement, mask_of
from .variations import difference
from .world import NO_EFFECT, REFUSED, Effect, Matched, World, is_pause

SAME = "same"
"""Where it makes no difference to the base which of two rules matches."""


@dataclass(frozen=True, slots=True)
class NeverWins:
    """A rule, or one alternative of it, that never wins, the rules that cover it, and a cell they take."""

    rule: Rule
    alternative: int | None
    covered_by: tuple[Rule, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class NoEffect:
    """A rule that wins, but changes no decision, and a cell in which it wins."""

    rule: Rule
    path: Path


def winning_paths(world: World) -> dict[int, Path]:
    """For each box that is the first match somewhere, by its place among the rules' boxes, a path there."""
    found = world.diagrams.leaves(world.matched)
    return {values[0]: path for values, path in found if values[0] is not None}


def never_winning(world: World, won: dict[int, Path]) -> Iterator[NeverWins]:
    """Each rule or alternative that could hold, but where it does an earlier rule always holds too."""
    matching, boxes = world.matching, world.rule_boxes
    of_rule = by_statement(boxes)
    winners = {boxes[place].bit for place in won}
    for number, own in of_rule.items():
        possible = [box for box in own if box.bit & matching.held]
        losers = [box for box in possible if box.bit not in winners]
        earlier = [mask_of(of_rule[n]) & matching.held for n in range(number)]
        if losers and len(losers) == len(possible):
            yield _never_wins(world, losers, earlier, None)
        else:
            for box in losers:
                if matching.escape(box.bit, mask_of(own) & ~box.bit) is not False:
                    before = mask_of([other for other in own if other.alternative < box.alternative])
                    yield _never_wins(world, [box], [*earlier, before], box.alternative)


def _never_wins(world: World, boxes: Sequence[Box], others: list[int], alternative: int | None) -> NeverWins:
    cover = world.matching.cover([box.bit for box in boxes], others)
    assert cover is not None
    path = world.matching.escape(boxes[0].bit, 0)
    assert path is not False
    statements = dict.fromkeys(
        box.number for box in world.matching.boxes_of(union(cover)) if box.number != boxes[0].number
    )
    return NeverWins(
        world.rule(boxes[0]),
        alternative,
        tuple(world.policy.rules[n] for n in sorted(statements)),
        path,
    )


# --- no effect -------------------------------------------------------------------------------------


def without_effect(world: World, won: dict[int, Path]) -> Iterator[NoEffect]:
    """Each rule that wins somewhere and could be left out without any decision being another."""
    places: dict[int, list[int]] = {}
    for place in sorted(won):
        places.setdefault(world.rule_boxes[place].number, []).append(place)
    for number, own in places.items():
        if all(effect_of(world, place, won[place]) is None for place in own):
            yield NoEffect(world.policy.rules[number], won[own[0]])


def effect_of(world: World, place: int, path: Path) -> Case | None:
    """A case that is decided otherwise without one box, which is the first match on a path; None without."""
    box = world.rule_boxes[place]
    later = [other for other in world.rule_boxes if other.number > box.number]
    rival = _first(world, later, world.matching.holding(path))
    case = difference(world, path, world.rule(box), rival, plainly=True)
    if case is not None:
        return case  # for most rules the first look tells
    effect, seen = world.effect(world.rule(box)), set[Effect]()
    for rival, there in _rivals(world, box, later):
        other = NO_EFFECT if rival is None else world.effect(rival)
        if other != effect and other not in seen:
            seen.add(other)
            case = difference(world, there, world.rule(box), rival, plainly=True)
            if case is not None:
                return case
    return _effect_anywhere(world, box, later) if seen else None


def _first(world: World, boxes: Sequence[Box], holding: int) -> Matched:
    """The rule of the first of some boxes that holds."""
    return next((world.rule(box) for box in boxes if box.bit & holding), None)


def _effect_anywhere(world: World, box: Box, later: Sequence[Box]) -> Case | None:
    """The same for all cells in which a box is the first match, whatever failed before and is in cooldown."""
    diagrams, own = world.diagrams, world.effect(world.rule(box))

    def changed(rival: Any, complexity_tier: int, asked: Any) -> Any:
        if rival == SAME:
            return SAME
        effect = NO_EFFECT if rival is None else world.effect(world.rule(later[rival]))
        bases = tuple(world.base_of(given, complexity_tier, asked) for given in (own, effect))
        return SAME if bases[0] == bases[1] else (rival, *bases)

    node = diagrams.apply(changed, _contest(world, box, later), world.complexity_tier, world.asked)
    same, refused = diagrams.leaf(SAME), diagrams.leaf(REFUSED)

    def settle(nodes: tuple[Node, ...]) -> tuple[Node, ...] | None:
        return None if nodes[0] == same or nodes[1] == refused or is_pause(diagrams, nodes[3]) else nodes

    parts = (node, world.forbidden, world.able, world.place, world.paused)
    rivals: list[tuple[Matched, Path]] = []
    for values, path in diagrams.leaves(*parts, settle=settle):
        rival = values[0][0]
        rivals.append((None if rival is None else world.rule(later[rival]), path))
        case = difference(world, path, world.rule(box), rivals[-1][0], plainly=True)
        if case is not None:
            return case
    cases = (difference(world, path, world.rule(box), rival) for rival, path in rivals)
    return next((case for case in cases if case is not None), None)


def _rivals(world: World, box: Box, later: Sequence[Box]) -> Iterator[tuple[Matched, Path]]:
    """Who else would match where a box is the first match, with a path there; once for each way to tell."""
    matching, bit = world.matching, box.bit
    before = mask_of([b for b in world.rule_boxes if b.number < box.number]) & matching.held
    after = mask_of(later)
    seen: set[tuple[int, int]] = set()
    stack: list[tuple[int, int, Path]] = [(0, (before | after | bit) & matching.held, None)]
    while stack:
        level, alive, path = stack.pop()
        settled = _settled(matching, level, alive, bit, before)
        if settled is None:
            continue
        alive, done = settled
        if done:
            yield _first(world, later, alive & after), path
            continue
        level = matching.next_axis(level, alive)
        if (level, alive) not in seen:
            seen.add((level, alive))
            world.diagrams.spend()
            first: dict[int, int] = {}
            for cell, boxes in enumerate(matching.by_cell[level]):
                first.setdefault(alive & boxes, cell)
            stack += [(level + 1, child, (path, level, cell)) for child, cell in reversed(first.items())]


def _settled(matching: Matching, level: int, alive: int, bit: int, before: int) -> tuple[int, bool] | None:
    """
    The boxes that still matter for who comes after a box, and whether that is known by now.

    None where the box isn't the first match.
    """
    sure = alive & ~matching.open_from[level]
    if not alive & bit or sure & before:
        return None
    next_ = sure & ~bit
    alive &= ((next_ & -next_) << 1) - 1 if next_ else alive
    rest = alive & ~bit
    first = rest & -rest
    return alive, bool(sure & bit) and first == rest and (not rest or bool(sure & rest))


def _contest(world: World, box: Box, later: Sequence[Box]) -> Node:
    """Where a box is the first match: the place among later ones of the next; elsewhere SAME."""
    matching, diagrams, bit = world.matching, world.diagrams, box.bit
    before = mask_of([b for b in world.rule_boxes if b.number < box.number]) & matching.held
    after = {other.bit: place for place, other in enumerate(later)}
    memo: dict[tuple[int, int], Node] = {}

    def made(level: int, alive: int) -> Node:
        settled = _settled(matching, level, alive, bit, before)
        if settled is None:
            return diagrams.leaf(SAME)
        alive, done = settled
        if done:
            return diagrams.leaf(after.get(alive & ~bit))
        level = matching.next_axis(level, alive)
        key = (level, alive)
        node = memo.get(key)
        if node is None:
            diagrams.spend()
            children = [alive & boxes for boxes in matching.by_cell[level]]
            known = {child: made(level + 1, child) for child in dict.fromkeys(children)}
            node = memo[key] = diagrams.node(level, tuple([known[child] for child in children]))
        return node

    return made(0, (before | mask_of(later) | bit) & matching.held)
