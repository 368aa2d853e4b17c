"""
P111: can't be written there

What it finds

Something that one of the two surfaces can say and the other can't, when a
policy is converted: in YAML a name that is declared twice, a `when` that
joins the one before in no clear way, or an `include` between statements of
one kind. Also a file of the older YAML form, which is neither of the two.

Why it matters

A converted policy must be the same policy. Where that can't be, nothing is
written.

Example

    rule first use opus
    include "team/rules.policy"
    rule last use haiku

    In YAML all rules of a file stand together, so these can't be kept on both
    sides of the include.

Instead

    include "team/rules.policy"
    rule first use opus
    rule last use haiku
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span

CODE = "P111"


class Unwritable(Exception):
    """Something that can't be written in the surface that was asked for; says what, and where it stands."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def unwritable(span: Span, text: str, surface: str, first: Span | None = None) -> Diagnostic:
    """A text or statement that a surface has no way to say; `first` is what it collides with."""
    others = () if first is None else (Label(first, "together with this one"),)
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{text}` can't be written in {surface}",
        span,
        help="change it where it stands; `policyctl rule P111` tells what can be said in one surface only",
        others=others,
    )


def older_form(span: Span, key: str) -> Diagnostic:
    """A file of the older YAML form, by the key that tells it."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{key}` belongs to the older YAML form, which has no layout of its own",
        span,
        help="convert the file first: `policyctl convert --from legacy FILE`",
    )
