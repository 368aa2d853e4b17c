"""The loops of examples/loop: what they do, what is left when they are killed, and what it costs."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ..cli.command import CHECKOUT, EXAMPLES, without_columns
from ..servers.fake_providers import FakeProviders, Reply

HOME = EXAMPLES / "loop"
SOAK = bool(os.environ.get("POLICYCTL_SOAK"))
KILLS = 20 if SOAK else 4
STORIES = ["TIDE-1", "TIDE-2", "TIDE-3", "TIDE-4", "TIDE-5/1", "TIDE-5/2", "TIDE-5", "TIDE-6"]
LIMIT = {"MONTHLY_COST_BUDGET": "0.18"}
"""A month's limit of which three quarters are spent before the last story."""

PYTHON = [sys.executable, "loop.py"]
SHELL = ["bash", "claude-loop.sh"]

Finished = Callable[[list[str]], Path]


def copied(to: Path) -> Path:
    """
    A copy of the example in a checkout of its own.
    """
    folder = to / "loop"
    shutil.copytree(HOME, folder, ignore=shutil.ignore_patterns("__pycache__", ".claude-loop"))
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    A copy of the example for one test.
    """
    return copied(tmp_path)


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
    The answers by the names of their files, which are texts, or what `policyctl run --json` prints.
    """
    found = {}
    for path in sorted((files(here) / "answers").iterdir()):
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".new":
            found[path.stem] = text.rstrip("\n") if path.suffix == ".md" else json.loads(text)["text"]
    return found


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

loops = pytest.mark.parametrize("loop", [PYTHON, SHELL], ids=["python", "shell"])
most = pytest.mark.parametrize("loop", [PYTHON, SHELL] if SOAK else [PYTHON], ids=lambda loop: loop[-1])
"""Both loops, in `make test` the one that starts no process a step."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], Path]:
    """
    A folder in which a loop has run to its end, with an outage, a failing gate and a level of the budget.
    """
    folders: dict[str, Path] = {}

    def finished(loop: list[str]) -> Path:
        name = loop[-1]
        if name not in folders:
            folders[name] = copied(tmp_path_factory.mktemp("finished"))
            ran = run(folders[name], loop, "--offline", "offline.json", **LIMIT)
            assert 0 == ran.returncode, ran.stderr
        return folders[name]

    return finished


@loops
def test_all_stories_are_done_in_order(finished: Finished, loop: list[str]) -> None:
    """
    Each story comes after those that it depends on, a sub-task before its story, and all end up marked, with
    an answer each and a note of what it took.
    """
    here = finished(loop)

    assert dict.fromkeys(STORIES, True) == done(here)
    assert STORIES == [note["story"] for note in learnt(here)]
    assert sorted(name.replace("/", ".") for name in STORIES) == sorted(answers(here))
    assert not (files(here) / "run.json").exists()
    assert [] == list((files(here) / "kept").rglob("*.json"))


@loops
def test_outage_gate_and_level_are_in_the_report(finished: Finished, loop: list[str]) -> None:
    """
    The model that is out is replaced, the failing gate raises a tier, the budget's level lowers one, and the
    report shows all three; sub-tasks stand below their story.
    """
    here = finished(loop)
    notes = {note["story"]: (note["model"], note["tier"]) for note in learnt(here)}
    page = run(here, loop, "--offline", "--cost-report", "--detailed", **LIMIT).stdout

    assert ("sonnet", "cheap") == notes["TIDE-2"]
    assert ("sonnet", "medium") == notes["TIDE-3"]
    assert ("sonnet", "medium") == notes["TIDE-6"]
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


def test_both_loops_end_in_the_same_state(finished: Finished) -> None:
    """
    The shell's loop leaves the same PRD and answers as that in Python, and notes the same of each story.
    """
    here, there = finished(PYTHON), finished(SHELL)
    notes = [[(n["story"], n["model"], n["tier"], n["cost_usd"]) for n in learnt(at)] for at in (here, there)]

    assert (here / "prd.json").read_bytes() == (there / "prd.json").read_bytes()
    assert answers(here) == answers(there)
    assert notes[0] == notes[1]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("--cost-report", "report --days 7"),
        ("--cost-report 30 --detailed", "report --days 30 --detailed"),
        ('--cost-report --since "7 days ago"', 'report --since "7 days ago"'),
        ("--cost-report --this-month", "report --this-month"),
        ("--cost-report --current-run", "report --current-run"),
        ("--cost-report --provider-breakdown", "report --days 7 --verbose"),
        ("--provider-breakdown anthropic", "provider-breakdown --provider anthropic --days 7"),
        ("--provider-health", "health"),
    ],
)
def test_reports_are_the_command_s_own(finished: Finished, words: str, meant: str) -> None:
    """
    What both loops report is what `policyctl` prints of the same ledger.
    """
    here, ledger = finished(PYTHON), ".claude-loop/offline/policyctl.db"
    theirs = run(here, ["policyctl"], *shlex.split(meant), "--policy", "loop.policy", "--ledger", ledger)
    shell, python = (run(here, loop, "--offline", *shlex.split(words)) for loop in (SHELL, PYTHON))

    assert theirs.stdout
    assert (theirs.returncode, steady(theirs.stdout)) == (shell.returncode, steady(shell.stdout))
    assert (theirs.returncode, steady(theirs.stdout)) == (python.returncode, steady(python.stdout))


def steady(page: str) -> str:
    """
    A page without the policy's path and what moves with the clock.
    """
    return re.sub(r"(limit is reached|end-of-month:?) .*", "", page)


@loops
def test_a_second_run_has_nothing_to_do(finished: Finished, loop: list[str]) -> None:
    """
    Stories that pass aren't asked again.
    """
    here = finished(loop)
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


@most
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


@most
def test_hooks_run_before_and_after(here: Path, loop: list[str]) -> None:
    """
    A hook knows which story and answer it is about; one that fails leaves the story undone.
    """
    hook = here / "hook.sh"
    hook.write_text(
        '#!/bin/sh\necho "$LOOP_STORY$(test -s "$LOOP_ANSWER" && echo " answered")" >> seen.txt\n'
    )
    hook.chmod(0o755)
    words = ("--offline", "offline.json", "--before", "./hook.sh", "--after", "./hook.sh")
    ran = run(here, loop, *words)
    seen = (here / "seen.txt").read_text(encoding="utf-8").splitlines()

    assert 0 == ran.returncode
    assert ["TIDE-1", "TIDE-1 answered", "TIDE-2"] == seen[:3]
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


@most
@pytest.mark.parametrize(
    ("words", "models"),
    [
        (["--skill", "prd-validator"], {"haiku", "sonnet"}),
        (["--tier", "medium"], {"sonnet"}),
        (["--preferred", "opus", "--enable-mcp"], {"opus"}),
    ],
)
def test_options_say_who_answers(here: Path, loop: list[str], words: list[str], models: set[str]) -> None:
    """
    A skill is a fact for rules; a tier, a model and checks from the command line count for all stories.
    """
    ran = run(here, loop, "--offline", "offline.json", *words, "--check", "tests=true")

    assert 0 == ran.returncode, ran.stderr
    assert models == {note["model"] for note in learnt(here)}


def test_it_runs_with_real_libraries_over_sockets(here: Path, fakes: FakeProviders) -> None:
    """
    With LiteLLM's and OpenAI's libraries, and providers that are asked over HTTP, it ends as offline: outage,
    gate and level are in its report.
    """
    ids = {
        "luna": "litellm/gpt-4o-mini",
        "haiku": "openai/gpt-5-nano",
        "sonnet": "openai/gpt-5",
        "opus": "litellm/gpt-4o",
    }
    prices = dict.fromkeys(("luna", "haiku"), "$0.10 in, $0.50 out")
    prices |= {"sonnet": "$2 in, $10 out", "opus": "$4 in, $20 out"}
    script = json.loads((here / "offline.json").read_text(encoding="utf-8"))["steps"]
    texts = {step["model"]: step for step in script}
    fakes.plan("*gpt-4o-mini", "unavailable")
    for name in ("haiku", "sonnet", "opus"):
        tokens = texts[name]["tokens"]
        said = Reply(texts[name]["text"], input_tokens=tokens["input"], output_tokens=tokens["output"])
        fakes.reply(f"*{ids[name].partition('/')[2]}", said)
    server = fakes.base("openai")
    policy = (here / "loop.policy").read_text(encoding="utf-8")
    for name, id in ids.items():
        line = f'model {name} is {id} costs {prices[name]} can tools output 4k server "{server}" key FAKE_KEY'
        policy = re.sub(rf"^model {name} .*$", line, policy, flags=re.MULTILINE)
    (here / "live.policy").write_text(policy, encoding="utf-8")
    ran = run(here, PYTHON, "--policy", "live.policy", **LIMIT, FAKE_KEY="sk-fake-0123456789")
    page = run(here, PYTHON, "--policy", "live.policy", "--cost-report", "--detailed", **LIMIT).stdout

    assert 0 == ran.returncode, ran.stderr
    assert all(done(here).values())
    assert "Failed: 2" in page
    assert "Fallback rate: 9.1% (1)" in page
    assert "Escalation rate: 9.1% (1)" in page
    assert "Level in force: monthly at 75% downgrade 1 tier" in page


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
    slow_script(here, 0.8 if SOAK else 0.3)
    for _ in range(KILLS):
        process = begin(here, loop)
        time.sleep(dice.uniform(0.2, 1.6))
        assert process.poll() is None, "it was done before it could be killed"
        if dice.random() < 0.5:
            kill(process, signal.SIGKILL)
        else:  # what it started goes on, and the next run has to get along with that
            process.kill()
            process.wait(60)
    ran = run(here, loop, "--offline", "offline.json")

    assert 0 == ran.returncode, ran.stderr
    assert all(done(here).values())
    assert len(STORIES) == len(answers(here))
    assert STORIES == [note["story"] for note in learnt(here)]
    good = [call for call in calls(here) if call["success"]]
    assert len(good) == len({(call["story_id"], call["tier"]) for call in good})
    lost = [call for call in calls(here) if call.get("error") == "outcome unknown"]
    assert len(lost) <= KILLS


@loops
def test_ctrl_c_ends_it_with_130(here: Path, loop: list[str]) -> None:
    """
    Interrupted, it settles what it began and exits with 130; the next run finishes.
    """
    slow_script(here, 0.3)
    process = begin(here, loop)
    time.sleep(1.6)
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
