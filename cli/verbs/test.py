"""`policyctl test`: the tests of a policy, what they cover, and what they would notice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from ...engine.coverage import cover
from ...engine.testing import Runner
from ...policy.words import listed_count
from ...schemas.suite import Result
from .. import completing, config
from ..exits import Exit
from ..options import color_option, load_engine, policy_option
from ..output import note, out, progress, safe
from ..suites import Bench, find_files, load
from ..testing import Mutation, Tested, as_document, as_junit, lines, percent
from ..writing import rewrite, write_new

T = TypeVar("T")

MOST_MUTANTS = 2_000
"""Changes tried in one run; of more, some all over the policy."""


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE|FOLDER]...", shell_complete=completing.files)
@click.option("-k", "text", metavar="TEXT", help="Only cases with this text in their name.")
@click.option("--verbose", "-v", is_flag=True, help="List the cases that pass, too, and all reasons.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first case that fails.")
@click.option("--coverage", is_flag=True, help="Say what of the policy no case reaches.")
@click.option("--mutate", is_flag=True, help="Change the policy step by step: does a case notice?")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="The exit code is 1 where coverage or mutation is below.",
)
@click.option("--generate", is_flag=True, help="Write a first test file: what the policy gives today.")
@click.option(
    "-o", "--output", metavar="FILE", shell_complete=completing.files, help="With --generate: a new file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write a JUnit report, too.")
@policy_option
@color_option
def command(
    files: tuple[str, ...],
    text: str | None,
    verbose: bool,
    fail_fast: bool,
    coverage: bool,
    mutate: bool,
    threshold: float | None,
    generate: bool,
    output: str | None,
    as_json: bool,
    junit_file: str | None,
    policies: tuple[str, ...],
) -> int:
    """
    Run a policy's tests; say what they cover and would notice.

    A FILE is one test file, of a FOLDER all *.test.yaml in it are run; without any, those beside
    the policy. The exit code is 0 where every case passes and 1 where one fails; a run without a
    case is no success, but 2.
    """
    if threshold is not None and not (coverage or mutate):
        raise click.UsageError("--threshold needs --coverage or --mutate: of what?")
    if generate:
        _generate(files, policies, output)
        return Exit.OK
    if output is not None:
        raise click.UsageError("--output needs --generate; a report is written by --junit")
    benches = load(find_files(files, policies), policies)
    chosen = [chosen for bench in benches if (chosen := _chosen(bench, text)).cases]
    if not chosen:
        raise click.UsageError(f"no case has `{text}` in its name; --verbose lists the names")
    tested = list(_run(chosen, fail_fast))
    failed = any(each.failed for each in tested)
    if coverage and not (failed and fail_fast):
        tested = [replace(each, goals=cover(each.bench.engine.table, each.bench.cases)) for each in tested]
    if mutate and failed:
        note("note: changes are tried once all cases pass")
    elif mutate:
        tested = [replace(each, mutation=_mutated(each.bench)) for each in tested]
    if junit_file is not None:
        rewrite(Path(junit_file), as_junit(tested).encode())
    if as_json:
        out(json.dumps(as_document(tested), indent=2))
    else:
        for line in lines(tested, verbose=verbose):
            out(line)
    below = [] if threshold is None else list(_below(tested, threshold))
    for sentence in below:
        note(safe(sentence))
    return Exit.FINDINGS if failed or below else Exit.OK


def _generate(files: tuple[str, ...], policies: tuple[str, ...], output: str | None) -> None:
    """Write a test file of the policy as it is: to a file that isn't there yet, or to stdout."""
    from ...engine.analysis.diagram import TooLarge
    from ...engine.analysis.findings import winning_witnesses
    from ...engine.generate import generate

    if files:
        raise click.UsageError("--generate runs no test file; name the policy by --policy, a new file by -o")
    paths = [Path(policy) for policy in policies] or config.find_policy(Path.cwd())
    table = load_engine(tuple(map(str, paths))).table
    folder = Path.cwd() if output is None else Path(output).absolute().parent
    try:
        witnesses = winning_witnesses(table)
    except TooLarge:  # then the rules have no case, which is told
        witnesses = {}
    found = generate(table, witnesses, [os.path.relpath(path, folder) for path in paths])
    if not found.cases:
        raise click.ClickException(
            "no request was found that this policy serves; policyctl validate says more"
        )
    if output is None:
        out(found.text.rstrip("\n"))
    else:
        write_new(Path(output), found.text.encode())
        note(f"wrote {output}: {listed_count(found.cases, 'case')}")
    for statement in found.without:
        note(f"note: no case was found in which this counts: {safe(statement)}")


def _chosen(bench: Bench, text: str | None) -> Bench:
    cases = [case for case in bench.cases if text is None or text.casefold() in case.name.casefold()]
    return replace(bench, cases=cases)


def _run(benches: Sequence[Bench], fail_fast: bool) -> Iterator[Tested]:
    for bench in benches:
        results: list[Result] = []
        for result in Runner(bench.engine.table).results(bench.cases):
            results.append(result)
            if fail_fast and not result.passed:
                yield Tested(bench, tuple(results))
                return
        yield Tested(bench, tuple(results))


def _mutated(bench: Bench) -> Mutation:
    from ...engine.mutants import mutants, tried

    every = list(mutants(bench.engine.policy))
    some = _spread(every, MOST_MUTANTS)
    found = []
    try:
        for number, each in enumerate(tried(some, tuple(bench.cases)), 1):
            progress(f"change {number:,} of {len(some):,}")
            found.append(each)
    finally:
        progress()
    return Mutation(tuple(found), len(every) - len(some))


def _spread(every: list[T], most: int) -> list[T]:
    """At most so many of them, from all over the list."""
    if len(every) <= most:
        return every
    return [every[number * len(every) // most] for number in range(most)]


def _below(all_tested: Sequence[Tested], threshold: float) -> Iterator[str]:
    """Every share that is below the threshold, in words."""
    for tested in all_tested:
        shares = {}
        if tested.goals is not None:
            shares["coverage"] = sum(goal.reached for goal in tested.goals), len(tested.goals)
        if tested.mutation is not None:
            tried_ = tested.mutation.tried
            shares["mutation"] = sum(case is not None for _, case in tried_), len(tried_)
        for name, (part, whole) in shares.items():
            if part * 100 < threshold * whole:
                policy = tested.bench.engine.policy.name
                yield f"{name} of {policy} is {percent(part, whole)}, below {threshold:g}%"
