"""
P103: forbidden character
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P103"


def forbidden(span: Span, character: str) -> Diagnostic:
    """A control, bidirectional or invisible character, named by its code point."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"the character U+{ord(character):04X} isn't allowed in a policy",
        span,
        help="delete it; it can't be seen, or changes how the line looks",
    )
