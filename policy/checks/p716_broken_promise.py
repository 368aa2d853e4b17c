"""
P716: a promise that is broken

What it finds

A promise that some chain breaks. Looked at is every chain that its conditions
cover, whole: in all cells, after any failed gates that the escalations name,
and with any models in cooldown. A promise of `no` models also holds against
whoever names one: a person by `--preferred`, or a story. So it needs a hard
limit.

Why it matters

A promise is what others rely on. It changes no decision, so a statement that
makes it true must stand beside it.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    rule home when private is yes use opus
    promise private_stays_home no haiku when private is yes

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    input private is yes or no default no
    never use haiku when private is yes
    fallback to opus
    promise private_stays_home no haiku when private is yes
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P716"


def broken_promise(span: Span, promise: str, reason: str, words: str, asked: str) -> Diagnostic:
    """A promise, what is wrong with the chain that breaks it, and the request that gets this chain."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"promise `{promise}` is broken: {reason} for a request with {words}",
        span,
        help=f"make it true, as by a hard limit or another fallback, or promise less; see it: {asked}",
    )
