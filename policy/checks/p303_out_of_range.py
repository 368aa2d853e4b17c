"""
P303: out of range

What it finds

A number outside what it can be: a complexity above 10, a percentage above
1000, no attempts at all. Also a range that ends before it starts.

Why it matters

A condition on such a number never holds, or always does. As a setting it
would be an attempt to do something impossible.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    refuse when complexity is above 90

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    refuse when complexity is above 9
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P303"


def out_of_range(span: Span, text: str, low: str, high: str | None) -> Diagnostic:
    """A number that can't be; `high` None: there is no upper bound."""
    between = f"from {low} to {high}" if high is not None else f"at least {low}"
    return Diagnostic(CODE, Severity.ERROR, f"`{text}` is out of range", span, help=f"it is {between}")


def empty_range(span: Span, low: str, high: str) -> Diagnostic:
    """A range whose end lies before its start."""
    message = f"`{low} to {high}` is empty"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=f"write `{high} to {low}`")
