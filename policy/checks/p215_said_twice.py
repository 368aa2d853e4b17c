"""
P215: said twice
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
