"""
P122: a shell command as a trigger

What it finds

A `trigger` in a file of the older YAML form that is a command for a shell.
One form is understood: `git branch | grep NAME` becomes the condition
`branch is "NAME"`. No command is ever run.

Why it matters

A policy that runs commands could do anything, and nobody could say what it
decides. A policy reads facts that are handed to it; the branch is one, and a
loop can hand over any other as an input.

Example

    timeRules:
      - name: production_deploy
        trigger: "test -f RELEASE"
        preferred_tier: powerful

Instead

    timeRules:
      - name: production_deploy
        trigger: "git branch | grep main"
        preferred_tier: powerful
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P122"


def shell_trigger(span: Span, rule: str, tier: str) -> Diagnostic:
    """A command that isn't the one form that is understood."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        "a policy runs no command, and this isn't `git branch | grep NAME`",
        span,
        help=f'take it out and write the rule in a .policy file: `rule {rule} when branch is "main" use '
        f"tier {tier}`, or declare an `input` for what the command finds out",
    )
