"""A file of policy tests: YAML text -> its cases as nodes, and everything in its shape that can't be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..schemas.diagnostics import Diagnostic
from ..schemas.records import dataclass
from ..schemas.text import Source, Span
from .checks import p901_test_shape
from .checks.p201_duplicate_name import duplicate
from .checks.p902_nothing_tested import no_case, no_expectation, no_value
from .hygiene import clean
from .yaml import Mapping, Node, Scalar, Sequence, read_yaml
from .yaml_shape import findings, misfits


@dataclass(frozen=True, slots=True)
class Suite:
    """
    A test file as it is written; `cases` are those whose shape is right.

    `policies` and `prd` are paths from the file's folder.
    """

    source: Source
    policies: tuple[Scalar, ...]
    prd: Scalar | None
    defaults: Mapping
    cases: tuple[Mapping, ...]


@dataclass(frozen=True, slots=True)
class SuiteRead:
    """A test file (None: nothing of it can be read), and what is wrong with it."""

    suite: Suite | None
    source: Source
    diagnostics: tuple[Diagnostic, ...]


def read_suite(source: Source) -> SuiteRead:
    """Read a test file."""
    source, unclean = clean(source)
    read = read_yaml(source)
    found = [*unclean, *read.diagnostics]
    if read.root is None:
        found += [] if found else [no_case(Span(source.name, 0, 0))]
        return SuiteRead(None, source, tuple(found))
    found += _shape(read.root)
    if not isinstance(read.root, Mapping):
        return SuiteRead(None, source, tuple(found))
    suite = _suite(source, read.root, sorted(d.span.start for d in found if d.span is not None))
    found += _names(suite.cases)
    return SuiteRead(suite, source, tuple(found))


def prds_of(suite: Suite) -> Iterator[tuple[Span, Scalar | None]]:
    """The PRDs that the cases need, each once: where that is said, and its path (None: none is named)."""
    seen: set[str | None] = set()
    for case in suite.cases:
        story = case.get("story") or next(
            (n for k, n in pairs(case.get("matrix")) if k.text == "story"), None
        )
        path = case.get("prd") or suite.prd
        named = path.text if isinstance(path, Scalar) else None
        if story is not None and named not in seen:
            seen.add(named)
            yield (path or story).span, path if isinstance(path, Scalar) else None


def texts(node: Node | None) -> tuple[Scalar, ...]:
    """A list of texts, or one text with commas in it, as its items with their places."""
    if isinstance(node, Sequence):
        return tuple(item for item in node.items if isinstance(item, Scalar))
    return tuple(_split(node)) if isinstance(node, Scalar) else ()


def pairs(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """The pairs of a map; none of anything else."""
    return node.pairs if isinstance(node, Mapping) else ()


def _split(scalar: Scalar) -> Iterator[Scalar]:
    start = 0
    for part in scalar.text.split(","):
        text = part.strip()
        first = start + len(part) - len(part.lstrip())
        places = scalar.places[first : first + len(text) + 1]
        if text:
            yield Scalar(text, places, scalar.quoted, Span(scalar.span.source, places[0], places[-1]))
        start += len(part) + 1


def _shape(root: Node) -> Iterator[Diagnostic]:
    for node, error in misfits(root, "tests"):
        nothing = _nothing(node, error)
        if nothing is not None:
            yield nothing
        else:
            yield from (replace(d, code=p901_test_shape.CODE, fix=()) for d in findings(node, error))


def _nothing(node: Node, error: Any) -> Diagnostic | None:
    """What is missing or empty, where that means that nothing is tested."""
    key = str(error.absolute_path[-1]) if error.absolute_path else ""
    if error.validator in ("minItems", "minProperties"):
        return _EMPTY.get(key, no_value)(node.span)
    if error.validator != "required" or not isinstance(node, Mapping):
        return None
    name = node.get("name")
    if "cases" in error.validator_value and node.get("cases") is None:
        return no_case(Span(node.span.source, node.span.start, node.span.start + 1))
    return no_expectation(name.span) if name is not None and node.get("expect") is None else None


_EMPTY = {"cases": no_case, "expect": no_expectation}


def _suite(source: Source, root: Mapping, wrong: list[int]) -> Suite:
    """What can be tested whatever else is wrong."""
    cases, defaults, prd = root.get("cases"), root.get("defaults"), root.get("prd")
    items = cases.items if isinstance(cases, Sequence) else ()
    right = (item for item in items if isinstance(item, Mapping) and not _is_wrong(item, wrong))
    return Suite(
        source,
        texts(root.get("policy")),
        prd if isinstance(prd, Scalar) else None,
        defaults
        if isinstance(defaults, Mapping) and not _is_wrong(defaults, wrong)
        else Mapping((), root.span),
        tuple(right),
    )


def _is_wrong(node: Node, wrong: list[int]) -> bool:
    """Whether a finding stands in a node; `wrong` is where findings start, in rising order."""
    at = bisect_left(wrong, node.span.start)
    return at < len(wrong) and wrong[at] < node.span.end


def _names(cases: tuple[Mapping, ...]) -> Iterator[Diagnostic]:
    """Names that stand twice; a person selects and finds a case by its name."""
    seen: dict[str, Span] = {}
    for case in cases:
        name = case.get("name")
        assert isinstance(name, Scalar)  # its shape is right
        if name.text in seen:
            yield duplicate(name.span, "case", name.text, seen[name.text])
        seen.setdefault(name.text, name.span)
