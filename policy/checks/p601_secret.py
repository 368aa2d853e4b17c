"""
P601: secret in the policy

What it finds

Text that looks like a credential: an API key, a token, a webhook address, a
private key, a password in an address. It is told wherever it stands, comments
included, and is never repeated in a message.

Why it matters

A policy is read by many people and kept in version control for ever. A key
that was in it once has to be revoked. A policy names the environment variable
that holds the key, never the key.

Example

    model haiku is anthropic/claude-haiku-5-5
      key sk-ant-this-is-not-a-real-key
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
      key TEAM_ANTHROPIC_KEY
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P601"


def credential(span: Span, name: str) -> Diagnostic:
    """An input that would be taken from a variable that holds a credential; inputs are shown."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"an input can't be taken from `{name}`, which looks like a credential",
        span,
        help="inputs are shown by `explain`; take it from a variable of its own",
    )


def secret(span: Span, what: str) -> Diagnostic:
    """Text that looks like a credential. It isn't repeated, here or in the excerpt."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"this looks like {what}",
        span,
        help="take it out, revoke it, and name an environment variable instead: "
        "`key MY_API_KEY`, `slack env MY_WEBHOOK`",
    )
