"""
One file as its author wrote it: its statements, and the comments and blank lines around them.

`load` reads a policy for what it means, its includes replaced by what they name. This reads a file to
be written again, in its own surface or in the other one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ..schemas.diagnostics import Diagnostic
from ..schemas.records import dataclass
from ..schemas.text import Source
from . import document as doc
from .checks.p104_too_large import file_too_large
from .checks.p105_unreadable import unreadable
from .checks.p108_after_end import after_end
from .checks.p111_unwritable import Unwritable, older_form, unwritable
from .files import MAX_FILE_BYTES, Unreadable, read_text, real_path, resolve_include
from .hygiene import clean
from .legacy.detect import legacy_key
from .load import MAX_FILES
from .parser import Parsed, comments_in, parse
from .remarks import Comment, Place, Remarks, comments_at, comments_of, grouped, headed, remarks_on, without
from .writer import policy_text
from .yaml import Mapping, read_yaml
from .yaml_surface import MODELINE, OPENING, YAML_ENDINGS, parse_yaml, places
from .yaml_writer import yaml_text


@dataclass(frozen=True, slots=True)
class Written:
    """
    The statements of one source, what stands around them, and what is wrong with its text: nothing
    else is there then. `yaml` says in which surface it is.
    """

    source: Source
    yaml: bool
    statements: tuple[doc.Statement, ...]
    remarks: Remarks
    diagnostics: tuple[Diagnostic, ...] = ()


def in_yaml(name: str) -> bool:
    """Whether a file of this name is written in YAML."""
    return name.endswith(YAML_ENDINGS)


def read_written(source: Source, *, yaml: bool | None = None) -> Written:
    """Read the text of a file, in the surface that its name tells unless `yaml` does."""
    source = Source(source.name, source.text.replace("\r\n", "\n"))
    source, unclean = clean(source)
    if in_yaml(source.name) if yaml is None else yaml:
        return _read_yaml(source, unclean)
    parsed = parse(source)
    where = [Place(s.span.start, s.span.end) for s in parsed.statements]
    return _written(source, False, unclean, parsed, where, comments_at(source.text, comments_in(source.text)))


def _read_yaml(source: Source, unclean: tuple[Diagnostic, ...]) -> Written:
    read = read_yaml(source)
    older = legacy_key(read.root)
    if older is not None:
        return _wrong(source, True, (older_form(older.span, older.text),))
    where = list(places(read.root, source.text)) if isinstance(read.root, Mapping) else []
    comments = comments_at(source.text, read.comments, OPENING)
    return _written(source, True, unclean, parse_yaml(source, read), where, comments)


def _written(
    source: Source,
    yaml: bool,
    unclean: tuple[Diagnostic, ...],
    parsed: Parsed,
    where: Sequence[Place],
    comments: Sequence[Comment],
) -> Written:
    behind = _behind_end(parsed.statements)
    found = (*unclean, *parsed.diagnostics, *([] if behind is None else [after_end(behind.span)]))
    if found:
        return _wrong(source, yaml, found)
    return Written(source, yaml, parsed.statements, remarks_on(source.text, where, comments))


def _behind_end(statements: Sequence[doc.Statement]) -> doc.Statement | None:
    """The first statement behind the one that says that the file is whole."""
    ends = [number for number, statement in enumerate(statements) if isinstance(statement, doc.End)]
    return next(iter(statements[ends[0] + 1 :]), None) if ends else None


def _wrong(source: Source, yaml: bool, found: tuple[Diagnostic, ...]) -> Written:
    return Written(source, yaml, (), Remarks(()), found)


def read_file(path: Path) -> Written:
    """Read a file from disk."""
    text = read_text(path)
    if isinstance(text, str):
        return read_written(Source(str(path), text))
    name = str(path)
    if text.too_large:
        return _wrong(Source(name, ""), in_yaml(name), (file_too_large(name, MAX_FILE_BYTES),))
    return _wrong(Source(name, ""), in_yaml(name), (unreadable(name, text.reason, None),))


def includes_of(path: Path) -> Iterator[Path]:
    """A policy's file, then those that it includes and that can be followed, each once."""
    todo: list[Path] = [path]
    seen: set[Path | Unreadable] = set()
    while todo:
        file = todo.pop(0)
        real = real_path(file)
        if real in seen or len(seen) > MAX_FILES:
            continue
        seen.add(real)
        yield file
        named = (s.path.text for s in read_file(file).statements if isinstance(s, doc.Include))
        found = (resolve_include(path.parent, file, name) for name in named)
        todo += [target for target in found if isinstance(target, Path)]


SCHEMA = f"{MODELINE.lstrip('# ')} $schema=policy.schema.json"
"""What a converted file tells an editor about its shape; `policyctl schema` prints that file."""


def formatted(written: Written) -> str:
    """
    The text of a file in the one layout of its own surface.

    Raises:
        Unwritable: a file with something that its surface reads and can't write so.
    """
    return _checked(written, written.remarks, to_yaml=written.yaml)


def converted(written: Written, *, to_yaml: bool) -> str:
    """
    The text of a file in the surface that is asked for, with its comments.

    Raises:
        Unwritable: something that can't be said there.
    """
    remarks = grouped(written.statements, without(written.remarks, MODELINE))
    remarks = headed(remarks) if to_yaml else remarks
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
