"""Amounts in a coarser unit that add up to their rounded sum."""

from __future__ import annotations

from collections.abc import Sequence


def spread(amounts: Sequence[int], unit: int, whole: int | None = None) -> list[int]:
    """
    Amounts in a coarser unit whose sum is the rounded sum, the way accountants do it.

    Each amount is rounded down; what is then missing goes, one unit each, to those that lost most.

    Args:
        whole: what the results add up to; by default the sum, rounded half up.
    """
    parts = [amount // unit for amount in amounts]
    total = (sum(amounts) + unit // 2) // unit if whole is None else whole
    lost_most = sorted(range(len(amounts)), key=lambda n: (-(amounts[n] % unit), n))
    for place in lost_most[: total - sum(parts)]:
        parts[place] += 1
    return parts


def shares(amounts: Sequence[int]) -> list[int]:
    """Each amount's tenths of a percent of the sum; they add up to 1000."""
    total = sum(amounts)
    return spread([amount * 1000 for amount in amounts], total, 1000) if total else [0] * len(amounts)
