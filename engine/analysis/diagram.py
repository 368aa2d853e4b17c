"""
Multi-valued decision diagrams: functions of a cell, as graphs in which equal parts are one node.

Axes are numbered in one order for all diagrams of a manager. A node tests one axis and has a child
for each of its cells; a leaf holds a value. Nodes are hash-consed: equal functions are one number,
so two functions are compared by comparing numbers. Whoever would make more than `most` nodes gets
TooLarge: past it nothing is known, and the caller says so.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

Node = int
Path = tuple["Path | None", int, int] | None
"""The cells chosen on the way to a leaf, last first: what came before, an axis, its cell."""

LEAF = 1 << 30
"""The level of a leaf: behind all axes."""

_CELLS_A_STEP = 16
"""So many cells of one axis count as one more step of work."""


class TooLarge(Exception):
    """More nodes than are allowed: what was asked stays unproved."""


class Diagrams:
    """
    Makes nodes and keeps each once.

    `weights` say for each axis how odd each of its cells is; the lighter of two paths is the plainer.
    """

    def __init__(self, most: int, weights: Sequence[Sequence[int]]) -> None:
        self._most = most
        self._weights = weights
        self._leaves: dict[Hashable, Node] = {}
        self._nodes: dict[tuple[int, tuple[Node, ...]], Node] = {}
        self._levels: list[int] = []
        self._content: list[Any] = []

    def leaf(self, value: Hashable) -> Node:
        """The node that has this value in all cells."""
        node = self._leaves.get(value)
        if node is None:
            node = self._leaves[value] = self._new(LEAF, value)
        return node

    def node(self, axis: int, children: tuple[Node, ...]) -> Node:
        """The node that tests an axis; where its cells don't differ it is their one child."""
        self.spend(len(children) // _CELLS_A_STEP)
        if children.count(children[0]) == len(children):
            return children[0]
        key = (axis, children)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = self._new(axis, children)
        return node

    def _new(self, level: int, content: object) -> Node:
        self.spend()
        self._levels.append(level)
        self._content.append(content)
        return len(self._levels) - 1

    def spend(self, steps: int = 1) -> None:
        """
        Count steps of work against the cap.

        Raises:
            TooLarge: there were too many.
        """
        self._most -= steps
        if self._most < 0:
            raise TooLarge

    def level(self, node: Node) -> int:
        """The axis that a node tests; LEAF for a leaf."""
        return self._levels[node]

    def value(self, node: Node) -> Any:
        """What a leaf holds."""
        assert self._levels[node] == LEAF
        return self._content[node]

    def children(self, node: Node) -> tuple[Node, ...]:
        """The children of a node, by cell."""
        children: tuple[Node, ...] = self._content[node]
        return children

    def on_axis(self, axis: int, values: Sequence[Hashable]) -> Node:
        """The function that has a value for each cell of one axis."""
        return self.node(axis, tuple(map(self.leaf, values)))

    def apply(
        self,
        combine: Callable[..., Hashable],
        *nodes: Node,
        shortcut: Callable[[tuple[Node, ...]], Node | None] | None = None,
    ) -> Node:
        """
        The function whose value is `combine` of the values of some functions.

        Args:
            shortcut: may give the result for a combination of nodes at once.
        """
        memo: dict[tuple[Node, ...], Node] = {}
        levels, content = self._levels, self._content

        def made(tuple_: tuple[Node, ...]) -> Node:
            found = memo.get(tuple_)
            if found is None and shortcut is not None:
                found = shortcut(tuple_)
            if found is None:
                self.spend()
                level = min([levels[n] for n in tuple_])
                if level == LEAF:
                    found = self.leaf(combine(*[content[n] for n in tuple_]))
                else:
                    columns = [content[n] if levels[n] == level else repeat(n) for n in tuple_]
                    found = self.node(level, tuple([made(t) for t in zip(*columns, strict=False)]))
                memo[tuple_] = found
            return found

        return made(nodes)

    def leaves(
        self, *nodes: Node, settle: Callable[[tuple[Node, ...]], tuple[Node, ...] | None] | None = None
    ) -> Iterator[tuple[tuple[Any, ...], Path]]:
        """
        Each combination of values that some functions have together, once, with the lightest path to it.

        Args:
            settle: may put simpler nodes in place of a combination of nodes, where that loses
                nothing that matters; None leaves the combination out.
        """
        levels, content = self._levels, self._content
        seen: set[tuple[Node, ...]] = set()
        waiting: list[list[tuple[tuple[Node, ...], Path]]] = [[(nodes, None)]]
        weight = 0
        while weight < len(waiting):
            if not waiting[weight]:
                weight += 1
                continue
            tuple_, path = waiting[weight].pop()
            settled = tuple_ if settle is None else settle(tuple_)
            if settled is None or settled in seen:
                continue
            seen.add(settled)
            self.spend()
            level = min([levels[n] for n in settled])
            if level == LEAF:
                yield tuple([content[n] for n in settled]), path
                continue
            columns = [content[n] if levels[n] == level else repeat(n) for n in settled]
            first: dict[tuple[Node, ...], int] = {}
            weights = self._weights[level]
            for cell, child in enumerate(zip(*columns, strict=False)):
                if child not in first or weights[cell] < weights[first[child]]:
                    first[child] = cell
            self.spend(len(first) // _CELLS_A_STEP)
            # The last one added is looked at first: of equals the one that stands first.
            for child, cell in reversed(first.items()):
                heavier = weight + self._weights[level][cell]
                while len(waiting) <= heavier:
                    waiting.append([])
                waiting[heavier].append((child, (path, level, cell)))

    def at(self, node: Node, cells: Mapping[int, int]) -> Any:
        """The value of a function in a cell; axes that aren't chosen have their first cell."""
        while self._levels[node] != LEAF:
            node = self._content[node][cells.get(self._levels[node], 0)]
        return self._content[node]


def cells_of(path: Path) -> dict[int, int]:
    """The cell of each axis that a path has chosen."""
    cells: dict[int, int] = {}
    while path is not None:
        path, axis, cell = path
        cells[axis] = cell
    return cells


def bits(mask: int) -> Iterator[int]:
    """The places of the ones of a number, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def union(masks: Iterable[int]) -> int:
    """All ones of some numbers."""
    result = 0
    for mask in masks:
        result |= mask
    return result
