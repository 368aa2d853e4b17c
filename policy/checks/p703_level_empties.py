"""
P703: a budget level that leaves nobody

What it finds

An `only` level of a budget none of whose models can serve some request: they
lack a capability or a context window, are disabled, or a hard limit forbids
them. Capabilities that no condition of the policy speaks of don't count: to
leave those out is what such a level is for.

Why it matters

From that level on such requests are refused, though the budget isn't used up.
That may be what you want; then let a comment say so.

Example

    model haiku is anthropic/claude-haiku-5-5 can tools
    model opus is anthropic/claude-opus-5-5 can tools, vision
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    refuse when requires is vision and attempt is above 3
    budget monthly is $500 per month
      at 90% only haiku

Instead

    model haiku is anthropic/claude-haiku-5-5 can tools
    model opus is anthropic/claude-opus-5-5 can tools, vision
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    refuse when requires is vision and attempt is above 3
    budget monthly is $500 per month
      at 90% only haiku, opus
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P703"


def level_empties(span: Span, words: str, asked: str) -> Diagnostic:
    """An `only` level that leaves nobody for a request, in words and as a command."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"here no model is left for a request with {words}",
        span,
        help=f"add a model that can, or accept the refusal; see it: {asked}",
    )
