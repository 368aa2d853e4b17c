"""
P301: wrong type
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P301"


def wrong_type(span: Span, message: str, help: str | None = None) -> Diagnostic:
    """A condition or value that doesn't fit the kind of its fact."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)
