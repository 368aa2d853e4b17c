"""
P303: out of range
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P303"


def out_of_range(span: Span, text: str, low: str, high: str | None) -> Diagnostic:
    """A number that can't be; `high` None: there is no upper bound."""
    between = f"from {low} to {high}" if high is not None else f"at least {low}"
    return Diagnostic(CODE, Severity.ERROR, f"`{text}` is out of range", span, help=f"it is {between}")


def empty_range(span: Span, low: str, high: str) -> Diagnostic:
    """A range whose end lies before its start."""
    return Diagnostic(CODE, Severity.ERROR, f"`{low} to {high}` is empty", span, help=f"write `{high} to {low}`")
