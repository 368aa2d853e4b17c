"""A file of the older form as .policy text that reads as if it had been written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from ...schemas.diagnostics import Diagnostic
from ...schemas.text import Source, Span
from .. import document as doc
from ..hygiene import clean
from ..load import Loaded
from ..writer import policy_text
from .catalogue import NAME

TOLD = ("P120", "P125", "P126")
"""Codes of what the policy doesn't say, or says otherwise than the file."""


def converted_text(loaded: Loaded, name: str) -> str:
    """
    The policy of a file of the older form, headed by what it was and what it lost.

    Raises:
        Unwritable: something that can't be said in .policy text.
    """
    statements = (*loaded.document.statements, doc.End(Span(name, 0, 0)))
    return policy_text(statements, header=[_safe(line) for line in _header(loaded, PurePath(name).name)])


def _header(loaded: Loaded, file: str) -> Iterator[str]:
    yield f"Converted from {file}."
    if any(source.name == NAME for source in loaded.document.sources):
        yield "What the file doesn't say of models and tiers is that of the thirteen known models."
    kinds = {type(statement) for statement in loaded.document.statements}
    if doc.Window in kinds and doc.Timezone not in kinds:
        yield "Windows are read in UTC; `timezone Europe/Berlin`, say, makes it another zone."
    told = sorted((_line(loaded, d), d.message) for d in loaded.diagnostics if d.code in TOLD)
    if told:
        yield ""
        yield "Left out, or said otherwise than there:"
        yield from (f"- line {line}: {message}" for line, message in told)


def _line(loaded: Loaded, diagnostic: Diagnostic) -> int:
    assert diagnostic.span is not None
    source = next(s for s in loaded.document.sources if s.name == diagnostic.span.source)
    return source.text.count("\n", 0, diagnostic.span.start) + 1


def _safe(line: str) -> str:
    """A line that ends where it should, without characters that a policy may not have."""
    return clean(Source("", " ".join(line.split())))[0].text
