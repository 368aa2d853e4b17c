"""How often each code was found: what --statistics prints in place of the findings."""

from __future__ import annotations

from collections import Counter

from ..findings import Findings
from ..output import columns
from ..pages import known_codes, page_of, title_of
from .wording import FIXABLE, head, summary


def render(findings: Findings) -> str:
    """A line for each code, the most frequent first, and a last line that counts all."""
    found = findings.report.diagnostics
    counts, fixable = Counter(d.code for d in found), {d.code for d in found if d.fix}
    heads, modules = {d.code: head(d) for d in found}, known_codes()
    rows = [
        [
            str(count).rjust(len(str(len(found)))),
            heads[code],
            FIXABLE if code in fixable else "",
            title_of(page_of(modules[code])) if code in modules else "",
        ]
        for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    gap = [""] if rows else []
    return "\n".join([*columns(rows, indent=0), *gap, *summary(findings)])
