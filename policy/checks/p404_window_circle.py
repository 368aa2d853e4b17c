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
from ...schemas.policy import Policy, Window

CODE = "P404"


MAX_CHAIN = 10
"""Windows that one may be `outside` of, one behind the other; a person follows two."""


def check(policy: Policy) -> Iterator[Diagnostic]:
    """Each chain of `outside` ends, soon, in a window with days or a cron line."""
    for window in policy.windows.values():
        chain = _chain(policy, window)
        if window.name in chain:
            message = f"window `{window.name}` is outside itself"
            help = "give one window of the circle its own days and times"
            yield Diagnostic(CODE, Severity.ERROR, message, window.span, help=help)
        elif len(chain) == MAX_CHAIN + 1:
            message = f"window `{window.name}` is outside a chain of more than {MAX_CHAIN} windows"
            help = "give it its own days and times, or name the window at the end of the chain"
            yield Diagnostic(CODE, Severity.ERROR, message, window.span, help=help)


def _chain(policy: Policy, window: Window) -> list[str]:
    """The windows met by following `outside`, up to the first that closes a circle, or one too many."""
    chain: list[str] = []
    at = window.outside
    while at is not None and at not in chain and len(chain) <= MAX_CHAIN:
        chain.append(at)
        at = policy.windows[at].outside
    return chain
