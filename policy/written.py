"""
One file as its author wrote it: its statements, and the comments and blank lines around them.

`load` reads a policy for what it means, its includes replaced by what they name. This reads a file to
be written again, in its own surface or in the other one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from ..schemas.diagnostics import Diagnostic
from ..schemas.text import Source
from . import document as doc
from .checks.p104_too_large import file_too_large
from .checks.p111_unwritable import Unwritable, unwritable
from .files import MAX_FILE_BYTES
from .hygiene import clean
from .parser import comments_in, parse
from .remarks import Place, Remarks, comments_at, comments_of, remarks_on, without
from .writer import grouped, policy_text
from .yaml import Mapping, read_yaml
from .yaml_surface import MODELINE, OPENING, YAML_ENDINGS, parse_yaml, places
from .yaml_writer import yaml_text


@dataclass(frozen=True, slots=True)
class Written:
    """The statements of one source, what stands around them, and what is wrong with its text."""

    source: Source
    statements: tuple[doc.Statement, ...]
    remarks: Remarks
    diagnostics: tuple[Diagnostic, ...] = ()


def in_yaml(name: str) -> bool:
    """Whether a file of this name is written in YAML."""
    return name.endswith(YAML_ENDINGS)


def read_written(source: Source) -> Written:
    """Read a file; where anything is wrong with its text, nothing but what is."""
    source = Source(source.name, source.text.replace("\r\n", "\n"))
    source, unclean = clean(source)
    if in_yaml(source.name):
        return _read_yaml(source, unclean)
    parsed = parse(source)
    found = (*unclean, *parsed.diagnostics)
    if found:
        return _wrong(source, found)
    where = [Place(s.span.start, s.span.end) for s in parsed.statements]
    comments = comments_at(source.text, comments_in(source.text))
    return Written(source, parsed.statements, remarks_on(source.text, where, comments))


def _read_yaml(source: Source, unclean: tuple[Diagnostic, ...]) -> Written:
    read = read_yaml(source)
    parsed = parse_yaml(source, read)
    found = (*unclean, *parsed.diagnostics)
    if found:
        return _wrong(source, found)
    where = [] if not isinstance(read.root, Mapping) else list(places(read.root, source.text))
    comments = comments_at(source.text, read.comments, OPENING)
    return Written(source, parsed.statements, remarks_on(source.text, where, comments))


def _wrong(source: Source, found: tuple[Diagnostic, ...]) -> Written:
    return Written(source, (), Remarks(()), found)


SCHEMA = f"{MODELINE.lstrip('# ')} $schema=policy.schema.json"
"""What a converted file tells an editor about its shape; `policyctl schema` prints that file."""


def formatted(written: Written) -> str:
    """
    The text of a file in the one layout of its own surface.

    Raises:
        Unwritable: a file with something that its surface reads and can't write so.
    """
    to_yaml = in_yaml(written.source.name)
    return _checked(written, written.remarks, to_yaml=to_yaml)


def converted(written: Written, *, to_yaml: bool) -> str:
    """
    The text of a file in the surface that is asked for, with its comments.

    Raises:
        Unwritable: something that can't be said there.
    """
    remarks = grouped(written.statements, without(written.remarks, MODELINE))
    return _checked(written, remarks, to_yaml=to_yaml, header=(SCHEMA,) if to_yaml else ())


def _checked(written: Written, remarks: Remarks, *, to_yaml: bool, header: tuple[str, ...] = ()) -> str:
    """The text, which is read again before anybody relies on it: nothing that was written may be lost."""
    text = _text(written.statements, remarks, to_yaml=to_yaml, header=header)
    if len(text.encode()) > MAX_FILE_BYTES:
        raise Unwritable(file_too_large(written.source.name, MAX_FILE_BYTES))
    again = _read_again(text, to_yaml=to_yaml)
    if again.diagnostics or _by_kind(again.statements) != _by_kind(written.statements):
        raise Unwritable(_what_is_lost(written, to_yaml=to_yaml))
    kept = Counter(comments_of(again.remarks))
    assert kept >= Counter(comments_of(remarks)), "a comment would be lost: please report this"
    return text


def _text(
    statements: Sequence[doc.Statement],
    remarks: Remarks | None = None,
    *,
    to_yaml: bool,
    header: tuple[str, ...] = (),
) -> str:
    print_in = yaml_text if to_yaml else policy_text
    return print_in(statements, remarks, header=header)


def _read_again(text: str, *, to_yaml: bool) -> Written:
    return read_written(Source("again.yaml" if to_yaml else "again.policy", text))


def _by_kind(statements: Sequence[doc.Statement]) -> dict[str, list[Any]]:
    """What the statements of each kind say, in their order; YAML has kind after kind."""
    kinds: dict[str, list[Any]] = {}
    for statement in statements:
        kinds.setdefault(type(statement).__name__, []).append(meaning(statement))
    return kinds


def meaning(value: Any) -> Any:
    """What a statement says, wherever it stands and whether or not its names have quotes."""
    if is_dataclass(value) and not isinstance(value, type):
        said = (f.name for f in fields(value) if f.name not in ("span", "quoted"))
        return (type(value).__name__, *(meaning(getattr(value, name)) for name in said))
    return tuple(map(meaning, value)) if isinstance(value, tuple) else value


def _what_is_lost(written: Written, *, to_yaml: bool) -> Diagnostic:
    """The first statement without which the rest would be read again as it is."""
    statements = written.statements

    def is_kept(count: int) -> bool:
        again = _read_again(_text(statements[:count], to_yaml=to_yaml), to_yaml=to_yaml)
        return not again.diagnostics and _by_kind(again.statements) == _by_kind(statements[:count])

    lost = bisect_left(range(1, len(statements) + 1), True, key=lambda count: not is_kept(count))
    assert lost < len(statements), f"{written.source.name} would be read otherwise: please report this"
    span = statements[lost].span
    text = " ".join(written.source.text[span.start : span.end][:MAX_SHOWN].split())
    return unwritable(span, text, "YAML" if to_yaml else ".policy text")


MAX_SHOWN = 60
"""Characters of a statement that are named in a finding."""
