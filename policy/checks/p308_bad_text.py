"""
P308: text that doesn't fit

What it finds

A text that must have a form and doesn't: the name of an environment variable,
the address of a server, a time of day, an email address.

Why it matters

It would be found out only when it is needed: when a key is looked up, a model
is called or an alert is sent.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    alert expensive_day when daily_cost is above $20 email "team"

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    alert expensive_day when daily_cost is above $20
      email "team@example.com"
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
