"""Problems as values: what is wrong, where, and what to do next."""

from __future__ import annotations

from enum import StrEnum

from .records import dataclass
from .text import Source, Span


class Severity(StrEnum):
    """How bad a finding is. Only an error keeps a policy from being used."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that belongs to a diagnostic, such as the first declaration."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of the text, what stands there, and what is to stand there instead."""

    span: Span
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """
    One finding.

    `message` is one lower-case sentence without a final period, the user's own words in
    backticks; `help` says the next step. `span` is missing only where there is no text to
    point at, such as a file that can't be read. `fix` is there where the mend is sure: the
    edits that do it, none of which overlap.
    """

    code: str
    severity: Severity
    message: str
    span: Span | None
    help: str | None = None
    label: str | None = None
    others: tuple[Label, ...] = ()
    fix: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one run, with the sources they point into, in the order they were read."""

    sources: tuple[Source, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return any(d.severity is Severity.ERROR for d in self.diagnostics)
