"""Problems with a request, a PRD or the command line itself, on stderr."""

from __future__ import annotations

import click

from ..schemas.errors import LedgerError, PolicyctlError, Problem, RequestError, SettingError, StoryError
from .output import bad, note, safe, strong, warned


class Impossible(click.ClickException):
    """What can't be done, in one sentence, and what to do about it."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.help = help


def tell(error: PolicyctlError) -> None:
    """Each problem of an error, with what to do about it."""
    if isinstance(error, RequestError):
        problems = error.problems
    elif isinstance(error, StoryError | SettingError | LedgerError):
        problems = (error.problem,)
    else:
        problems = (Problem("", str(error)),)
    for problem in problems:
        tell_problem(problem)


def tell_problem(problem: Problem, *, warning: bool = False) -> None:
    """One problem: `error: …`, and its help on the next line."""
    word = warned("warning:") if warning else bad("error:")
    where = f"{safe(problem.where)}: " if warning and problem.where else ""
    note(f"{word} {where}{safe(problem.message)}")
    if problem.help:
        note(f"  {strong('help:')} {safe(problem.help)}")


def tell_prices() -> None:
    """Say why a price catalogue of the user's own is passed over, where it is."""
    import os

    from ..providers.snapshots import problem_of_own

    problem = problem_of_own(os.environ)
    if problem is not None:
        help = "policyctl prices update writes it anew; until then the shipped catalogue counts"
        tell_problem(Problem("prices", problem, help), warning=True)


def tell_usage(error: click.ClickException) -> None:
    """What is wrong with a command line: how the verb is used, then the error."""
    if isinstance(error, _NO_WORDS):
        error.show()
        return
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    if ctx is not None:
        note(ctx.get_usage())
        note(f"Try '{ctx.command_path} --help' for help.")
        note()
    tell_problem(Problem("", error.format_message(), error.help if isinstance(error, Impossible) else None))


_NO_WORDS: type[click.ClickException] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""The command without any word shows its help; click before 8.2 does so by itself."""
