"""
P105: file that can't be read
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P105"


def unreadable(name: str, reason: str, span: Span | None = None, help: str | None = None) -> Diagnostic:
    """A policy or included file that is missing, no regular file, not permitted or not UTF-8."""
    return Diagnostic(CODE, Severity.ERROR, f"`{name}` can't be read: {reason}", span, help=help)
