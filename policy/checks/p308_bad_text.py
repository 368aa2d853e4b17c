"""
P308: text that doesn't fit
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P308"


def bad_text(span: Span, text: str, expected: str) -> Diagnostic:
    """A text that must have a form: an environment variable's name, an address, a clock time."""
    return Diagnostic(CODE, Severity.ERROR, f"`{text}` is no {expected}", span, help=_EXAMPLES.get(expected))


_EXAMPLES = {
    "name of an environment variable": "such as TEAM_OPENAI_KEY; the value itself never stands in a policy",
    "server address": 'such as "http://127.0.0.1:11434/v1", without a user or password',
    "time of day": "from 00:00 to 24:00, such as 09:30",
    "email address": 'such as "team@example.com"',
}
