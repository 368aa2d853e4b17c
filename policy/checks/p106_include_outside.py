"""
P106: include outside the policy's folder

What it finds

An `include` whose path is absolute, goes up by `..`, has a backslash, or
leads out of the policy's folder by a symbolic link. In a text that isn't a
file, every `include`.

Why it matters

Whoever may write into the policy's folder may change the policy, nobody else.
An include that leaves the folder would hand that right on, and could read any
file of the machine.

Example

    policies/loop.policy says `include "../shared/models.policy"`.

Instead

    The file is moved to policies/shared/models.policy, and
    policies/loop.policy says `include "shared/models.policy"`.
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
