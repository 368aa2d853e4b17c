"""
What of a request can matter, as one number: its code.

A code has places, like the digits of a number. A place for each group of columns says in which cells of
all of them the request lies, and one in which cell of the pivot (pages.py says what that is). Above them
stands everything that the chain depends on beside the rule and the limits: the tier of its complexity, its
domain, what it requires, the tier and the model that somebody asks for, its tokens. So each fact has a number
for each of its cells, its *part*, and a code is the sum of the parts. Whatever two requests of one code ask,
the answer is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..schemas.policy import Policy
from ..schemas.records import dataclass
from .columns import Column
from .pages import Group, Page, groups_of, pages_of, pivot_of
from .tokens import TokenCells, token_cells

if TYPE_CHECKING:
    from .facts import Facts


@dataclass(frozen=True, slots=True)
class Codes:
    """
    The places of a policy's codes.

    `pivot` has the page and the mask for each cell of the pivot, whose place stands at `pivot_shift` and has
    the bits `pivot_low`; there are `pages` in all. `parts` gives for a
    fact the part of each of its cells; `asked_tier`, `story_tier` and `preferred` the parts of what somebody
    asks for. `tail_mask` are the bits of the places above all cells; below them there is room for the number
    of a row. `tokens` times `token_place`, plus one, is the part of a request's own token counts, so that the
    codes of requests without are below `token_place`.
    """

    pages: int
    pivot: tuple[tuple[Page, int], ...]
    pivot_shift: int
    pivot_low: int
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


def codes_of(
    policy: Policy,
    columns: Mapping[str, Column],
    digits: Mapping[str, tuple[int, ...]],
    limit_bits: int,
    outcomes: Sequence[int],
) -> Codes:
    """
    Lay out the places for a policy's columns.

    Args:
        digits: for facts that the chain depends on beside the rule, what each cell of theirs means for it.
        outcomes: for each rule, after "no rule", a number that it shares with those that ask for the same.
    """
    rows = max(mask.bit_length() for column in columns.values() for mask in column.masks)
    pivot = pivot_of(columns)
    places: dict[str, int] = {}
    groups: list[Group] = []
    shift = 0
    for names in (*groups_of(columns, pivot, rows), [pivot]):
        place = 1 << shift
        for name in names:
            places[name] = place
            place *= len(columns[name].masks)
        bits = (place - 1).bit_length() - shift
        groups.append(Group(tuple(names), shift, (1 << bits) - 1))
        shift += bits
    *others, last = groups
    cells = pages_of(columns, pivot, others, limit_bits, outcomes)
    place = tail = 1 << max(shift, rows.bit_length())
    parts = {}
    for name, column in columns.items():
        of_tail = digits.get(name, (0,) * len(column.masks))
        parts[name] = tuple(cell * places[name] + digit * place for cell, digit in enumerate(of_tail))
        place *= max(of_tail) + 1
    asked = []
    for count in (len(policy.tiers), len(policy.tiers), len(policy.models)):
        asked.append(tuple((number + 1) * place for number in range(count)))
        place *= count + 1
    tokens = token_cells(policy)
    return Codes(
        pages=cells[-1][0].number + 1,
        pivot=tuple(cells),
        pivot_shift=last.shift,
        pivot_low=last.low,
        tail_mask=(1 << (place * (tokens.count + 1)).bit_length()) - tail,
        parts=parts,
        asked_tier=asked[0],
        story_tier=asked[1],
        preferred=dict(zip(policy.models, asked[2], strict=True)),
        tokens=tokens,
        token_place=place,
    )
