"""
Warnings that a person has seen and wants to keep: `# policyctl: ignore[P801] reason`.

Such a comment counts for the line it ends; where it stands alone, for the next line that is more than a
comment. All lines of a statement are one in this, so that it doesn't matter how the statement is laid out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as TextMapping
from dataclasses import replace
from itertools import accumulate, islice

from ..schemas.diagnostics import Diagnostic, Report, Severity
from ..schemas.records import dataclass
from ..schemas.text import Source, Span
from .check import in_order
from .checks.p602_ignore import malformed, unused
from .checks.p718_unproved import CODE as UNPROVED
from .parser import parse
from .remarks import Place
from .yaml import Mapping, Node, Scalar, read_yaml
from .yaml_surface import YAML_ENDINGS, places

MAX_USELESS = 20
"""Ignores that ignore nothing, told in one run."""

MOST_CERTAIN = 100
"""Findings of a run from which on some may have been left out, so that what an ignore ignores isn't known."""

_ADDRESSED = re.compile(r"#\s*policyctl\s*:", re.IGNORECASE)
_IGNORE = re.compile(r"# ?policyctl: ?ignore\[(P\d{3}(?:, ?P\d{3})*)\](?:\s.*)?")
_CODE = re.compile(r"P\d{3}")

# A comment, or a text that may hold what looks like one.
_IN_POLICY = re.compile(r'"[^"\n]*"?|(?P<comment>#[^\n]*)')
_IN_YAML = re.compile(r"(?:^|(?<=[ \t]))(?P<comment>#[^\n]*)", re.MULTILINE)

_Place = tuple[str, int, str]
"""A source, a line (from 0) and a code."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """A code that is to be ignored, where, and where that is said."""

    place: _Place
    span: Span


def without_ignored(report: Report, *, whole: bool) -> Report:
    """
    A report without the warnings that its texts ask to ignore.

    An ignore that ignores nothing is a warning itself; where the policy wasn't checked as a `whole`, or
    something stayed unproved, that isn't known.
    """
    texts = {s.name: _Text(s) for s in report.sources if _ADDRESSED.search(s.text)}
    read = [each for text in texts.values() for each in text.ignores()]
    if not read:
        return report
    told = [(_place(texts, diagnostic), diagnostic) for diagnostic in report.diagnostics]
    wanted = {each.place for each in read if isinstance(each, Ignore)}
    kept = [d for place, d in told if d.severity is Severity.ERROR or place not in wanted]
    if whole and len(told) < MOST_CERTAIN and not any(d.code == UNPROVED for d in report.diagnostics):
        kept += islice(_useless(read, {place: d.severity for place, d in told}), MAX_USELESS)
    return replace(report, diagnostics=in_order(report.sources, kept))


def _place(texts: TextMapping[str, _Text], diagnostic: Diagnostic) -> _Place:
    span = diagnostic.span
    if span is None or span.source not in texts:
        return "", 0, diagnostic.code
    return span.source, texts[span.source].line(span.start), diagnostic.code


def _useless(
    read: Iterable[Ignore | Diagnostic], told: TextMapping[_Place, Severity]
) -> Iterator[Diagnostic]:
    """What is wrong with the ignores themselves."""
    for each in read:
        if isinstance(each, Diagnostic):
            yield each
        elif told.get(each.place) is not Severity.WARNING:
            yield unused(each.span, each.place[2], is_error=each.place in told)


class _Text:
    """A source by lines, and the comments in it that are for policyctl."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lines = source.text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]
        self._first = self._first_lines()

    def line(self, offset: int) -> int:
        """The line of an offset, from 0; in a statement its first one."""
        return self._first[bisect_right(self._starts, offset) - 1]

    def ignores(self) -> Iterator[Ignore | Diagnostic]:
        """The codes that are to be ignored, and the comments that can't be read."""
        meant = self._meant()
        for comment in _comments(self._source):
            text = comment["comment"].rstrip()
            start = comment.start("comment")
            match = _IGNORE.fullmatch(text)
            if match is None:
                yield malformed(Span(self._source.name, start, start + len(text)))
                continue
            at = start + match.start(1)
            for code in _CODE.finditer(match[1]):
                place = (self._source.name, meant[bisect_right(self._starts, start) - 1], code[0])
                yield Ignore(place, Span(self._source.name, at + code.start(), at + code.end()))

    def _meant(self) -> list[int]:
        """For each line the one that a comment on it is about: itself, or the next that isn't a comment."""
        meant = list(range(len(self._lines) + 1))
        for number in reversed(range(len(self._lines))):
            if self._lines[number].lstrip().startswith("#"):
                meant[number] = meant[number + 1]
        return [self._first[number] for number in meant]

    def _first_lines(self) -> list[int]:
        """For each line the first one of the statement that stands there, or itself."""
        first = list(range(len(self._lines) + 1))
        for place in _statements(self._source):
            start, end = (bisect_right(self._starts, at) - 1 for at in (place.start, place.end - 1))
            first[start : end + 1] = [first[start]] * (end + 1 - start)
        return first


def _statements(source: Source) -> Iterator[Place]:
    """Where the statements of a source stand, as far as they can be read."""
    if not source.name.endswith(YAML_ENDINGS):
        yield from (Place(s.span.start, s.span.end) for s in parse(source).statements)
        return
    root = read_yaml(source).root
    if isinstance(root, Mapping):
        yield from places(root, source.text)


def _comments(source: Source) -> Iterator[re.Match[str]]:
    """The comments of a source that start with the name of policyctl."""
    if source.name.endswith(YAML_ENDINGS):
        covered = sorted(_scalars(read_yaml(source).root))
        found = (c for c in _IN_YAML.finditer(source.text) if not _covers(covered, c.start("comment")))
    else:
        found = (c for c in _IN_POLICY.finditer(source.text) if c["comment"] is not None)
    return (comment for comment in found if _ADDRESSED.match(comment["comment"]))


def _scalars(node: Node | None) -> Iterator[tuple[int, int]]:
    """Where texts stand, in which `#` is a plain character."""
    if isinstance(node, Scalar):
        yield node.span.start, node.span.end
    elif isinstance(node, Mapping):
        for key, value in node.pairs:
            yield from (*_scalars(key), *_scalars(value))
    elif node is not None:
        for item in node.items:
            yield from _scalars(item)


def _covers(spans: list[tuple[int, int]], offset: int) -> bool:
    at = bisect_right(spans, offset, key=lambda span: span[0]) - 1
    return at >= 0 and offset < spans[at][1]
