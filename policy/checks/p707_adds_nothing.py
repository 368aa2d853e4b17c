"""
P707: an alternative that adds nothing

What it finds

An `or when` that holds only where another alternative of the same statement
holds too.

Why it matters

It can be left out without a change, or it says less than was meant.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input stage is one of dev, prod default dev
    rule release
      when stage is prod
      or when stage is prod and attempt is 2
      use tier strong

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input stage is one of dev, prod default dev
    rule release
      when stage is prod
      or when attempt is 2
      use tier strong
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P707"


def adds_nothing(span: Span, asked: str) -> Diagnostic:
    """An alternative that others of its statement cover, and a request in which it holds."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        "this alternative adds nothing: wherever it holds, another one does",
        span,
        help=f"delete it, or the narrower conditions of the other; see it: {asked}",
    )
