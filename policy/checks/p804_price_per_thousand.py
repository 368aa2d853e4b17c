"""
P804: price per thousand tokens

What it finds

A `costs` clause whose prices are about a thousandth of the price catalogue's.
It is told in place of P803.

Why it matters

Prices are for a million tokens. Some lists give them for a thousand; taken
over as they stand, such a model seems a thousand times too cheap: it wins
every tier it is in, and no budget ever notices it.

Example

    model sonnet is anthropic/claude-sonnet-5-5
      costs $0.002 in, $0.01 out
    tier medium from complexity 0 has sonnet

Instead

    model sonnet is anthropic/claude-sonnet-5-5
      costs $2.00 in, $10.00 out
    tier medium from complexity 0 has sonnet
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P804"


def price_per_thousand(span: Span, key: str, written: str, known: str, as_of: str) -> Diagnostic:
    """A price that was meant for a thousand tokens."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"`{key}` costs {written} here, about a thousandth of the {known} in the price catalogue of {as_of}",
        span,
        help=f"prices are for a million tokens, not for a thousand: write `costs {known}`",
    )
