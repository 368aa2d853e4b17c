"""
P108: statement after the end

What it finds

A statement behind `end` in the same file.

Why it matters

`end` says that the file is whole. What stands behind it was most likely
appended by a program or left there by a merge, and nobody would expect it to
count.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    end
    fallback to opus

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    fallback to opus
    end
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P108"


def after_end(span: Span) -> Diagnostic:
    """A statement behind `end`."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        "this statement stands after `end`",
        span,
        help="`end` is the last line of its file; move the statement above it",
    )
