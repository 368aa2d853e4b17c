"""
What stands around statements and isn't policy: comments and blank lines.

A comment belongs to the statement it stands in or at the end of, else to the next one. One that stands
deeper than the next statement belongs to the one before, as a clause would.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from ..schemas.records import dataclass
from . import document as doc


@dataclass(frozen=True, slots=True)
class Comment:
    """
    A comment with its `#`, and where it stands; `alone` on its line, or behind something. `ahead` says
    that it stands behind what opens something (`has:`, `[`), so that it is about what follows.
    """

    text: str
    at: int
    alone: bool
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a statement stands in its text.

    `section` is the key above it in YAML, if the statement is the first below that key.
    """

    start: int
    end: int
    section: int | None = None

    @property
    def opens(self) -> int:
        """Where it starts, its section's key included."""
        return self.start if self.section is None else self.section


@dataclass(frozen=True, slots=True)
class Notes:
    """
    What stands around one statement: the lines `above` it, of which an empty one is a blank line,
    and the comments inside it and at its end.

    Above the first statement of a section in YAML, the lines up to the last blank one are those above
    the section's key; that blank line itself is there only to tell them from the others.
    """

    above: tuple[str, ...] = ()
    inside: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True)
class Remarks:
    """The notes of each statement, and the lines below the last one."""

    notes: tuple[Notes, ...]
    below: tuple[str, ...] = ()


def comments_at(text: str, found: Iterable[tuple[int, str]], opening: str = "") -> list[Comment]:
    """Comments by their places; `opening` are the signs that open something."""
    comments = []
    for at, comment in found:
        before = text[text.rfind("\n", 0, at) + 1 : at].strip()
        comments.append(Comment(comment, at, not before, bool(before) and before[-1] in opening))
    return comments


def remarks_on(text: str, places: Sequence[Place], comments: Sequence[Comment]) -> Remarks:
    """Give each comment to the statement that it belongs to, with the blank lines between them."""
    reader = _Reader(text, comments)
    for number, place in enumerate(places):
        reader.between(place.opens, _column(text, place.opens), first=number == 0)
        reader.above(place)
        reader.inside(place)
    reader.between(len(text) + 1, 0, first=not places)
    return reader.remarks()


class _Reader:
    """Goes through a text from its start, comment by comment and statement by statement."""

    def __init__(self, text: str, comments: Sequence[Comment]) -> None:
        self._text = text
        self._comments = list(reversed(comments))
        self._end = 0
        self._above: list[str] = []
        self._notes: list[Notes] = []

    def remarks(self) -> Remarks:
        """What was found."""
        return Remarks(tuple(self._notes), tuple(self._above))

    def between(self, opens: int, column: int, *, first: bool) -> None:
        """The comments before a statement: the first of them may belong to the statement before."""
        for comment in self._up_to(opens):
            mine = comment.alone and _column(self._text, comment.at) <= column
            if first or self._above or mine:
                self._line(comment.text, comment.at)
            else:
                self._into_last(comment)
            self._end = comment.at + len(comment.text)

    def above(self, place: Place) -> None:
        """The blank line above a statement, and what stands between its section's key and itself."""
        self._blank(place.opens)
        if place.section is None:
            return
        if any(self._above):
            self._above.append("")
        self._end = place.section
        for comment in self._up_to(place.start):
            self._above.append(comment.text)
            self._end = comment.at + len(comment.text)

    def inside(self, place: Place) -> None:
        """The comments inside a statement, which ends what stands above it."""
        self._notes.append(Notes(tuple(self._above), tuple(self._up_to(place.end))))
        self._above, self._end = [], place.end

    def _up_to(self, place: int) -> Iterator[Comment]:
        while self._comments and self._comments[-1].at < place:
            yield self._comments.pop()

    def _into_last(self, comment: Comment) -> None:
        last = self._notes[-1]
        self._notes[-1] = replace(last, inside=(*last.inside, comment))

    def _line(self, comment: str, at: int) -> None:
        self._blank(at)
        self._above.append(comment)

    def _blank(self, at: int) -> None:
        """One blank line, if there is any between what was met last and this."""
        if self._end and self._text.count("\n", self._end, at) > 1:
            self._above.append("")


def _column(text: str, at: int) -> int:
    return at - text.rfind("\n", 0, at) - 1


def spaced(remarks: Remarks, starts: Container[int]) -> Remarks:
    """The remarks with a blank line above each of the statements that start something new."""
    notes = (
        replace(n, above=("", *n.above)) if i in starts and n.above[:1] != ("",) else n
        for i, n in enumerate(remarks.notes)
    )
    return replace(remarks, notes=tuple(notes))


def blank(count: int) -> Remarks:
    """The remarks on so many statements of which nobody has said anything."""
    return Remarks((Notes(),) * count)


def headed(remarks: Remarks) -> Remarks:
    """The remarks with the blank line between the file's own heading and its first section's key."""
    first = remarks.notes[0] if remarks.notes else Notes()
    if first.above[-1:] != ("",):
        return remarks
    return replace(remarks, notes=(replace(first, above=(*first.above, "")), *remarks.notes[1:]))


def without(remarks: Remarks, start: str) -> Remarks:
    """The remarks without comments that start so."""
    notes = (replace(n, above=tuple(a for a in n.above if not a.startswith(start))) for n in remarks.notes)
    below = tuple(line for line in remarks.below if not line.startswith(start))
    return Remarks(tuple(notes), below)


def comments_of(remarks: Remarks) -> list[str]:
    """All comments, each as often as it stands there."""
    inside = [comment.text for notes in remarks.notes for comment in notes.inside]
    above = [line for notes in remarks.notes for line in notes.above]
    return [line for line in (*above, *inside, *remarks.below) if line]


def grouped(statements: Sequence[doc.Statement], remarks: Remarks | None = None) -> Remarks:
    """The remarks with a blank line wherever another group of statements starts."""
    groups = [_GROUPS.get(type(statement), type(statement).__name__) for statement in statements]
    starts = {i for i in range(1, len(groups)) if groups[i] != groups[i - 1]}
    return spaced(blank(len(statements)) if remarks is None else remarks, starts)


_GROUPS: dict[type[doc.Statement], str] = {
    **dict.fromkeys((doc.Header, doc.Timezone, doc.Baseline, doc.Estimate), "head"),
    **dict.fromkeys((doc.Escalate, doc.Fallback, doc.Hedge, doc.Retry), "failure"),
}
"""Kinds that stand together without a blank line where nobody has laid them out yet."""


def header_lines(header: Iterable[str]) -> list[str]:
    """The lines of a comment, and a blank one behind them."""
    lines = [f"# {line}".rstrip() for line in header]
    return [*lines, ""] if lines else []


def finished(lines: Sequence[str]) -> str:
    """Lines as the text of a file: none of them blank at its start or end, and no two behind each other."""
    kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
    return "\n".join(kept).strip("\n") + "\n" if any(kept) else ""
