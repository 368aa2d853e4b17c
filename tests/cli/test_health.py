"""`policyctl health`: what the ledger says of each model, and what follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyctl import Ledger
from policyctl.deciding import Engine
from policyctl.schemas.ledger import Attempt, Usage

from .command import Ran, call

POLICY = """\
model good  is offline/good  costs $1 in, $4 out  can nothing
model weak  is offline/weak  costs $1 in, $4 out  can nothing
model slow  is offline/slow  costs $1 in, $4 out  can nothing
model dead  is offline/dead  costs $1 in, $4 out  can nothing
model idle  is offline/idle  costs $1 in, $4 out  can nothing
model once  is offline/once  costs $1 in, $4 out  can nothing
model locked is openai/gpt-5 costs $1 in, $4 out  can nothing  key NO_SUCH_KEY
tier single from complexity 0 has good, weak, slow, dead, idle, once, locked
fallback to dead, good
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    A folder with a ledger in which each model has a past of its own.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "policyctl.policy").write_text(POLICY, encoding="utf-8")
    engine = Engine.load(tmp_path / "policyctl.policy")
    with Ledger(tmp_path / ".claude-loop" / "policyctl.db", engine.policy, create=True) as ledger:

        def past(model: str, answers: int, failures: int, latency_ms: int = 100) -> None:
            for number in range(answers + failures):
                attempt = Attempt(key=f"{model}:{number}:1", provider="offline", model=model, most_nusd=10)
                error = None if number < answers else "connection"
                ledger.record(
                    attempt,
                    Usage(cost_nusd=1, latency_ms=latency_ms, success=error is None, error=error),
                )

        past("good", 20, 0)
        past("weak", 8, 2)
        past("slow", 10, 0, 45_000)
        past("dead", 0, 4)
        past("once", 0, 1)
    return tmp_path


def states(ran: Ran) -> dict[str, str]:
    """
    The state of each model.
    """
    return {model["model"]: model["state"] for model in ran.json["models"]}


def test_each_model_has_its_state(here: Path) -> None:
    """
    Answers, failures, slowness and silence each have a word; where one is down the exit code is 1.
    """
    ran = call("health", "--json", at=here)

    assert 1 == ran.code
    assert {
        "good": "healthy",
        "weak": "degraded",
        "slow": "degraded",
        "dead": "down",
        "idle": "unknown",
        "once": "unknown",
        "locked": "no key",
    } == states(ran)
    dead = next(model for model in ran.json["models"] if model["model"] == "dead")
    assert (4, 0, "connection") == (dead["calls"], dead["answers"], dead["last_error"])


def test_a_recommendation_for_each_that_is_not_well(here: Path) -> None:
    """
    Who takes over is named, and what to set where a key is missing.
    """
    ran = call("health", at=here)

    assert "✓ healthy" in ran.out
    text = " ".join(ran.out.split())
    assert "dead is down: none of 4 calls was answered (connection); requests go on to good" in text
    assert "weak is degraded: 2 of 10 calls failed (connection); good is next in line" in text
    assert "set NO_SUCH_KEY to ask locked" in text
    assert all(len(line) <= 80 for line in ran.out.splitlines())


def test_a_probe_asks_each_model(here: Path) -> None:
    """
    --probe sends something short to each model that has a key, and one answer makes it known.
    """
    ran = call("health", "--probe", "--json", at=here)

    assert ran.json["probed"]
    assert "healthy" == states(ran)["idle"]
    assert "no key" == states(ran)["locked"]


def test_without_a_ledger_nothing_is_known(tmp_path: Path) -> None:
    """
    Without a ledger every model is unknown, and the note says how to make one.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "policyctl.policy").write_text(POLICY, encoding="utf-8")
    ran = call("health", "--json", at=tmp_path)

    assert {"unknown", "no key"} == set(states(ran).values())
    assert "policyctl ledger init" in ran.err
