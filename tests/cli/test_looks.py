"""
How the pages look: kept as snapshots, so that a change of the layout is seen and looked at.

`pytest tests/cli/test_looks.py --snapshot-update` takes them anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import gettempdir

import pytest
from syrupy.assertion import SnapshotAssertion

from .command import CHECKOUT, EXAMPLES, MONDAY_10, call, copy_of_loop

CASES = Path(__file__).resolve().parents[1] / "cases" / "policies"

TYPOS = {
    "model claude-sonnet       is anthropic/": "model claude-sonnet       is antropic/",
    "during office_hours": "during office_huors",
    "fallback to claude-sonnet, ": "fallback to claude-sonet, ",
}
MORE_TYPOS = {
    "domain debugging       prefers": "domain debugging       preferes",
    "rule off_hours\n  when": "rule off_hours\n  wenn",
    "budget monthly is at least 80%": "budget montly is at least 80%",
    "use tier cheap": "use tier cheep",
    "can tools, json_mode  timeout": "can tools, json_mod  timeout",
    "timezone America/New_York": "timezone America/New_Yrok",
    "baseline claude-opus": "baseline claude-opsu",
}


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    examples/claude-loop, alone in a checkout of its own.
    """
    return copy_of_loop(tmp_path_factory.mktemp("looks"))


def with_typos(folder: Path, typos: dict[str, str]) -> Path:
    """
    Write the example's policy with some words misspelt.
    """
    text = (EXAMPLES / "claude-loop" / "claude-loop.policy").read_text(encoding="utf-8")
    for right, wrong in typos.items():
        assert right in text
        text = text.replace(right, wrong, 1)
    file = folder / "typos.policy"
    file.write_text(text, encoding="utf-8")
    return file


def page(*words: str, at: Path, code: int = 0, columns: int = 80) -> str:
    """
    What the command prints on both streams, with a sign for each escape character.
    """
    ran = call(*words, at=at, env={"COLUMNS": str(columns)})
    assert code == ran.code, ran.err
    shown = ran.out + ("" if not ran.err else f"--- stderr\n{ran.err}")
    assert [] == [folder for folder in (at, CHECKOUT, Path(gettempdir())) if f"{folder}/" in shown]
    return shown.replace("\x1b", "␛")


@pytest.mark.parametrize("color", ["never", "always"])
@pytest.mark.parametrize("columns", [80, 120])
def test_explain(loop: Path, columns: int, color: str, snapshot: SnapshotAssertion) -> None:
    """
    The page of US-042 at 80 and 120 columns, plain and in colour.
    """
    words = ("explain", "--story", "US-042", "--at", MONDAY_10)

    assert snapshot == page(*words, "--color", color, at=loop, columns=columns)


def test_explain_by_formula(loop: Path, snapshot: SnapshotAssertion) -> None:
    """
    A story whose complexity the formula gives, on the main branch, with a model in cooldown.
    """
    words = "--branch main --down litellm/o1 --time-rules".split()

    assert snapshot == page("explain", "--story", "US-037", *words, "--at", MONDAY_10, at=loop)


def test_refused_by_rule(snapshot: SnapshotAssertion) -> None:
    """
    A refusal by a rule, with its reason.
    """
    words = "--policy facts.policy --complexity 4 --private --at 2026-01-05T10:00".split()

    assert snapshot == page("explain", *words, "--stage", "the prod", at=CASES, code=3)


def test_refused_by_budget(loop: Path, snapshot: SnapshotAssertion) -> None:
    """
    A refusal by a budget says until when.
    """
    words = "--complexity 8 --spend monthly=100% --at 2026-01-05T10:00".split()

    assert snapshot == page("explain", *words, at=loop, code=4)


def test_no_model(loop: Path, snapshot: SnapshotAssertion) -> None:
    """
    Where nobody can serve, each model stands there with what removed it.
    """
    words = "--complexity 8 --requires-audio --at 2026-01-05T10:00".split()

    assert snapshot == page("explain", *words, at=loop, code=3)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("select --complexity 8 --spend monthly=100% --at 2026-01-05T10:00", 4),
        ("select --complexity 8 --requires-audio", 3),
        ("select --complexity 4 --tier powerfull", 2),
        ("select --complexty 4", 2),
        ("explain --story US-42", 2),
        ("explain --complexity 4 --why-not deepseek", 0),
    ],
)
def test_short_answers(loop: Path, line: str, code: int, snapshot: SnapshotAssertion) -> None:
    """
    Refusals, mistakes and small questions are answered in a few lines.
    """
    assert snapshot == page(*line.split(), at=loop, code=code)


@pytest.mark.parametrize("line", ["list", "list --verbose", "table", "validate --at 2026-11-24", "-h"])
def test_other_pages(loop: Path, line: str, snapshot: SnapshotAssertion) -> None:
    """
    The policy as a list, as a table, as what is proven of it, and the help of the command.
    """
    assert snapshot == page(*line.split(), at=loop)


@pytest.mark.parametrize("output_format", ["full", "concise", "json"])
def test_findings(tmp_path: Path, output_format: str, snapshot: SnapshotAssertion) -> None:
    """
    Three typos, as a reader, a grep and a program see them.
    """
    file = with_typos(tmp_path, TYPOS)

    assert snapshot == page("validate", file.name, "--output-format", output_format, at=tmp_path, code=1)


@pytest.mark.parametrize("typos", [TYPOS, MORE_TYPOS], ids=["three", "seven more"])
def test_typos_are_mended_from_the_help_alone(tmp_path: Path, typos: dict[str, str]) -> None:
    """
    All typos are found in one run, and putting in what each help says mends the policy.
    """
    file = with_typos(tmp_path, typos)
    found = call("validate", file.name, "--output-format", "json", at=tmp_path).json
    assert len(typos) == len(found["diagnostics"])
    text = file.read_text(encoding="utf-8")
    for finding in sorted(found["diagnostics"], key=lambda d: -d["location"]["start"]["offset"]):
        wrong = re.findall(r"`(.+?)`", finding["message"])[-1]
        meant = re.fullmatch(r"did you mean `(.+?)`\?", finding["help"])
        assert meant is not None, finding
        start, end = (finding["location"][side]["offset"] for side in ("start", "end"))
        assert wrong in text[start:end]
        text = text[:start] + text[start:end].replace(wrong, meant[1], 1) + text[end:]
    file.write_text(text, encoding="utf-8")

    assert text == (EXAMPLES / "claude-loop" / "claude-loop.policy").read_text(encoding="utf-8")
    assert 0 == call("validate", file.name, at=tmp_path).code
