"""
How long `policyctl plan` takes for a thousand stories, as a whole process: `make bench` prints it.
"""

from __future__ import annotations

import json
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from ..cli.command import EXAMPLES, MONDAY_10, Ran, spawn

STUDY = EXAMPLES / "case-studies" / "data-pipeline"
TIMES = 10


def a_thousand(folder: Path) -> Path:
    """The hundred stories of a case study ten times over, under ids of their own."""
    stories = json.loads((STUDY / "prd.json").read_text(encoding="utf-8"))["userStories"]
    many = [
        {
            **story,
            "id": f"{story['id']}-{n}",
            "dependencies": [f"{other}-{n}" for other in story.get("dependencies", [])],
        }
        for n in range(TIMES)
        for story in stories
    ]
    prd = folder / "prd.json"
    prd.write_text(json.dumps({"userStories": many}, indent=2), encoding="utf-8")
    return prd


def test_a_plan_of_a_thousand_stories(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """
    Start, read policy and PRD, decide each story, print the page.
    """
    prd = a_thousand(tmp_path)

    def run() -> Ran:
        return spawn("plan", "--prd", str(prd), "--at", MONDAY_10, at=STUDY)

    ran = benchmark.pedantic(run, rounds=3)

    assert 0 == ran.code
    assert ran.out.startswith(f"{prd}  1,000 stories\n")
