"""
P201: duplicate name
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span

CODE = "P201"


def duplicate(span: Span, kind: str, name: str, first: Span) -> Diagnostic:
    """A second declaration of a name; `first` is where it was declared before."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"{kind} `{name}` is declared twice",
        span,
        help="rename one of them, or delete it",
        others=(Label(first, "first declared here"),),
    )
