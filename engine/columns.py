"""
How the values of one fact fall into cells, and which rows each cell leaves alive.

Values that no statement of the policy tells apart lie in one cell. A row is one bit of a mask.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from ..schemas.records import dataclass
from .conditions import FactValue


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """
    Cells of a number, from one break up to, not including, the next.

    A break is the first float of its cell, so a cell that holds one number alone ends at the next float.
    """

    breaks: tuple[float, ...]
    masks: tuple[int, ...]

    def cell(self, value: FactValue) -> int:
        """The cell that a number lies in."""
        return bisect_right(self.breaks, value)

    def rows(self, value: FactValue) -> int:
        """The rows that this number leaves alive."""
        return self.masks[bisect_right(self.breaks, value)]


@dataclass(frozen=True, slots=True)
class TextColumn:
    """
    Cells of a text: by the texts that the policy mentions, else the longest prefix it mentions, else `other`.

    `lengths` are those of the prefixes, longest first.
    """

    cells: Mapping[str, int]
    prefixes: Mapping[str, int]
    lengths: tuple[int, ...]
    other: int
    masks: tuple[int, ...]

    def cell(self, value: FactValue) -> int:
        """The cell that a text lies in."""
        assert isinstance(value, str)
        found = self.cells.get(value)
        return self.unmentioned(value) if found is None else found

    def unmentioned(self, text: str) -> int:
        """The cell of a text that the policy doesn't mention."""
        for length in self.lengths:
            found = self.prefixes.get(text[:length])
            if found is not None:
                return found
        return self.other

    def rows(self, value: FactValue) -> int:
        """The rows that this text leaves alive."""
        return self.masks[self.cell(value)]


@dataclass(frozen=True, slots=True)
class SetColumn:
    """
    Cells of a set of words: each word is a bit, and `cells` has the cell for each sum of bits.

    All words that the policy can't know are one bit, the highest.
    """

    bits: Mapping[str, int]
    cells: tuple[int, ...]
    masks: tuple[int, ...]

    def cell(self, value: FactValue) -> int:
        """The cell that a set lies in."""
        assert isinstance(value, frozenset)
        unknown = len(self.cells) >> 1
        found = 0
        for word in value:
            found |= self.bits.get(word, unknown)
        return self.cells[found]

    def rows(self, value: FactValue) -> int:
        """The rows that this set leaves alive."""
        return self.masks[self.cell(value)]


Column = NumberColumn | TextColumn | SetColumn
