"""The loops of examples/loop: what they do, what is left when they are killed, and what it costs."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ..cli.command import CHECKOUT, EXAMPLES, without_columns

HOME = EXAMPLES / "loop"
KILLS = 20 if os.environ.get("POLICYCTL_SOAK") else 4
STORIES = ["TIDE-1", "TIDE-2", "TIDE-3", "TIDE-4", "TIDE-5/1", "TIDE-5/2", "TIDE-5", "TIDE-6"]
LIMIT = {"MONTHLY_COST_BUDGET": "0.18"}
"""A month's limit of which three quarters are spent before the last story."""

PYTHON = [sys.executable, "loop.py"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    A copy of the example in a folder of its own.
    """
    folder = tmp_path / "loop"
    shutil.copytree(HOME, folder, ignore=shutil.ignore_patterns("__pycache__", ".claude-loop"))
    (folder / ".git").mkdir()
    return folder


def environment(more: dict[str, str]) -> dict[str, str]:
    """
    The tests' own environment, with policyctl on PATH.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**without_columns(), "PATH": path, "ENABLE_MULTI_PROVIDER": "true", **more}


def run(here: Path, loop: list[str], *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """
    Run a loop to its end.
    """
    return subprocess.run(
        [*loop, *words],
        cwd=here,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def files(here: Path) -> Path:
    """
    Where a loop that asks nobody keeps its files.
    """
    return here / ".claude-loop" / "offline"


def done(here: Path) -> dict[str, bool]:
    """
    Which stories and sub-tasks the PRD says are done.
    """
    stories = json.loads((here / "prd.json").read_text(encoding="utf-8"))["userStories"]
    found = {story["id"]: story["passes"] for story in stories}
    tasks = stories[4]["delegation"]["subtasks"]
    return {**found, **{f"TIDE-5/{n}": task.get("passes", False) for n, task in enumerate(tasks, 1)}}


def answers(here: Path) -> dict[str, str]:
    """
    The answers by the names of their files.
    """
    folder = files(here) / "answers"
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def learnt(here: Path) -> list[dict[str, Any]]:
    """
    What the loop noted of each story.
    """
    notes: list[dict[str, Any]] = json.loads((files(here) / "learnings.json").read_text(encoding="utf-8"))
    return notes


def calls(here: Path) -> list[dict[str, Any]]:
    """
    The finished calls, as the usage log has them.
    """
    log = files(here) / "logs" / "provider_usage.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def slow_script(here: Path, delay_s: float) -> None:
    """
    A script whose every answer takes a while, so that a kill meets the loop at work.
    """
    path = here / "offline.json"
    script = json.loads(path.read_text(encoding="utf-8"))
    for step in script["steps"]:
        step["delay_s"] = delay_s
    path.write_text(json.dumps(script), encoding="utf-8")


# --- what it does ---------------------------------------------------------------------------------------

loops = pytest.mark.parametrize("loop", [PYTHON], ids=["python"])


@loops
def test_all_stories_are_done_in_order(here: Path, loop: list[str]) -> None:
    """
    Each story comes after those that it depends on, a sub-task before its story, and all end up marked, with
    an answer each and a note of what it took.
    """
    ran = run(here, loop, "--offline", "offline.json", **LIMIT)

    assert 0 == ran.returncode, ran.stderr
    assert dict.fromkeys(STORIES, True) == dict.fromkeys(STORIES, False) | done(here)
    assert STORIES == [note["story"] for note in learnt(here)]
    assert sorted(f"{name.replace('/', '.')}.md" for name in STORIES) == list(answers(here))
    assert not (files(here) / "run.json").exists()
    assert not (files(here) / "kept").exists() or not list((files(here) / "kept").iterdir())


@loops
def test_outage_gate_and_level_are_in_the_report(here: Path, loop: list[str]) -> None:
    """
    The model that is out is replaced, the failing gate raises a tier, the budget's level lowers one, and the
    report shows all three; sub-tasks stand below their story.
    """
    run(here, loop, "--offline", "offline.json", **LIMIT)
    notes = {note["story"]: note for note in learnt(here)}
    page = run(here, loop, "--offline", "--cost-report", "--detailed", **LIMIT).stdout

    assert ("sonnet", "cheap") == (notes["TIDE-2"]["model"], notes["TIDE-2"]["tier"])
    assert ("sonnet", "medium") == (notes["TIDE-3"]["model"], notes["TIDE-3"]["tier"])
    assert ("sonnet", "medium") == (notes["TIDE-6"]["model"], notes["TIDE-6"]["tier"])
    assert "Failed: 2" in page
    assert "Fallback rate: 9.1% (1)" in page
    assert "Escalation rate: 9.1% (1)" in page
    assert "Level in force: monthly at 75% downgrade 1 tier" in page
    words = (
        "report",
        "--by",
        "story",
        "--policy",
        "loop.policy",
        "--ledger",
        str(files(here) / "policyctl.db"),
    )
    stories = run(here, ["policyctl"], *words).stdout.partition("By Story:")[2].splitlines()
    first = next(number for number, line in enumerate(stories) if line.startswith("  TIDE-5 "))
    assert ["    TIDE-5/1", "    TIDE-5/2"] == [line[:12] for line in stories[first + 1 : first + 3]]


@loops
def test_a_second_run_has_nothing_to_do(here: Path, loop: list[str]) -> None:
    """
    Stories that pass aren't asked again.
    """
    run(here, loop, "--offline", "offline.json")
    before = calls(here)
    ran = run(here, loop, "--offline", "offline.json")

    assert (0, before) == (ran.returncode, calls(here))


@loops
def test_without_multi_provider_the_baseline_does_everything(here: Path, loop: list[str]) -> None:
    """
    Switched off, the loop asks the policy's baseline model alone.
    """
    ran = run(here, loop, "--offline", "offline.json", ENABLE_MULTI_PROVIDER="false")

    assert {"opus"} == {call["model"] for call in calls(here)}
    assert 6 == ran.returncode  # nothing of the plain answer is `rounded`, and there is no way up
    assert not done(here)["TIDE-3"]


@loops
def test_a_budget_pauses_and_the_next_run_goes_on(here: Path, loop: list[str]) -> None:
    """
    A budget that is used up ends the run with exit code 4 and says until when; with more money it goes on.
    """
    paused = run(here, loop, "--offline", "offline.json", MONTHLY_COST_BUDGET="0.05")
    first = [note["story"] for note in learnt(here)]
    resumed = run(here, loop, "--offline", "offline.json")

    assert (4, 0) == (paused.returncode, resumed.returncode)
    assert "refused until " in paused.stderr
    assert 0 < len(first) < len(STORIES)
    assert STORIES == [note["story"] for note in learnt(here)]
    assert 1 == len({note["run"] for note in learnt(here)})


@loops
def test_a_circle_is_told(here: Path, loop: list[str]) -> None:
    """
    Stories that wait for one another are told, and done in the order of the file.
    """
    text = (here / "prd.json").read_text(encoding="utf-8")
    (here / "prd.json").write_text(
        text.replace('"complexity": 1,', '"complexity": 1, "dependencies": ["TIDE-6"],', 1)
    )
    ran = run(here, loop, "--offline", "offline.json")

    assert 0 == ran.returncode
    assert "`TIDE-1` waits for itself: TIDE-1 -> " in ran.stderr


@loops
def test_hooks_run_before_and_after(here: Path, loop: list[str]) -> None:
    """
    A hook knows which story and answer it is about; one that fails leaves the story undone.
    """
    hook = here / "hook.sh"
    hook.write_text('#!/bin/sh\necho "$LOOP_STORY $(cat "${LOOP_ANSWER:-/dev/null}")" >> seen.txt\n')
    hook.chmod(0o755)
    words = ("--offline", "offline.json", "--before", "./hook.sh", "--after", "./hook.sh")
    ran = run(here, loop, *words)
    seen = (here / "seen.txt").read_text(encoding="utf-8").splitlines()

    assert 0 == ran.returncode
    assert ["TIDE-1 ", "TIDE-1 Here is a first draft."] == seen[:2]
    assert 2 * len(STORIES) == len(seen)


def test_a_hook_that_fails_leaves_its_story_undone_but_paid(here: Path) -> None:
    """
    After a hook that failed the story is tried again by the next run, with the answer that was paid for.
    """
    failed = run(here, PYTHON, "--offline", "offline.json", "--after", "false")
    paid = len(calls(here))
    again = run(here, PYTHON, "--offline", "offline.json")

    assert (1, 0) == (failed.returncode, again.returncode)
    assert 1 == paid
    assert 1 == len([call for call in calls(here) if call["story_id"] == "TIDE-1"])


def test_the_fifteen_lines_of_the_readme_are_a_loop(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The loop in the README works through a PRD as it stands there.
    """
    blocks = re.findall(
        r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    code = next(block for block in blocks if "turns(" in block)
    models = "model m is offline/m costs $1 in, $4 out can tools\ntier every from complexity 0 has m\n"
    (here / "policyctl.policy").write_text(models, encoding="utf-8")
    monkeypatch.chdir(here)
    exec(code, {})  # noqa: S102

    assert all(done(here).values())
    assert STORIES == [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert 15 >= len([line for line in code.splitlines() if line.strip()])


# --- what is left when it is killed -----------------------------------------------------------------------


def begin(here: Path, loop: list[str], **env: str) -> subprocess.Popen[bytes]:
    """
    Start a loop in a group of processes of its own.
    """
    return subprocess.Popen(
        [*loop, "--offline", "offline.json"],
        cwd=here,
        env=environment(env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(loop: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """
    Send a signal to the loop and all that it started, and wait for its end.
    """
    with suppress(ProcessLookupError):
        os.killpg(loop.pid, number)
    return loop.wait(60)


@loops
def test_a_loop_that_is_killed_neither_loses_nor_repeats(here: Path, loop: list[str]) -> None:
    """
    Killed at random moments and started again, it ends as one that ran through; no answer is paid twice, and
    what a kill costs is at most the hold that was open then.
    """
    dice = random.Random(7)  # noqa: S311
    slow_script(here, 0.05)
    killed = 0
    while killed < KILLS:
        process = begin(here, loop)
        time.sleep(dice.uniform(0.2, 1.6))
        if process.poll() is not None:
            break
        kill(process, signal.SIGKILL)
        killed += 1
    ran = run(here, loop, "--offline", "offline.json")

    assert 0 == ran.returncode, ran.stderr
    assert all(done(here).values())
    assert len(STORIES) == len(answers(here))
    assert STORIES == [note["story"] for note in learnt(here)]
    good = [call for call in calls(here) if call["success"]]
    assert len(good) == len({(call["story_id"], call["tier"]) for call in good})
    lost = [call for call in calls(here) if call.get("error") == "outcome unknown"]
    assert len(lost) <= killed


@loops
def test_ctrl_c_ends_it_with_130(here: Path, loop: list[str]) -> None:
    """
    Interrupted, it settles what it began and exits with 130; the next run finishes.
    """
    slow_script(here, 0.4)
    process = begin(here, loop)
    time.sleep(2.0)
    code = kill(process, signal.SIGINT)
    ran = run(here, loop, "--offline", "offline.json")

    assert (130, 0) == (code, ran.returncode)
    assert STORIES == [note["story"] for note in learnt(here)]


def test_two_loops_at_once_are_one_too_many(here: Path) -> None:
    """
    A second loop in the same folder says so and leaves.
    """
    slow_script(here, 1.0)
    first = begin(here, PYTHON)
    until = time.monotonic() + 20
    while not (files(here) / "policyctl.db").exists() and time.monotonic() < until:
        time.sleep(0.05)
    second = run(here, PYTHON, "--offline", "offline.json")
    kill(first, signal.SIGKILL)

    assert 2 == second.returncode
    assert "another loop is at work here" in second.stderr
