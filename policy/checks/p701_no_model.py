"""
P701: a request that no model can serve

What it finds

A request that nobody can serve, though no budget and no hard limit forbids
it: no model of its tier or above, none that is named for it and none of the
fallback list is enabled, has what the request requires, and is large enough.
It is an error where the request asks for nothing special, only a complexity;
else it is a warning.

Why it matters

Such a request fails, whatever is in order with the providers. Capabilities
that no single enabled model has together are not looked at: no policy could
help there.

Example

    model haiku is anthropic/claude-haiku-5-5 can vision
    model opus is anthropic/claude-opus-5-5 can tools
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus


Instead

    model haiku is anthropic/claude-haiku-5-5 can vision
    model opus is anthropic/claude-opus-5-5 can tools
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    fallback to haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P701"


def no_model(span: Span, words: str, asked: str, *, ordinary: bool) -> Diagnostic:
    """A request that nobody can serve, in words and as a command."""
    return Diagnostic(
        CODE,
        Severity.ERROR if ordinary else Severity.WARNING,
        f"no model can serve a request with {words}",
        span,
        help=f"put a model that can in the tier, above it or in the fallback list; see it: {asked}",
    )
