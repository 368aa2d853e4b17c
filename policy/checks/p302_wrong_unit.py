"""
P302: wrong unit

What it finds

An amount with another unit than belongs there, or without one.

Why it matters

The unit says what a number means: 90 seconds are not 90 percent. Nothing is
guessed or converted from a bare number where a unit belongs.

Example

    model haiku is anthropic/claude-haiku-5-5 timeout 90
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5 timeout 90s
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P302"


def wrong_unit(span: Span, text: str, expected: str) -> Diagnostic:
    """An amount in another unit than stands there."""
    message = f"expected {expected}, found `{text}`"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=_EXAMPLES.get(expected))


_EXAMPLES = {
    "a number": "write it without a unit, such as 3 or 2.5",
    "a whole number": "write it without a unit or a point, such as 3",
    "an amount of money": "write it in dollars, such as $2.50",
    "a percentage": "write it with a percent sign, such as 75%",
    "a duration": "write it with ms, s, m or h, such as 30s",
    "a number of tokens": "write it plainly or with k or M, such as 8192 or 128k",
}
