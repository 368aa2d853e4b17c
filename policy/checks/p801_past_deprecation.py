"""
P801: model past its deprecation date

What it finds

A model whose deprecation date in the price catalogue has come. A model that
is `disabled`, or has a server of its own, isn't looked at.

Why it matters

The provider may refuse every call by now. Then each request waits for a
failure before the next model of its chain serves; and where an alias of the
name lives on, another model answers, at another price.

Example

    model o1 is openai/o1
    tier powerful from complexity 0 has o1

Instead

    model sol is openai/gpt-6.1-sol
    tier powerful from complexity 0 has sol
"""

from __future__ import annotations

from datetime import date

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P801"


def past_deprecation(span: Span, model_id: str, day: date) -> Diagnostic:
    """A model that its provider has deprecated."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"`{model_id}` was deprecated on {day}",
        span,
        help="calls may fail by now: name a model that is still offered, or write `disabled`",
    )
