"""A router tells the alerts of its policy, and no request waits for that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policyctl.router import Router
from policyctl.schemas.errors import RoutingError, SettingError

from ..cli.command import call
from ..ledger.alerts.receivers import SECRET, a_hook
from .world import CHAIN

POLICY = (
    CHAIN
    + "alert dear_story when story_cost is above $0.006 webhook env HOOK\n"
    + "alert dear_day when daily_cost is above $0.006 log\n"
)
SCRIPT = {"steps": [{"tokens": {"input": 20, "output": 1000}, "text": "yes"}] * 3}


LEDGER = ".claude-loop/policyctl.db"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """
    A checkout with a policy and what its models answer.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.policy").write_text(POLICY, encoding="utf-8")
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT), encoding="utf-8")
    return tmp_path


def test_a_router_tells_the_alerts_of_its_policy(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What its calls cross is told once, by the channels of the policy, when it is closed at the latest.
    """
    monkeypatch.chdir(shop)
    with a_hook() as hook:
        monkeypatch.setenv("POLICYCTL_ALERTS_ALLOW", hook.origin)
        script, environ = shop / "script.json", {"HOOK": hook.url}
        with Router.load("shop.policy", ledger=LEDGER, offline=script, environ=environ) as router:
            costs = [router.complete("hello", complexity=1, story_id="US-1").cost_nusd for _ in range(3)]
    lines = (shop / ".claude-loop" / "logs" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()

    assert [4_020_000] * 3 == costs
    assert ["story US-1"] == [received.json["window"] for received in hook.got]
    assert ["dear_day"] == [json.loads(line)["alert"] for line in lines]


def test_a_budget_without_room_is_told(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where a budget refuses what a request may cost, its `pause` is told, though less is spent than its limit.
    """
    monkeypatch.chdir(shop)
    (shop / "shop.policy").write_text(CHAIN + "budget daily is $0.0001 per day\n  at 100% pause\n")
    with Router.load("shop.policy", ledger=LEDGER, offline=True) as router, pytest.raises(RoutingError):
        router.complete("hello", complexity=1)
    lines = (shop / ".claude-loop" / "logs" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()

    assert [("daily at 100%", True)] == [
        (line["alert"], "has $0.0000 of $0.0001 spent and refused a call" in line["text"])
        for line in map(json.loads, lines)
    ]


def test_the_command_tells_them_too(shop: Path) -> None:
    """
    So does the command, where it writes into a ledger; where money is only pretended nobody is told.
    """
    (shop / "script.json").write_text(json.dumps({"steps": SCRIPT["steps"] + SCRIPT["steps"]}))
    with a_hook() as hook:
        env = {"HOOK": hook.url, "POLICYCTL_ALERTS_ALLOW": hook.origin}
        words = ("complete", "hello", "--complexity", "8", "--script", "script.json")
        pretended = call(*words, at=shop, env=env)
        nobody = len(hook.got) + (shop / ".claude-loop").exists()
        assert 0 == call("ledger", "init", at=shop).code
        real = call(*words, "--ledger", ".claude-loop/policyctl.db", at=shop, env=env)
    told = (shop / ".claude-loop" / "logs" / "alerts.jsonl").read_text(encoding="utf-8")

    assert (0, 0, 0) == (pretended.code, real.code, nobody)
    assert "dear_day" in told
    assert SECRET not in told + real.out + real.err


def test_a_machine_s_setting_that_can_t_be_is_told_at_once(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A router that couldn't tell its alerts isn't made.
    """
    monkeypatch.chdir(shop)
    monkeypatch.setenv("POLICYCTL_SMTP_HOST", "mail.example.com")

    with pytest.raises(SettingError, match="`smtp_from` must be an e-mail address"):
        Router.load("shop.policy", offline=True)
