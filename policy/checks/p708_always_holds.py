"""
P708: a condition that always holds

What it finds

A condition that every request satisfies, such as a bound at the very end of
what a fact can be.

Why it matters

It reads like a restriction and restricts nothing. Often the bound is off by
one, or the unit is another.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule hard
      when complexity is at least 0 and attempt is at least 3
      use tier strong

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule hard
      when attempt is at least 3
      use tier strong
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P708"


def always_holds(span: Span, condition: str) -> Diagnostic:
    """A condition that every request satisfies."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"`{condition}` always holds",
        span,
        help="delete it, or give the bound that was meant",
    )
