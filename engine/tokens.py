"""
Token counts of a request, as cells: which context windows hold them, and in which order of cost models stand.

Of two models one is the cheaper up to some ratio of input to output tokens, and the other beyond it. So the
ratios at which any two models of a tier cost the same cut all ratios into stretches of one order each.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import combinations

from ..schemas.policy import Model, Policy
from ..schemas.records import dataclass

NEAR = 1e-9
"""How near to a ratio of equal cost, relatively, floats aren't trusted to say on which side of it one is."""

MOST_PAIRS = 20_000
"""Pairs of models that are looked at; where tiers have more, costs are compared exactly each time."""

_ODD_RATIOS = 3
"""No tokens at all, no input, and no output."""


@dataclass(frozen=True, slots=True)
class TokenCells:
    """
    Cells of pairs of token counts.

    `contexts` are the models' windows, ascending. `edges` are the starts and ends of the surroundings of all
    ratios of equal cost, so that a ratio is inside one where the number of edges below it is odd.
    """

    contexts: tuple[int, ...]
    edges: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many cells there are."""
        return (len(self.contexts) + 1) * self._ratios

    @property
    def _ratios(self) -> int:
        return _ODD_RATIOS + len(self.edges) // 2 + 1

    def cell(self, input_tokens: int, output_tokens: int) -> int | None:
        """The cell of a pair; None where it is so near to the next one that only exact costs tell."""
        fit = bisect_left(self.contexts, input_tokens + output_tokens)
        if not output_tokens or not input_tokens:
            return fit * self._ratios + (2 if input_tokens else 1 if output_tokens else 0)
        below = bisect_right(self.edges, input_tokens / output_tokens)
        return None if below & 1 else fit * self._ratios + _ODD_RATIOS + below // 2


def token_cells(policy: Policy) -> TokenCells:
    """The cells that a policy's models tell apart."""
    contexts = {m.context_tokens for m in policy.models.values() if m.context_tokens is not None}
    if sum(len(tier.models) ** 2 for tier in policy.tiers) > 2 * MOST_PAIRS:
        edges: tuple[float, ...] = (0.0, math.inf)
    else:
        ratios = {
            ratio
            for tier in policy.tiers
            for one, other in combinations([policy.models[key] for key in tier.models], 2)
            for ratio in _ratio_of_equal_cost(one, other)
        }
        edges = tuple(_surroundings(sorted(ratios)))
    return TokenCells(tuple(sorted(contexts)), edges)


def _ratio_of_equal_cost(one: Model, other: Model) -> Iterator[float]:
    dearer_in = one.price_in_nusd_per_mtok - other.price_in_nusd_per_mtok
    dearer_out = other.price_out_nusd_per_mtok - one.price_out_nusd_per_mtok
    if dearer_in * dearer_out > 0:
        yield dearer_out / dearer_in


def _surroundings(ratios: Iterable[float]) -> Iterator[float]:
    """The start and end of what lies near to ratios, those that touch as one."""
    end = None
    for ratio in ratios:
        low, high = ratio * (1 - NEAR), ratio * (1 + NEAR)
        if end is not None and end < low:
            yield end
            yield low
        elif end is None:
            yield low
        end = high
    if end is not None:
        yield end
