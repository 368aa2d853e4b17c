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
from ...schemas.diagnostics import Severity
from ...schemas.policy import Policy
from .. import completing, config
from ..diagnostics import show
from ..exits import Exit
from ..options import color_option, policy_option
from ..output import good, note, out, safe


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completing.files)
@click.option(
    "--output-format",
    type=click.Choice(["full", "concise", "json"]),
    default="full",
    show_default=True,
    envvar="POLICYCTL_OUTPUT_FORMAT",
    help="How findings are shown.",
)
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
@policy_option
@color_option
def command(
    files: tuple[str, ...],
    policies: tuple[str, ...],
    output_format: str,
    fail_on: str,
    at: datetime | None,
) -> int:
    """
    Check a policy: all problems, each with its place and its mend.

    Several FILEs are one policy, merged in this order; - is standard input. Without one the policy
    is found from here upward. The policy's own examples are run too, and its models and prices are
    held against the price catalogue. The exit code is 0 where nothing is wrong and 1 where
    something is.
    """
    checked = _checked(files or policies, date.today() if at is None else at.date())
    report = checked.report
    if report.diagnostics or output_format == "json":
        show(report, output_format)
    elif checked.policy is not None:
        out(f"{good('ok')}  {safe(_summary(checked.policy.policy))}")
    if checked.policy is not None and checked.policy.policy.promises and not report.has_errors:
        count = listed_count(len(checked.policy.policy.promises), "promise")
        note(f"note: {count} read, but not proven: this version can't do that yet")
    mildest = (Severity.ERROR,) if fail_on == "error" else tuple(Severity)
    return Exit.FINDINGS if any(d.severity in mildest for d in report.diagnostics) else Exit.OK


def _checked(files: tuple[str, ...], today: date) -> Checked:
    if files != ("-",):
        return validate(files or config.find_policy(Path.cwd()), today)
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise click.UsageError("standard input is larger than a policy may be")
    return validate_text(data.decode("utf-8-sig", "replace"), "<stdin>", today)


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
