"""Findings, and where they stand in lines and columns; how they are shown say the formats."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache

from ..schemas.diagnostics import Diagnostic, Report, Severity
from ..schemas.records import dataclass
from ..schemas.text import Source, Span


@dataclass(frozen=True, slots=True)
class Findings:
    """
    What a format has to show.

    `asked` are the files as the person named them; `fixed` is what was found and mended, which the
    report no longer has. `failing` says how bad a finding is that counts for the exit code.
    """

    report: Report
    asked: tuple[str, ...] = ()
    fixed: tuple[Diagnostic, ...] = ()
    failing: frozenset[Severity] = frozenset({Severity.ERROR})
    exit_code: int = 0
    fine: str = ""
    """What a reader is told where nothing is wrong."""

    def sources(self) -> dict[str, Source]:
        """The sources by their names."""
        return {source.name: source for source in self.report.sources}

    def file_of(self, diagnostic: Diagnostic) -> str:
        """The file that a finding is about; one without a place is about the first that was asked for."""
        if diagnostic.span is not None:
            return diagnostic.span.source
        return self.asked[0] if self.asked else "policy"


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
