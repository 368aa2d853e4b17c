"""`policyctl monitor`: a run that is watched while it goes on."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import policyctl
from policyctl import Ledger
from policyctl.deciding import Engine
from policyctl.schemas.ledger import Attempt, Usage
from policyctl.schemas.policy import NANO

from .command import ENTRY, Ran, call, without_columns

SCHEMA = Path(policyctl.__file__).parent / "schemas" / "monitor.schema.json"
POLICY = """\
policy "shop"
model small is offline/small costs $1 in, $4 out can nothing
model large is offline/large costs $5 in, $20 out can nothing
model other is offline/other costs $1 in, $4 out can nothing
tier low  from complexity 0 has small, other
tier high from complexity 5 has large
budget monthly is $20 per month
  at 50% downgrade 1 tier
  at 100% pause
budget per_run is $50 per run
  at 100% pause
fallback to large
"""


class Shop:
    """
    A checkout with a policy, a PRD of 20 stories of which 8 pass, and no ledger yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = 0
        (folder / ".git").mkdir()
        (folder / "policyctl.policy").write_text(POLICY, encoding="utf-8")
        self.engine = Engine.load(folder / "policyctl.policy")
        stories = [{"id": f"US-{n}", "title": "a story", "passes": n <= 8} for n in range(1, 21)]
        (folder / "prd.json").write_text(json.dumps({"userStories": stories}), encoding="utf-8")

    @property
    def ledger(self) -> Ledger:
        """
        The ledger, open.
        """
        return Ledger(self.folder / ".claude-loop" / "policyctl.db", self.engine.policy, create=True)

    def spend(
        self, story: str, usd: float, model: str = "small", run: str = "run-7", error: str = ""
    ) -> None:
        """
        A call that is over.
        """
        self.calls += 1
        key = f"call:{self.calls}"
        usage = Usage(
            cost_nusd=round(usd * NANO),
            latency_ms=400,
            success=not error,
            error=error or None,
            input_tokens=10,
        )
        attempt = self.engine.attempt(key, model, run_id=run, story_id=story)
        with self.ledger as ledger:
            assert ledger.record(attempt, usage)

    def run(self, *words: str, terminal: bool = False) -> Ran:
        """
        `policyctl monitor` in this checkout.
        """
        return call("monitor", *words, at=self.folder, terminal=terminal)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """
    A checkout without a ledger.
    """
    return Shop(tmp_path)


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """
    The same with a run whose eight finished stories cost $12.45, and a model that doesn't answer.
    """
    for number in range(1, 8):
        shop.spend(f"US-{number}", 1.5)
    shop.spend("US-8", 1.95, "large")
    for _ in range(3):
        shop.spend("US-9", 0, "other", error="connection")
    return shop


def valid(ran: Ran) -> list[dict[str, object]]:
    """
    The frames that a run printed, which fit their schema.
    """
    schema = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    frames = [json.loads(line) for line in ran.out.splitlines()]
    assert (0, []) == (ran.code, [error.message for frame in frames for error in schema.iter_errors(frame)])
    return frames


def test_a_frame_has_the_run_the_budgets_and_the_models(busy: Shop) -> None:
    """
    A frame tells what the run cost, its stories, where it leads, what is left, and how the models do.
    """
    head, *lines = busy.run("--once").out.splitlines()

    assert head.startswith("run run-7  ")
    assert [
        "",
        "Current Run Cost: $12.45",
        "Stories completed: 8/20",
        "Projected total: $31.12",
        "Budget: $50.00 (75.1% remaining)",
        "━━━━━━━━━───────────────  40% of the stories",
        "Requests: 11, 3 failed, 0 by fallback",
        "",
        "Budgets",
        "  monthly  $12.45 of $20.00  $7.55 left   at 50% downgrade 1 tier",
    ] == lines[:10]
    assert "  per_run  $12.45 of $50.00  $37.55 left  next at 100% pause" in lines
    models = lines[lines.index("Models, the last 1 h") :]
    assert ["small", "✓", "healthy"] == models[1].split()[:3]
    assert ["large", "✓", "healthy"] == models[2].split()[:3]
    assert ["other", "✗", "down"] == models[3].split()[:3]
    assert all(len(line) <= 80 for line in [head, *lines])


def test_json_has_the_same_figures(busy: Shop) -> None:
    """
    `--json` is one document a frame, in the shape of its published schema.
    """
    (frame,) = valid(busy.run("--json"))
    run, budgets, models = frame["run"], frame["budgets"], frame["models"]

    assert isinstance(run, dict)
    assert isinstance(budgets, list)
    assert isinstance(models, list)
    assert ("run-7", 11, 3, 8, 12) == tuple(
        run[key] for key in ("id", "calls", "failed", "stories_done", "stories_left")
    )
    assert (12.45, 31.125, 50, 37.55) == tuple(
        run[f"{key}_usd"] for key in ("cost", "projected", "limit", "remaining")
    )
    assert ["downgrade", None] == [budget["level"] and budget["level"]["action"] for budget in budgets]
    assert ["healthy", "healthy", "down"] == [model["state"] for model in models]


def test_calls_under_way_are_told(busy: Shop) -> None:
    """
    A call that is not over is told, with what is held for it; that is no longer left of a budget.
    """
    asked = Attempt(
        key="open:1:1", provider="offline", model="small", run_id="run-7", story_id="US-9", most_nusd=NANO
    )
    with busy.ledger as ledger:
        ledger.reserve(asked, send=True)
        page = busy.run("--once").out

    assert "1 call under way, $1.00 held" in page
    assert "$12.45 of $20.00  $6.55 left" in page


@pytest.mark.parametrize("terminal", [True, False])
def test_without_a_ledger_it_says_so(shop: Shop, terminal: bool) -> None:
    """
    It may be started before the loop: where there is no ledger or no run yet, a frame says that.
    """
    assert "no ledger was found here or above" in shop.run("--once", terminal=terminal).out
    assert [(None, None)] == [(frame["ledger"], frame["run"]) for frame in valid(shop.run("--json"))]
    with shop.ledger:
        pass
    assert "the ledger has no call of a run" in shop.run().out


def test_the_run_is_the_latest_or_the_one_that_is_named(busy: Shop) -> None:
    """
    Without `--run` it is the run of the latest call.
    """
    busy.spend("US-9", 0.25, run="run-8")

    assert "Current Run Cost: $0.25" in busy.run().out
    assert "Current Run Cost: $12.45" in busy.run("--run", "run-7").out


def test_another_prd_can_be_named(busy: Shop) -> None:
    """
    `--prd` says whose stories are counted; a file that can't be read is told at once.
    """
    (busy.folder / "two.json").write_text(
        json.dumps([{"id": "US-1", "title": "a", "passes": True}, {"id": "X", "title": "b"}]),
        encoding="utf-8",
    )

    assert "Stories completed: 1/2" in busy.run("--prd", "two.json").out
    assert (2, "") == (busy.run("--prd", "gone.json").code, busy.run("--prd", "gone.json").out)


def test_without_a_policy_there_is_the_run_alone(busy: Shop) -> None:
    """
    Money is told without a policy; a note says what is missing.
    """
    (busy.folder / "policyctl.policy").unlink()
    ran = busy.run()

    assert "Current Run Cost: $12.45" in ran.out
    assert "Budgets" not in ran.out
    assert "so neither budgets nor models are shown" in ran.err
    assert [[]] == [frame["budgets"] for frame in valid(busy.run("--json"))]


def start(shop: Shop, *words: str, stdout: int) -> subprocess.Popen[bytes]:
    environ = {**without_columns(), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    line = [sys.executable, "-c", ENTRY, "monitor", *words]
    return subprocess.Popen(
        line, cwd=shop.folder, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
    )


def read_until(place: int, words: bytes, times: int = 1) -> bytes:
    """
    What a process writes up to some words, within half a minute.
    """
    text, end = b"", time.monotonic() + 30
    while text.count(words) < times and time.monotonic() < end:
        if select.select([place], [], [], 1)[0]:
            text += os.read(place, 65536)
    assert text.count(words) >= times, text
    return text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_goes_on_until_it_is_interrupted(busy: Shop, number: int, code: int) -> None:
    """
    On a terminal a frame is painted over the one before, with what was spent meanwhile; Ctrl-C ends it
    without a word, and the cursor is shown again.
    """
    screen, end = pty.openpty()
    process = start(busy, "--interval", "0.2", stdout=end)
    try:
        read_until(screen, b"$12.45", 4)
        busy.spend("US-9", 0.55)
        seen = read_until(screen, b"Current Run Cost: $13.00")
        process.send_signal(number)
        rest = read_until(screen, b"\x1b[?25h")
        said = process.communicate(timeout=30)[1]
    finally:
        process.kill()
        process.wait()
        os.close(screen)
        os.close(end)

    assert (code, b"") == (process.returncode, said.strip())
    assert b"\x1b[" in seen
    assert b"Traceback" not in rest


def test_frames_stream_into_a_program(busy: Shop) -> None:
    """
    With `--json` and `--interval` a program gets a frame a line, until it goes away.
    """
    process = start(busy, "--json", "--interval", "100ms", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        frames = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.stdout.close()
        assert 0 == process.wait(timeout=30)
        assert b"" == process.stderr.read()
    finally:
        process.kill()
        process.stderr.close()

    assert ["run-7"] * 3 == [frame["run"]["id"] for frame in frames]
