"""JUnit's XML: the shape that CI servers read, whatever stands in names and texts."""

from __future__ import annotations

import random
import re
from xml.etree.ElementTree import Element, fromstring

import pytest

from policyctl.cli.junit import Case, Outcome, Suite, junit

from .junit_rules import faults

HOSTILE = [
    "plain",
    "two words",
    "a]]>b",
    "<b attr='x'>&amp;\"</b>",
    "line\nline\ttab",
    "\x1b[31mred\x00",
    "名前 ünï",
    "\ud800 half of a character",
    "\ufffe\uffff",
    "<!-- --> <![CDATA[ x ]]>",
    "",
]


def read(text: str) -> Element:
    """
    The document that a CI server sees: bytes of UTF-8.
    """
    return fromstring(text.encode())  # noqa: S314  # our own output


def an_example() -> list[Suite]:
    return [
        Suite(
            "a.policy",
            [
                Case("first", "a", time_s=0.0123),
                Case("second", "a", Outcome.FAILURE, "no", "line one\nline two", "P203"),
                Case("third", "a", Outcome.ERROR, "can't be tried"),
                Case("fourth", "b", Outcome.SKIPPED, "not today"),
                Case("fifth", "b", details="a remark"),
            ],
        ),
        Suite("empty.policy", []),
    ]


def test_a_report_has_the_shape_of_the_xsd() -> None:
    """
    Every outcome, a time and an empty suite: all is where junit-10.xsd wants it.
    """
    assert [] == faults(read(junit(an_example())))
    assert [] == faults(read(junit([])))


def test_suites_count_their_cases() -> None:
    """
    Each suite says how many cases it has and how they ended.
    """
    first, second = read(junit(an_example()))

    assert {
        "name": "a.policy",
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    } == first.attrib
    assert ("empty.policy", "0", "0") == tuple(second.attrib[key] for key in ("name", "tests", "failures"))


def test_a_case_says_how_it_ended() -> None:
    """
    A failure has a line, a text and a word for its kind; what passed has nothing, or its output.
    """
    passed, failed, error, skipped, remark = read(junit(an_example()))[0]

    assert ({"name": "first", "classname": "a", "time": "0.012"}, []) == (passed.attrib, list(passed))
    assert ("failure", {"message": "no", "type": "P203"}, "line one\nline two") == (
        failed[0].tag,
        failed[0].attrib,
        failed[0].text,
    )
    assert ("error", {"message": "can't be tried"}) == (error[0].tag, error[0].attrib)
    assert ("skipped", {"message": "not today"}) == (skipped[0].tag, skipped[0].attrib)
    assert ("system-out", "a remark") == (remark[0].tag, remark[0].text)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_can_stand_anywhere(text: str) -> None:
    """
    Markup, the end of a CDATA section, control characters and halves of characters: a parser reads back
    the same text, with escapes for what XML can't hold.
    """
    shown = re.sub(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]",
        lambda m: m.group().encode("unicode_escape").decode(),
        text,
    )
    suite = read(junit([Suite(text, [Case(text, text, Outcome.FAILURE, text, text, text)])]))[0]
    case = suite[0]
    failure = case[0]

    assert [shown] * 4 == [
        suite.attrib["name"],
        case.attrib["name"],
        case.attrib["classname"],
        failure.attrib["message"],
    ]
    assert (shown, shown) == (failure.text or "", failure.attrib.get("type", ""))


def test_random_texts_can_stand_anywhere() -> None:
    """
    Two hundred random texts out of nasty characters give documents that can be read and have the shape.
    """
    chance = random.Random(20)  # noqa: S311
    nasty = "<>&\"']\x00\x07\x1b\r\n\t\x7f\x85\u2028\u202e\ud83d\ude00😀\ufeff\uffffa "
    for _ in range(200):
        texts = ["".join(chance.choices(nasty, k=chance.randrange(12))) for _ in range(5)]
        case = Case(texts[0], texts[1], chance.choice(list(Outcome)), texts[2], texts[3], texts[4])
        assert [] == faults(read(junit([Suite(texts[0], [case])])))


def test_the_rules_notice_what_is_wrong() -> None:
    """
    The check itself finds a missing attribute, one too many, a child in the wrong place, and bad figures.
    """
    wrong = [
        "<testsuite/>",
        "<testsuites><testcase name='a'/></testsuites>",
        "<testsuites><testsuite name='a' tests='1' failures='0'/></testsuites>",
        "<testsuites><testsuite name='a' tests='1' failures='0' errors='0'/></testsuites>",
        "<testsuites><testsuite name='a' tests='0' failures='0' errors='0' line='1'/></testsuites>",
        "<testsuites><testsuite name='a' tests='1' failures='0' errors='0'>"
        "<testcase/></testsuite></testsuites>",
        "<testsuites><testsuite name='a' tests='1' failures='0' errors='0'>"
        "<testcase name='b'><failure/></testcase></testsuite></testsuites>",
        "<testsuites><testsuite name='a' tests='1' failures='0' errors='0'>"
        "<testcase name='b' time='soon'/></testsuite></testsuites>",
        "<testsuites><testsuite name='a' tests='0' failures='0' errors='0'>words</testsuite></testsuites>",
    ]

    assert [] == [text for text in wrong if not faults(read(text))]
