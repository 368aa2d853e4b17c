"""
P301: wrong type

What it finds

A value or a condition that doesn't fit what the fact is: a text for a number,
`starts with` on a yes or no, `above` on a text.

Why it matters

Each fact is of one kind: yes or no, one of some words, a number, a text, or a
set of capabilities. A test of another kind could never hold.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    input private is yes or no default no
    refuse when private is high

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    input private is yes or no default no
    refuse when private is yes
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Edit, Severity
from ...schemas.text import Span

CODE = "P301"


def wrong_type(span: Span, message: str, help: str | None = None) -> Diagnostic:
    """A condition or value that doesn't fit the kind of its fact."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)


def no_yes_or_no(span: Span, fact: str, text: str) -> Diagnostic:
    """Another word than yes or no; that of other languages has a sure mend."""
    meant = {"true": "yes", "false": "no"}.get(text.lower())
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{fact}` is yes or no, not `{text}`",
        span,
        help=f"write `{fact} is yes` or `{fact} is no`",
        fix=() if meant is None else (Edit(span, text, meant),),
    )
