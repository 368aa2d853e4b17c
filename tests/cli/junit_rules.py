"""
What junit-10.xsd of Jenkins' xUnit plugin asks of a report, as a table, read independently of our writer.

The schema itself isn't in any package that could be installed for the tests, so its rules are written
down here: which element may stand in which, which attributes it must and may have, where text may stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element


@dataclass(frozen=True)
class Rule:
    """
    What an element must and may have.
    """

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    text: bool = False


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RERUN = words("rerunFailure rerunError flakyFailure flakyError")
RULES = {
    "testsuites": Rule(may=words("name time tests failures errors"), children=words("testsuite")),
    "testsuite": Rule(
        words("name tests failures errors"),
        words("group time skipped timestamp hostname id package file log url"),
        words("testsuite properties testcase system-out system-err"),
    ),
    "testcase": Rule(
        words("name"),
        words("time classname group"),
        words("skipped error failure system-out system-err") | RERUN,
    ),
    "properties": Rule(children=words("property")),
    "property": Rule(words("name value")),
    **{name: Rule(may=words("type message"), text=True) for name in ("skipped", "error", "failure")},
    **{name: Rule(text=True) for name in ("system-out", "system-err")},
    **{
        name: Rule(words("type"), words("message"), words("stackTrace system-out system-err"), text=True)
        for name in RERUN
    },
    "stackTrace": Rule(text=True),
}
SUREFIRE_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def faults(root: Element) -> list[str]:
    """
    Return how a report breaks the schema, or counts its own cases wrongly.
    """
    found = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    return [*found, *(fault for element in root.iter() for fault in _faults(element))]


def _faults(element: Element) -> Iterator[str]:
    rule = RULES.get(element.tag)
    if rule is None:
        yield f"there is no element {element.tag}"
        return
    given = set(element.attrib)
    yield from (f"{element.tag} lacks {name}" for name in sorted(rule.must - given))
    yield from (f"{element.tag} can't have {name}" for name in sorted(given - rule.must - rule.may))
    yield from (
        f"{child.tag} can't stand in {element.tag}" for child in element if child.tag not in rule.children
    )
    loose = (element.text or "") + "".join(child.tail or "" for child in element)
    if not rule.text and loose.strip():
        yield f"text in {element.tag}"
    if not SUREFIRE_TIME.fullmatch(element.get("time", "")):
        yield f"{element.tag} takes {element.get('time')}"
    if element.tag == "testsuite":
        yield from _miscounted(element)


def _miscounted(suite: Element) -> Iterator[str]:
    for name, path in {
        "tests": "testcase",
        "failures": "testcase/failure",
        "errors": "testcase/error",
        "skipped": "testcase/skipped",
    }.items():
        if name in suite.attrib and int(suite.attrib[name]) != len(suite.findall(path)):
            yield f"{name} is {suite.attrib[name]}"
