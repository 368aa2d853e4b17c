"""
P702: a hard limit that leaves nobody

What it finds

A `never use` or `only use` that forbids every model that could serve some
request. A request that a `refuse` refuses isn't meant: that is what it says.

Why it matters

A hard limit makes nobody climb to a higher tier: the request is refused, by a
limit that was meant to send it elsewhere.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    never use haiku when private is yes

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    never use haiku when private is yes
    fallback to opus
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P702"


def limit_empties(span: Span, words: str, asked: str) -> Diagnostic:
    """A hard limit that leaves nobody for a request, in words and as a command."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"this leaves no model for a request with {words}",
        span,
        help=f"add a model that may serve to the fallback list, or refuse such requests; see it: {asked}",
    )
