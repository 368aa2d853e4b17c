"""Findings for a program, in the shape of schemas/findings.schema.json."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...schemas.diagnostics import Diagnostic, Edit, Severity
from ...schemas.text import Source, Span
from ..findings import Findings, place

FORMAT_VERSION = "1.1"


def render(findings: Findings) -> str:
    """One document."""
    sources, found = findings.sources(), findings.report.diagnostics
    errors = sum(d.severity is Severity.ERROR for d in found)
    document = {
        "format_version": FORMAT_VERSION,
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(found) - errors,
        "fixed_count": len(findings.fixed),
        "files": list(sources),
        "diagnostics": [_finding(sources, d) for d in found],
    }
    return json.dumps(document, indent=2)


def _finding(sources: Mapping[str, Source], d: Diagnostic) -> dict[str, object]:
    return {
        "code": d.code,
        "severity": str(d.severity),
        "message": d.message,
        "help": d.help,
        "location": None if d.span is None else _location(sources, d.span),
        "related": [{"message": o.text, "location": _location(sources, o.span)} for o in d.others],
        "fix": {"edits": [_edit(sources, edit) for edit in d.fix]} if d.fix else None,
    }


def _edit(sources: Mapping[str, Source], edit: Edit) -> dict[str, object]:
    return {"location": _location(sources, edit.span), "replacement": edit.new}


def _location(sources: Mapping[str, Source], span: Span) -> dict[str, object]:
    source = sources.get(span.source)
    if source is None:
        return {"filename": span.source, "start": None, "end": None}
    start, end = place(source, span.start), place(source, span.end)
    return {
        "filename": span.source,
        "start": {"line": start.line, "column": start.column, "offset": span.start},
        "end": {"line": end.line, "column": end.column, "offset": span.end},
    }
