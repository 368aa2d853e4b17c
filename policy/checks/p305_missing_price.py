"""
P305: missing price

What it finds

A model without a `costs` clause whose price the catalogue doesn't know
either.

Why it matters

The cheapest model of a tier serves, and budgets count money: neither is
possible without a price. A model that really costs nothing says `costs
nothing`. Prices are for a million tokens.

Example

    model house is azure/house-tuned-model
    tier cheap from complexity 0 has house

Instead

    model house is azure/house-tuned-model
      costs $1.00 in, $4.00 out
    tier cheap from complexity 0 has house
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import ticked

CODE = "P305"


def missing_price(span: Span, key: str, target: str, near: Sequence[str]) -> Diagnostic:
    """A model whose price neither the policy nor the catalogue says."""
    help = "write `costs $… in, $… out` (per million tokens), or `costs nothing` for a model of your own"
    if near:
        help += f"; the catalogue has {ticked(near)}"
    return Diagnostic(CODE, Severity.ERROR, f"no price is known for `{key}` ({target})", span, help=help)
