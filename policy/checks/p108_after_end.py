"""
P108: statement after the end
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P108"


def after_end(span: Span) -> Diagnostic:
    """A statement behind `end`."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        "this statement stands after `end`",
        span,
        help="`end` is the last line of its file; move the statement above it",
    )
