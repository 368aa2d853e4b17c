"""
P304: malformed amount
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P304"


def malformed(span: Span, text: str, unit: str) -> Diagnostic:
    """A number whose digits, commas or points don't make sense."""
    shown = text if len(text) <= 24 else text[:20] + "…"
    help = "write it with at most 18 digits"
    if unit == "amount of money":
        help = "thousands are grouped by three and cents follow a point: $1,500 or $1500.00"
    return Diagnostic(CODE, Severity.ERROR, f"`{shown}` is no {unit}", span, help=help)
