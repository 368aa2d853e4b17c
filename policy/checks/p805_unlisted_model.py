"""
P805: model that the price catalogue doesn't know

What it finds

A model of Anthropic, OpenAI, Google, DeepSeek or LiteLLM whose id isn't in
the price catalogue, though the catalogue has their models. One that is
`disabled`, or has a server of its own, isn't looked at.

Why it matters

The id is mistyped, or the model has left its provider's list: every call
would fail. Or it is newer than the catalogue; `policyctl prices update` may
know it. Where you know better, a comment says so:
`# policyctl: ignore[P805] in our preview`.

Example

    model haiku is anthropic/claude-haiku-5-6
      costs $0.10 in, $0.50 out
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
      costs $0.10 in, $0.50 out
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import ticked

CODE = "P805"


def unlisted_model(span: Span, model_id: str, near: tuple[str, ...], as_of: str) -> Diagnostic:
    """A model that isn't in the catalogue; `near` are ids that may have been meant."""
    message = f"the price catalogue of {as_of} doesn't know `{model_id}`"
    known = f"near it are {ticked(near)}" if near else "`policyctl prices update` takes a newer catalogue"
    return Diagnostic(
        CODE,
        Severity.WARNING,
        message,
        span,
        help=f"it is mistyped, too new, or has left its provider's list; {known}",
    )
