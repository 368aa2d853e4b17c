"""`policyctl validate`: all problems of a policy in one run."""

from __future__ import annotations

from pathlib import Path

import click

from ...policy.words import listed_count
from ...router import validate
from ...schemas.diagnostics import Severity
from ...schemas.policy import Policy
from .. import config
from ..diagnostics import show
from ..exits import Exit
from ..options import color_option
from ..output import good, out, safe


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
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
@color_option
def command(files: tuple[str, ...], output_format: str, fail_on: str) -> int:
    """
    Check a policy: all problems, each with its place and its mend.

    Several FILEs are one policy, merged in this order. Without one the policy is found from here
    upward. The policy's own examples are run too. The exit code is 0 where nothing is wrong and 1
    where something is.
    """
    checked = validate(files or config.find_policy(Path.cwd()))
    report = checked.report
    if report.diagnostics or output_format == "json":
        show(report, output_format)
    elif checked.policy is not None:
        out(f"{good('ok')}  {safe(_summary(checked.policy.policy))}")
    mildest = (Severity.ERROR,) if fail_on == "error" else tuple(Severity)
    return Exit.FINDINGS if any(d.severity in mildest for d in report.diagnostics) else Exit.OK


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
