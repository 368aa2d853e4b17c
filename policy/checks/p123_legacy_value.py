"""
P123: a value that doesn't fit the older YAML form

What it finds

In a file of the older form: a list where a map belongs, a text where a number
does, an entry without a key that it needs, or a word that isn't among those
that are understood there (an action, a tier, a day, a strategy).

Why it matters

What can't be read can't be left out either: the policy would lack a model, a
rule or a level of a budget that somebody counts on.

Example

    budget:
      monthly_limit_usd: 500
      alert_thresholds:
        - percent: 75
          action: panic

Instead

    budget:
      monthly_limit_usd: 500
      alert_thresholds:
        - percent: 75
          action: downgrade_tier
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P123"


def misfit(span: Span, what: str, expected: str) -> Diagnostic:
    """`what` is of another kind than it should be."""
    return Diagnostic(CODE, Severity.ERROR, f"{what} must be {expected}", span)


def missing(span: Span, what: str, key: str) -> Diagnostic:
    """An entry lacks a key."""
    return Diagnostic(CODE, Severity.ERROR, f"{what} has no `{key}`", span, help=f"add `{key}: …` to it")


def unknown_word(span: Span, what: str, written: str, known: Sequence[str]) -> Diagnostic:
    """A word that isn't among those that are understood there."""
    return not_understood(span, what, written, did_you_mean(written, known, else_list="it is one of"))


def not_understood(span: Span, what: str, written: str, help: str | None) -> Diagnostic:
    """A text of which the reader makes nothing."""
    shown = written if len(written) <= 60 else written[:57] + "…"
    return Diagnostic(CODE, Severity.ERROR, f"{what} can't be `{shown}`", span, help=help)


def not_legacy(span: Span) -> Diagnostic:
    """A file that should be of the older form, and has no key of it."""
    message = "nothing of the older form stands in this file"
    help = "such a file has models by their names, or `providers`, `timeRules`, `budget` and the like"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)
