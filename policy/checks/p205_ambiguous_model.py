"""
P205: ambiguous model

What it finds

A short name that is the last `/` part of more than one model's key.

Why it matters

Which of them is meant can't be guessed: they may differ in price and in who
sees the data. Write the whole key, or give one of them an `alias`.

Example

    model openai/luna is openai/gpt-5.6-luna
    model litellm/luna is litellm/gpt-5.6-luna
    tier cheap from complexity 0 has luna
    fallback to litellm/luna

Instead

    model openai/luna is openai/gpt-5.6-luna
    model litellm/luna is litellm/gpt-5.6-luna
    tier cheap from complexity 0 has openai/luna
    fallback to litellm/luna
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import ticked

CODE = "P205"


def ambiguous(span: Span, name: str, candidates: Sequence[str]) -> Diagnostic:
    """A short name that is the last part of several keys."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{name}` may be any of {len(candidates)} models",
        span,
        help=f"write the whole key: {ticked(candidates)}",
    )
