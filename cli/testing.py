"""What a test run shows: the cases that failed and why, what is covered, what no case noticed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from ..engine.expecting import sentences, winner
from ..policy.words import listed_count
from ..schemas.records import dataclass
from ..schemas.suite import Case, Goal, Mismatch, Result
from ..schemas.text import Source, Span
from . import junit
from .explaining import why_not
from .findings import place
from .output import bad, dim, good, hang, safe, strong, unstyled
from .planning import cut
from .suites import Bench

if TYPE_CHECKING:
    from ..engine.mutants import Mutant

FORMAT_VERSION = "1.0"

_MOST_REASONS = 8
_MOST_LISTED = 50
_LONGEST_STATEMENT = 60
_LABELS = {"starts_with": "starts with", "costs_at_most": "costs at most"}


@dataclass(frozen=True, slots=True)
class Mutation:
    """The changes that were tried, each with the case that noticed it; `left_out` were too many to try."""

    tried: tuple[tuple[Mutant, Case | None], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Tested:
    """Everything that came of the cases of one policy."""

    bench: Bench
    results: tuple[Result, ...]
    goals: tuple[Goal, ...] | None = None
    mutation: Mutation | None = None

    @property
    def failed(self) -> list[Result]:
        """The results that aren't as expected."""
        return [result for result in self.results if not result.passed]


def lines(all_tested: Sequence[Tested], *, verbose: bool) -> Iterator[str]:
    """The page of a run."""
    for tested in all_tested:
        for result in tested.results:
            if not result.passed:
                yield from failure(tested.bench, result, verbose=verbose)
                yield ""
            elif verbose:
                yield from _passed(tested.bench, result)
    yield _counts(all_tested)
    for tested in all_tested:
        if tested.goals is not None:
            yield from _coverage(tested, tested.goals)
        if tested.mutation is not None:
            yield from _mutation(tested, tested.mutation)


def where(bench: Bench, span: Span) -> str:
    """`loop.test.yaml:12`."""
    source = source_of(bench, span)
    return span.source if source is None else f"{span.source}:{place(source, span.start).line}"


def source_of(bench: Bench, span: Span) -> Source | None:
    """The text that a place is in."""
    return next((source for source in bench.sources if source.name == span.source), None)


def command_of(bench: Bench, case: Case) -> str:
    """A command that shows how a case comes out."""
    if case.options is None:
        return shlex.join(["policyctl", "test", case.span.source, "-k", case.name, "--verbose"])
    files = [word for path in bench.policies for word in ("--policy", str(path))]
    return shlex.join(["policyctl", "explain", *files, *case.options])


# --- cases ----------------------------------------------------------------------------------------------


def failure(bench: Bench, result: Result, *, verbose: bool = False) -> Iterator[str]:
    """A case that failed: expected and got, the reasons, and a command that shows it."""
    case = result.case
    yield f"{bad('FAILED')} {safe(where(bench, case.span))}: {strong(safe(case.name))}"
    room = max(len(_label(mismatch)) for mismatch in result.mismatches)
    for mismatch in result.mismatches:
        text = f"expected {safe(mismatch.expected)}, got {safe(mismatch.got)}"
        yield from hang(f"  {_label(mismatch).ljust(room)}  ", text)
    told = list(sentences(result.explanation) if verbose else _reasons(result))
    for number, sentence in enumerate(told if verbose else told[:_MOST_REASONS]):
        yield from hang(f"  {('' if number else 'why').ljust(room)}  ", safe(sentence))
    yield f"  {dim('see'.ljust(room))}  {dim(safe(command_of(bench, case)))}"


def _label(mismatch: Mismatch) -> str:
    return _LABELS.get(mismatch.what, mismatch.what)


def _reasons(result: Result) -> list[str]:
    """The sentences of the explanation that are about what came out otherwise, each once."""
    found: dict[str, None] = {}
    for mismatch in result.mismatches:
        found.update(dict.fromkeys(_reasons_for(result, mismatch)))
    return list(found)


def _reasons_for(result: Result, mismatch: Mismatch) -> Iterator[str]:
    expected, told = result.case.expected, result.explanation
    chain = told.decision.chain
    if mismatch.what in ("chain", "starts_with", "first", "not"):
        first = () if expected.first is None else (expected.first,)
        wanted = dict.fromkeys([*(expected.chain or ()), *expected.starts_with, *first])
        steps = (s for s in told.steps if s.model in chain[:1] or s.model not in wanted)
        yield from (f"{step.model}: {step.reason}" for step in steps)
        for key in wanted:
            if key not in chain:
                yield from list(why_not(told, key, is_rule=False))[:1]
    elif mismatch.what == "rule":
        yield from why_not(told, expected.rule, is_rule=True) if expected.rule else ()
        yield from winner(told)
    elif mismatch.what == "tier":
        yield from (f"{layer.name}: {layer.text}" for layer in told.layers)
    if mismatch.what in ("outcome", "why", "costs_at_most") or not chain:
        yield from sentences(told)


def _passed(bench: Bench, result: Result) -> Iterator[str]:
    decision = result.explanation.decision
    ended = f"{' -> '.join(decision.chain)}" if decision.chain else decision.outcome.value
    head = f"{good('ok')}  {safe(where(bench, result.case.span))}: {safe(result.case.name)}"
    yield from hang(f"{head}  ", safe(ended))


def _counts(all_tested: Sequence[Tested]) -> str:
    results = [result for tested in all_tested for result in tested.results]
    failed, examples = sum(not r.passed for r in results), sum(r.case.is_example for r in results)
    parts = [good(f"{len(results) - failed:,} passed")] if failed < len(results) else []
    parts += [bad(f"{failed:,} failed")] if failed else []
    own = f", {listed_count(examples, 'example')} of the policy among them" if examples else ""
    return ", ".join(parts) + dim(own)


# --- coverage and mutation ------------------------------------------------------------------------------


def percent(part: int, whole: int) -> str:
    """A share, rounded down, so that only all is 100%."""
    tenths = part * 1000 // whole if whole else 1000
    return f"{tenths // 10}.{tenths % 10}%"


def _coverage(tested: Tested, goals: Sequence[Goal]) -> Iterator[str]:
    missed = [goal for goal in goals if not goal.reached]
    reached = len(goals) - len(missed)
    name = safe(tested.bench.engine.policy.name)
    yield ""
    yield f"{strong(f'Coverage of {name}')}  {percent(reached, len(goals))}, {reached:,} of {len(goals):,}"
    rows = [(goal.span, f"{_short(goal.statement)}: {safe(goal.wanted)}") for goal in _told(goals)]
    yield from _listed(tested.bench, "reached by no case:", rows)


def _told(goals: Sequence[Goal]) -> Iterator[Goal]:
    """What isn't reached; where that is all of a statement, in one sentence."""
    for _, group in groupby(goals, key=lambda goal: goal.statement):
        own = list(group)
        missed = [goal for goal in own if not goal.reached]
        if len(missed) == len(own) > 1:
            yield replace(own[0], wanted=f"{own[0].wanted}, nor is any condition of it seen")
        else:
            yield from missed


def _mutation(tested: Tested, mutation: Mutation) -> Iterator[str]:
    total = len(mutation.tried)
    noticed = sum(case is not None for _, case in mutation.tried)
    share = f"{percent(noticed, total)}, {noticed:,} of {listed_count(total, 'change')} noticed"
    yield ""
    yield f"{strong(f'Mutation of {safe(tested.bench.engine.policy.name)}')}  {share}"
    if mutation.left_out:
        yield f"  {listed_count(mutation.left_out, 'further change')} left out: too many to try"
    rows = [(span, f"{_short(name)}: {safe(words)}") for span, name, words in _unnoticed(mutation)]
    yield from _listed(tested.bench, "noticed by no case:", rows)


def _unnoticed(mutation: Mutation) -> Iterator[tuple[Span, str, str]]:
    """The changes that no case noticed; where those are all of a statement, in one sentence."""
    for name, group in groupby(mutation.tried, key=lambda pair: pair[0].statement):
        own = list(group)
        missed = [mutant for mutant, case in own if case is None]
        if len(missed) == len(own) > 1:
            more = listed_count(len(own) - 1, "other change")
            yield missed[0].span, name, f"{missed[0].change}, nor {more}"
        else:
            yield from ((mutant.span, name, mutant.change) for mutant in missed)


def _short(statement: str) -> str:
    """A statement; of a long one the start, as its line stands before it."""
    return cut(safe(statement), _LONGEST_STATEMENT)


def _listed(bench: Bench, head: str, rows: Sequence[tuple[Span, str]]) -> Iterator[str]:
    if rows:
        yield f"  {head}"
    for span, text in rows[:_MOST_LISTED]:
        yield from hang(f"  {dim(safe(where(bench, span)))}  ", text)
    if len(rows) > _MOST_LISTED:
        yield dim(f"  and {len(rows) - _MOST_LISTED:,} more; --json has all")


# --- JSON -----------------------------------------------------------------------------------------------


def as_document(all_tested: Sequence[Tested]) -> dict[str, object]:
    """The JSON of a run; schemas/test.schema.json is its shape."""
    failed = sum(len(tested.failed) for tested in all_tested)
    return {
        "format_version": FORMAT_VERSION,
        "passed": sum(len(tested.results) for tested in all_tested) - failed,
        "failed": failed,
        "policies": [_policy_as_json(tested) for tested in all_tested],
    }


def _policy_as_json(tested: Tested) -> dict[str, object]:
    bench, policy = tested.bench, tested.bench.engine.policy
    return {
        "policy": policy.name,
        "policy_digest": policy.digest,
        "files": [str(path) for path in bench.policies],
        "cases": [_case_as_json(bench, result) for result in tested.results],
        "coverage": None if tested.goals is None else _coverage_as_json(bench, tested.goals),
        "mutation": None if tested.mutation is None else _mutation_as_json(bench, tested.mutation),
    }


def _case_as_json(bench: Bench, result: Result) -> dict[str, object]:
    case, decision = result.case, result.explanation.decision
    return {
        "name": case.name,
        "location": _location(bench, case.span),
        "is_example": case.is_example,
        "passed": result.passed,
        "mismatches": [{"what": m.what, "expected": m.expected, "got": m.got} for m in result.mismatches],
        "outcome": decision.outcome.value,
        "chain": list(decision.chain),
        "tier": decision.tier,
        "rule": decision.rule,
        "cost_estimate_nusd": decision.cost_estimate_nusd,
        "reasons": list(sentences(result.explanation)),
        "command": command_of(bench, case),
    }


def _coverage_as_json(bench: Bench, goals: Sequence[Goal]) -> dict[str, object]:
    reached = sum(goal.reached for goal in goals)
    return {
        "reached": reached,
        "total": len(goals),
        "goals": [
            {
                "statement": goal.statement,
                "wanted": goal.wanted,
                "location": _location(bench, goal.span),
                "reached": goal.reached,
            }
            for goal in goals
        ],
    }


def _mutation_as_json(bench: Bench, mutation: Mutation) -> dict[str, object]:
    return {
        "noticed": sum(case is not None for _, case in mutation.tried),
        "total": len(mutation.tried),
        "left_out": mutation.left_out,
        "changes": [
            {
                "statement": mutant.statement,
                "change": mutant.change,
                "location": _location(bench, mutant.span),
                "noticed_by": None if case is None else case.name,
            }
            for mutant, case in mutation.tried
        ],
    }


def _location(bench: Bench, span: Span) -> dict[str, object]:
    source = source_of(bench, span)
    at = None if source is None else place(source, span.start)
    return {
        "filename": span.source,
        "line": None if at is None else at.line,
        "column": None if at is None else at.column,
    }


# --- JUnit ----------------------------------------------------------------------------------------------


def as_junit(all_tested: Sequence[Tested]) -> str:
    """The run as a JUnit report, a suite for each file."""
    by_file: dict[str, list[junit.Case]] = {}
    for tested in all_tested:
        for result in tested.results:
            file = result.case.span.source
            by_file.setdefault(file, []).append(_junit_case(tested.bench, result))
    return junit.junit(junit.Suite(file, cases) for file, cases in by_file.items())


def _junit_case(bench: Bench, result: Result) -> junit.Case:
    group = result.case.span.source
    if result.passed:
        return junit.Case(result.case.name, group)
    message = "; ".join(f"{_label(m)}: expected {m.expected}, got {m.got}" for m in result.mismatches)
    details = "\n".join(unstyled(line) for line in failure(bench, result))
    return junit.Case(result.case.name, group, junit.Outcome.FAILURE, message, details, "mismatch")
