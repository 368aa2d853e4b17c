"""
P501: example that doesn't hold

What it finds

An `example` whose chain doesn't start with the models that it names.

Why it matters

Examples are the policy's own tests: they say in plain words what its author
expects. When one fails, either a change went wrong or the expectation did.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    example complexity is 8 gives haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    example complexity is 8 gives opus
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P501"


def no_request(span: Span, reason: str) -> Diagnostic:
    """An example that describes no request, or one that can't be."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"this example is no request: {reason}",
        span,
        help="an example says every fact that has no default, and nothing that contradicts itself",
    )


def example_fails(span: Span, gives: Sequence[str], found: str, asked: str) -> Diagnostic:
    """An example whose chain doesn't start with what it says; `asked` is a command that shows why."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"this gives {found}, not {', '.join(gives)}",
        span,
        help=f"see why: {asked}",
    )
