"""Findings for a reader: each with its line, what is wrong in it underlined, and help."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...schemas.diagnostics import Diagnostic
from ...schemas.text import Source, Span
from ..findings import Findings, place, place_of
from ..output import cells, dim, named, safe, strong
from .wording import advice, head, one_line, style_of, summary

_LONGEST_LINE = 200


def render(findings: Findings) -> str:
    """All findings, and a last line that counts them."""
    sources = findings.sources()
    blocks = ["\n".join([*block(sources, d), ""]) for d in findings.report.diagnostics]
    return "\n".join([*blocks, *summary(findings)])


def block(sources: Mapping[str, Source], d: Diagnostic) -> list[str]:
    """One finding, line by line."""
    lines = [f"{head(d)}{strong(': ' + one_line(d.message))}"]
    margin = 1
    if d.span is not None and d.span.source in sources:
        labels = [(d.span, d.label or "", True), *((o.span, o.text, False) for o in d.others)]
        numbers = [place(sources[s.source], s.start).line for s, _, _ in labels if s.source in sources]
        margin = len(str(max(numbers)))
        lines += _excerpts(sources, labels, margin, style_of(d.severity))
    if d.help:
        bar = dim(" " * margin + " = ")
        lines.append(f"{bar}{strong('help:')} {advice(d)}")
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
            lines.append(" " * margin + dim(arrow) + " " + one_line(place_of(sources, span)))
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


def _shown(text: str) -> str:
    return safe(text.replace("\t", "    "))
