"""`policyctl complete` and `policyctl run`: requests that are sent, to models that answer by a script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from policyctl import Ledger
from policyctl.deciding import Engine

from .command import ENTRY, Ran, call, spawn, without_columns

POLICY = """\
model small  is offline/small  costs $1 in, $4 out    can tools
model middle is offline/middle costs $2 in, $8 out    can tools, vision
model large  is offline/large  costs $10 in, $40 out  can tools, vision
tier cheap    from complexity 0 has small
tier medium   from complexity 3 has middle
tier powerful from complexity 6 has large
budget daily is $1 per day
  at 100% pause
fallback to middle, large
retry 2 attempts wait 0s
escalate to next tier when gate tests fails
"""
PRD = {
    "project": "shop",
    "userStories": [
        {
            "id": "US-1",
            "title": "Sort the orders",
            "description": "By day, newest first.",
            "acceptanceCriteria": ["The list is sorted"],
            "complexity": 1,
        }
    ],
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    A folder with a policy, a PRD and nothing else.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "policyctl.policy").write_text(POLICY, encoding="utf-8")
    (tmp_path / "prd.json").write_text(json.dumps(PRD), encoding="utf-8")
    return tmp_path


def answer(here: Path, *words: str, steps: list[dict[str, Any]] | None = None, **more: Any) -> Ran:
    """
    Run a verb with a script for the models.
    """
    (here / "script.json").write_text(json.dumps({"steps": steps or []}), encoding="utf-8")
    return call(*words, "--script", "script.json", at=here, **more)


def test_the_answer_goes_to_stdout_and_all_else_to_stderr(here: Path) -> None:
    """
    What a program pipes on is the answer alone.
    """
    ran = answer(here, "complete", "hello", "--complexity", "1", steps=[{"text": "two\nlines"}])

    assert (0, "two\nlines\n") == (ran.code, ran.out)
    assert "[primary] Attempting small (attempt 1)\n" in ran.err


def test_attempts_are_told_as_they_happen(here: Path) -> None:
    """
    Each attempt, failure and fallback is a line on stderr; --quiet tells nothing.
    """
    steps = [{"model": "small", "fail": "rate_limit"}]
    told = answer(here, "complete", "hello", "--complexity", "1", steps=steps)
    quiet = answer(here, "complete", "hello", "--complexity", "1", "-q", steps=steps)

    assert [
        "[primary] Attempting small (attempt 1)",
        "[failure] small attempt 1 failed: rate_limit: the provider's rate limit is reached; again in 0.0 s",
        "[primary] Attempting small (attempt 2)",
        "[failure] small attempt 2 failed: rate_limit: the provider's rate limit is reached",
        "[fallback] Attempting middle (attempt 1)",
    ] == told.err.splitlines()[:5]
    assert "middle answered:" in told.err
    assert "" == quiet.err


@pytest.mark.parametrize(
    ("words", "steps", "code", "err"),
    [
        (["--requires-audio"], [], 3, "no model: "),
        (["--max-output-tokens", "1000000"], [], 4, "budget `daily` has"),
        ([], [{"fail": "auth"}], 5, "every step failed: small (auth), middle (auth), large (auth)"),
        (["--check", "tests=false"], [], 6, "gate tests failed, and no tier is left to rise to"),
        (["--check", "tests=true"], [], 0, "small answered"),
        (["--model", "large"], [], 0, "large answered"),
        (["--model", "larg"], [], 2, "did you mean `large`?"),
        (["--deadline", "soon"], [], 2, "write 500ms, 30s, 5m or 2h"),
        (["--check", "tests"], [], 2, "write NAME=COMMAND"),
        (["--check", "tests=no-such-program"], [], 2, "`no-such-program` isn't on PATH"),
        (["--schema", "none.json"], [], 2, "No such file"),
    ],
)
def test_how_a_run_ends_is_its_exit_code(
    here: Path, words: list[str], steps: list[dict[str, Any]], code: int, err: str
) -> None:
    """
    0 for an answer, 3 no model, 4 a budget, 5 every step failed, 6 a gate, 2 a command line that can't be.
    """
    ran = answer(here, "complete", "hello", "--complexity", "1", *words, steps=steps)

    assert code == ran.code, ran.err
    if code != 3:
        assert err in ran.err


def test_a_story_is_asked_in_its_own_words(here: Path) -> None:
    """
    `run` sends title, description and criteria; the command that checks sees the answer on its stdin.
    """
    check = f"saw={sys.executable} -c \"import sys; sys.exit(sys.stdin.read() != 'done')\""
    ran = answer(here, "run", "--story", "US-1", "--check", check, "--json", steps=[{"text": "done"}])

    assert 0 == ran.code, ran.err
    document = ran.json
    assert ("US-1", "small", "done") == (document["story"], document["model"], document["text"])
    # 18 tokens of four characters: more than the title alone has.
    assert document["attempts"][0]["input_tokens"] > 15


def test_a_raised_tier_has_a_primary_of_its_own(here: Path) -> None:
    """
    After a failed gate the first model of the next tier is no fallback.
    """
    check = f"tests={sys.executable} -c \"import sys; sys.exit(sys.stdin.read() != 'right')\""
    steps = [{"model": "small", "text": "wrong"}, {"model": "middle", "text": "right"}]
    ran = answer(here, "complete", "hello", "--complexity", "1", "--check", check, steps=steps)

    assert 0 == ran.code, ran.err
    assert "[changed] the tier is medium now" in ran.err
    assert "[primary] Attempting middle (attempt 1)" in ran.err
    assert "[fallback]" not in ran.err


def test_run_needs_a_story(here: Path) -> None:
    """
    Without --story, the error shows how it is given.
    """
    ran = call("run", at=here)

    assert 2 == ran.code
    assert "which story? policyctl run --story US-042" in ran.err


def test_the_prompt_may_come_from_a_pipe(here: Path) -> None:
    """
    Without a prompt it is read from standard input; an empty one is an error.
    """
    said = subprocess.run(
        [sys.executable, "-c", ENTRY, "complete", "--complexity", "1", "--offline", "-q"],
        cwd=here,
        env=without_columns(),
        input=b"hello",
        capture_output=True,
        timeout=60,
        check=False,
    )
    empty = spawn("complete", "--complexity", "1", "--offline", at=here)

    assert (0, b"An offline answer in place of small.\n") == (said.returncode, said.stdout)
    assert 2 == empty.code
    assert "what is the prompt?" in empty.err


def test_a_stream_prints_the_same_answer(here: Path) -> None:
    """
    --stream prints pieces as they come; together they are the answer.
    """
    steps = [{"pieces": ["one ", "two"]}]
    ran = answer(here, "complete", "hello", "--complexity", "1", "--stream", steps=steps)

    assert (0, "one two\n") == (ran.code, ran.out)


def test_what_would_act_on_a_terminal_is_made_visible(here: Path) -> None:
    """
    An answer can't move the cursor, ring the bell or hide its text.
    """
    ran = answer(here, "complete", "hello", "--complexity", "1", steps=[{"text": "a\x1b[2Jb\x07"}])

    assert "a\\x1b[2Jb\\x07\n" == ran.out


def test_what_is_spent_is_written_down_where_nobody_plays(here: Path) -> None:
    """
    A real run makes the ledger beside the loop's files; an offline one leaves it alone, unless it is named.
    """
    answer(here, "complete", "hello", "--complexity", "1")
    assert not (here / ".claude-loop").exists()

    ran = answer(here, "complete", "hello", "--complexity", "1", "--ledger", "money/policyctl.db")
    assert 0 == ran.code, ran.err
    (line,) = (here / "money" / "logs" / "provider_usage.jsonl").read_text(encoding="utf-8").splitlines()
    assert "small" == json.loads(line)["model"]


def test_neither_prompt_nor_answer_is_written_down(here: Path) -> None:
    """
    Not in the ledger, not in the log, not in what is told: neither on success nor on failure.
    """
    steps = [{"model": "small", "fail": "server_error"}, {"text": "canary-answer"}]
    words = ["complete", "canary-prompt", "--complexity", "1", "--ledger", "money/policyctl.db"]
    ran = answer(here, *words, steps=steps)

    assert "canary-prompt" not in ran.out + ran.err
    for path in (here / "money").rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes(), path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_settles_and_ends(here: Path, number: int, code: int) -> None:
    """
    Ctrl-C ends a run soon, with 130 (143 for TERM), and no hold stays open.
    """
    (here / "script.json").write_text('{"steps": [{"delay_s": 60}]}', encoding="utf-8")
    words = ["complete", "hello", "--complexity", "1", "--script", "script.json", "--ledger", "m/p.db"]
    with subprocess.Popen(
        [sys.executable, "-c", ENTRY, *words],
        cwd=here,
        env=without_columns(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as process:
        assert process.stderr is not None
        assert b"Attempting small" in process.stderr.readline()
        os.kill(process.pid, number)
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
        took_s = time.monotonic() - began

    assert code == process.returncode
    assert b"Traceback" not in err
    assert took_s < 5  # a second, on a machine that has nothing else to do
    with Ledger(here / "m" / "p.db", Engine.load(here / "policyctl.policy").policy) as ledger:
        spend = ledger.spend()["daily"]
    assert 0 == spend.held_nusd
    assert spend.spent_nusd > 0  # it may be billed: nobody knows


def test_a_check_ends_with_its_run(here: Path) -> None:
    """
    A check that hangs is ended with its children when the deadline comes.
    """
    check = "slow=sh -c 'sleep 60 & echo $! > child; wait'"
    words = ["--complexity", "1", "--deadline", "1s", "--check", check]
    ran = answer(here, "complete", "hello", *words)

    assert 6 == ran.code, ran.err
    pid = int((here / "child").read_text(encoding="ascii"))
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the check's child is still there")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hi", "--script", "nowhere.json"], "nowhere.json: the script can't be read"),
        (["hi", "--check", "a=true", "--check", "a=false"], "--check a= is there twice"),
        (["hi", "--check", "a=./plain"], "plain` can't be run: Exec format error"),
        (["hi", "--check", 'a="open'], '`"open` is no command'),
        ([""], "the prompt is empty"),
        ([os.fsdecode(b"\xff")], "holds characters that no text has"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(here: Path, words: list[str], said: str) -> None:
    """
    A mistake in the command line is told as one, with exit code 2, and is no failure of a model.
    """
    (here / "plain").write_text("exit 0", encoding="utf-8")
    (here / "plain").chmod(0o755)
    ran = call("complete", *words, "--offline", "--complexity", "1", at=here)

    assert 2 == ran.code
    assert said in ran.err
    assert "Traceback" not in ran.err and "[failure]" not in ran.err


def test_a_failure_is_told_once(here: Path) -> None:
    """
    How a run ended, and why, is a sentence that doesn't repeat itself.
    """
    ran = answer(here, "complete", "hi", "--complexity", "1", steps=[{"fail": "auth"}])

    assert "every step failed: small (auth), middle (auth), large (auth)" == ran.err.splitlines()[-1]


@pytest.mark.parametrize("how", ["--stream", "--no-stream"])
def test_an_answer_fits_what_shows_it(here: Path, how: str) -> None:
    """
    A terminal that can't show a character shows a question mark.
    """
    script = [{"text": "caf\u00e9 \u2603"}]
    words = ("complete", "hi", "--complexity", "1", how)
    ran = answer(here, *words, steps=script, encoding="ascii")

    assert (0, "caf? ?\n") == (ran.code, ran.out)


def test_a_schema_is_followed_or_it_is_a_failure(here: Path) -> None:
    """
    An answer that doesn't follow the schema makes it the next model's turn.
    """
    (here / "s.json").write_text('{"type": "object", "required": ["rivers"]}', encoding="utf-8")
    steps = [{"model": "small", "text": "no JSON"}, {"model": "middle", "text": '{"rivers": ["Rhine"]}'}]
    ran = answer(here, "complete", "hi", "--complexity", "1", "--schema", "s.json", "--json", steps=steps)

    assert '{"rivers": ["Rhine"]}' == ran.json["text"]
    assert ["bad_response", None] == [attempt["kind"] for attempt in ran.json["attempts"]]


def test_a_model_without_its_key_is_skipped_with_the_reason(here: Path) -> None:
    """
    What the chain would have is named where its key is missing, and the next model answers.
    """
    policy = POLICY.replace("small  is offline/small ", "small is openai/gpt-5").replace(
        "can tools\n", "can tools  key NO_SUCH_KEY\n", 1
    )
    (here / "policyctl.policy").write_text(policy, encoding="utf-8")
    ran = call("complete", "hello", "--complexity", "1", at=here)

    assert 0 == ran.code, ran.err
    assert "[skipped] small: no key: NO_SUCH_KEY isn't set\n" in ran.err
    assert "middle answered" in ran.err
