"""
P104: too much text
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P104"


def file_too_large(name: str, limit: int) -> Diagnostic:
    """One file over the limit (bytes)."""
    message = f"`{name}` is larger than {limit // 1024} KiB"
    return Diagnostic(CODE, Severity.ERROR, message, None, help="split it with `include`")


def all_too_large(name: str, limit: int) -> Diagnostic:
    """All files together are over the limit (bytes)."""
    message = f"with `{name}` the policy is larger than {limit // 1024} KiB in all"
    return Diagnostic(CODE, Severity.ERROR, message, None, help="no policy needs so much; is this the right file?")


def too_many_files(span: Span, limit: int) -> Diagnostic:
    """More includes than anyone needs."""
    return Diagnostic(CODE, Severity.ERROR, f"more than {limit} files are included", span)
