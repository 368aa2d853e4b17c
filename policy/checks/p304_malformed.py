"""
P304: malformed amount

What it finds

A number whose digits make no sense: thousands that aren't grouped by three,
more than 18 digits, or money in smaller parts than a billionth of a dollar.

Why it matters

`$1,50` may mean one dollar fifty or a mistyped $1,500. Money isn't guessed.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    budget monthly is $1,50 per month
      at 100% pause

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    budget monthly is $1.50 per month
      at 100% pause
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P304"


def malformed(span: Span, text: str, unit: str) -> Diagnostic:
    """A number whose digits, commas or points don't make sense."""
    shown = text if len(text) <= 24 else text[:20] + "…"
    help = "thousands are grouped by three and cents follow a point: $1,500 or $1500.00"
    if len(text) > 18:
        help = "write it with at most 18 digits"
    elif text.startswith("$0.000"):
        help = "the smallest amount is a billionth of a dollar: $0.000000001"
    return Diagnostic(CODE, Severity.ERROR, f"`{shown}` is no {unit}", span, help=help)
