"""text -> Document: read the files, follow the includes, collect what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..schemas.diagnostics import Diagnostic
from ..schemas.text import Source, Span
from . import document as doc
from .checks.p104_too_large import all_too_large, file_too_large, too_deep, too_many_files
from .checks.p105_unreadable import unreadable
from .checks.p106_include_outside import outside
from .checks.p107_include_cycle import cycle
from .checks.p108_after_end import after_end
from .files import MAX_FILE_BYTES, Unreadable, read_text, real_path, resolve_include
from .hygiene import clean
from .parser import parse
from .yaml_surface import YAML_ENDINGS, parse_yaml

MAX_ALL_BYTES = 1024 * 1024
MAX_FILES = 200
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    The document of all files, what was wrong with their text, and the names (kind, name) that
    broken statements would have declared. `incomplete` says that a file couldn't be read, so that
    any name may have been declared in it.
    """

    document: doc.Document
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[tuple[str, str]]
    incomplete: bool


def load(paths: Sequence[Path]) -> Loaded:
    """Read one policy from one file, or from several that are merged in the order given."""
    loader = _Loader()
    for path in paths:
        loader.root = path.parent
        loader.file(path, Span(str(path), 0, 0))
    return loader.result()


def load_text(text: str, name: str = "policy") -> Loaded:
    """Read a policy from text alone; an include in it is an error."""
    loader = _Loader()
    loader.text(Source(name, text), None)
    return loader.result()


@dataclass
class _Loader:
    root: Path = Path()
    sources: list[Source] = field(default_factory=list)
    statements: list[doc.Statement] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    broken: set[tuple[str, str]] = field(default_factory=set)
    seen: set[Path] = field(default_factory=set)
    open_files: list[Path] = field(default_factory=list)
    size: int = 0
    incomplete: bool = False

    def result(self) -> Loaded:
        document = doc.Document(tuple(self.sources), tuple(self.statements))
        return Loaded(document, tuple(self.diagnostics), frozenset(self.broken), self.incomplete)

    def missing(self, diagnostic: Diagnostic) -> None:
        """Report a file that isn't part of the document."""
        self.diagnostics.append(diagnostic)
        self.incomplete = True

    def file(self, path: Path, asked_at: Span) -> None:
        """Read a file and what it includes. A file that was read already isn't read again."""
        real = real_path(path)
        if real in self.seen:
            return
        if isinstance(real, Path):
            self.seen.add(real)
        span = asked_at if self.open_files else None
        text = read_text(path) if isinstance(real, Path) else real
        if isinstance(text, Unreadable):
            large = file_too_large(str(path), MAX_FILE_BYTES)
            self.missing(large if text.too_large else unreadable(str(path), text.reason, span))
            return
        self.size += len(text.encode())
        if self.size > MAX_ALL_BYTES:
            self.missing(all_too_large(str(path), MAX_ALL_BYTES))
            return
        self.open_files.append(path)
        self.text(Source(str(path), text), path)
        self.open_files.pop()

    def text(self, source: Source, path: Path | None) -> None:
        source, unclean = clean(source)
        self.sources.append(source)
        parsed = parse_yaml(source) if source.name.endswith(YAML_ENDINGS) else parse(source)
        self.diagnostics += [*unclean, *parsed.diagnostics]
        self.broken |= parsed.broken
        self.incomplete |= not parsed.whole
        ended = False
        for statement in parsed.statements:
            if ended:
                self.diagnostics.append(after_end(statement.span))
                break
            ended = isinstance(statement, doc.End)
            if isinstance(statement, doc.Include):
                self.include(statement, path)
            elif not ended:
                self.statements.append(statement)

    def include(self, statement: doc.Include, including: Path | None) -> None:
        written, span = statement.path.text, statement.path.span
        if including is None:
            self.missing(outside(span, written, "this text has no folder"))
            return
        if len(self.seen) >= MAX_FILES:
            self.missing(too_many_files(span, MAX_FILES))
            return
        target = resolve_include(self.root, including, written)
        if isinstance(target, Unreadable):
            self.missing(outside(span, written, target.reason))
            return
        chain, real = [real_path(path) for path in self.open_files], real_path(target)
        if real in chain:
            start = chain.index(real)
            names = tuple(str(p) for p in [*self.open_files[start:], target])
            self.diagnostics.append(cycle(span, names))
        elif len(self.open_files) >= MAX_DEPTH:
            self.missing(too_deep(span, MAX_DEPTH))
        else:
            self.file(target, span)
