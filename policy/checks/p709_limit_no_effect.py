"""
P709: a hard limit that changes nothing

What it finds

A hard limit whose models other hard limits forbid wherever it holds, or whose
requests they refuse; also an `only use` that names every model.

Why it matters

It can go, or it doesn't forbid what was meant. Two limits that say the same
drift apart when one is changed.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    never use opus when private is yes
    never use opus when private is yes and branch is "main"
    fallback to haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    never use opus when private is yes
    fallback to haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P709"


def limit_no_effect(span: Span, asked: str) -> Diagnostic:
    """A hard limit that others make superfluous, and a request in which it holds."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        "this hard limit changes nothing: others forbid the same",
        span,
        help=f"delete it, or say what else it should forbid; see it: {asked}",
    )
