"""
The rows of a table by pages: what may match in one stretch of one column's cells, and nothing else.

The masks of ten thousand rows are too long to be quick. But where one column cuts the rows finely, as a
number with many ranges does, few of them can match in any one of its cells. So that column, the *pivot*, has
its cells put together to pages, and each page has short masks of just the rows that are alive somewhere in
it. A small table is one page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter

from ..schemas.records import dataclass
from .columns import Column

LEAST_ROWS = 1500
"""Tables with fewer rows are one page."""

ROWS_BEYOND = 256
"""Rows that a page may have beyond twice those that a cell of the pivot leaves alive, on average."""

FEW_CELLS, MANY_CELLS = 512, 16_384
MOST_BITS = 2**21
"""Combinations of cells of columns that are put together: between the two, as many as have so many bits."""


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that are put together, and their place in a code: where it starts, and its bits from there."""

    names: tuple[str, ...]
    shift: int
    low: int


@dataclass(frozen=True, slots=True)
class Page:
    """
    Some rows, as bits in the order of the table: hard limits, "no rule", rules.

    `number` counts pages from 0. `rule_of` gives for the highest bit of a mask, as its bit_length, the number
    of the rule (0: none), `outcome_of` a number that rules share which ask for the same. `groups` has for
    each group of columns the masks of all combinations of their cells, and the group's place; `pick` makes
    a mask of this page out of one of the table.
    """

    number: int
    rule_of: tuple[int, ...]
    outcome_of: tuple[int, ...]
    groups: tuple[tuple[tuple[int, ...], int, int], ...]
    pick: Callable[[int], int]


def pivot_of(columns: Mapping[str, Column]) -> str:
    """The column with the most cells."""
    return max(columns, key=lambda name: len(columns[name].masks))


def pages_of(
    columns: Mapping[str, Column],
    pivot: str,
    groups: Sequence[Group],
    limit_bits: int,
    outcomes: Sequence[int],
) -> list[tuple[Page, int]]:
    """For each cell of the pivot its page, and which of the page's rows it leaves alive."""
    masks = columns[pivot].masks
    cells: list[tuple[Page, int]] = []
    for number, (end, rows) in enumerate(_stretches(masks, (2 << limit_bits) - 1)):
        page = _page(columns, groups, limit_bits, outcomes, rows, number)
        cells += [(page, page.pick(mask)) for mask in masks[len(cells) : end]]
    return cells


def groups_of(columns: Mapping[str, Column], pivot: str, rows: int) -> list[list[str]]:
    """The columns beside the pivot, those in one group that have few combinations of cells together."""
    most = max(FEW_CELLS, min(MOST_BITS // rows, MANY_CELLS))
    groups: list[tuple[list[str], int]] = [([], 1)]
    for name in sorted(columns, key=lambda name: -len(columns[name].masks)):
        count = len(columns[name].masks)
        if name == pivot:
            continue
        fits = next((n for n, (_, combinations) in enumerate(groups) if combinations * count <= most), None)
        if fits is None:
            groups.append(([name], count))
        else:
            groups[fits] = ([*groups[fits][0], name], groups[fits][1] * count)
    return [names for names, _ in groups]


def _stretches(masks: Sequence[int], always: int) -> Iterator[tuple[int, int]]:
    """Runs of cells in which few rows are alive: the cell after the last one, and the rows."""
    rows = max(mask.bit_length() for mask in masks)
    mean = sum(mask.bit_count() for mask in masks) // len(masks)
    most = 2 * mean + ROWS_BEYOND
    alive = always
    if rows >= LEAST_ROWS and most < rows // 2:
        for cell, mask in enumerate(masks):
            if alive != always and (alive | mask).bit_count() > most:
                yield cell, alive
                alive = always
            alive |= mask
    else:
        alive = (1 << rows) - 1
    yield len(masks), alive


def _page(
    columns: Mapping[str, Column],
    groups: Sequence[Group],
    limit_bits: int,
    outcomes: Sequence[int],
    rows: int,
    number: int,
) -> Page:
    bits = f"{rows:b}"
    pick = _picker(bits)
    # From the lowest bit up: the rule of each row of this page that is one.
    rules = [number for number, bit in enumerate(reversed(bits), -limit_bits) if bit == "1" and number >= 0]
    below = (0,) * (limit_bits + 1)
    return Page(
        number=number,
        rule_of=(*below, *rules),
        outcome_of=(*below, *(outcomes[number] for number in rules)),
        groups=tuple(
            (tuple(_products([columns[name] for name in group.names], pick)), group.shift, group.low)
            for group in groups
        ),
        pick=pick,
    )


def _picker(bits: str) -> Callable[[int], int]:
    """What takes the bits out of a mask that stand where `bits` has ones, and puts them side by side."""
    if "0" not in bits:
        return lambda mask: mask
    places = itemgetter(*(place for place, bit in enumerate(bits) if bit == "1"))
    return lambda mask: int("".join(places(f"{mask:0{len(bits)}b}"[-len(bits) :])), 2)


def _products(columns: list[Column], pick: Callable[[int], int]) -> list[int]:
    """The masks of all combinations of cells, those of the first column next to each other."""
    masks = [-1]
    same: dict[int, int] = {}  # equal masks as one object: fewer to fetch from memory
    for column in columns:
        masks = [
            same.setdefault(both, both)
            for mask in map(pick, column.masks)
            for both in (before & mask for before in masks)
        ]
    return masks
