"""Mends that are sure: whether they can be done where they stand, and a text with them done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..schemas.diagnostics import Diagnostic, Edit
from ..schemas.text import Source, Span
from .parser import reads_as_name
from .yaml_surface import YAML_ENDINGS

_BARE = {
    "P202": {"complexity", "domain", "tier"},
    "P209": {"yes", "no", "nothing"},
    "P210": {"nothing"},
    "P212": {"timeout"},
    "P301": {"yes", "no"},
}
"""Words of the language that stand without quotes in the place of what a code is about."""

_PROVEN = {"P101", "P110"}
"""Codes whose edits are words of the language or keys, and stand as they are."""

_NO_TEXT_IN_YAML = {"true", "false", "null"}


def settled(found: Iterable[Diagnostic], sources: Iterable[Source]) -> Iterator[Diagnostic]:
    """The findings; a fix that can't be done in one of these texts as it stands is left out."""
    by_name = {source.name: source for source in sources}
    for diagnostic in found:
        edits = [_placed(edit, by_name.get(edit.span.source), diagnostic.code) for edit in diagnostic.fix]
        yield replace(diagnostic, fix=tuple(e for e in edits if e is not None) if all(edits) else ())


def _placed(edit: Edit, source: Source | None, code: str) -> Edit | None:
    """An edit of just the characters that it replaces, with the quotes that its new text needs."""
    if source is None:
        return None
    span, stands = edit.span, source.text[edit.span.start : edit.span.end]
    if stands == f'"{edit.old}"':
        return Edit(Span(span.source, span.start + 1, span.end - 1), edit.old, edit.new)
    if stands != edit.old:  # folded or escaped
        return None
    in_yaml = source.name.endswith(YAML_ENDINGS)
    bare = code in _PROVEN or edit.new in _BARE.get(code, ()) or reads_as_name(edit.new)
    if in_yaml and ('"' in edit.new or edit.new.lower() in _NO_TEXT_IN_YAML or not bare):
        return None
    return edit if bare else Edit(span, edit.old, f'"{edit.new}"')


def disjoint(found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """The findings whose fixes can be done at once; of fixes that meet, the first."""
    taken: list[Span] = []
    for diagnostic in found:
        spans = [edit.span for edit in diagnostic.fix]
        if spans and not any(_meet(span, other) for span in spans for other in taken):
            taken += spans
            yield diagnostic


def _meet(one: Span, other: Span) -> bool:
    return one.source == other.source and one.start <= other.end and other.start <= one.end


def mended(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits done, none of which meet."""
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.new + text[edit.span.end :]
    return text
