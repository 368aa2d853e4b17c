"""
P712: a model that can never serve where it is listed

What it finds

A model of the fallback list that is disabled, a model that hard limits always
forbid, or a capability that the policy reads and that no model of the
fallback list has.

Why it matters

Where it counts on such a model a chain is shorter than it looks: when the
first model fails, nobody is left.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    model luna is openai/gpt-5.6-luna disabled
    fallback to luna, haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    model luna is openai/gpt-5.6-luna
    fallback to luna, haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P712"


def cannot_serve(span: Span, message: str, help: str) -> Diagnostic:
    """A model, or a list of them, that can't do what it stands there for."""
    return Diagnostic(CODE, Severity.WARNING, message, span, help=help)
