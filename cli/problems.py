"""Problems with a request or a PRD, on stderr."""

from __future__ import annotations

from ..schemas.errors import PolicyctlError, Problem, RequestError, StoryError
from .output import bad, note, safe, strong, warned


def tell(error: PolicyctlError) -> None:
    """Each problem of an error, with what to do about it."""
    if isinstance(error, RequestError):
        problems = error.problems
    elif isinstance(error, StoryError):
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
