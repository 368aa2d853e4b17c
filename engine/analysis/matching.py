"""Which boxes hold in which cells: the first match, what covers what, and what can't hold at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from .cells import Box, Space
from .diagram import LEAF, Diagrams, Node, Path, bits, cells_of, union

Verdict = Callable[[int, int], bool | None]
"""What the boxes that may hold and those that surely do mean for a search: found, hopeless, or go on."""


class Matching:
    """
    The boxes of a space against its axes.

    `held` are the boxes that some cell satisfies on each axis taken alone; the others contradict
    themselves.
    """

    def __init__(self, space: Space, diagrams: Diagrams) -> None:
        self.space = space
        self.diagrams = diagrams
        axes = space.axes
        single = space.all_boxes
        for axis in space.single:
            single &= axis.cells[0].boxes
        self.by_cell: list[tuple[int, ...]] = [tuple(cell.boxes for cell in axis.cells) for axis in axes]
        self.tested: list[int] = [
            union(space.all_boxes & ~boxes for boxes in cells) for cells in self.by_cell
        ]
        self.open_from: list[int] = [0] * (len(axes) + 1)
        for level in range(len(axes) - 1, -1, -1):
            self.open_from[level] = self.open_from[level + 1] | self.tested[level]
        self.held = single
        for cells in self.by_cell:
            self.held &= union(cells)

    def first_match(self, boxes: Sequence[Box]) -> Node:
        """For each cell the place in a list (by rising bits) of the first box that holds; None without."""
        places = {box.bit: place for place, box in enumerate(boxes)}
        diagrams, memo = self.diagrams, dict[tuple[int, int], Node]()

        def made(level: int, alive: int) -> Node:
            sure = alive & ~self.open_from[level]
            alive &= ((sure & -sure) << 1) - 1 if sure else alive
            first = alive & -alive
            if first == alive and (not alive or sure):
                return diagrams.leaf(places.get(first))
            level = self.next_axis(level, alive)
            key = (level, alive)
            node = memo.get(key)
            if node is None:
                diagrams.spend()
                children = [alive & boxes for boxes in self.by_cell[level]]
                known = {child: made(level + 1, child) for child in dict.fromkeys(children)}
                node = memo[key] = diagrams.node(level, tuple([known[child] for child in children]))
            return node

        return made(0, self.held & union(box.bit for box in boxes))

    def holds(self, boxes: Sequence[Box]) -> Node:
        """Where one of some boxes holds: True or False."""
        matched = self.first_match(boxes)
        return self.diagrams.apply(lambda place: place is not None, matched)

    def search(self, inside: int, boxes: int, verdict: Verdict) -> Path | Literal[False]:
        """
        Look for a cell in which some boxes hold that suits a verdict on further boxes.

        Args:
            inside: boxes that must hold.
            boxes: what the verdict is about. It sees those that may still hold and those that surely do.

        Returns:
            The path of a cell, or False.
        """
        seen: set[tuple[int, int]] = set()
        start = self.held & (boxes | inside)
        if start & inside != inside:
            return False
        stack: list[tuple[int, int, Path]] = [(0, start, None)]
        while stack:
            level, alive, path = stack.pop()
            may = alive & boxes
            found = verdict(may, may & ~self.open_from[level])
            if found is False:
                continue
            level = self.next_axis(level, alive)
            if level == LEAF:
                if found:
                    return path
                continue
            if found:
                alive = inside
            if (level, alive) in seen:
                continue
            seen.add((level, alive))
            self.diagrams.spend()
            first: dict[int, int] = {}
            for cell, holding in enumerate(self.by_cell[level]):
                if holding & inside == inside:
                    first.setdefault(alive & holding, cell)
            stack += [(level + 1, child, (path, level, cell)) for child, cell in reversed(first.items())]
        return False

    def escape(self, box: int, cover: int) -> Path | Literal[False]:
        """The path of a cell where a box holds and none of a cover does; False where it is covered."""
        return self.search(box, cover, lambda may, sure: False if sure else (True if not may else None))

    def cover(self, boxes: Sequence[int], others: Sequence[int]) -> tuple[int, ...] | None:
        """
        Groups of boxes that together hold wherever some boxes do; None where there are none.

        One group where one is enough; else none of them can be left out, though others could be fewer.

        Args:
            boxes: those to cover, one bit each.
            others: groups to choose from, each as bits, the first ones preferred.
        """
        containing = {box: self.containing(box) for box in boxes}
        alone = next((g for g in others if all(g & containing[box] for box in boxes)), None)
        if alone is not None:
            return (alone,)
        chosen: list[int] = []
        for box in boxes:
            while (path := self.escape(box, union(chosen))) is not False:
                holding = self.holding(path)
                candidates = [group for group in others if group & holding]
                if not candidates:
                    return None
                best = next((group for group in candidates if group & containing[box]), candidates[0])
                chosen.append(best)
        for group in list(chosen):
            rest = union(other for other in chosen if other != group)
            if all(self.escape(box, rest) is False for box in boxes):
                chosen.remove(group)
        return tuple(chosen)

    def containing(self, box: int) -> int:
        """The boxes that hold wherever one box does."""
        found = self.held
        for cells in self.by_cell:
            for boxes in cells:
                if boxes & box:
                    found &= boxes
        return found & ~box

    def holding(self, path: Path) -> int:
        """The boxes that hold in the cell of a path; axes that it doesn't choose have their plainest cell."""
        chosen, holding = cells_of(path), self.held
        for axis, cells in enumerate(self.by_cell):
            holding &= cells[chosen.get(axis, 0)]
        return holding

    def next_axis(self, level: int, alive: int) -> int:
        """The next axis that tests one of these boxes; LEAF if there is none."""
        while level < len(self.tested):
            if self.tested[level] & alive:
                return level
            level += 1
        return LEAF

    def boxes_of(self, mask: int) -> list[Box]:
        """The boxes of some bits."""
        return [self.space.boxes[place] for place in bits(mask)]


def mask_of(boxes: Sequence[Box]) -> int:
    """The bits of some boxes."""
    return union(box.bit for box in boxes)


def by_statement(boxes: Sequence[Box]) -> dict[int, list[Box]]:
    """Boxes by the number of their statement."""
    found: dict[int, list[Box]] = {}
    for box in boxes:
        found.setdefault(box.number, []).append(box)
    return found
