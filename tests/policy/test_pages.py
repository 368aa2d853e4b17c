"""The page of each diagnostic code: it is there, its example gives the code, its other text gives nothing."""

from __future__ import annotations

import importlib
import pkgutil
import re
import textwrap
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from policyctl.cli import suites
from policyctl.deciding import validate
from policyctl.policy import checks
from policyctl.schemas.diagnostics import Diagnostic, Severity
from policyctl.schemas.errors import PolicyError

HEADINGS = ("What it finds", "Why it matters", "Example", "Instead")

ABOUT_FILES = {"P104", "P105", "P106", "P107", "P109", "P110", "P111", "P718", "P906"}
"""Codes about files on disk, very large policies or two surfaces: their pages describe them."""

ABOUT_OLDER_FILES = {f"P{number}" for number in range(120, 127)}
"""Codes about the older YAML form: tests/policy/test_legacy.py runs their examples."""

TESTED = """\
model haiku is anthropic/claude-haiku-5-5
model opus is anthropic/claude-opus-5-5
tier cheap from complexity 0 has haiku
tier strong from complexity 6 has opus
"""
"""The policy of the test files that pages of test files (P9xx) show."""


A_DAY = date(2026, 11, 24)
"""What is soon deprecated depends on the day."""


def check_files() -> list[str]:
    return sorted(found.name for found in pkgutil.iter_modules(checks.__path__))


def load(name: str) -> ModuleType:
    return importlib.import_module(f"{checks.__name__}.{name}")


def page_of(name: str) -> str:
    return (load(name).__doc__ or "").strip()


def sections(page: str) -> dict[str, str]:
    """
    Return the text below each heading.
    """
    parts = re.split(rf"^({'|'.join(HEADINGS)})$\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def findings(section: str, folder: Path) -> tuple[Diagnostic, ...]:
    """
    Return what `policyctl validate` finds in the policy of a section; `[U+200B]` stands for that character.
    """
    text = re.sub(r"\[U\+([0-9A-F]{4,6})]", lambda match: chr(int(match[1], 16)), textwrap.dedent(section))
    file = folder / "page.policy"
    file.write_text(text, encoding="utf-8")
    return validate([file], A_DAY).report.diagnostics


def findings_in_tests(section: str, folder: Path) -> tuple[Diagnostic, ...]:
    """
    Return what `policyctl test` finds in the test file of a section.
    """
    (folder / "page.policy").write_text(TESTED, encoding="utf-8")
    file = folder / "page.test.yaml"
    file.write_text(f"policy: page.policy\n{textwrap.dedent(section)}", encoding="utf-8")
    try:
        suites.load([file], ())
    except PolicyError as error:
        return error.report.diagnostics
    return ()


FILES = check_files()
WITH_TESTS = [name for name in FILES if name[0:2] == "p9" and name[:4].upper() not in ABOUT_FILES]
ELSEWHERE = ABOUT_FILES | ABOUT_OLDER_FILES | {name[:4].upper() for name in WITH_TESTS}
WITH_A_POLICY = [name for name in FILES if name[:4].upper() not in ELSEWHERE]


def test_there_are_pages() -> None:
    """
    The folder of the checks is really looked at, and codes are unique.
    """
    codes = [load(name).CODE for name in FILES]

    assert "p203_unknown_model" in FILES
    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_named_after_its_code(name: str) -> None:
    """
    The file, its CODE and the title of its page say the same code.
    """
    code = load(name).CODE

    assert code == name[:4].upper()
    assert page_of(name).startswith(f"{code}: ")


@pytest.mark.parametrize("name", FILES)
def test_a_page_has_its_four_parts(name: str) -> None:
    """
    A page says what is found, why it matters, and shows an example and its mended form.
    """
    page = page_of(name)
    found = sections(page)

    assert HEADINGS == tuple(found)
    assert [] == [heading for heading, text in found.items() if not text.strip()]
    assert [] == [line for line in page.splitlines() if len(line) > 78 or line != line.rstrip()]


@pytest.mark.parametrize("name", FILES)
def test_examples_are_set_off_and_prose_is_not(name: str) -> None:
    """
    Examples stand four spaces in, which is also a code block in Markdown; sentences don't.
    """
    found = sections(page_of(name))
    prose = "\n".join(found[heading] for heading in HEADINGS[:2])
    shown = "\n".join(found[heading] for heading in HEADINGS[2:])

    assert [] == [line for line in prose.splitlines() if line.startswith(" ")]
    assert [] == [line for line in shown.splitlines() if line and not line.startswith("    ")]


@pytest.mark.parametrize("name", WITH_A_POLICY)
def test_the_example_gives_its_code_and_no_other_error(name: str, tmp_path: Path) -> None:
    """
    The example of a page is a complete policy with the one fault that the page is about.
    """
    code = load(name).CODE
    found = findings(sections(page_of(name))["Example"], tmp_path)

    assert code in {finding.code for finding in found}
    assert {code} >= {finding.code for finding in found if finding.severity is Severity.ERROR}


@pytest.mark.parametrize("name", WITH_A_POLICY)
def test_the_mended_text_gives_no_finding(name: str, tmp_path: Path) -> None:
    """
    What a page says to write instead is a complete policy without any finding.
    """
    found = findings(sections(page_of(name))["Instead"], tmp_path)

    assert [] == [(finding.code, finding.message) for finding in found]


@pytest.mark.parametrize("name", WITH_TESTS)
def test_the_example_of_a_test_file_gives_its_code_alone(name: str, tmp_path: Path) -> None:
    """
    The example of a page about test files is a whole one with the one fault that the page is about.
    """
    assert {load(name).CODE} == {
        d.code for d in findings_in_tests(sections(page_of(name))["Example"], tmp_path)
    }


@pytest.mark.parametrize("name", WITH_TESTS)
def test_the_mended_test_file_gives_no_finding(name: str, tmp_path: Path) -> None:
    """
    What such a page says to write instead is a whole test file without any finding.
    """
    assert () == findings_in_tests(sections(page_of(name))["Instead"], tmp_path)
