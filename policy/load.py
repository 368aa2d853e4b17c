"""text -> Document: read the files, follow the includes, collect what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from ..schemas.catalogue import Prices
from ..schemas.checked import PolicyFile
from ..schemas.diagnostics import Diagnostic
from ..schemas.records import dataclass
from ..schemas.text import Source, Span
from . import document as doc
from .checks.p104_too_large import all_too_large, file_too_large, too_deep, too_many_files
from .checks.p105_unreadable import unreadable
from .checks.p106_include_outside import outside
from .checks.p107_include_cycle import cycle
from .checks.p108_after_end import after_end
from .files import MAX_FILE_BYTES, Unreadable, read_text, real_path, resolve_include
from .hygiene import clean
from .legacy.detect import legacy_key
from .parser import Parsed, parse
from .yaml import read_yaml
from .yaml_surface import YAML_ENDINGS, parse_yaml

MAX_ALL_BYTES = 1024 * 1024
MAX_FILES = 200
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    The document of all files, what was wrong with their text, and the names (kind, name) that
    broken statements would have declared. `incomplete` says that a file couldn't be read, so that
    any name may have been declared in it. `legacy` are the names of files of the older YAML form.
    `files` are those that were read.
    """

    document: doc.Document
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[tuple[str, str]]
    incomplete: bool
    legacy: frozenset[str] = frozenset()
    files: tuple[PolicyFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Older:
    """How files of the older YAML form are read: by force, and in which unit their prices are (1k, 1m)."""

    forced: bool = False
    price_unit: str | None = None


AS_THEY_ARE = Older()
"""Files tell by their keys whether they are older, and by the catalogue in which unit their prices are."""


def load(
    paths: Sequence[Path], prices: Prices, older: Older = AS_THEY_ARE, texts: Mapping[Path, str] | None = None
) -> Loaded:
    """
    Read one policy from one file, or from several that are merged in the order given.

    `texts` stand in place of what is in files, by where their paths really lead.
    """
    loader = _Loader(prices, older, texts or {})
    for path in paths:
        loader.root = path.parent
        loader.file(path, Span(str(path), 0, 0))
    return loader.result()


def load_text(text: str, prices: Prices, name: str = "policy", older: Older = AS_THEY_ARE) -> Loaded:
    """Read a policy from text alone; an include in it is an error."""
    loader = _Loader(prices, older)
    loader.text(Source(name, text), None)
    return loader.result()


@dataclass
class _Loader:
    prices: Prices
    older: Older
    texts: Mapping[Path, str] = field(default_factory=dict)
    root: Path = Path()
    sources: list[Source] = field(default_factory=list)
    statements: list[doc.Statement] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    broken: set[tuple[str, str]] = field(default_factory=set)
    seen: set[Path] = field(default_factory=set)
    open_files: list[Path] = field(default_factory=list)
    size: int = 0
    incomplete: bool = False
    legacy: set[str] = field(default_factory=set)
    files: list[PolicyFile] = field(default_factory=list)

    def result(self) -> Loaded:
        document = doc.Document(tuple(self.sources), tuple(self.statements))
        found = tuple(self.diagnostics)
        broken, legacy = frozenset(self.broken), frozenset(self.legacy)
        return Loaded(document, found, broken, self.incomplete, legacy, tuple(self.files))

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
        text = self._read(path, real) if isinstance(real, Path) else real
        if isinstance(text, Unreadable):
            large = file_too_large(str(path), MAX_FILE_BYTES)
            self.missing(large if text.too_large else unreadable(str(path), text.reason, span))
            return
        self.size += len(text.encode())
        if self.size > MAX_ALL_BYTES:
            self.missing(all_too_large(str(path), MAX_ALL_BYTES))
            return
        self.files.append(PolicyFile(str(path), str(real), str(real_path(path.parent)), text))
        self.open_files.append(path)
        self.text(Source(str(path), text), path)
        self.open_files.pop()

    def _read(self, path: Path, real: Path) -> str | Unreadable:
        text = self.texts.get(real)
        return read_text(path) if text is None else text

    def text(self, source: Source, path: Path | None) -> None:
        source, unclean = clean(source)
        parsed = self._parse(source, unclean)
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

    def _parse(self, source: Source, unclean: tuple[Diagnostic, ...]) -> Parsed:
        """The statements of a source in whichever notation it is; the source is kept as it may be shown."""
        if not self.older.forced and not source.name.endswith(YAML_ENDINGS):
            return self._kept(source, unclean, parse(source))
        read = read_yaml(source)
        if read.root is None or not (self.older.forced or legacy_key(read.root)):
            return self._kept(source, unclean, parse_yaml(source, read))
        from .legacy.reading import read_legacy  # imported here: few policies need it

        legacy = read_legacy(source, read.root, self.prices, self.older.price_unit)
        self.legacy.add(source.name)
        self.sources += [] if legacy.below is None else [legacy.below]
        unclean = tuple(d for d in unclean if d.span is None or not _inside(d.span, legacy.secrets))
        return self._kept(legacy.source, (*unclean, *read.diagnostics), legacy.parsed)

    def _kept(self, source: Source, unclean: tuple[Diagnostic, ...], parsed: Parsed) -> Parsed:
        self.sources.append(source)
        self.diagnostics += [*unclean, *parsed.diagnostics]
        return parsed

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


def _inside(span: Span, spans: Sequence[Span]) -> bool:
    return any(s.start <= span.start and span.end <= s.end for s in spans)
