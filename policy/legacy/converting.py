"""A file of the older form as a policy that reads as if it had been written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from ...schemas.diagnostics import Diagnostic
from ...schemas.text import Source, Span
from .. import document as doc
from ..load import Loaded
from ..remarks import Notes, Remarks, blank
from ..written import Written
from .catalogue import NAME

TOLD = ("P120", "P125", "P126")
"""Codes of what the policy doesn't say, or says otherwise than the file."""


def told(loaded: Loaded) -> list[Diagnostic]:
    """What a file says that its policy doesn't, or says otherwise, in the order of the file."""
    found = ((d.span.start, d) for d in loaded.diagnostics if d.code in TOLD and d.span is not None)
    return [diagnostic for _, diagnostic in sorted(found, key=lambda pair: pair[0])]


def as_written(loaded: Loaded) -> Written:
    """A file of the older form as a policy to be written, headed by what it was and what it lost."""
    sources = loaded.document.sources
    source = sources[-1] if sources else Source("", "")  # a file that couldn't be read
    statements = (*loaded.document.statements, doc.End(Span(source.name, 0, 0)))
    heading = (*(f"# {line}".rstrip() for line in _heading(loaded, source)), "")
    return Written(source, True, statements, Remarks((Notes(heading), *blank(len(statements)).notes[1:])))


def _heading(loaded: Loaded, source: Source) -> Iterator[str]:
    name = "standard input" if source.name.startswith("<") else PurePath(source.name).name
    yield f"Converted from {name}."
    if any(other.name == NAME for other in loaded.document.sources):
        yield "What the file doesn't say of models and tiers is that of the thirteen known models."
    kinds = {type(statement) for statement in loaded.document.statements}
    if doc.Window in kinds and doc.Timezone not in kinds:
        yield "Windows are read in UTC; `timezone Europe/Berlin`, say, makes it another zone."
    if told(loaded):
        yield ""
        yield "Left out, or said otherwise than there:"
        yield from (f"- line {_line(source, d)}: {d.message}" for d in told(loaded))


def _line(source: Source, diagnostic: Diagnostic) -> int:
    assert diagnostic.span is not None
    return source.text.count("\n", 0, diagnostic.span.start) + 1
