"""
P105: file that can't be read

What it finds

A policy file, or an included one, that is missing, is no regular file, may
not be read, or isn't UTF-8 text.

Why it matters

A part of the policy that can't be read might hold a limit. So nothing of the
policy is used; a process that already runs keeps its last good one.

Example

    loop.policy says `include "team/models.policy"`, and the folder team
    holds no such file.

Instead

    team/models.policy exists, is a plain file and is saved as UTF-8.
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P105"


def unreadable(name: str, reason: str, span: Span | None = None, help: str | None = None) -> Diagnostic:
    """A policy or included file that is missing, no regular file, not permitted or not UTF-8."""
    return Diagnostic(CODE, Severity.ERROR, f"`{name}` can't be read: {reason}", span, help=help)
