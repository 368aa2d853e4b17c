"""
P501: example that doesn't hold
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P501"


def example_fails(span: Span, gives: Sequence[str], found: str, asked: str) -> Diagnostic:
    """An example whose chain doesn't start with what it says; `asked` is a command that shows why."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"this gives {found}, not {', '.join(gives)}",
        span,
        help=f"see why: {asked}",
    )
