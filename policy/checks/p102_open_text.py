"""
P102: text without a closing quote
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
