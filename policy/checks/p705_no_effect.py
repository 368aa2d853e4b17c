"""
P705: a rule that changes nothing

What it finds

A rule that wins, and without which every decision would be the same: another
rule, the complexity or whoever asks for a tier gives the same anyway, or what
it gives can never serve. Looked at are all requests, after any failures, with
any models in cooldown and whichever model a person or a story names.

Why it matters

It looks as if it did something. Either it can go, or it doesn't say what its
author meant.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule hard when complexity is at least 7 use tier strong

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule hard when complexity is at least 5 use tier strong
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P705"


def no_effect(span: Span, rule: str, asked: str) -> Diagnostic:
    """A rule without which nothing would be different, and a request that it wins."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"rule `{rule}` changes nothing: without it every decision is the same",
        span,
        help=f"delete it, or say what it should change; a request that it wins: {asked}",
    )
