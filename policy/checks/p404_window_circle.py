"""
P404: windows that name each other in a circle

What it finds

Windows that are defined as `outside` each other, or a window that is outside
itself.

Why it matters

Whether such a window holds would depend on whether it doesn't.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    window work is outside rest
    window rest is outside work
    refuse when during rest

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    window work is Mon to Fri 09:00 to 17:00
    window rest is outside work
    refuse when during rest
"""

from __future__ import annotations

from collections.abc import Iterator

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.policy import Policy

CODE = "P404"


def check(policy: Policy) -> Iterator[Diagnostic]:
    """Each chain of `outside` ends in a window with days or a cron line."""
    for window in policy.windows.values():
        if _returns(policy, window.name):
            yield Diagnostic(
                CODE,
                Severity.ERROR,
                f"window `{window.name}` is outside itself",
                window.span,
                help="give one window of the circle its own days and times",
            )


def _returns(policy: Policy, name: str) -> bool:
    """Whether following `outside` from a window leads back to it."""
    at = policy.windows[name].outside
    for _ in policy.windows:
        if at is None or at == name:
            break
        at = policy.windows[at].outside
    return at == name
