"""
P307: not possible here
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P307"


def not_here(span: Span, message: str, help: str | None = None) -> Diagnostic:
    """Something of the language that has no meaning in this place."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)
