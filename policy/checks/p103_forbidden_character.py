"""
P103: forbidden character

What it finds

A control character, an invisible character, or one that changes the direction
of writing, anywhere in the text, comments included. Tabs and line ends are
fine; so is every visible letter of every script, in comments and in quotes.

Why it matters

Such characters make a policy read differently to a person than to the
machine: two names look the same and are not, or a line seems to be a comment
and is none. In the example [U+200B] stands for the invisible character
itself.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku[U+200B]

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P103"


def forbidden(span: Span, character: str) -> Diagnostic:
    """A control, bidirectional or invisible character, named by its code point."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"the character U+{ord(character):04X} isn't allowed in a policy",
        span,
        help="delete it; it can't be seen, or changes how the line looks",
    )
