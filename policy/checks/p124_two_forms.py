"""
P124: two forms of YAML in one file

What it finds

A file that has keys of a policy in YAML (`models`, `tiers`, `rules`, …) and
keys of the older form (`providers`, `timeRules`, models by their names with
`name` and `model`, …).

Why it matters

The two forms have other words for the same things, and a reader can't tell
which of two tiers or prices counts. Nothing of such a file is read.

Example

    providers:
      - name: haiku
        enabled: true
    tiers:
      cheap: {from: 0, has: [haiku]}

Instead

    providers:
      - name: haiku
        enabled: true
    customTiers:
      - name: cheap
        providers: [haiku]
        use_for_complexity: [0, 10]
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span

CODE = "P124"


def two_forms(twin: tuple[str, Span], legacy: tuple[str, Span] | None) -> Diagnostic:
    """A key of a policy in YAML in a file that is of the older form, or should be (`legacy` None)."""
    message = f"`{twin[0]}` is of a policy in YAML, "
    if legacy is None:
        help = "read it as the policy it is"
        return Diagnostic(CODE, Severity.ERROR, message + "not of the older form", twin[1], help=help)
    return Diagnostic(
        CODE,
        Severity.ERROR,
        message + f"`{legacy[0]}` of the older form",
        twin[1],
        help="write them into two files, convert the older one, and name both: --policy A --policy B",
        others=(Label(legacy[1], "of the older form"),),
    )
