"""
Statements as words and phrases -> lines of .policy text.

Each statement has one layout, whatever it looked like before. Statements of one kind that follow each
other are a run: their columns stand under one another. Blank lines part it into blocks: what follows the
head stands on the head's line only if it has room there in the whole block.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from ..schemas.records import dataclass
from .remarks import Comment

WIDTH = 100
"""Columns that a line may have; only one word alone may pass them."""

MAX_COLUMN = 40
"""A cell wider than this doesn't push the others of its column to the right."""

CLAUSE = "  "
CONTINUED = "    "


@dataclass(frozen=True, slots=True)
class Word:
    """
    What stays on one line, and where it started in the source.

    `beside` is a comment that ends its line, `below` are comments on lines of their own after it.
    `opener` says that it is a word of the surface in front of what it opens, such as a key.
    """

    text: str
    at: int
    beside: str | None = None
    below: tuple[str, ...] = ()
    opener: bool = False

    @property
    def commented(self) -> bool:
        """Whether the line has to end after this word."""
        return self.beside is not None or bool(self.below)


Phrase = tuple[Word, ...]
W = TypeVar("W", bound=Word)


@dataclass(frozen=True, slots=True)
class Shape:
    """
    A statement as phrases.

    `head` are the columns of its first line; an empty phrase leaves its column blank. `tail` goes on
    behind the head where there is room, else it has the next line; so many of its phrases as `aligned`
    says are columns too. `clauses` have a line each. `alone` says that the block has no say in this, and
    that the tail is the head's own sentence going on.
    """

    head: tuple[Phrase, ...]
    tail: tuple[Phrase, ...] = ()
    clauses: tuple[Phrase, ...] = ()
    aligned: int = 0
    alone: bool = False


def annotated(words: Sequence[W], comments: Iterable[Comment]) -> list[W]:
    """
    The words of a statement with its comments: each behind the word that stands before it in the source.

    One that is about what follows is put to the next word, or to what opens that.
    """
    noted = list(words)
    places = sorted((word.at, number) for number, word in enumerate(words) if word.at >= 0)
    opened: tuple[int, int] | None = None
    for comment in comments:
        here = bisect(places, (comment.at, len(words)))
        if comment.ahead and here < len(places):
            number = places[here][1]
            while number > 0 and words[number - 1].opener:
                number -= 1
            opened = (here, number)
        elif opened is not None and opened[0] == here:
            number = opened[1]  # still behind what was opened, and before what follows
        else:
            number = places[here - 1][1] if here else 0
        noted[number] = _noted(noted[number], comment)
    return noted


def _noted(word: W, comment: Comment) -> W:
    if comment.alone or word.commented:
        return replace(word, below=(*word.below, comment.text))
    return replace(word, beside=comment.text)


def shape_with(shape: Shape, comments: Sequence[Comment]) -> Shape:
    """A shape with the comments inside its statement."""
    if not comments:
        return shape
    phrases = (*shape.head, *shape.tail, *shape.clauses)
    noted = iter(annotated([word for phrase in phrases for word in phrase], comments))
    new = [tuple(islice(noted, len(phrase))) for phrase in phrases]
    head, tail = len(shape.head), len(shape.head) + len(shape.tail)
    return replace(shape, head=tuple(new[:head]), tail=tuple(new[head:tail]), clauses=tuple(new[tail:]))


def run_lines(run: Sequence[Sequence[Shape]]) -> Iterator[list[str]]:
    """The lines of each statement of a run, which is given block by block."""
    shapes = [shape for block in run for shape in block]
    heads = _widths([shape.head for shape in shapes])
    wide = _widths([shape.tail[: shape.aligned] for shape in shapes])
    for block in run:
        tails = _met(wide, block)
        rows = [(*_head(shape, heads), *_tail(shape, tails)) for shape in block]
        pairs = list(zip(block, rows, strict=True))
        together = all(_fits(row) for shape, row in pairs if shape.tail and not shape.alone)
        for shape, row in pairs:
            flat = _fits(row) and not _parted(row) and (together or shape.alone)
            yield list(_statement(shape, row if flat else None, heads, tails))


def _statement(shape: Shape, row: Phrase | None, heads: list[int], tails: list[int]) -> Iterator[str]:
    """`row` is head and tail where they stand on one line."""
    if row is not None:
        yield from _fill(row, "", CONTINUED)
    else:
        yield from _fill(_head(shape, heads), "", CONTINUED)
        if shape.alone or any(len(_kept_together(part)) > 1 for part in shape.tail):
            yield from (line for part in shape.tail for line in _fill(part, CLAUSE, CONTINUED))
        else:
            yield from _fill(_tail(shape, tails), CLAUSE, CLAUSE)
    for clause in shape.clauses:
        yield from _fill(clause, CLAUSE, CONTINUED)


# --- columns ---------------------------------------------------------------------------------------


def text_of(phrase: Iterable[Word]) -> str:
    """A phrase on one line."""
    return " ".join(word.text for word in phrase)


def _widths(rows: Sequence[tuple[Phrase, ...]]) -> list[int]:
    """How wide each column of a run is; 0 where nobody has anything in it."""
    count = max((len(row) for row in rows), default=0)
    cells = [[len(text_of(row[i])) for row in rows if i < len(row)] for i in range(count)]
    return [max((width for width in column if width <= MAX_COLUMN), default=0) for column in cells]


def _met(widths: list[int], block: Sequence[Shape]) -> list[int]:
    """The widths of columns, but 0 where nobody of a block has anything in one."""
    return [
        width if any(shape.tail[number : number + 1] not in ((), ((),)) for shape in block) else 0
        for number, width in enumerate(widths)
    ]


def _columns(cells: tuple[Phrase, ...], widths: list[int], first_gap: int = 2) -> Phrase:
    """Cells in a row, each filled up to its column's width; blanks at a line's end are cut later."""
    row: list[Word] = []
    for number, (cell, width) in enumerate(zip(cells, widths, strict=False)):
        row += _padded(cell, width, gap=first_gap if number == 0 else 2)
    return tuple(row)


def _padded(cell: Phrase, width: int, gap: int) -> Phrase:
    """A cell with the blanks behind it; the one that joins words is left to them."""
    if not width:
        return cell
    fill = " " * (max(width - len(text_of(cell)), 0) + gap - 1)
    if not cell:
        return (Word(fill, -1),)
    return (*cell[:-1], replace(cell[-1], text=cell[-1].text + fill))


def _head(shape: Shape, widths: list[int]) -> Phrase:
    """The columns of a head; the last one isn't filled up where the tail is the same sentence."""
    if shape.alone:
        return (*_columns(shape.head[:-1], widths, 1), *shape.head[-1])
    return _columns(shape.head, widths, 1)


def _tail(shape: Shape, widths: list[int]) -> Phrase:
    """The tail as one phrase, each of its parts kept together where a line has room for it."""
    if shape.alone:
        return tuple(word for part in shape.tail for word in part)
    parts = tuple(_kept_together(part) for part in shape.tail)
    free = parts[shape.aligned :]
    row = _columns(parts[: shape.aligned], widths)
    return (*row, *_columns(free, [len(text_of(part)) for part in free]))


def _kept_together(phrase: Phrase) -> Phrase:
    """A phrase as one word, if nothing has to stand inside it and a line has room for it."""
    text = text_of(phrase)
    if not phrase or _parted(phrase) or len(text) > WIDTH - len(CONTINUED):
        return phrase
    return (replace(phrase[-1], text=text, at=phrase[0].at),)


def _fits(row: Phrase) -> bool:
    """Whether a row has room on one line."""
    return len(text_of(row).rstrip()) <= WIDTH


def _parted(words: Phrase) -> bool:
    """Whether comments keep words from standing on one line."""
    return any(word.commented for word in words[:-1])


# --- lines -----------------------------------------------------------------------------------------


def _fill(words: Phrase, first: str, rest: str) -> Iterator[str]:
    """
    Words filled into lines, the first of which starts with `first`, the others with `rest`.

    Comments on lines of their own stand where the next word does, behind the last one as clauses do.
    """
    line, indent = "", first
    for number, word in enumerate(words):
        if line and len(indent + line) + 1 + len(word.text.rstrip()) > WIDTH:
            yield (indent + line).rstrip()
            line, indent = "", rest
        line = f"{line} {word.text}" if line else word.text.lstrip()
        if word.commented:
            last = number == len(words) - 1
            yield (indent + line).rstrip() + ("" if word.beside is None else f"  {word.beside}")
            yield from ((CLAUSE if last else rest) + comment for comment in word.below)
            line, indent = "", rest
    if line:
        yield (indent + line).rstrip()
