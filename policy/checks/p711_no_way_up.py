"""
P711: an escalation that can never act

What it finds

An `escalate` that can't raise the tier of any request: there is no tier above
the one that it is `from`, it goes `to` one that isn't higher, or an earlier
`escalate` always counts first.

Why it matters

The failure changes nothing, so the same tier fails again.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    escalate from strong to next tier when gate tests fails

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    escalate from cheap to next tier when gate tests fails
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P711"


def no_way_up(span: Span, reason: str, asked: str | None) -> Diagnostic:
    """An escalation that never acts, why, and a request that shows it."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"this never raises a tier: {reason}",
        span,
        help="delete it, or name a higher tier" + (f"; see it: {asked}" if asked is not None else ""),
    )
