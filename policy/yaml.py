"""
YAML text -> nodes with places. The only file that knows ruamel.

What a policy has no use for is refused here, event by event, before anything is built from it:
anchors, aliases, merge keys, tags, directives, several documents, keys that aren't plain texts,
keys that stand twice, and deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..schemas.diagnostics import Diagnostic
from ..schemas.records import dataclass
from ..schemas.text import Source, Span
from .checks.p109_yaml import bad_yaml, not_in_yaml
from .checks.p201_duplicate_name import duplicate
from .hygiene import clean

MAX_DEPTH = 8
MAX_NODES = 50_000

_COMMENT = re.compile("#[^\n]*")


@dataclass(frozen=True, slots=True)
class Scalar:
    """
    A text, and where each of its characters stands.

    `places` has one offset more than `text` has characters: the end. `quoted` says that the user
    put it in quotes or a block, so that it is a text and nothing else.
    """

    text: str
    places: range | tuple[int, ...]
    quoted: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """Pairs in the order in which they are written; no key stands twice."""

    pairs: tuple[tuple[Scalar, Node], ...]
    span: Span

    def get(self, key: str) -> Node | None:
        """The value of a key, if it is there."""
        return next((value for name, value in self.pairs if name.text == key), None)


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Read:
    """
    The root of a document (None: it can't be read), what was wrong with it, and its comments with
    their places.
    """

    root: Node | None
    diagnostics: tuple[Diagnostic, ...]
    comments: tuple[tuple[int, str], ...] = ()


def read_yaml(source: Source) -> Read:
    """Read one YAML document."""
    reader = _Reader(source)
    try:
        root = reader.document()
    except _Stop:
        root = None
    return Read(root, tuple(reader.found), tuple(reader.comments()))


class _Stop(Exception):
    """The document can't be read any further; why has been reported."""


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self._nodes = 0
        self._texts: list[tuple[int, int]] = []
        self._events = self._parse()

    def document(self) -> Node | None:
        """The root of the only document."""
        kind, event = self._next()
        while kind in ("StreamStart", "DocumentStart"):
            if kind == "DocumentStart" and (event.version or event.tags):
                self._refuse(event, "a directive")
            kind, event = self._next()
        if kind == "StreamEnd":
            return None
        root = self._node(kind, event, 0)
        kind, event = self._next()
        if kind == "DocumentEnd":
            kind, event = self._next()
        if kind == "DocumentStart":
            self._refuse(event, "a second document")
        return root

    def comments(self) -> Iterator[tuple[int, str]]:
        """What starts with `#` outside of all texts, up to the end of its line."""
        start = 0
        for end, after in (*self._texts, (len(self.source.text), 0)):
            for found in _COMMENT.finditer(self.source.text, start, end):
                yield found.start(), found.group().rstrip()
            start = after

    # events

    def _parse(self) -> Iterator[tuple[str, Any]]:
        """ruamel's events by name; its errors become a finding at their place."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        try:
            for event in YAML(typ="safe", pure=True).parse(self.source.text):
                yield type(event).__name__.removesuffix("Event"), event
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            start = min(mark.index if mark is not None else 0, max(len(self.source.text) - 1, 0))
            problem = (error.problem or error.context or "it can't be read").strip()
            self.found.append(bad_yaml(Span(self.source.name, start, start + 1), problem))
            raise _Stop from error
        except (YAMLError, ValueError, RecursionError) as error:
            self.found.append(bad_yaml(Span(self.source.name, 0, 1), "it can't be read"))
            raise _Stop from error

    def _next(self) -> tuple[str, Any]:
        return next(self._events)

    def _span(self, event: Any) -> Span:
        start = event.start_mark.index
        return Span(self.source.name, start, max(event.end_mark.index, start + 1))

    def _refuse(self, event: Any, what: str) -> None:
        self.found.append(not_in_yaml(self._span(event), what))
        raise _Stop

    # nodes

    def _node(self, kind: str, event: Any, depth: int) -> Node:
        self._nodes += 1
        if kind == "Alias":
            self._refuse(event, "an alias")
        if getattr(event, "anchor", None):
            self._refuse(event, "an anchor")
        if getattr(event, "tag", None):
            self._refuse(event, "a tag")
        if depth > MAX_DEPTH:
            self._refuse(event, f"nesting deeper than {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES:,} values")
        if kind == "Scalar":
            return self._scalar(event)
        return self._sequence(event, depth) if kind == "SequenceStart" else self._mapping(event, depth)

    def _scalar(self, event: Any) -> Scalar:
        span = self._span(event)
        self._texts.append((_first_place(self.source.text, span, event.style), span.end))
        places = _places(self.source.text, event.value, span, event.style)
        inner = Span(span.source, places[0], places[-1])
        value = self._unescaped(event.value, inner) if event.style == '"' else event.value
        return Scalar(value, places, event.style is not None, inner)

    def _unescaped(self, value: str, span: Span) -> str:
        """What escapes have written: nothing that may not stand in the text itself."""
        cleaned, found = clean(Source(self.source.name, value))
        self.found += [replace(diagnostic, span=span) for diagnostic in found]
        return cleaned.text

    def _sequence(self, start: Any, depth: int) -> Sequence:
        items = []
        kind, event = self._next()
        while kind != "SequenceEnd":
            items.append(self._node(kind, event, depth + 1))
            kind, event = self._next()
        return Sequence(tuple(items), self._between(start, event, items))

    def _mapping(self, start: Any, depth: int) -> Mapping:
        pairs: dict[str, tuple[Scalar, Node]] = {}
        kind, event = self._next()
        while kind != "MappingEnd":
            key = self._node(kind, event, depth + 1)
            if not isinstance(key, Scalar) or key.text == "<<":
                self._refuse(event, "a merge key" if isinstance(key, Scalar) else "a key that is no text")
                raise _Stop
            value = self._node(*self._next(), depth + 1)
            if key.text in pairs:
                self.found.append(duplicate(key.span, "key", key.text, pairs[key.text][0].span))
            else:
                pairs[key.text] = (key, value)
            kind, event = self._next()
        return Mapping(tuple(pairs.values()), self._between(start, event, [v for _, v in pairs.values()]))

    def _between(self, start: Any, end: Any, inside: list[Node]) -> Span:
        """Where a list or map stands. Without brackets it ends with the last of what is in it."""
        first = start.start_mark.index
        last = inside[-1].span.end if inside and not start.flow_style else end.end_mark.index
        return Span(self.source.name, first, max(last, first + 1))


def _places(text: str, value: str, span: Span, style: str | None) -> range | tuple[int, ...]:
    """Where each character of a scalar's value stands, whatever quotes, escapes and folds it has."""
    start, end = _first_place(text, span, style), span.end - (1 if style in ("'", '"') else 0)
    if text[start : start + len(value)] == value:
        return range(start, start + len(value) + 1)
    places = []
    at = start
    for character in value:
        at = _skip_fold(text, at, end) if style == '"' else at
        found = _forward(text, at, end, character) if style != '"' or text[at : at + 1] != "\\" else at
        places.append(found)
        at = found + (_escape_length(text, found) if style == '"' else 1)
    return (*places, min(at, max(end, start)))


def _first_place(text: str, span: Span, style: str | None) -> int:
    """Where the text of a scalar starts: behind its quote, or on the line below its `|` or `>`."""
    if style in ("|", ">"):
        return text.find("\n", span.start) + 1 or span.end
    return span.start + (1 if style in ("'", '"') else 0)


def _skip_fold(text: str, at: int, end: int) -> int:
    """Past a line end that a backslash takes out of a text in double quotes."""
    while at < end and text[at] == "\\" and text[at + 1 : at + 2] in ("\n", "\r"):
        at += 2
        while at < end and text[at].isspace():
            at += 1
    return at


def _escape_length(text: str, at: int) -> int:
    """How many characters stand for one, in double quotes."""
    if text[at] != "\\":
        return 1
    return {"x": 4, "u": 6, "U": 10}.get(text[at + 1 : at + 2], 2)


def _forward(text: str, at: int, end: int, character: str) -> int:
    """The next place of a character; a fold stands for a blank or a line end, an escape for itself."""
    while at < end and text[at] != character:
        if text[at] in "\n\r" and character in " \n":
            break
        if text[at] == "\\" or text[at].isspace():
            at += 1
            continue
        break
    return min(at, max(end - 1, 0))
