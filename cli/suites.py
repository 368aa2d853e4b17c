"""Test files on disk: found, read, and put together with their policies and PRDs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import click

from ..deciding import Engine
from ..engine.suite import FOUND_PRD, example_cases, resolve
from ..policy.check import MAX_DIAGNOSTICS
from ..policy.checks.p105_unreadable import unreadable
from ..policy.checks.p906_test_without_policy import without
from ..policy.files import MAX_FILE_BYTES, Unreadable, read_text
from ..policy.suite import Suite, prds_of, read_suite
from ..policy.yaml import Scalar
from ..schemas.diagnostics import Diagnostic, Report
from ..schemas.errors import PolicyError, StoryError
from ..schemas.story import Prd
from ..schemas.suite import Case
from ..schemas.text import Source, Span
from . import config
from .prds import read_prd_file
from .problems import tell_prices

ENDINGS = (".test.yaml", ".test.yml")
MAX_FILES = 1_000
MAX_DEPTH = 16


@dataclass(slots=True)
class Bench:
    """A policy and the cases of all test files that are about it; its own examples are the last."""

    engine: Engine
    policies: tuple[Path, ...]
    sources: list[Source]
    cases: list[Case] = field(default_factory=list)


def find_files(named: Sequence[str], policies: Sequence[str]) -> list[Path]:
    """
    The test files that are meant: those named, those below a folder named, else those beside the policy.

    Raises:
        click.UsageError: there is none.
    """
    here = Path.cwd()
    if named:
        return [file for name in named for file in _below(Path(name))]
    policy = Path(policies[0]) if policies else config.find_policy(here)[0]
    folders = (policy.parent, policy.parent / "tests")
    found = [file for folder in folders for file in sorted(folder.glob("*")) if _is_test(file)]
    if not found:
        raise click.UsageError(
            f"no test file (*{ENDINGS[0]}) stands beside {policy} or in tests/ there; "
            f"start one: policyctl test --generate -o {policy.with_suffix(ENDINGS[0])}"
        )
    return found


def _below(path: Path) -> list[Path]:
    """A file as it is; of a folder the test files in it, however deep."""
    if path.suffix == ".policy" and path.is_file():
        asked = shlex.join(["policyctl", "test", "--policy", str(path)])
        raise click.UsageError(f"{path} is a policy and no test file; to run its tests: {asked}")
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for folder, folders, files in os.walk(path):
        deep = len(Path(folder).relative_to(path).parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        found += [file for file in (Path(folder) / name for name in sorted(files)) if _is_test(file)]
        if len(found) > MAX_FILES:
            raise click.UsageError(f"{path} holds more than {MAX_FILES:,} test files; name a folder below it")
    if not found:
        raise click.UsageError(f"{path} holds no test file (*{ENDINGS[0]})")
    return found


def _is_test(file: Path) -> bool:
    return file.name.endswith(ENDINGS) and not file.name.startswith(".") and file.is_file()


def load(files: Iterable[Path], policies: Sequence[str]) -> list[Bench]:
    """
    Read test files with all that they need.

    Args:
        policies: the policy to test, in place of the one that a file names or that is found for it.

    Raises:
        PolicyError: something is wrong with a test file, its policy or its PRD; all of it is told.
    """
    tell_prices()
    loader = _Loader([Path(policy) for policy in policies])
    for file in dict.fromkeys(files):
        loader.file(file)
    return loader.benches()


@dataclass(slots=True)
class _Loader:
    policies: list[Path]
    found: dict[tuple[Path, ...], Bench] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def benches(self) -> list[Bench]:
        """All policies with their cases."""
        if self.diagnostics:
            order = {source.name: number for number, source in enumerate(self.sources)}
            told = sorted(dict.fromkeys(self.diagnostics), key=lambda d: _place(order, d.span))
            raise PolicyError(Report(tuple(self.sources), tuple(told[:MAX_DIAGNOSTICS])))
        for bench in self.found.values():
            bench.cases += example_cases(bench.engine.table)
        return list(self.found.values())

    def file(self, file: Path) -> None:
        """Read one test file."""
        text = read_text(file)
        if isinstance(text, Unreadable):
            reason = f"{text.reason}: at most {MAX_FILE_BYTES // 1024} KiB" if text.too_large else text.reason
            self.diagnostics.append(unreadable(str(file), reason))
            return
        read = read_suite(Source(str(file), text))
        self.sources.append(read.source)
        self.diagnostics += read.diagnostics
        if read.suite is None:
            return
        bench = self._bench(file, read.suite)
        if bench is not None:
            resolved = resolve(bench.engine.table, read.suite, dict(self._prds(file, read.suite)))
            self.diagnostics += resolved.diagnostics
            bench.sources.append(read.source)
            bench.cases += resolved.cases

    # policies

    def _bench(self, file: Path, suite: Suite) -> Bench | None:
        paths = self._policies(file, suite)
        if not paths:
            return None
        key = tuple(Path(os.path.realpath(path)) for path in paths)
        if key not in self.found:
            try:
                engine = Engine.load(*paths)
            except PolicyError as error:
                self._unusable(suite, error.report)
                return None
            self.found[key] = Bench(engine, tuple(paths), list(engine.sources))
        return self.found[key]

    def _policies(self, file: Path, suite: Suite) -> list[Path]:
        """The policy of a test file: the one asked for, the one it names, the one that is found for it."""
        if self.policies:
            return self.policies
        if suite.policies:
            return [path for named in suite.policies for path in self._path(file, named)]
        try:
            return [_shortest(file.parent / path) for path in config.find_policy(file.parent.absolute())]
        except click.UsageError as error:
            message, _, help = error.message.partition("; ")
            help = f"name it in this file, `policy: FILE`, or {help}"
            self.diagnostics.append(without(Span(suite.source.name, 0, 1), message, help))
            return []

    def _unusable(self, suite: Suite, report: Report) -> None:
        """A policy with errors: they are told, and at the place that names the policy that it has some."""
        self.sources += [source for source in report.sources if source not in self.sources]
        self.diagnostics += report.diagnostics
        span = suite.policies[0].span if suite.policies else Span(suite.source.name, 0, 1)
        help = "mend it first: policyctl validate shows the same findings"
        self.diagnostics.append(without(span, "the policy of these tests can't be used", help))

    # PRDs

    def _prds(self, file: Path, suite: Suite) -> Iterator[tuple[str, Prd]]:
        """The PRDs that the cases of a file need, by the path that the file writes."""
        for at, path in prds_of(suite):
            try:
                if path is None:
                    found = [_shortest(file.parent / config.find_prd(file.parent.absolute()))]
                else:
                    found = list(self._path(file, path))
                for real in found:
                    yield path.text if path is not None else FOUND_PRD, read_prd_file(real)
            except click.UsageError as error:
                message, _, help = error.message.partition("; ")
                help = (
                    f"name it, `prd: FILE`, or {help}" if help else "paths are relative to this file's folder"
                )
                self.diagnostics.append(without(at, message, help))
            except StoryError as error:
                self.diagnostics.append(without(at, error.problem.message, error.problem.help or "mend it"))

    def _path(self, file: Path, written: Scalar) -> Iterator[Path]:
        """A path from the folder of a test file."""
        if not written.text or "\0" in written.text or PurePath(written.text).is_absolute():
            message = f"`{written.text}` is no relative path"
            self.diagnostics.append(without(written.span, message, "write it from this file's folder"))
        else:
            yield _shortest(file.parent / written.text)


def _shortest(path: Path) -> Path:
    """A path without `..` where that leads to the same file, from here if it lies below."""
    short = Path(os.path.normpath(path))
    short = short.relative_to(Path.cwd()) if short.is_relative_to(Path.cwd()) else short
    return short if os.path.realpath(short) == os.path.realpath(path) else path


def _place(order: Mapping[str, int], span: Span | None) -> tuple[int, int]:
    return (-1, 0) if span is None else (order.get(span.source, -1), span.start)
