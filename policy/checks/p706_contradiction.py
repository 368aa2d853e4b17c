"""
P706: conditions that never hold together

What it finds

Conditions joined by `and` that no request satisfies at once, or a single one
that nothing satisfies, such as a capability that no enabled model has.

Why it matters

The alternative never holds, so whatever it should allow or forbid doesn't
happen. Often an `or when` was meant.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule odd
      when complexity is above 8 and complexity is below 2
      use haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule odd
      when complexity is above 8
      or when complexity is below 2
      use haiku
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span

CODE = "P706"


def contradiction(spans: Sequence[Span], reason: str) -> Diagnostic:
    """Conditions that no request satisfies together, and why."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"this never holds: {reason}",
        spans[-1],
        help="write `or when` if either is meant, or delete what can't be",
        others=tuple(Label(span, "and this" if len(spans) > 1 else "") for span in spans[:-1]),
    )
