"""
P714: declared, but never read

What it finds

An input or window that no rule, hard limit or promise reads; a budget without
levels that none reads; a domain without models that nothing names; a model in
no tier that neither the fallback list nor a budget level names.

Why it matters

It changes no decision. Either the statement that should read it is missing,
or it is a left-over.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    rule home when private is yes use tier strong
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P714"


def unused(span: Span, kind: str, name: str, reason: str) -> Diagnostic:
    """Something that is declared and changes no decision."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"{kind} `{name}` changes no decision: {reason}",
        span,
        help="use it, or delete it",
    )
