"""The words that several formats share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...policy.words import listed_count
from ...schemas.diagnostics import Diagnostic, Severity
from ..findings import Findings
from ..output import bad, safe, warned

FIXABLE = "[*]"
"""The mark of a finding that --fix mends."""

_LONGEST_TEXT = 500


def one_line(text: str) -> str:
    """What a finding says, on one line; of a name that goes over many pages the start and the end."""
    if len(text) > _LONGEST_TEXT:
        text = f"{text[: _LONGEST_TEXT - 200]}…{text[-200:]}"
    return safe(text).replace("\n", "\\n")


def style_of(severity: Severity) -> Callable[[str], str]:
    """How a severity is coloured."""
    return bad if severity is Severity.ERROR else warned


def head(diagnostic: Diagnostic) -> str:
    """`error[P203]`, coloured."""
    return style_of(diagnostic.severity)(f"{diagnostic.severity}[{diagnostic.code}]")


def advice(diagnostic: Diagnostic) -> str:
    """The help of a finding, with the mark of one that --fix mends."""
    return " ".join([*([one_line(diagnostic.help)] if diagnostic.help else []), *_mark(diagnostic)])


def _mark(diagnostic: Diagnostic) -> list[str]:
    return [FIXABLE] if diagnostic.fix else []


def summary(findings: Findings) -> list[str]:
    """The last lines: what was found and fixed, and that nothing is wrong where nothing is."""
    left = findings.report.diagnostics
    lines = [_found(findings)] if left or findings.fixed else []
    fixable = sum(bool(d.fix) for d in left)
    if fixable:
        lines.append(f"{FIXABLE} {fixable} fixable with `policyctl validate --fix`.")
    if not left and findings.fine:
        lines.append(findings.fine)
    return lines


def _found(findings: Findings) -> str:
    """`Found 2 errors and 1 warning in 3 files (1 fixed, 2 remaining).`"""
    left, fixed, files = findings.report.diagnostics, findings.fixed, len(findings.report.sources)
    place = f" in {listed_count(files, 'file')}" if files else ""
    how = f" ({len(fixed)} fixed, {len(left)} remaining)" if fixed else ""
    return f"Found {_counted([*fixed, *left])}{place}{how}."


def _counted(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors and 1 warning`."""
    counts = [(sum(d.severity is severity for d in diagnostics), severity) for severity in Severity]
    return " and ".join(listed_count(count, severity) for count, severity in counts if count)
