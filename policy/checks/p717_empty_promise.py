"""
P717: a promise that covers no chain

What it finds

A promise whose conditions hold only where every request is refused anyway, by
a `refuse` or a budget that pauses.

Why it matters

It can't be broken, so it says nothing. Its conditions, or those of the
refusal, aren't what was meant.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    refuse when private is yes
    promise home no haiku when private is yes

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    refuse when private is yes and attempt is above 3
    never use haiku when private is yes
    fallback to opus
    promise home no haiku when private is yes
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P717"


def empty_promise(span: Span, promise: str) -> Diagnostic:
    """A promise that covers only requests that are refused."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"promise `{promise}` covers no chain: every request that it is about is refused",
        span,
        help="delete it, or give the conditions that are meant",
    )
