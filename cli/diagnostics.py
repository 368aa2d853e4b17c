"""Findings as a reader or a program wants them: full, concise or JSON."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..schemas.diagnostics import Diagnostic, Report, Severity
from ..schemas.text import Source, Span
from .output import bad, cells, dim, named, out, safe, strong, warned

FORMAT_VERSION = "1.0"

_LONGEST_LINE = 200
_LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a source, both counted from 1."""

    line: int
    column: int


def place(source: Source, offset: int) -> Place:
    """The line and column of an offset."""
    starts = _line_starts(source.text)
    line = bisect_right(starts, offset) - 1
    return Place(line + 1, offset - starts[line] + 1)


@lru_cache(maxsize=64)
def _line_starts(text: str) -> tuple[int, ...]:
    return (0, *(i + 1 for i, c in enumerate(text) if c == "\n"))


def place_of(sources: Mapping[str, Source], span: Span) -> str:
    """`file:line:column` of a span."""
    source = sources.get(span.source)
    if source is None:
        return span.source
    at = place(source, span.start)
    return f"{span.source}:{at.line}:{at.column}"


def show(report: Report, output_format: str) -> None:
    """Print all findings, and a last line that counts them."""
    {"full": _full, "concise": _concise, "json": _json}[output_format](report)


def counted(report: Report) -> str:
    """`2 errors and 1 warning in 3 files`."""
    parts = []
    for severity in Severity:
        count = sum(d.severity is severity for d in report.diagnostics)
        if count:
            parts.append(f"{count} {severity}{'s' if count > 1 else ''}")
    files = len(report.sources)
    found = " and ".join(parts) or "no problem"
    return f"{found} in {files} file{'s' if files != 1 else ''}" if files else found


def _full(report: Report) -> None:
    sources = {source.name: source for source in report.sources}
    for diagnostic in report.diagnostics:
        out("\n".join(_block(sources, diagnostic)))
        out()
    out(f"Found {counted(report)}.")


def _concise(report: Report) -> None:
    sources = {source.name: source for source in report.sources}
    for d in report.diagnostics:
        where = "" if d.span is None else f"{_line(place_of(sources, d.span))}: "
        help = f" ({_line(d.help)})" if d.help else ""
        out(f"{where}{_severity(d.severity)(f'{d.severity}[{d.code}]')} {_line(d.message)}{help}")
    out(f"Found {counted(report)}.")


def _severity(severity: Severity) -> Callable[[str], str]:
    return bad if severity is Severity.ERROR else warned


def _block(sources: Mapping[str, Source], d: Diagnostic) -> list[str]:
    lines = [f"{_severity(d.severity)(f'{d.severity}[{d.code}]')}{strong(': ' + _line(d.message))}"]
    margin = 1
    if d.span is not None and d.span.source in sources:
        labels = [(d.span, d.label or "", True), *((o.span, o.text, False) for o in d.others)]
        numbers = [place(sources[s.source], s.start).line for s, _, _ in labels if s.source in sources]
        margin = len(str(max(numbers)))
        lines += _excerpts(sources, labels, margin, _severity(d.severity))
    if d.help:
        bar = dim(" " * margin + " = ")
        lines.append(f"{bar}{strong('help:')} {_line(d.help)}")
    return lines


def _excerpts(
    sources: Mapping[str, Source],
    labels: list[tuple[Span, str, bool]],
    margin: int,
    mark: Callable[[str], str],
) -> list[str]:
    lines: list[str] = []
    last = ""
    for span, text, primary in labels:
        source = sources[span.source]
        if span.source != last or primary:
            arrow = "-->" if not last else ":::"
            lines.append(" " * margin + dim(arrow) + " " + _line(place_of(sources, span)))
            lines.append(" " * (margin + 1) + dim("|"))
        else:
            lines.append(dim("." * 3))
        last = span.source
        lines += _excerpt(source, span, text, margin, mark if primary else named, "^" if primary else "-")
    lines.append(" " * (margin + 1) + dim("|"))
    return lines


def _excerpt(
    source: Source, span: Span, text: str, margin: int, mark: Callable[[str], str], underline: str
) -> list[str]:
    """The line that a span starts on, and the span underlined as far as that line goes."""
    at = place(source, span.start)
    start = span.start - (at.column - 1)
    end = source.text.find("\n", start)
    line = source.text[start : len(source.text) if end < 0 else end].rstrip("\r")
    column = at.column - 1
    if len(line) > _LONGEST_LINE:  # a window of a very long line, around the span
        cut = max(column - 40, 0)
        line, column = line[cut : cut + _LONGEST_LINE], column - cut
    length = min(max(span.end - span.start, 1), max(len(line) - column, 1))
    before, inside = _shown(line[:column]), _shown(line[column : column + length])
    number = str(at.line).rjust(margin)
    caret = " " * cells(before) + mark(underline * max(cells(inside), 1) + (f" {safe(text)}" if text else ""))
    return [
        f"{dim(number + ' |')} {_shown(line)}",
        f"{' ' * margin} {dim('|')} {caret}",
    ]


def _line(text: str) -> str:
    """What a finding says, on one line; of a name that goes over many pages the start and the end."""
    if len(text) > _LONGEST_TEXT:
        text = f"{text[: _LONGEST_TEXT - 200]}…{text[-200:]}"
    return safe(text).replace("\n", "\\n")


def _shown(text: str) -> str:
    return safe(text.replace("\t", "    "))


def _json(report: Report) -> None:
    sources = {source.name: source for source in report.sources}
    errors = sum(d.severity is Severity.ERROR for d in report.diagnostics)
    document = {
        "format_version": FORMAT_VERSION,
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(report.diagnostics) - errors,
        "files": [source.name for source in report.sources],
        "diagnostics": [_as_json(sources, d) for d in report.diagnostics],
    }
    out(json.dumps(document, indent=2))


def _as_json(sources: Mapping[str, Source], d: Diagnostic) -> dict[str, object]:
    return {
        "code": d.code,
        "severity": str(d.severity),
        "message": d.message,
        "help": d.help,
        "location": None if d.span is None else _location(sources, d.span),
        "related": [{"message": o.text, "location": _location(sources, o.span)} for o in d.others],
    }


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
