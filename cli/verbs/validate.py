"""`policyctl validate`: all problems of a policy in one run."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path

import click

from ...policy.check import Checked
from ...policy.files import MAX_FILE_BYTES
from ...policy.words import listed_count
from ...router import validate, validate_text
from ...schemas.diagnostics import Report, Severity
from ...schemas.policy import Policy
from .. import completing, config
from ..diagnostics import Findings
from ..exits import Exit
from ..formats import FOR_READERS, FORMATS, render
from ..options import color_option, policy_option
from ..output import good, note, out, safe
from ..problems import tell_prices


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completing.files)
@click.option(
    "--output-format",
    type=click.Choice(FORMATS),
    default="full",
    show_default=True,
    envvar="POLICYCTL_OUTPUT_FORMAT",
    help="How findings are shown.",
)
@click.option(
    "-o",
    "--output-file",
    type=click.Path(path_type=Path),
    shell_complete=completing.files,
    help="Write the findings to this file in place of stdout.",
)
@click.option("--statistics", is_flag=True, help="Count the findings of each code in place of showing them.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="The mildest finding that makes the exit code 1.",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The day for which deprecation dates are looked at. Default: today.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@policy_option
@color_option
def command(
    files: tuple[str, ...],
    policies: tuple[str, ...],
    output_format: str,
    output_file: Path | None,
    statistics: bool,
    fail_on: str,
    at: datetime | None,
    exit_zero: bool,
) -> int:
    """
    Check a policy: all problems, each with its place and its mend.

    Several FILEs are one policy, merged in this order; - is standard input. Without one the policy
    is found from here upward. The policy's own examples are run too, and its models and prices are
    held against the price catalogue. The exit code is 0 where nothing is wrong and 1 where
    something is.
    """
    if statistics and output_format not in FOR_READERS:
        raise click.UsageError(f"--statistics is for readers, {output_format} is for programs")
    tell_prices()
    asked = tuple(files or policies or map(str, config.find_policy(Path.cwd())))
    checked = _checked(asked, date.today() if at is None else at.date())
    failing = frozenset(Severity) if fail_on == "warning" else frozenset({Severity.ERROR})
    failed = not exit_zero and any(d.severity in failing for d in checked.report.diagnostics)
    findings = Findings(
        checked.report,
        asked=asked,
        failing=failing,
        exit_code=Exit.FINDINGS if failed else Exit.OK,
        fine="" if checked.policy is None else f"{good('ok')}  {safe(_summary(checked.policy.policy))}",
    )
    _tell(render(findings, "statistics" if statistics else output_format), output_file, checked.report)
    if checked.policy is not None and checked.policy.policy.promises and not checked.report.has_errors:
        count = listed_count(len(checked.policy.policy.promises), "promise")
        note(f"note: {count} read, but not proven: this version can't do that yet")
    return findings.exit_code


def _checked(files: tuple[str, ...], today: date) -> Checked:
    if files != ("-",):
        return validate(files, today)
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise click.UsageError("standard input is larger than a policy may be")
    return validate_text(data.decode("utf-8-sig", "replace"), "<stdin>", today)


def _tell(text: str, output_file: Path | None, report: Report) -> None:
    """Print the findings, or write them to a file, which is never one of the policy's own."""
    if output_file is None:
        if text:
            out(text)
        return
    from ..writing import rewrite

    if any(output_file.resolve() == Path(source.name).resolve() for source in report.sources):
        raise click.UsageError(f"{output_file} is a file of the policy itself")
    plain = click.unstyle(text)
    rewrite(output_file, (plain + "\n" if plain else "").encode("utf-8", "replace"))


def _summary(policy: Policy) -> str:
    """What was found to be fine: `policy claude-loop: 13 models, 3 tiers, …`."""
    parts = [
        (len(policy.models), "model"),
        (len(policy.tiers), "tier"),
        (len(policy.rules), "rule"),
        (len(policy.limits), "limit"),
        (len(policy.budgets), "budget"),
        (len(policy.examples), "example"),
    ]
    return f"policy {policy.name}: {', '.join(listed_count(n, word) for n, word in parts if n)}"
