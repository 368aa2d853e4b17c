"""`policyctl validate`: all problems of a policy in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path

import click

from ...deciding import validate, validate_text
from ...policy.checks.p105_unreadable import CODE as UNREADABLE
from ...policy.files import real_path
from ...policy.words import listed_count
from ...schemas.checked import Checked
from ...schemas.diagnostics import Report, Severity
from ...schemas.policy import Policy
from .. import cache, completing, config
from ..exits import Exit
from ..findings import Findings
from ..fixing import BOM, Mended, mend, text_of, write
from ..formats import FOR_READERS, FORMATS, render
from ..options import color_option, policy_option
from ..output import good, note, out, raw, safe
from ..patch import patch
from ..piped import STDIN, as_text, standard_input
from ..problems import tell_prices
from ..writing import rewrite


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
@click.option("--fix", is_flag=True, help="Make the mends that are sure, in the files.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
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
    fix: bool,
    diff: bool,
    statistics: bool,
    fail_on: str,
    at: datetime | None,
    exit_zero: bool,
) -> int:
    """
    Check a policy: all problems, each with its place and its mend.

    Several FILEs are one policy, merged in this order; - is standard input. Without one the policy
    is found from here upward. The policy's own examples are run too, and its models and prices are
    held against the price catalogue. The exit code is 0 where nothing is wrong, 1 where something is,
    and 2 where a FILE can't be read.

    With --fix the findings that are left are shown; the mended text of standard input is printed,
    and its findings go to standard error.
    """
    if statistics and output_format not in FOR_READERS:
        raise click.UsageError(f"--statistics is for readers, {output_format} is for programs")
    if fix and diff:
        raise click.UsageError("say --fix or --diff")
    tell_prices()
    asked = tuple(files or policies or map(str, config.find_policy(Path.cwd())))
    text = _Input(asked, date.today() if at is None else at.date())
    mended = mend(text.check, text.read) if fix or diff else Mended(text.check({}), (), ())
    checked = mended.checked
    failing = frozenset(Severity) if fail_on == "warning" else frozenset({Severity.ERROR})
    failed = any(d.severity in failing for d in checked.report.diagnostics) or bool(diff and mended.changes)
    exit_code = Exit.FINDINGS if failed and not exit_zero else Exit.OK
    if any(d.code == UNREADABLE and d.span is None for d in checked.report.diagnostics):
        exit_code = Exit.USAGE  # a file that was asked for can't be read: nothing was found out
    if diff:
        _preview(mended, output_file)
        return exit_code
    if fix:
        text.write(mended)
    fine = "" if checked.policy is None else f"{good('ok')}  {safe(_summary(checked.policy.policy))}"
    findings = Findings(checked.report, asked, mended.fixed, failing, exit_code, fine)
    shown = render(findings, "statistics" if statistics else output_format)
    _tell(shown, output_file, checked.report, note if fix and text.piped else out)
    if mended.fixed and output_format not in FOR_READERS:
        note(f"note: {listed_count(len(mended.fixed), 'finding')} fixed")
    return exit_code


class _Input:
    """The policy that is checked: files, or what came from standard input."""

    def __init__(self, asked: tuple[str, ...], today: date) -> None:
        self.piped = asked == ("-",)
        self._asked, self._today = asked, today
        self._data = standard_input() if self.piped else b""

    def check(self, texts: Mapping[str, str]) -> Checked:
        """Check it, with texts in place of those of its files."""
        if self.piped:
            text = texts.get(STDIN, self._data.decode("utf-8-sig", "replace"))
            return validate_text(text, STDIN, self._today)
        if not texts:
            return cache.validated(self._asked, self._today)
        by_path = {Path(name).resolve(): text for name, text in texts.items()}
        return validate(self._asked, self._today, by_path)

    def read(self, name: str) -> str:
        """The text of one of its files."""
        if not self.piped:
            return text_of(name)
        return as_text(self._data)

    def write(self, mended: Mended) -> None:
        """Put the mended texts into their files, or print what standard input has become."""
        if not self.piped:
            for change in mended.changes:
                write(change)
            return
        self.read(STDIN)
        mark = BOM if self._data.startswith(BOM) else b""
        raw(mark + mended.changes[0].after.encode() if mended.changes else self._data)


def _preview(mended: Mended, output_file: Path | None) -> None:
    """Show what --fix would change, and say what it wouldn't."""
    patches = [patch(change.name, change.before, change.after) for change in mended.changes]
    _tell("\n".join(patches), output_file, mended.checked.report, out)
    left = len(mended.checked.report.diagnostics)
    note(f"{listed_count(len(mended.fixed), 'finding')} would be fixed, {left} would remain")


def _tell(text: str, output_file: Path | None, report: Report, say: Callable[[str], None]) -> None:
    """Print the findings, or write them to a file, which is never one of the policy's own."""
    if output_file is None:
        if text:
            say(text)
        return
    if any(real_path(output_file) == real_path(Path(source.name)) for source in report.sources):
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
    counts = [listed_count(n, word) for n, word in parts if n]
    if policy.promises:
        counts.append(f"{listed_count(len(policy.promises), 'promise')} proven")
    return f"policy {policy.name}: {', '.join(counts)}"
