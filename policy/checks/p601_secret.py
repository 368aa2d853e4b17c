"""
P601: secret in the policy
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P601"


def secret(span: Span, what: str) -> Diagnostic:
    """Text that looks like a credential. It isn't repeated, here or in the excerpt."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"this looks like {what}",
        span,
        help="take it out, revoke it, and name an environment variable instead: `key MY_API_KEY`, `slack env MY_WEBHOOK`",
    )
