"""Findings as a JUnit report: a suite for each file, a case for each finding."""

from __future__ import annotations

import click

from ...schemas.diagnostics import Diagnostic
from ..findings import Findings
from ..junit import Case, Outcome, Suite, junit
from .full import block
from .wording import one_line


def render(findings: Findings) -> str:
    """One document. A finding that doesn't count for the exit code is a case that passed."""
    cases: dict[str, list[Case]] = {name: [] for name in findings.sources()}
    for diagnostic in findings.report.diagnostics:
        cases.setdefault(findings.file_of(diagnostic), []).append(_case(findings, diagnostic))
    return junit(Suite(name, found or [Case("no finding", name)]) for name, found in cases.items())


def _case(findings: Findings, d: Diagnostic) -> Case:
    return Case(
        name=f"{d.code} {one_line(d.message)}",
        group=findings.file_of(d),
        outcome=Outcome.FAILURE if d.severity in findings.failing else Outcome.PASSED,
        message=one_line(d.message),
        details=click.unstyle("\n".join(block(findings.sources(), d))),
        kind=d.code,
    )
