"""`policyctl stories`, and what `run` has for loops: the mark, answers that are kept, the PRD's checks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from .command import EXAMPLES, Ran, call
from .test_json import faults


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    A copy of the loop's example, alone in a checkout of its own.
    """
    folder = tmp_path / "loop"
    shutil.copytree(EXAMPLES / "loop", folder, ignore=shutil.ignore_patterns("__pycache__", ".claude-loop"))
    (folder / ".git").mkdir()
    return folder


def test_stories_are_shown_as_they_stand(here: Path) -> None:
    """
    Done ones first, then what is ready and what waits for whom, a sub-task before its story.
    """
    call("stories", "--done", "TIDE-1", at=here)
    shown = call("stories", at=here).out.splitlines()
    lines = [line for line in shown if line.startswith("  TIDE")]  # without what is left of long titles

    assert ["TIDE-1", "passes"] == lines[0].split()[:2]
    assert ["TIDE-2", "ready"] == lines[1].split()[:2]
    assert ["TIDE-5/1", "TIDE-5/2", "TIDE-5", "TIDE-6"] == [line.split()[0] for line in lines[4:]]
    assert "waits for TIDE-3, TIDE-4" in lines[4]


def test_the_next_one_is_an_id_alone(here: Path) -> None:
    """
    `--next` prints one id; where none is ready it prints nothing and exits with 1.
    """
    first = call("stories", "--next", at=here)
    none = call("stories", "--next", "--skip", "TIDE-1", at=here)

    assert (0, "TIDE-1\n") == (first.code, first.out)
    assert (1, "", "") == (none.code, none.out, none.err)


def test_done_changes_one_place(here: Path) -> None:
    """
    `--done` marks one story, and says so on stderr; doing it twice changes nothing.
    """
    before = (here / "prd.json").read_bytes()
    ran = call("stories", "--done", "TIDE-1", at=here)
    after = (here / "prd.json").read_bytes()
    call("stories", "--done", "TIDE-1", at=here)

    assert (0, "", "TIDE-1 is done; 7 to do\n") == (ran.code, ran.out, ran.err)
    assert before.replace(b'"passes": false', b'"passes": true', 1) == after
    assert after == (here / "prd.json").read_bytes()


@pytest.mark.parametrize("words", [[], ["--next"], ["--skip", "TIDE-1"], ["--done", "TIDE-5/2"]])
def test_its_json_fits(here: Path, words: list[str]) -> None:
    """
    All forms print the same document.
    """
    ran = call("stories", *words, "--json", at=here)

    assert 0 == ran.code or words == ["--skip", "TIDE-1"]
    assert [] == faults("stories", ran.json)


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (["--done", "TIDE-7"], "has no story `TIDE-7`"),
        (["--prd", "none.json"], "there is no such file"),
        (["--done", "TIDE-1", "--next"], "--done stands alone"),
    ],
)
def test_what_can_t_be_is_told(here: Path, words: list[str], err: str) -> None:
    """
    A wrong id, file or pair of options is a usage error.
    """
    ran = call("stories", *words, at=here)

    assert 2 == ran.code
    assert err in ran.err


def run(here: Path, *words: str, steps: list[dict[str, Any]] | None = None) -> Ran:
    (here / "script.json").write_text(json.dumps({"steps": steps or []}), encoding="utf-8")
    return call("run", *words, "--policy", "loop.policy", "--script", "script.json", "--json", at=here)


def test_a_kept_answer_is_taken(here: Path) -> None:
    """
    With `--keep` the same story is asked once; the second run makes no attempt.
    """
    first = run(here, "--story", "TIDE-1", "--keep", "kept/a.json")
    second = run(here, "--story", "TIDE-1", "--keep", "kept/a.json")

    assert (1, 0) == (len(first.json["attempts"]), len(second.json["attempts"]))
    assert first.json["text"] == second.json["text"]


def test_the_baseline_can_be_asked_alone(here: Path) -> None:
    """
    `--baseline` asks the model that reports compare with, and no other.
    """
    ran = run(here, "--story", "TIDE-1", "--baseline")

    assert ("opus", ["opus"]) == (ran.json["model"], ran.json["chain"])
    assert 2 == run(here, "--story", "TIDE-1", "--baseline", "--model", "luna").code


def test_the_checks_of_a_prd_run_when_they_are_asked_for(here: Path) -> None:
    """
    A PRD's commands run with `--prd-checks` only.
    """
    steps = [{"text": "no such word"}]

    assert 0 == run(here, "--story", "TIDE-3", steps=steps).code
    assert 6 == run(here, "--story", "TIDE-3", "--prd-checks", steps=steps).code


def test_a_sub_task_stands_under_its_story(here: Path) -> None:
    """
    The ledger is told of a sub-task under its story's name.
    """
    text = (here / "prd.json").read_text(encoding="utf-8")
    (here / "prd.json").write_text(
        text.replace('"title": "Read a year', '"id": "READ", "title": "Read a year')
    )
    run(here, "--story", "READ", "--ledger", "l/policyctl.db")
    lines = (here / "l" / "logs" / "provider_usage.jsonl").read_text(encoding="utf-8").splitlines()

    assert ["TIDE-5/READ"] == [json.loads(line)["story_id"] for line in lines]
