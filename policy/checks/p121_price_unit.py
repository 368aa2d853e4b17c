"""
P121: prices that may be for a thousand or for a million tokens

What it finds

A file of the older YAML form whose prices can't be told to be for 1K or for
1M tokens. Keys that end in `_per_1k` are used for both, so the prices of
models that are known (by the price catalogue, or as one of the thirteen
models of the older form) decide for the whole file. Here none is known, or
they disagree.

Why it matters

The two readings differ by a factor of a thousand: in which tier a model
stands, what a budget holds, everything. Money isn't guessed.

Example

    house-model:
      name: litellm
      model: house-tuned-model
      input_cost_per_1k: 1.00
      output_cost_per_1k: 3.00

Instead

    price_unit: 1m
    house-model:
      name: litellm
      model: house-tuned-model
      input_cost_per_1k: 1.00
      output_cost_per_1k: 3.00
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span

CODE = "P121"
HELP = "write `price_unit: 1k` or `price_unit: 1m` at the top of the file, or convert it with `--price-unit`"


def undecided(span: Span, key: str) -> Diagnostic:
    """No price of the file can be compared with a known one."""
    message = f"the price of `{key}` may be for 1K or for 1M tokens, and no model here has a known price"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=HELP)


def contradictory(thousand: tuple[str, Span], million: tuple[str, Span]) -> Diagnostic:
    """One model's known price says 1K, another one's 1M."""
    message = f"the price of `{thousand[0]}` fits 1K tokens, that of `{million[0]}` fits 1M tokens"
    other = (Label(million[1], "fits 1M tokens"),)
    return Diagnostic(CODE, Severity.ERROR, message, thousand[1], help=HELP, others=other)
