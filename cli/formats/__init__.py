"""The formats of findings: one file each, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

from ...schemas.diagnostics import Report
from ..findings import Findings
from ..output import out

FORMATS = ("full", "concise", "json", "sarif", "github", "junit")
"""What --output-format can be."""

FOR_READERS = frozenset({"full", "concise"})
"""The formats that a person reads; the others are for programs."""


def render(findings: Findings, output_format: str) -> str:
    """Findings as text, without the last line end; nothing at all where a format has nothing to say."""
    text: str = import_module(f".{output_format}", __package__).render(findings)
    return text


def show(report: Report, output_format: str) -> None:
    """Print all findings, and a last line that counts them."""
    out(render(Findings(report), output_format))
