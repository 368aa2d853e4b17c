"""
Everything that is printed goes through here: colour where it belongs, no control characters from
anybody's text, columns that line up.

Data and findings go to stdout, notes to stderr.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO
from unicodedata import combining, east_asian_width

import click

# C0 and C1 controls but tab and newline, bidirectional and zero-width characters, separators.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]"
)

LONGEST = 2000
"""Characters of one text that are shown."""

NARROWEST, WIDEST, PIPED = 60, 120, 80

_color: bool | None = None


def safe(text: str) -> str:
    """
    Text from a file, a PRD or the command line, with what a terminal would act on made visible.

    What is longer than anyone reads is cut.
    """
    text = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return _UNSAFE.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def set_color(when: str) -> None:
    """`auto`, `always` or `never`, from --color."""
    global _color
    _color = {"always": True, "never": False}.get(when)


def wants_color(stream: IO[str]) -> bool:
    """--color, then NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, then whether it is a terminal."""
    if _color is not None:
        return _color
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def out(text: str = "", end: str = "\n") -> None:
    """A line of data or of a finding, or with another end a part of one."""
    _write(text, sys.stdout, end)


def raw(data: bytes) -> None:
    """Data as it is, for the program that reads it on."""
    click.echo(data, nl=False)


def note(text: str = "") -> None:
    """A remark beside the data."""
    _write(text, sys.stderr)


def progress(text: str = "") -> None:
    """What goes on at the moment, on a terminal only, in place of what went on before."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def unstyled(text: str) -> str:
    """A text without its styles."""
    return click.unstyle(text)


def _write(text: str, stream: IO[str] | None, end: str = "\n") -> None:
    if stream is None:  # closed before we were started
        return
    click.echo(fitted(text + end, stream), file=stream, color=True, nl=False)


def fitted(text: str, stream: IO[str]) -> str:
    """A text as a stream can show it: without colour where that doesn't belong."""
    if not wants_color(stream):
        text = click.unstyle(text)
    # A terminal that can't show a character gets a question mark, never a traceback.
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def fits(text: str) -> bool:
    """Whether stdout can show a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def width() -> int:
    """Columns to lay out for: COLUMNS, else the terminal's, else 80 in a pipe."""
    if "COLUMNS" not in os.environ and not (sys.stdout and sys.stdout.isatty()):
        return PIPED
    import shutil

    return max(NARROWEST, min(shutil.get_terminal_size((PIPED, 24)).columns, WIDEST))


# --- styles: one word each -------------------------------------------------------------------------


def strong(text: str) -> str:
    """A heading, or the answer."""
    return click.style(text, bold=True)


def dim(text: str) -> str:
    """What is only looked at when it is needed."""
    return click.style(text, dim=True)


def good(text: str) -> str:
    """Something that holds or was chosen."""
    return click.style(text, fg="green")


def bad(text: str) -> str:
    """Something that is wrong or refused."""
    return click.style(text, fg="red", bold=True)


def warned(text: str) -> str:
    """Something to look at."""
    return click.style(text, fg="yellow", bold=True)


def named(text: str) -> str:
    """A model, rule or other name of the policy."""
    return click.style(text, fg="cyan")


def bar(share: float, wide: int) -> str:
    """A share from 0 to 1 as a bar."""
    full, empty = ("━", "─") if fits("━─") else ("#", "-")
    done = int(share * wide)
    return good(full * done) + dim(empty * (wide - done))


# --- columns ---------------------------------------------------------------------------------------


def cells(text: str) -> int:
    """How many columns a text takes on a terminal; styles take none."""
    plain = click.unstyle(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in plain)


def pad(text: str, columns: int) -> str:
    """Text filled with blanks to a width."""
    return text + " " * max(columns - cells(text), 0)


def columns(rows: Iterable[Sequence[str]], *, indent: int = 2, gap: int = 2) -> list[str]:
    """
    Rows with their cells under one another.

    The last cell of each row wraps at the edge of the page, below itself.
    """
    table = [list(row) for row in rows]
    if not table:
        return []
    widths = [max(cells(row[i]) for row in table) for i in range(len(table[0]) - 1)]
    lines = []
    for row in table:
        head = " " * indent + "".join(pad(c, w + gap) for c, w in zip(row[:-1], widths, strict=True))
        lines += [line.rstrip() for line in hang(head, row[-1])]
    return lines


def hang(head: str, text: str) -> list[str]:
    """A head and its text; what doesn't fit on the line goes on below the text's start."""
    start = cells(head)
    room = width() - start
    if room < 20 or cells(text) <= room or click.unstyle(text) != text:
        return [head + text]
    from textwrap import wrap

    first, *rest = wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return [head + first, *(" " * start + line for line in rest)]


def paragraph(text: str, *, indent: int = 0) -> list[str]:
    """Running text, wrapped."""
    from textwrap import wrap

    return wrap(
        text,
        width(),
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
