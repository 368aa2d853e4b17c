"""
P107: include cycle

What it finds

Files that include each other in a circle, or a file that includes itself.

Why it matters

Statements have an order, and the first matching rule decides. In a circle no
file comes first. Two files that include the same third one are no circle: it
is read once, at the first place.

Example

    loop.policy says `include "models.policy"`, and models.policy says
    `include "loop.policy"`.

Instead

    models.policy includes nothing; loop.policy alone says
    `include "models.policy"`.
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P107"


def cycle(span: Span, names: tuple[str, ...]) -> Diagnostic:
    """Files that include each other; `names` from the first file back to itself."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        "this include closes a circle",
        span,
        help="take one of them out: " + " -> ".join(names),
    )
