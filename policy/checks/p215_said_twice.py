"""
P215: said twice

What it finds

A statement that may stand once (`policy`, `timezone`, `baseline`, `estimate`,
`fallback`, `hedge`, a `retry` for the same models), a clause of a model, or
an item of a list, that stands a second time.

Why it matters

One of the two would be ignored, and a reader can't see which. In a list the
second one changes nothing, so another name was most likely meant.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    retry 3 attempts wait 1s
    retry 5 attempts wait 2s

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    retry 3 attempts wait 2s
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span

CODE = "P215"


def said_twice(span: Span, what: str, first: Span) -> Diagnostic:
    """A statement or clause that may stand once stands again."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{what}` is said twice",
        span,
        help="keep one of them",
        others=(Label(first, "said here first"),),
    )
