"""
P214: unknown time zone
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P214"


def unknown_timezone(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A zone that the IANA database doesn't have."""
    help = did_you_mean(name, known) or "write an IANA name such as `Europe/Berlin` or `UTC`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown time zone `{name}`", span, help=help)
