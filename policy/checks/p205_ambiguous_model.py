"""
P205: ambiguous model
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import ticked

CODE = "P205"


def ambiguous(span: Span, name: str, candidates: Sequence[str]) -> Diagnostic:
    """A short name that is the last part of several keys."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{name}` may be any of {len(candidates)} models",
        span,
        help=f"write the whole key: {ticked(candidates)}",
    )
