"""What checking a policy gives."""

from __future__ import annotations

from .diagnostics import Report
from .policy import CheckedPolicy
from .records import dataclass


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """
    A file that a policy was read from, and its text as it stood there.

    `place` is where its name leads when symbolic links are followed, `folder` the same of its folder:
    both decide what it may include.
    """

    name: str
    place: str
    folder: str
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The report, the policy if it has no error, and the files that were read for it."""

    report: Report
    policy: CheckedPolicy | None
    files: tuple[PolicyFile, ...] = ()
