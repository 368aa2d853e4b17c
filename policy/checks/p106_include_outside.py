"""
P106: include outside the policy's folder
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P106"


def outside(span: Span, path: str, reason: str) -> Diagnostic:
    """An include that would leave the folder of the policy."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{path}` can't be included: {reason}",
        span,
        help="include files below the policy's own folder, by a relative path without `..`",
    )
