"""
P107: include cycle
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P107"


def cycle(span: Span, names: tuple[str, ...]) -> Diagnostic:
    """Files that include each other; `names` from the first file back to itself."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        "this include closes a circle",
        span,
        help="take one of them out: " + " -> ".join(names),
    )
