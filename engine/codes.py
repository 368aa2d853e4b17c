"""
What of a request can matter, as one number: its code.

A code has places, like the digits of a number. The lowest place says in which cells of the small columns the
request lies, all of them together; a place for each large column follows; above them stands everything that
the chain depends on beside the rule and the limits: the tier of its complexity, its domain, what it requires,
the tier and the model that somebody asks for, its tokens. So each fact has a number for each of its cells,
its *part*, and a code is the sum of the parts. Whatever two requests of one code ask, the answer is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..schemas.policy import Policy
from ..schemas.records import dataclass
from .columns import Column
from .tokens import TokenCells, token_cells

if TYPE_CHECKING:
    from .facts import Facts

MOST_SMALL_CELLS = 4096
MOST_SMALL_BITS = 8 * 2**22
"""Combinations of cells of small columns, and the bits of all their masks; columns past that are large."""


@dataclass(frozen=True, slots=True)
class Large:
    """A column with a place of its own: its masks, and where in the code its cell stands."""

    masks: tuple[int, ...]
    shift: int
    low: int


@dataclass(frozen=True, slots=True)
class Codes:
    """
    The places of a policy's codes.

    `small` has the mask for each value of the lowest place, `small_low` the bits of that place.
    `parts` gives for a fact the part of each of its cells; `asked_tier`, `story_tier` and
    `preferred` the parts of what somebody asks for. `tail_mask` are the bits of the places above all
    cells; below them there is room for the number of a row. `tokens` times `token_place`, plus one, is the
    part of a request's own token counts, so that the codes of requests without are below `token_place`.
    """

    small: tuple[int, ...]
    small_low: int
    large: tuple[Large, ...]
    tail_mask: int
    parts: Mapping[str, tuple[int, ...]]
    asked_tier: tuple[int, ...]
    story_tier: tuple[int, ...]
    preferred: Mapping[str, int]
    tokens: TokenCells
    token_place: int

    def code(self, columns: Mapping[str, Column], facts: Facts) -> int:
        """The code of complete facts; token counts that only exact costs tell apart have the part 0."""
        code = sum(parts[columns[name].cell(facts.values[name])] for name, parts in self.parts.items())
        if facts.tier is not None:
            code += self.asked_tier[facts.tier]
        if facts.story_tier is not None:
            code += self.story_tier[facts.story_tier]
        if facts.preferred is not None:
            code += self.preferred[facts.preferred]
        if facts.own_tokens:
            code += self.token_part(facts.input_tokens, facts.output_tokens) or 0
        return code

    def token_part(self, input_tokens: int, output_tokens: int) -> int | None:
        """The part of a request's own token counts; None where only exact costs tell them apart."""
        cell = self.tokens.cell(input_tokens, output_tokens)
        return None if cell is None else (cell + 1) * self.token_place


def codes_of(policy: Policy, columns: Mapping[str, Column], digits: Mapping[str, tuple[int, ...]]) -> Codes:
    """
    Lay out the places for a policy's columns.

    Args:
        digits: for facts that the chain depends on beside the rule, what each cell of theirs means for it.
    """
    rows = max(mask.bit_length() for column in columns.values() for mask in column.masks)
    small = dict(_small(columns, rows))
    places: dict[str, int] = {}
    place = 1
    for name, column in small.items():
        places[name] = place
        place *= len(column.masks)
    shift = (place - 1).bit_length()
    small_low = (1 << shift) - 1
    large = []
    for name, column in columns.items():
        if name not in small:
            bits = (len(column.masks) - 1).bit_length()
            large.append(Large(column.masks, shift, (1 << bits) - 1))
            places[name] = 1 << shift
            shift += bits
    tail = 1 << max(shift, rows.bit_length())
    place = tail
    parts = {}
    for name, column in columns.items():
        of_tail = digits.get(name, (0,) * len(column.masks))
        parts[name] = tuple(cell * places[name] + digit * place for cell, digit in enumerate(of_tail))
        place *= max(of_tail) + 1
    tokens = token_cells(policy)
    asked = []
    for count in (len(policy.tiers), len(policy.tiers), len(policy.models)):
        asked.append(tuple((number + 1) * place for number in range(count)))
        place *= count + 1
    return Codes(
        small=tuple(_products(list(small.values()))),
        small_low=small_low,
        large=tuple(large),
        tail_mask=(1 << (place * (tokens.count + 1)).bit_length()) - tail,
        parts=parts,
        asked_tier=asked[0],
        story_tier=asked[1],
        preferred=dict(zip(policy.models, asked[2], strict=True)),
        tokens=tokens,
        token_place=place,
    )


def _small(columns: Mapping[str, Column], rows: int) -> Iterator[tuple[str, Column]]:
    """The columns whose cells are few enough for a mask for each combination, the smallest first."""
    most = min(MOST_SMALL_CELLS, MOST_SMALL_BITS // rows)
    combinations = 1
    for name, column in sorted(columns.items(), key=lambda item: len(item[1].masks)):
        combinations *= len(column.masks)
        if combinations > most:
            return
        yield name, column


def _products(columns: list[Column]) -> list[int]:
    """The masks of all combinations of cells, those of the first column next to each other."""
    masks = [-1]
    for column in columns:
        masks = [before & mask for mask in column.masks for before in masks]
    return masks


def split(codes: Codes, code: int) -> tuple[int, tuple[int, ...], int]:
    """A code's place for small columns, the masks of its cells of large ones, and what stands above."""
    masks = tuple(large.masks[code >> large.shift & large.low] for large in codes.large)
    return code & codes.small_low, masks, code & codes.tail_mask
