"""`policyctl ledger` and `policyctl budget`: money as a person sees it."""

from __future__ import annotations

import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import policyctl
from policyctl.deciding import Engine
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Attempt, Usage
from policyctl.schemas.policy import NANO

from .command import Ran, call

SCHEMAS = Path(policyctl.__file__).parent / "schemas"
POLICY = """\
timezone UTC
model small is anthropic/claude-haiku-4-5 costs $1 in, $1 out can nothing
model large is openai/gpt-4o costs $2 in, $2 out can nothing
tier low  from complexity 0 has small
tier high from complexity 5 has large
budget monthly is $10 per month
  at 50%  warn
  at 75%  downgrade 1 tier
  at 100% pause
budget openai is $2 per day for provider openai
  at 100% pause
budget one_story is $1 per story
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """
    A checkout with a policy.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.policy").write_text(POLICY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def till(shop: Path) -> Path:
    """
    The same with a ledger.
    """
    assert 0 == call("ledger", "init", at=shop).code
    return shop


def spend(till: Path, usd: float, model: str = "small", story: str | None = None) -> None:
    """
    Spend money on a model.
    """
    folder = till / ".claude-loop"
    policy = Engine.load(till / "shop.policy").policy
    nusd = int(usd * NANO)
    with Ledger(folder / "policyctl.db", policy, log=folder / "logs" / "provider_usage.jsonl") as ledger:
        key = f"{model}:{nusd}:{len(ledger.spend())}:{story}"
        call_ = Attempt(
            key=key, provider=policy.models[model].provider, model=model, most_nusd=nusd, story_id=story
        )
        ledger.reserve(call_, send=True)
        ledger.commit(key, Usage(input_tokens=1, output_tokens=1, cost_nusd=nusd))


def valid(name: str, ran: Ran) -> Any:
    """
    The JSON of a run, which fits its schema.
    """
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert [] == [e.message for e in Draft202012Validator(schema).iter_errors(ran.json)]
    return ran.json


# --- the ledger ---------------------------------------------------------------------------------------


def test_init_makes_a_ledger_that_only_its_owner_reads(shop: Path) -> None:
    """
    `ledger init` makes the file and its folder for their owner alone; again, it leaves them as they are.
    """
    first, again = (call("ledger", "init", at=shop) for _ in range(2))
    file = shop / ".claude-loop" / "policyctl.db"

    assert ("ok  made a ledger: .claude-loop/policyctl.db\n", 0) == (first.out, first.code)
    assert ("ok  there is a ledger: .claude-loop/policyctl.db\n", 0) == (again.out, again.code)
    assert [0o600, 0o700] == [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)]


def test_a_ledger_is_found_upward_and_by_name(till: Path) -> None:
    """
    The ledger is found from a folder below; --ledger, POLICYCTL_LEDGER and the settings name another.
    """
    below = till / "src"
    below.mkdir()
    (till / "policyctl.toml").write_text('ledger = "of-settings.db"\n', encoding="utf-8")
    by_settings = call("ledger", "init", at=below)
    by_env = call("ledger", "init", at=below, env={"POLICYCTL_LEDGER": str(till / "of-env.db")})
    by_flag = call("ledger", "init", "--ledger", "../of-flag.db", at=below)
    (till / "policyctl.toml").unlink()

    assert (0, 0, 0) == (by_settings.code, by_env.code, by_flag.code)
    assert {"of-settings.db", "of-env.db", "of-flag.db"} <= {path.name for path in till.iterdir()}
    assert "ok  ledger ../.claude-loop/policyctl.db" in call("ledger", "check", at=below).out


@pytest.mark.parametrize(
    "words", ["ledger check", "budget", "budget raise monthly 20", "budget pause monthly"]
)
def test_without_a_ledger_one_is_asked_for(shop: Path, words: str) -> None:
    """
    A verb that needs a ledger says how to make one; it never makes an empty one by itself.
    """
    ran = call(*words.split(), at=shop)
    named = call(*words.split(), "--ledger", "none-here.db", at=shop)

    assert (2, "") == (ran.code, ran.out)
    assert "no ledger was found here or above; policyctl ledger init makes one" in ran.err
    assert (2, "") == (named.code, named.out)
    assert "there is no ledger at none-here.db" in named.err
    assert not (shop / "none-here.db").exists()


def test_check_says_what_is_there(till: Path) -> None:
    """
    `ledger check` counts, and finds nothing wrong with a ledger that is fine.
    """
    spend(till, 0.25)
    ran = call("ledger", "check", at=till)

    assert 0 == ran.code
    assert ran.out.splitlines() == [
        "ok  ledger .claude-loop/policyctl.db",
        "  attempts  1, $0.2500 spent",
        "  open      0 holds, $0.0000 held",
    ]
    assert (True, 1, 250_000_000) == tuple(
        valid("ledger", call("ledger", "check", "--json", at=till))[key]
        for key in ("ok", "attempts", "spent_nusd")
    )


def test_check_finds_what_was_tampered_with(till: Path) -> None:
    """
    A sum that isn't its rows' and a line that was taken away are found, with exit code 1; sums can be mended.
    """
    spend(till, 0.25)
    spend(till, 0.5)
    with sqlite3.connect(till / ".claude-loop" / "policyctl.db") as db:
        db.execute("UPDATE windows SET spent_nusd = 7 WHERE period = 'month'")
    db.close()
    (till / ".claude-loop" / "logs" / "provider_usage.jsonl").write_text("")
    found = call("ledger", "check", at=till)
    mended = call("ledger", "check", "--mend", at=till)
    after = call("ledger", "check", "--json", at=till)

    assert (1, 1) == (found.code, mended.code)
    assert "wrong: month 2" in found.out
    assert "its attempts say $0.75 and $0" in found.out
    assert "provider_usage.jsonl lacks 1 line of this ledger" in found.out
    assert ["log"] == [problem["where"] for problem in valid("ledger", after)["problems"]]


@pytest.mark.parametrize(
    ("words", "meant"),
    [("ledger chekc", "check"), ("budget paus monthly", "pause"), ("budget pause montly", "monthly")],
)
def test_a_misspelt_word_gets_a_suggestion(till: Path, words: str, meant: str) -> None:
    """
    Verbs of verbs, and budgets, are suggested where they are misspelt.
    """
    ran = call(*words.split(), at=till)

    assert (2, "") == (ran.code, ran.out)
    assert f"id you mean {meant}?" in ran.err.replace("'", "").replace("`", "")


# --- budgets --------------------------------------------------------------------------------------------


def budgets(till: Path, *words: str, **env: str) -> dict[str, Any]:
    """
    The budgets by name.
    """
    document = valid("budget", call("budget", *words, "--json", at=till, env=env))
    return {budget["name"]: budget for budget in document["budgets"]}


def test_status_has_every_scope(till: Path) -> None:
    """
    Money counts in each budget that it belongs to: the whole, its provider, its story.
    """
    spend(till, 6, "small", story="US-1")
    spend(till, 0.5, "large")
    found = budgets(till, "--story", "US-1")

    assert [6_500_000_000, 500_000_000, 6_000_000_000] == [b["spent_nusd"] for b in found.values()]
    assert ["at 50% warn", None, None] == [(b["level"] or {}).get("text") for b in found.values()]
    assert [65.0, 25.0, 600.0] == [b["spent_percent"] for b in found.values()]
    assert None is budgets(till)["one_story"]["window"]


def test_the_status_page(till: Path) -> None:
    """
    The page says what is spent, of what, and which level is in force and comes next.
    """
    spend(till, 6)
    ran = call("budget", at=till)

    assert (0, "") == (ran.code, ran.err)
    assert "monthly  $10 per month\n" in ran.out
    assert "  spent      $6.00 of $10.00 (60.0%)\n" in ran.out
    assert "at 50% warn; next at 75% downgrade 1 tier ($7.50)\n" in ran.out
    assert "openai  $2 per day for provider openai\n" in ran.out
    assert "  window  none: say which story with --story\n" in ran.out
    assert [] == [line for line in ran.out.splitlines() if len(line) > 80]


def test_raise_holds_for_the_window(till: Path) -> None:
    """
    A raised limit is in force at once; less than there is isn't raised.
    """
    spend(till, 6)
    ran = call("budget", "raise", "monthly", "$20", at=till)
    less = call("budget", "raise", "monthly", "20", at=till)
    odd = call("budget", "raise", "monthly", "much", at=till)
    monthly = budgets(till)["monthly"]

    assert (0, True) == (ran.code, ran.out.startswith("budget monthly is $20, up from $10 until "))
    assert (2, 2) == (less.code, odd.code)
    assert "budget monthly has a limit of $20; raise it to more" in less.err
    assert "USD much: that is no amount of money" in odd.err
    assert (20_000_000_000, True, None) == (monthly["limit_nusd"], monthly["raised"], monthly["level"])


def test_pause_and_resume(till: Path) -> None:
    """
    A person pauses a budget and resumes it; what ran out needs more than that.
    """
    paused, again = (call("budget", "pause", "monthly", at=till) for _ in range(2))
    is_paused = budgets(till)["monthly"]["paused"]
    resumed, not_paused = (call("budget", "resume", "monthly", at=till) for _ in range(2))
    spend(till, 10)
    used_up = call("budget", "resume", "monthly", at=till)

    assert ("budget monthly is paused\n", "budget monthly is paused, as it was\n") == (paused.out, again.out)
    assert is_paused
    assert ("budget monthly is resumed\n", "budget monthly wasn't paused\n") == (resumed.out, not_paused.out)
    assert "it is used up; policyctl budget raise monthly USD gives it more" in used_up.err


def test_the_monthly_limit_of_the_environment(till: Path, shop: Path) -> None:
    """
    MONTHLY_COST_BUDGET sets the monthly limit, also where the policy has none; nonsense is an error.
    """
    assert 100_000_000_000 == budgets(till, MONTHLY_COST_BUDGET="100")["monthly"]["limit_nusd"]
    odd = call("budget", at=till, env={"MONTHLY_COST_BUDGET": "lots"})
    (shop / "shop.policy").write_text(POLICY.partition("budget")[0], encoding="utf-8")
    spend_it = budgets(till, MONTHLY_COST_BUDGET="$3.50")["monthly"]

    assert (2, True) == (odd.code, "MONTHLY_COST_BUDGET lots: that is no amount of money" in odd.err)
    assert (3_500_000_000, "at 75% warn") == (spend_it["limit_nusd"], spend_it["next_level"]["text"])
    assert (
        "no budgets: the policy has none, and MONTHLY_COST_BUDGET isn't set\n" in call("budget", at=till).out
    )


# --- in and out -----------------------------------------------------------------------------------------


def test_record_counts_a_call_once(till: Path) -> None:
    """
    `ledger record` prices a call by the policy, under any name of the model, and counts it once a key.
    """
    words = "ledger record --model small --input-tokens 1M --output-tokens 500k --story US-1 --id x".split()
    first, again = (call(*words, at=till) for _ in range(2))
    unpriced = call("ledger", "record", "--model", "small", "--input-tokens", "5", at=till)
    unknown = call("ledger", "record", "--model", "smal", "--cost", "1", at=till)

    assert ("ok  x is counted\n", "ok  x was counted before\n") == (first.out, again.out)
    assert [1_500_000_000, 0, 1_500_000_000] == [
        b["spent_nusd"] for b in budgets(till, "--story", "US-1").values()
    ]
    assert (2, 2) == (unpriced.code, unknown.code)
    assert "neither a cost nor a price is known for `small`" in unpriced.err
    assert "unknown model `smal`\n  help: did you mean `small`?" in unknown.err


def test_import_tells_what_it_left_out(till: Path) -> None:
    """
    `ledger import` counts, warns of what it left out with the line's number, and knows a log again.
    """
    line = '{"timestamp": "2026-01-05T10:00:00Z", "model": "small", "cost_usd": 0.5}\n'
    (till / "old.jsonl").write_text(line + '{"torn": \n' + line.replace("0.5", "-1"), encoding="utf-8")
    first = call("ledger", "import", "old.jsonl", at=till)
    again = valid("ledger-import", call("ledger", "import", "old.jsonl", "--json", at=till))
    none = call("ledger", "import", "none.jsonl", at=till)

    assert (0, "ok  old.jsonl: 3 lines, 1 new, $0.5000, 2 left out\n") == (first.code, first.out)
    assert "warning: old.jsonl: line 2 is left out: it is no object of JSON" in first.err
    assert "line 3 is left out: `cost_usd` can't be -1" in first.err
    assert (0, 1, 2) == tuple(again["files"][0][key] for key in ("new", "known", "skipped"))
    assert (2, True) == (none.code, "none.jsonl can't be read: No such file or directory" in none.err)


def test_export_and_compact(till: Path) -> None:
    """
    `ledger export` writes lines to standard output, a new file or in place of the log; `compact` makes room.
    """
    spend(till, 0.25)
    log = till / ".claude-loop" / "logs" / "provider_usage.jsonl"
    log.write_text("spoilt\n")
    shown = call("ledger", "export", at=till)
    filed, again = (call("ledger", "export", "x.jsonl", at=till) for _ in range(2))
    rebuilt = call("ledger", "export", "--rebuild", at=till)
    compact = call("ledger", "compact", "--before", "2020-01-01", at=till)
    odd = call("ledger", "compact", "--before", "long ago", at=till)

    assert 0.25 == json.loads(shown.out)["cost_usd"] == json.loads((till / "x.jsonl").read_text())["cost_usd"]
    assert ("ok  x.jsonl: 1 line\n", 2) == (filed.out, again.code)
    assert "ok  .claude-loop/logs/provider_usage.jsonl: 1 line\n" == rebuilt.out
    assert 0.25 == json.loads(log.read_text())["cost_usd"]
    assert "ok  .claude-loop/policyctl.db is compact, without 0 calls from before 2020-01-01\n" == compact.out
    assert (2, True) == (odd.code, "that is no day; write 2026-01-05" in odd.err)
    assert 0 == call("ledger", "check", at=till).code


# --- decisions ------------------------------------------------------------------------------------------


def tier(till: Path, *words: str, **env: str) -> str:
    """
    The tier that a hard request gets; the exit code, where it gets none.
    """
    ran = call("select", "--complexity", "7", "--json", *words, at=till, env=env)
    return str(ran.json["tier"]) if ran.code == 0 else str(ran.code)


def test_decisions_go_by_the_ledger(till: Path) -> None:
    """
    The levels are those that the ledger's spend reaches; --spend and --ledger none stand in place of it.
    """
    before = tier(till)
    spend(till, 8)

    assert ("high", "low") == (before, tier(till))
    assert "high" == tier(till, "--ledger", "none")
    assert "high" == tier(till, "--spend", "monthly=0")
    assert "high" == tier(till, "--at", "2030-01-05T10:00")
    assert "4" == tier(till, MONTHLY_COST_BUDGET="8")
    assert 0 == call("budget", "raise", "monthly", "100", at=till).code
    assert "high" == tier(till)
    assert 0 == call("budget", "pause", "monthly", at=till).code
    assert "4" == tier(till)


def test_pages_say_which_ledger_they_go_by(till: Path) -> None:
    """
    `explain` and `plan` name the ledger beside their data.
    """
    (till / "prd.json").write_text('{"stories": [{"id": "S-1", "complexity": 7}]}', encoding="utf-8")
    spend(till, 8)
    said = "note: spend by .claude-loop/policyctl.db; --ledger none leaves it out\n"
    explained = call("explain", "--complexity", "7", at=till)
    planned = call("plan", at=till)

    assert (said, said) == (explained.err, planned.err)
    assert "monthly" in explained.out
    assert "monthly  at 75% downgrade 1 tier  from the start" in planned.out
    assert "" == call("plan", "--ledger", "none", at=till).err


@pytest.mark.parametrize("verb", ["select --complexity 7", "explain --complexity 7", "plan"])
def test_a_ledger_that_cannot_answer_is_no(till: Path, verb: str) -> None:
    """
    Where a budget applies and the ledger can't be read, nothing is chosen.
    """
    (till / "prd.json").write_text('{"stories": [{"id": "S-1", "complexity": 7}]}', encoding="utf-8")
    (till / ".claude-loop" / "policyctl.db").write_bytes(b"spoilt" * 1000)
    ran = call(*verb.split(), at=till)

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.startswith("error: .claude-loop/policyctl.db is no ledger")
