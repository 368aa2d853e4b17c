"""
P602: ignore that ignores nothing

What it finds

A comment `# policyctl: ignore[P801] reason` for a code that isn't found
there, or is found there as an error. Also a comment that starts with
`# policyctl:` and reads otherwise.

An ignore counts for the statement on whose line it stands; where it stands
alone, for the one on the next line that is more than a comment. It names one
or more codes of warnings. What stands behind them is for the next reader: why
it may stay.

Why it matters

A warning that is right but accepted would else be passed over together with
the next one, which isn't. And an ignore that has outlived its warning, or was
misspelt, would hide the same warning when it comes back for another reason.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku # policyctl: ignore[P801] until May

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P602"


def unused(span: Span, code: str, *, is_error: bool) -> Diagnostic:
    """A code that isn't found where it is ignored, or that is found there as an error."""
    if is_error:
        message, help = (
            f"`{code}` is an error here, so it can't be ignored",
            "mend it, and take the ignore out",
        )
    else:
        message, help = (
            f"there is no `{code}` here to ignore",
            "take it out, or put it on the line of the warning",
        )
    return Diagnostic(CODE, Severity.WARNING, message, span, help=help)


def malformed(span: Span) -> Diagnostic:
    """A comment to policyctl that it can't read."""
    message = "a comment to policyctl that can't be read"
    return Diagnostic(CODE, Severity.WARNING, message, span, help="write `# policyctl: ignore[P801] reason`")
