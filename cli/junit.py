"""
The XML of JUnit reports, as Jenkins, GitLab and most other CI servers read it.

The shape is that of junit-10.xsd of Jenkins' xUnit plugin. Names and texts may be anybody's: what XML
can't hold is written as its escape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from ..schemas.records import dataclass

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Outcome(StrEnum):
    """How a case ended; `error` says that it couldn't be tried at all."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """
    One thing that was checked. `group` is what servers call its class: they sort cases by it.

    Where it didn't pass, `message` says so in a line, `details` in full, and `kind` is a word for what
    went wrong. The details of a case that passed are shown as its output.
    """

    name: str
    group: str
    outcome: Outcome = Outcome.PASSED
    message: str = ""
    details: str = ""
    kind: str = ""
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that belong together: those of a file."""

    name: str
    cases: Sequence[Case]


def junit(suites: Iterable[Suite]) -> str:
    """The report of all suites as one XML document, which ends without a line end."""
    # Imported here: only this needs it.
    from xml.etree.ElementTree import Element, indent, tostring

    root = Element("testsuites")
    for suite in suites:
        _add_suite(root, suite)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}'


def _add_suite(root: Element, suite: Suite) -> None:
    from xml.etree.ElementTree import SubElement

    ended = [case.outcome for case in suite.cases]
    element = SubElement(
        root,
        "testsuite",
        name=_text(suite.name),
        tests=str(len(ended)),
        failures=str(ended.count(Outcome.FAILURE)),
        errors=str(ended.count(Outcome.ERROR)),
        skipped=str(ended.count(Outcome.SKIPPED)),
    )
    for case in suite.cases:
        _add_case(element, case)


def _add_case(suite: Element, case: Case) -> None:
    from xml.etree.ElementTree import SubElement

    element = SubElement(suite, "testcase", name=_text(case.name), classname=_text(case.group))
    if case.time_s is not None:
        element.set("time", f"{case.time_s:.3f}")
    if case.outcome is Outcome.PASSED:
        if case.details:
            SubElement(element, "system-out").text = _text(case.details)
        return
    ended = SubElement(element, str(case.outcome), message=_text(case.message))
    if case.kind:
        ended.set("type", _text(case.kind))
    ended.text = _text(case.details) or None


def _text(text: str) -> str:
    return _NOT_IN_XML.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
