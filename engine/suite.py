"""A test file against its policy and PRDs: names and values resolved, matrices multiplied out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field, fields, replace
from datetime import datetime
from itertools import islice, product
from math import prod

from ..policy.checks.p901_test_shape import too_many
from ..policy.checks.p903_test_name import no_story, unknown_name
from ..policy.checks.p904_no_request import no_request, unreadable_value
from ..policy.suite import Suite, pairs, texts
from ..policy.words import row_words
from ..policy.yaml import Mapping as Map
from ..policy.yaml import Node, Scalar, Sequence
from ..schemas.diagnostics import Diagnostic
from ..schemas.errors import Problem, RequestError, StoryError
from ..schemas.policy import CAPABILITIES, Fact, FactKind, FailureKind
from ..schemas.records import dataclass
from ..schemas.request import Failure, Request, Spend, State
from ..schemas.story import Prd, Story
from ..schemas.suite import Case, Expected
from ..schemas.text import Span
from .cases import Case as Asked
from .cases import noon, options_of
from .examples import case_of
from .expecting import Names, read_expected
from .facts import example as some_value
from .facts import facts_of
from .flips import OWN_FIELDS, with_fact
from .reading import AMOUNTS, input_value, moment, spent_nusd
from .stories import delegating, find_story, story_request
from .table import DecisionTable

MAX_CASES = 10_000
"""Cases of one file, each cell of a matrix counted."""

FOUND_PRD = ""
"""The PRD of a file that names none."""

_KEYS = ("story", "preferred", "failed", "at", "spend", "down", "available")
"""Keys of a case, beside its facts, that a matrix may give."""

_TOKENS = re.compile(r"(\d{1,9})([kM])")
_FAILED = re.compile(r"(gate\s+)?(\S+)(?:\s+in\s+(\S+))?")
_FAILED_FORMS = "`gate tests`, `gate tests in TIER` or `timeout`"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The cases that can be run, and what is wrong with the others."""

    cases: tuple[Case, ...]
    diagnostics: tuple[Diagnostic, ...]


def resolve(table: DecisionTable, suite: Suite, prds: Mapping[str, Prd]) -> Resolved:
    """
    Resolve the cases of a test file.

    Args:
        prds: the PRDs by their path as the file writes it (FOUND_PRD: where it names none). Those
            that can't be had are missing; that has been told.
    """
    resolver = _Resolver(table, suite, prds, Names(table))
    cases = tuple(islice(resolver.cases(), MAX_CASES + 1))
    if len(cases) > MAX_CASES:
        resolver.found.append(too_many(cases[-1].span, "the cases of this file", MAX_CASES))
    return Resolved(cases, tuple(dict.fromkeys(resolver.found)))


def example_cases(table: DecisionTable) -> Iterator[Case]:
    """The policy's `example` statements as cases; those that describe no request are left out."""
    for example in table.policy.examples:
        asked = case_of(table, example)
        if not isinstance(asked, str):
            yield Case(
                name=f"example {row_words(example.conditions)}",
                span=example.span,
                request=asked.request,
                state=asked.state,
                expected=Expected(starts_with=example.gives),
                options=options_of(table, asked),
                is_example=True,
            )


@dataclass(slots=True)
class _Said:
    """
    What defaults, a case and a cell of its matrix say, one over the other.

    `by_default` are the facts that only the defaults say: a story's own values stand above them.
    """

    facts: dict[str, tuple[Span, Node]] = field(default_factory=dict)
    spend: dict[str, tuple[Span, Node]] = field(default_factory=dict)
    keys: dict[str, Node] = field(default_factory=dict)
    by_default: set[str] = field(default_factory=set)

    def over(self, layer: _Said) -> _Said:
        """A layer on top of this one; of facts and budgets each is replaced by itself."""
        return _Said(
            {**self.facts, **layer.facts},
            {**self.spend, **layer.spend},
            {**self.keys, **layer.keys},
            self.by_default - layer.facts.keys(),
        )

    def add(self, key: Scalar, node: Node) -> None:
        """One key of a case."""
        if key.text in ("facts", "spend"):
            there = self.facts if key.text == "facts" else self.spend
            there.update({name.text: (name.span, value) for name, value in pairs(node)})
        elif key.text in (*_KEYS, "prd"):
            self.keys[key.text] = node

    def below(self, request: Request) -> None:
        """Leave out the defaults of what a story's request gives."""
        given = {name for name in self.by_default if _gives(request, name)}
        self.facts = {name: said for name, said in self.facts.items() if name not in given}


def _said(node: Map) -> _Said:
    said = _Said()
    for key, value in node.pairs:
        said.add(key, value)
    return said


@dataclass(frozen=True, slots=True)
class _Base:
    """The request that a case starts from; of a story with the options that name it."""

    request: Request = field(default_factory=Request)
    options: tuple[str, ...] = ()


@dataclass(slots=True)
class _Resolver:
    table: DecisionTable
    suite: Suite
    prds: Mapping[str, Prd]
    names: Names

    @property
    def found(self) -> list[Diagnostic]:
        """What is wrong, so far."""
        return self.names.found

    def cases(self) -> Iterator[Case]:
        """Every cell of every case, in the order of the file."""
        defaults = _said(self.suite.defaults)
        defaults.by_default = set(defaults.facts)
        for node in self.suite.cases:
            name = node.get("name")
            assert isinstance(name, Scalar)  # its shape is right
            expected = read_expected(self.names, node.get("expect"))
            below = defaults.over(_said(node))
            for label, cell in self._cells(node.get("matrix")):
                case = self._case(name, label, below.over(cell), expected)
                if case is not None:
                    yield case

    # matrices

    def _cells(self, matrix: Node | None) -> Iterator[tuple[dict[str, str], _Said]]:
        axes = [(name, _items(values)) for name, values in pairs(matrix)]
        if prod(len(values) for _, values in axes) > MAX_CASES and isinstance(matrix, Map):
            self.found.append(too_many(matrix.span, "the cells of this matrix", MAX_CASES))
            return
        for name, _ in axes:
            if name.text not in _KEYS:
                self.names.check(name.span, "fact", name.text, (*self.table.policy.facts, *_KEYS))
        for values in product(*(values for _, values in axes)):
            cell, label = _Said(), {}
            for (name, _), value in zip(axes, values, strict=True):
                label[name.text] = _words(value)
                if name.text in _KEYS:
                    cell.add(name, value)
                else:
                    cell.facts[name.text] = (name.span, value)
            yield label, cell

    # a case

    def _case(
        self, name: Scalar, cell: dict[str, str], said: _Said, expected: Expected | None
    ) -> Case | None:
        before = len(self.found)
        base = self._base(said)
        if base is None:
            return None
        said.below(base.request)
        request = self._person(said, base.request)
        for fact, (span, node) in said.facts.items():
            request = self._fact(request, fact, span, node)
        state = self._state(said)
        if len(self.found) == before:
            self._check(name, request, said)
        if len(self.found) > before or expected is None:
            return None
        suffix = f" [{', '.join(f'{key} {value}' for key, value in cell.items())}]" if cell else ""
        return Case(
            name=name.text + suffix,
            span=name.span,
            request=request,
            state=state,
            expected=expected,
            options=_options(self.table, base, Asked(request, state)),
        )

    def _check(self, name: Scalar, request: Request, said: _Said) -> None:
        """That the policy can answer it: each fact is there, and can be what it is."""
        try:
            facts_of(self.table, request)
        except RequestError as error:
            for problem in error.problems:
                self.found.append(self._no_request(name, problem, said))

    def _no_request(self, name: Scalar, problem: Problem, said: _Said) -> Diagnostic:
        fact = self.table.policy.facts.get(problem.where)
        if problem.where in said.facts:
            return no_request(said.facts[problem.where][1].span, problem.message, problem.help)
        story = said.keys.get("story")
        help = problem.help
        if fact is not None and fact.default is None:
            help = f"add it to the facts: `{fact.name}: {some_value(fact)}`"
        if isinstance(story, Scalar):
            return no_request(story.span, f"story {story.text}: {problem.message}", help)
        return no_request(name.span, problem.message, help)

    def _base(self, said: _Said) -> _Base | None:
        """The request that a story gives; an empty one without a story, None where there is no such story."""
        node, path = said.keys.get("story"), said.keys.get("prd", self.suite.prd)
        if not isinstance(node, Scalar):
            return _Base()
        prd = self.prds.get(path.text if isinstance(path, Scalar) else FOUND_PRD)
        if prd is None:
            return None
        try:
            story: Story = find_story(prd, node.text)
        except StoryError as error:
            self.found.append(no_story(node.span, error.problem.message, error.problem.help))
            return None
        request = story_request(self.table.policy, story, delegating(prd, story))
        return _Base(request, ("--prd", prd.name, "--story", story.id))

    def _person(self, said: _Said, request: Request) -> Request:
        """With the model that a person asks for, and what failed before."""
        failures = (self._failure(text) for text in texts(said.keys.get("failed")))
        return replace(
            request,
            preferred=self.names.model(said.keys.get("preferred")),
            failures=tuple(failure for failure in failures if failure is not None),
        )

    def _failure(self, scalar: Scalar) -> Failure | None:
        match = _FAILED.fullmatch(scalar.text)
        if match is None:
            self.found.append(unreadable_value(scalar.span, scalar.text, "failure", _FAILED_FORMS))
            return None
        gate, name, tier = match.groups()
        cause = f"gate {name}" if gate else name
        gates = [f"gate {e.gate}" for e in self.table.policy.escalations if e.gate is not None]
        self.names.check(scalar.span, "failure", cause, gates if gate else [*gates, *FailureKind])
        if tier is not None:
            self.names.check(scalar.span, "tier", tier, self.table.tiers)
        return Failure(cause, tier)

    # facts

    def _fact(self, request: Request, name: str, span: Span, node: Node) -> Request:
        fact = self.table.policy.facts.get(name)
        if fact is None:
            self.found.append(unknown_name(span, "fact", name, self.table.policy.facts))
        elif fact.kind is FactKind.SET:
            return replace(request, requires=self._requires(node))
        elif not isinstance(node, Scalar):
            self.found.append(no_request(node.span, f"`{name}` is one value", "write a single one"))
        elif name == "tier":
            self.names.check(node.span, "tier", node.text, (*self.table.tiers, "none"))
            tier = None if node.text == "none" else node.text
            return replace(_with_tier(request, tier), story_tier=None)
        else:
            return self._with_value(request, fact, node)
        return request

    def _with_value(self, request: Request, fact: Fact, node: Scalar) -> Request:
        if fact.name == "domain":
            self.names.check(node.span, "domain", node.text, (*self.table.policy.domains, "none"))
        value = _value(fact, node)
        if fact.whole and not (isinstance(value, float) and value.is_integer()):
            message = f"`{fact.name}` can't be {node.text}"
            self.found.append(no_request(node.span, message, "it is a whole number"))
            return request
        return with_fact(request, fact.name, value)

    def _requires(self, node: Node) -> frozenset[str]:
        wanted = [scalar for scalar in texts(node) if scalar.text != "nothing"]
        for scalar in wanted:
            self.names.check(scalar.span, "capability", scalar.text, CAPABILITIES)
        return frozenset(scalar.text for scalar in wanted)

    # the state

    def _state(self, said: _Said) -> State:
        available = said.keys.get("available")
        return State(
            now=self._now(said.keys.get("at")),
            spend=dict(self._spend(name, span, node) for name, (span, node) in said.spend.items()),
            down=frozenset(self.names.models(said.keys.get("down"))),
            available=None if available is None else frozenset(self.names.models(available)),
        )

    def _now(self, node: Node | None) -> datetime:
        if not isinstance(node, Scalar):
            return noon(self.table)
        found = moment(node.text, self.table.zone)
        if found is None:
            forms = "2026-01-05T10:00, or with an offset 2026-01-05T10:00+01:00"
            self.found.append(unreadable_value(node.span, node.text, "time", forms))
        return found or noon(self.table)

    def _spend(self, name: str, span: Span, node: Node) -> tuple[str, Spend]:
        budget = self.table.policy.budgets.get(name)
        if budget is None:
            self.found.append(unknown_name(span, "budget", name, self.table.policy.budgets))
            return name, Spend()
        nusd = spent_nusd(_words(node), budget)
        if nusd is None:
            self.found.append(unreadable_value(node.span, _words(node), "amount", AMOUNTS))
        return name, Spend(nusd or 0)


def _options(table: DecisionTable, base: _Base, asked: Asked) -> tuple[str, ...] | None:
    """The options of `explain` that ask this; None where they can't say it."""
    request, story = asked.request, base.request
    took_tier = story.story_tier is not None and request.story_tier is None and request.tier is None
    if asked.state.available is not None or took_tier:
        return None
    gone = story.requires - request.requires
    less = [f"--no-requires-{name.replace('_', '-')}" for name in CAPABILITIES if name in gone]
    changed = {
        name: getattr(request, name)
        for name in (each.name for each in fields(Request))
        if getattr(request, name) != getattr(story, name)
    }
    changed |= {
        "requires": request.requires - story.requires,
        "inputs": {n: value for n, value in request.inputs.items() if story.inputs.get(n) != value},
        "story_tier": None,
        "delegated_by": None,
    }
    told = [name for name in table.policy.facts if _gives(story, name)]
    return (*base.options, *less, *options_of(table, replace(asked, request=Request(**changed)), told))


def _gives(request: Request, name: str) -> bool:
    """Whether a story's request has a value for a fact; an input may be that of the story above it."""
    if name == "requires":
        return bool(request.requires)
    if name == "tier":
        return request.story_tier is not None
    if name in OWN_FIELDS:
        return getattr(request, name) is not None
    outer = request.delegated_by
    return name in request.inputs or (outer is not None and _gives(outer, name))


def _with_tier(request: Request, tier: str | None) -> Request:
    """A request in a run with `--tier`, which counts for the stories that delegate it as well."""
    outer = request.delegated_by
    return replace(request, tier=tier, delegated_by=None if outer is None else _with_tier(outer, tier))


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else ()


def _words(node: Node) -> str:
    """A value of a matrix in a few words."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return ", ".join(_words(item) for item in node.items) or "none"
    return ", ".join(f"{key.text} {_words(value)}" for key, value in node.pairs)


def _value(fact: Fact, node: Scalar) -> str | float:
    """A text as the value of a fact; tokens may be 10k or 1M."""
    tokens = _TOKENS.fullmatch(node.text) if fact.name.endswith("_tokens") else None
    if tokens is not None:
        return float(tokens[1]) * (1_000 if tokens[2] == "k" else 1_000_000)
    return input_value(fact, node.text)
