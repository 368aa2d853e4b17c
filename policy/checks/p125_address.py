"""
P125: an address that is a secret

What it finds

A `webhook_url` that is written out in a file of the older YAML form. It is
read as the environment variable that the finding names, and the address
itself is neither kept nor shown.

Why it matters

Who has the address of a webhook can write to the channel. A policy is read by
many people and kept for ever, so it names the variable that holds the
address. If the file was ever shared, make a new address.

Example

    alerts:
      - name: expensive_story
        condition: story_cost > 5.0
        action: slack_webhook
        webhook_url: https://hooks.slack.com/...

Instead

    alerts:
      - name: expensive_story
        condition: story_cost > 5.0
        action: slack_webhook
        webhook_url: $SLACK_WEBHOOK_URL
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P125"


def address_not_kept(span: Span, variable: str) -> Diagnostic:
    """A literal address in whose place a variable is read."""
    message = f"the address isn't kept: this alert reads it from the variable {variable}"
    help = f"export {variable}=… where the loop runs, and write `webhook_url: ${variable}` here"
    return Diagnostic(CODE, Severity.WARNING, message, span, help=help)
