"""
P307: not possible here

What it finds

Something that can be written but means nothing in this place: a budget in a
hard limit, `downgrade` or `only` in a budget for one provider, tier or model,
a first `or when`, a second `when` without `or`, an example with `is not` or
`is one of`.

Why it matters

Hard limits bind everybody at all times, so they don't depend on what was
spent. The other cases have two readings, or none.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    budget monthly is $500 per month
      at 80% warn
    refuse when budget monthly is at least 100%

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    budget monthly is $500 per month
      at 80% warn
      at 100% pause
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P307"


def not_here(span: Span, message: str, help: str | None = None) -> Diagnostic:
    """Something of the language that has no meaning in this place."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)
