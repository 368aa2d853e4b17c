"""
P718: too large to be proven

What it finds

A part of the analysis that would take too long for this policy: too many
different requests, windows or promises to look at.

Why it matters

What isn't proven may be wrong. The other findings are complete for what they
are about.

Example

    a thousand rules that each test four of nine facts, in any order

Instead

    rules for one matter side by side, and facts that decide alone first
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P718"


def unproved(span: Span | None, what: str) -> Diagnostic:
    """What couldn't be proven."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"unproved: {what}",
        span,
        help="fewer or simpler conditions make it provable; `policyctl rule P718` says what is meant",
    )
