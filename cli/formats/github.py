"""Findings as commands of a GitHub workflow, which shows them beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from ...schemas.diagnostics import Diagnostic
from ..findings import Findings, place
from ..output import safe
from .wording import one_line


def render(findings: Findings) -> str:
    """One command a finding; nothing where nothing was found."""
    return "\n".join(_command(findings, d) for d in findings.report.diagnostics)


def _command(findings: Findings, d: Diagnostic) -> str:
    properties = ",".join(f"{name}={_property(value)}" for name, value in _properties(findings, d))
    message = one_line(d.message) + (f"\n{one_line(d.help)}" if d.help else "")
    return f"::{d.severity} {properties}::{_data(message)}"


def _properties(findings: Findings, d: Diagnostic) -> Iterator[tuple[str, str]]:
    yield "title", f"policyctl {d.code}"
    yield "file", findings.file_of(d)
    source = None if d.span is None else findings.sources().get(d.span.source)
    if d.span is None or source is None:
        return
    start, end = place(source, d.span.start), place(source, d.span.end)
    yield from (("line", str(start.line)), ("endLine", str(end.line)))
    if start.line == end.line:  # columns of several lines are refused
        yield from (("col", str(start.column)), ("endColumn", str(end.column)))


def _data(text: str) -> str:
    """A text as a command takes it: only `%` and line ends mean anything in it."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return safe(escaped)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
