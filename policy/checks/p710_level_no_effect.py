"""
P710: a budget level that changes nothing

What it finds

A level of a budget that is never in force, because the limit is so small that
a later level is reached at the same moment, or one that does no more than the
level before it.

Why it matters

Somebody relies on it to save money. It doesn't.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    budget monthly is $500 per month
      at 75% downgrade 1 tier
      at 90% downgrade 2 tier

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    budget monthly is $500 per month
      at 75% downgrade 1 tier
      at 90% only haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P710"


def never_in_force(span: Span, budget: str) -> Diagnostic:
    """A level that a later one always replaces."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"this level of budget `{budget}` is never in force: the next one is reached at the same moment",
        span,
        help="delete it, or raise the limit",
    )


def level_no_effect(span: Span, reason: str, asked: str) -> Diagnostic:
    """A level that does nothing, or no more than the one before it, and a request while it is in force."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"this level changes nothing: {reason}",
        span,
        help=f"delete it, or let it do more; see it: {asked}",
    )
