"""
P704: a rule that can never win

What it finds

A rule, or one alternative of it, that is never the first that matches:
wherever it holds, an earlier rule holds too. The rules that cover it are
named; none of them can be left out of that list.

Why it matters

The first rule that matches decides. One that never gets its turn is a wish
that nobody hears, often because the general rule stands above the special
one.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule hard when complexity is at least 4 use tier strong
    rule odd  when complexity is at least 5 and attempt is 1 use haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule odd  when complexity is at least 5 and attempt is 1 use haiku
    rule hard when complexity is at least 4 use tier strong
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span
from ..names import listed

CODE = "P704"


def never_wins(
    span: Span, rule: str, alternative: int | None, covering: Sequence[tuple[str, Span]], asked: str
) -> Diagnostic:
    """A rule or one of its alternatives (from 0), and the earlier rules that always come first."""
    names = listed([f"`{name}`" for name, _ in covering])
    who = names if len(covering) == 1 else f"one of {names}"
    which = f"rule `{rule}`" if alternative is None else f"alternative {alternative + 1} of rule `{rule}`"
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"{which} can never win: wherever it holds, {who} holds before it",
        span,
        help=f"move it up, or delete it; see who wins: {asked}",
        others=tuple(Label(where, "comes first") for _, where in covering),
    )
