"""
P102: text without a closing quote

What it finds

A text that starts with a double quote and has no second one on its line. In
YAML: a text or name that holds a double quote, or a name that holds a line
end.

Why it matters

A text never goes over the end of its line. So a forgotten quote spoils one
line and not the rest of the file. A text can't hold a double quote itself.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    refuse when kind is "legal
      because "Lawyers write this themselves."

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    refuse when kind is "legal"
      because "Lawyers write this themselves."
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P102"


def open_text(span: Span) -> Diagnostic:
    """A quote that isn't closed on its line."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        "the text that starts here has no closing quote on its line",
        span,
        help='end it with `"`; a text stands on one line and holds no quote itself',
    )


def quote_inside(span: Span, what: str) -> Diagnostic:
    """A quote or line end in a text or name, which only YAML could write."""
    message = f"a {what} can't hold a double quote or a line end"
    return Diagnostic(
        CODE, Severity.ERROR, message, span, help="use single quotes inside it, or leave them out"
    )
