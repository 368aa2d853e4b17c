"""
Maps of the older form, key by key: each is read as what it should be, or told.

A value of another kind is an error, a key that nobody asked for a warning; so nothing of a file is
dropped without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from ...schemas.records import dataclass
from ...schemas.text import Span
from ..checks.p120_legacy_key import left_out
from ..checks.p123_legacy_value import misfit, missing
from ..checks.p215_said_twice import said_twice
from ..document import Name
from ..scope import Findings
from ..yaml import Mapping, Node, Scalar, Sequence

_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d{1,2})?")
_NULLS = ("", "~", "null", "Null", "NULL")
# The loops that these files were written for read YAML 1.1, where all of these are yes or no.
_YES = ("true", "yes", "on", "y")
_NO = ("false", "no", "off", "n")
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is written somewhere."""

    value: Decimal
    span: Span


class Notes:
    """What is told of one file."""

    def __init__(self) -> None:
        self.found = Findings()
        self._left_out: dict[tuple[str, str], list[Span]] = {}
        self._known: dict[str, frozenset[str]] = {}

    def leave_out(self, kind: str, key: str, span: Span, known: frozenset[str]) -> None:
        """Note a key without meaning in a map of some kind, whose keys with a meaning are `known`."""
        self._left_out.setdefault((kind, key), []).append(span)
        self._known[kind] = self._known.get(kind, frozenset()) | known

    def tell_left_out(self) -> None:
        """Report the keys without meaning, each once for its kind of map."""
        for (kind, key), spans in self._left_out.items():
            self.found.append(left_out(spans[0], key, len(spans), self._known[kind]))


class Body:
    """
    One map. Which keys have a meaning in it follows from what is asked for.

    `kind` says what the map is, for findings; maps of one kind have the same keys.
    """

    def __init__(self, notes: Notes, node: Mapping, kind: str) -> None:
        self.notes, self.kind, self.span = notes, kind, node.span
        self._pairs = {key.text: (key, value) for key, value in node.pairs}
        self._asked: set[str] = set()

    def first(self) -> Span:
        """A short place for the map: its first key."""
        return next((key.span for key, _ in self._pairs.values()), self.span)

    def pairs(self) -> Iterator[tuple[Scalar, Node]]:
        """All keys and values as they are; to look at a key is not to ask for it."""
        yield from self._pairs.values()

    def key(self, *spellings: str) -> tuple[Scalar, Node] | None:
        """A key, under the first of its spellings that is there, and its value unless that is null."""
        self._asked.update(spellings)
        there = [self._pairs[s] for s in spellings if s in self._pairs and not is_null(self._pairs[s][1])]
        for again, _ in there[1:]:
            self.notes.found.append(said_twice(again.span, again.text, there[0][0].span))
        return there[0] if there else None

    def name(self, *spellings: str) -> Name | None:
        """A text, such as a name."""
        found = self.key(*spellings)
        return None if found is None else name_of(self.notes, found[1], f"`{found[0].text}`")

    def needed(self, key: str) -> Name | None:
        """A text that must be there."""
        if self.key(key) is None:
            self.notes.found.append(missing(self.first(), self.kind, key))
        return self.name(key)

    def number(self, *spellings: str) -> Number | None:
        """A number that isn't negative."""
        found = self.key(*spellings)
        return None if found is None else number_of(self.notes, found[1], f"`{found[0].text}`")

    def flag(self, key: str) -> bool | None:
        """True or false, None where it isn't said."""
        found = self.key(key)
        if found is None:
            return None
        text = found[1].text.lower() if isinstance(found[1], Scalar) and not found[1].quoted else ""
        if text not in _YES + _NO:
            self.notes.found.append(misfit(short(found[1]), f"`{key}`", "true or false"))
            return None
        return text in _YES

    def items(self, *spellings: str) -> tuple[Node, ...] | None:
        """A list's items, without those that are null."""
        found = self.key(*spellings)
        return None if found is None else items_of(self.notes, found[1], f"`{found[0].text}`")

    def names(self, key: str) -> tuple[Name, ...] | None:
        """A list of texts, or one text."""
        found = self.key(key)
        if found is None:
            return None
        nodes = (found[1],) if isinstance(found[1], Scalar) else self.items(key) or ()
        read = [name_of(self.notes, node, f"each of `{key}`") for node in nodes]
        return tuple(name for name in read if name is not None)

    def range(self, key: str) -> tuple[Number, Number] | None:
        """A list of two numbers that don't fall."""
        found = self.key(key)
        if found is None:
            return None
        items = found[1].items if isinstance(found[1], Sequence) else ()
        if len(items) == 2:
            low, high = (number_of(self.notes, item, f"each of `{key}`") for item in items)
            if low is None or high is None:
                return None
            if low.value <= high.value:
                return low, high
        self.notes.found.append(misfit(short(found[1]), f"`{key}`", "two numbers: [from, to]"))
        return None

    def body(self, key: str, kind: str) -> Body | None:
        """A map below this one."""
        found = self.key(key)
        return None if found is None else body_of(self.notes, found[1], f"`{key}`", kind)

    def bodies(self, key: str, kind: str) -> list[Body]:
        """A list of maps."""
        read = [body_of(self.notes, item, f"each of `{key}`", kind) for item in self.items(key) or ()]
        return [body for body in read if body is not None]

    def end(self) -> None:
        """All was asked for that has a meaning: the rest is left out."""
        for key, _ in self._pairs.values():
            if key.text not in self._asked:
                self.notes.leave_out(self.kind, key.text, key.span, frozenset(self._asked))


def body_of(notes: Notes, node: Node, what: str, kind: str) -> Body | None:
    """A node that must be a map."""
    if isinstance(node, Mapping):
        return Body(notes, node, kind)
    notes.found.append(misfit(short(node), what, "a map"))
    return None


def items_of(notes: Notes, node: Node, what: str) -> tuple[Node, ...]:
    """The items of a node that must be a list."""
    if isinstance(node, Sequence):
        return tuple(item for item in node.items if not is_null(item))
    notes.found.append(misfit(short(node), what, "a list"))
    return ()


def name_of(notes: Notes, node: Node, what: str) -> Name | None:
    """A node that must be a text on one line."""
    if not isinstance(node, Scalar) or "\n" in node.text.strip() or not node.text.strip():
        notes.found.append(misfit(short(node), what, "a text on one line"))
        return None
    return Name(node.text.strip(), node.span)


def number_of(notes: Notes, node: Node, what: str) -> Number | None:
    """A node that must be a number from 0 on."""
    text = node.text.strip() if isinstance(node, Scalar) else ""
    value = decimal_of(text)
    if value is None or value < 0:
        notes.found.append(misfit(short(node), what, "a number, 0 or more"))
        return None
    return Number(value, node.span)


def decimal_of(text: str) -> Decimal | None:
    """A number as it is written, None where it is none or has more digits than any amount has."""
    if len(text) > 40 or _NUMBER.fullmatch(text) is None:
        return None
    try:
        value = Decimal(text.replace("_", ""))
    except InvalidOperation:
        return None
    return value if sum(c.isdigit() for c in f"{value:f}") <= _MAX_DIGITS else None


def is_null(node: Node) -> bool:
    """Whether nothing stands behind a key."""
    return isinstance(node, Scalar) and not node.quoted and node.text in _NULLS


def short(node: Node) -> Span:
    """A short place for a node."""
    if isinstance(node, Mapping) and node.pairs:
        return node.pairs[0][0].span
    span = node.span
    return span if isinstance(node, Scalar) else Span(span.source, span.start, span.start + 1)


def part(scalar: Scalar, start: int, end: int) -> Span:
    """The place of some characters of a scalar's text."""
    places = scalar.places
    return Span(scalar.span.source, places[start], places[max(end - 1, start)] + 1)
