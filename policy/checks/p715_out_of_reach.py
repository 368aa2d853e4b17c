"""
P715: a named model that is in no tier

What it finds

A rule or a domain that names a model which is in no tier.

Why it matters

A named model is tried only up to the request's tier. One in no tier has no
place there and is left out, always; it serves only from the fallback list, an
`only` level or when a person asks for it.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    model luna is openai/gpt-5.6-luna
    domain sight prefers luna
    fallback to luna

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    model luna is openai/gpt-5.6-luna
    tier middle above complexity 8 has luna
    domain sight prefers luna
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P715"


def out_of_reach(span: Span, who: str, model: str, asked: str | None) -> Diagnostic:
    """A rule or domain that names a model in no tier, and a request that shows it."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"{who} names `{model}`, which is in no tier: it is never tried here",
        span,
        help="put the model in a tier, or name another" + (f"; see it: {asked}" if asked is not None else ""),
    )
