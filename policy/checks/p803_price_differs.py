"""
P803: price differs from the catalogue

What it finds

A `costs` clause with a price that is more than 10 % off the one in the price
catalogue. A model that is `disabled`, or has a server of its own, isn't
looked at; nor is a price for which the catalogue has none, or zero.

Why it matters

What is written counts: it decides which model of a tier is the cheapest and
when a budget is used up. A price that was right a year ago makes both wrong.
A price of your own contract may differ, of course; then a comment says so:
`# policyctl: ignore[P803] our contract`.

Example

    model haiku is anthropic/claude-haiku-5-5
      costs $0.25 in, $1.25 out
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
      costs $0.10 in, $0.50 out
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P803"


def price_differs(span: Span, key: str, written: str, known: str, as_of: str) -> Diagnostic:
    """A price that the catalogue doesn't agree with."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"`{key}` costs {written} here, but {known} in the price catalogue of {as_of}",
        span,
        help=f"write `costs {known}`, or leave the clause out: then the catalogue's price counts",
    )
