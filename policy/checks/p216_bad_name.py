"""
P216: name that can't be used
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P216"


def bad_name(span: Span, name: str) -> Diagnostic:
    """A quoted name with other characters than names have."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{name}` can't be a name",
        span,
        help="a name has letters, digits, `-`, `_`, `.`, `/`, `:` and `@`, and starts with a letter",
    )


def taken(span: Span, name: str, by: str) -> Diagnostic:
    """A name that already means something else here."""
    message = f"`{name}` is already the name of {by}"
    return Diagnostic(CODE, Severity.ERROR, message, span, help="choose another name")
