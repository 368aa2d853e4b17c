"""Sure mends of a policy: done in memory until there are no more, then written or shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..policy.files import Unreadable, read_bytes, read_text
from ..schemas.checked import Checked
from ..schemas.diagnostics import Diagnostic, Edit
from ..schemas.records import dataclass
from ..schemas.text import Source
from .problems import Impossible
from .writing import rewrite

MAX_ROUNDS = 10
"""Mends that only show after others were made: more rounds than this are left to the next run."""

BOM = b"\xef\xbb\xbf"
"""The byte order mark that a file may start with."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file as it was, and as it is to be."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mended:
    """What is left to find in a policy once it is mended, what was mended, and the files that change."""

    checked: Checked
    fixed: tuple[Diagnostic, ...]
    changes: tuple[Change, ...]


def mend(check: Callable[[Mapping[str, str]], Checked], read: Callable[[str], str]) -> Mended:
    """
    Make all mends of a policy that are sure, again and again until none is left.

    Args:
        check: checks the policy, with texts in place of those of its files, by their names.
        read: gives the text of a file as it is.
    """
    from ..policy.fixes import disjoint, mended  # knows the grammar, which takes its time

    before: dict[str, str] = {}
    after: dict[str, str] = {}
    fixed: list[Diagnostic] = []
    checked = check(after)
    for _ in range(MAX_ROUNDS):
        done = list(disjoint(checked.report.diagnostics))
        if not done:
            break
        for source, edits in _by_source(checked, done):
            if source.name not in before:
                before[source.name] = after[source.name] = _same(source, read(source.name))
            after[source.name] = mended(after[source.name], edits)
        fixed += done
        checked = check(after)
    return Mended(
        checked, tuple(fixed), tuple(Change(name, text, after[name]) for name, text in before.items())
    )


def _by_source(checked: Checked, done: list[Diagnostic]) -> Iterator[tuple[Source, list[Edit]]]:
    for source in checked.report.sources:
        edits = [edit for found in done for edit in found.fix if edit.span.source == source.name]
        if edits:
            yield source, edits


def _same(source: Source, text: str) -> str:
    """A text that was read again, if it is still the one that was checked."""
    from ..policy.hygiene import clean

    if clean(Source(source.name, text))[0] != source:
        raise Impossible(f"{source.name} has changed meanwhile; nothing was written")
    return text


def text_of(name: str) -> str:
    """The text of a policy's file."""
    text = read_text(Path(name))
    if isinstance(text, Unreadable):
        raise Impossible(f"{name} can't be read any more: {text.reason}")
    return text


def write(change: Change) -> None:
    """Put a mended text into its file, which keeps its permissions and its byte order mark."""
    path = Path(change.name)
    data = read_bytes(path)
    mark = BOM if isinstance(data, bytes) and data.startswith(BOM) else b""
    if data != mark + change.before.encode():
        raise Impossible(f"{change.name} has changed meanwhile; it was left as it is")
    rewrite(path, mark + change.after.encode())
