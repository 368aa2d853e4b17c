"""Findings one a line, as grep and editors like them."""

from __future__ import annotations

from collections.abc import Mapping

from ...schemas.diagnostics import Diagnostic
from ...schemas.text import Source
from ..findings import Findings, place_of
from .wording import advice, head, one_line, summary


def render(findings: Findings) -> str:
    """All findings, and a last line that counts them."""
    sources = findings.sources()
    lines = [_line(sources, diagnostic) for diagnostic in findings.report.diagnostics]
    return "\n".join([*lines, *summary(findings)])


def _line(sources: Mapping[str, Source], d: Diagnostic) -> str:
    where = "" if d.span is None else f"{one_line(place_of(sources, d.span))}: "
    help = f" ({advice(d)})" if d.help else ""
    return f"{where}{head(d)} {one_line(d.message)}{help}"
