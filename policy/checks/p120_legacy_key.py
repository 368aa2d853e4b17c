"""
P120: a key of the older YAML form that a policy has no use for

What it finds

A key in a file of the older form (lib/llm_providers.yaml and its kin) that
says nothing about which model answers: how to log, what to cache, a
description, or a misspelt key. It is told once a file, with the first place
and how often it stands. It is left out; everything else is read.

Why it matters

Nothing is dropped silently. If the key was meant to change a decision, the
decision is made without it.

Example

    claude-haiku:
      name: anthropic
      model: claude-3-5-haiku-20241022
      input_cost_per_1k: 0.25
      output_cost_per_1k: 1.25
      colour: green

Instead

    claude-haiku:
      name: anthropic
      model: claude-3-5-haiku-20241022
      input_cost_per_1k: 0.25
      output_cost_per_1k: 1.25
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import closest

CODE = "P120"


def left_out(span: Span, key: str, times: int, known: Iterable[str] = ()) -> Diagnostic:
    """A key that is left out, here and in so many places in all; `known` are those that are read there."""
    more = {1: "", 2: ", here and in another place"}.get(times, f", here and in {times - 1} more places")
    near = closest(key, known, cutoff=0.75)
    help = f"did you mean `{near}`?" if near else "take it out, or see docs/legacy.md for what is read"
    shown = " ".join(key.split())[:60]
    message = f"`{shown}` has no meaning in a policy and is left out{more}"
    return Diagnostic(CODE, Severity.WARNING, message, span, help=help)
