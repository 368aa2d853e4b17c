"""The older YAML form's time rules, budgets, alerts and retries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyctl import Engine
from policyctl.deciding import price_book
from policyctl.policy.check import check_text
from policyctl.policy.load import load_text

from .older_files import CASES, EXAMPLE, converted, found_in, listed, policy_of, text_of, told

# --- time rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "switched", "branch", "tier"),
    [
        ("2026-01-05T10:00", "yes", "", "cheap"),
        ("2026-01-05T17:00", "yes", "", "medium"),
        ("2026-01-10T10:00", "yes", "", "medium"),
        ("2026-01-05T03:00", "yes", "", "medium"),
        ("2026-01-06T03:00", "yes", "", "medium"),
        ("2026-01-05T10:00", "no", "", "medium"),
        ("2026-01-05T10:00", "yes", "main", "powerful"),
        ("2026-01-05T10:00", "no", "main", "powerful"),
        ("2026-01-05T10:00", "no", "maintenance", "medium"),
    ],
)
def test_triggers_count_always_and_schedules_when_switched_on(
    moment: str, switched: str, branch: str, tier: str
) -> None:
    """
    The branch is looked at before the clock, and the clock only with ENABLE_TIME_RULES.
    """
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    engine = Engine.load(CASES / "time_rules.yaml")

    assert tier == engine.decide(complexity=4, branch=branch, time_rules=switched, now=now).tier


@pytest.mark.parametrize(
    ("schedule", "window"),
    [
        ("Mon-Fri 9am-5pm", "Mon to Fri 09:00 to 17:00"),
        ("mon-fri 9AM - 5PM", "Mon to Fri 09:00 to 17:00"),
        ("Monday-Friday 9:30am-12pm", "Mon to Fri 09:30 to 12:00"),
        ("Sat 12am-12pm", "Sat 00:00 to 12:00"),
        ("Sat-Sun all day", "Sat to Sun all day"),
        ("Mon, Wed 22:00-06:00", "Mon, Wed 22:00 to 06:00"),
        ("Fri to Mon 18:00 to 24:00", "Fri to Mon 18:00 to 24:00"),
        ("Mon-Fri 5pm-9am, Sat-Sun all day", "Mon to Fri 17:00 to 09:00, Sat to Sun all day"),
    ],
)
def test_schedules_are_windows(schedule: str, window: str) -> None:
    """
    Days and hours in the old spelling are the spans of a window.
    """
    text = f'timeRules:\n  - {{name: w, schedule: "{schedule}", preferred_tier: cheap}}'
    example = EXAMPLE.read_text(encoding="utf-8").replace("\nend\n", "\n")
    expected = check_text(f"{example}window w is {window}", price_book())

    assert expected.policy is not None
    assert expected.policy.policy.windows["w"].spans == policy_of(text).windows["w"].spans


@pytest.mark.parametrize(
    "schedule",
    [
        *("Mon-Fri", "9am-5pm", "Mon-Fri 9-5", "Mon-Fri 9am", "Mon 25:00-26:00", "Mon 9:75-10:00"),
        *("Mon 13pm-2pm", "Mon 0am-2am", "always", "* * * * *", "Mon-Fri 9am-5pm,", "Monkey 9am-5pm"),
        *("Mon 9am-5pm; Sat all day", ""),
    ],
)
def test_a_schedule_that_is_not_understood_is_an_error(schedule: str) -> None:
    """
    What could be read in two ways, or in none, isn't guessed.
    """
    text = f'timeRules:\n  - {{name: w, schedule: "{schedule}", preferred_tier: cheap}}'

    assert ["P123"] == [code for code, _ in told(text)]


@pytest.mark.parametrize(
    "command",
    [
        "git branch | grep main; rm -rf /",
        "git branch | grep main && touch /tmp/x",
        "git branch | grep $(touch x)",
        "git branch | grep -v main",
        "git branch | grep `id`",
        "git branch | grep main | wc -l",
        "git branch | grep 'main'",
        "git status",
        "git branch",
        "true",
        "grep main",
        "git branch | grep main\u2028rm x",
    ],
)
def test_a_shell_trigger_is_refused_and_never_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Any command but the one form is an error whose help has the rewrite; nothing is run.
    """
    monkeypatch.chdir(tmp_path)
    rule = {"name": "deploy", "trigger": command, "preferred_tier": "powerful"}
    text = json.dumps({"timeRules": [rule]})
    *hidden, finding = found_in(text)

    assert ["P103"] * command.count("\u2028") == [found.code for found in hidden]
    assert "P122" == finding.code
    assert finding.help is not None
    assert 'rule deploy when branch is "main" use tier powerful' in finding.help
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command", ["git branch | grep main", "git  branch|grep   release/2.1", "git branch | grep dev-x"]
)
def test_the_one_form_of_a_trigger_is_a_branch(command: str) -> None:
    """
    `git branch | grep NAME` means that the branch is NAME.
    """
    branch = command.split()[-1].removeprefix("branch|grep")
    text = f'timeRules:\n  - {{name: deploy, trigger: "{command}", preferred_tier: powerful}}'

    assert f'rule deploy\n  when branch is "{branch}"' in converted(text)


# --- money -----------------------------------------------------------------------------------------------


def test_levels_rise_whatever_order_they_stand_in() -> None:
    """
    Thresholds are levels by their percent.
    """
    text = "budget:\n  monthly_limit_usd: 9.5\n  alert_thresholds:\n"
    text += "    - {percent: 100, action: pause_execution}\n    - {percent: 12.5, action: log_warning}\n"

    assert "budget monthly is $9.50 per month\n  at 12.5% warn\n  at 100%  pause" in converted(text)


def test_haiku_only_means_the_haiku_of_the_file() -> None:
    """
    A file with a haiku of its own gets that one.
    """
    text = listed("claude-haiku-4-5", "m") + text_of("budget")

    assert "only claude-haiku-4-5" in converted(text)
    assert [("P205", "haiku_only")] == told(listed("my-haiku", "our-haiku") + text_of("budget"))
    assert [("P203", "haiku_only")] == told(listed("m") + text_of("budget"))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("daily_cost > 20.0", "daily_cost is above $20"),
        ("daily_cost >= 0.5", "daily_cost is at least $0.50"),
        ("monthly_cost<$100", "monthly_cost is below $100"),
        ("fallback_rate > 0.2", "fallback_rate is above 20%"),
        ("failure_rate > 15%", "failure_rate is above 15%"),
        ("fallback_rate <= 35", "fallback_rate is at most 35%"),
        ("latency_p95 > 2.5", "latency_p95 is above 2500ms"),
    ],
)
def test_conditions_of_alerts_keep_their_sign(condition: str, expected: str) -> None:
    """
    A metric, a sign and a number are a metric, a bound and an amount in the metric's unit.
    """
    text = f'alerts:\n  - {{name: a, condition: "{condition}", action: log_warning}}'

    assert f"alert a when {expected} log" in " ".join(converted(text).split())


@pytest.mark.parametrize(
    ("condition", "code", "where"),
    [
        ("dayly_cost > 1", "P213", "dayly_cost"),
        ("cost", "P123", "cost"),
        ("daily_cost == 1", "P123", "daily_cost == 1"),
        ("daily_cost > story_cost", "P123", "daily_cost > story_cost"),
        ("__import__('os') > 1", "P123", "__import__('os') > 1"),
    ],
)
def test_a_condition_that_is_not_understood_is_an_error(condition: str, code: str, where: str) -> None:
    """
    Metrics are known ones, and a condition compares one with a number.
    """
    assert [(code, where)] == told(f"alerts:\n  - {{name: a, condition: {condition}, action: log_warning}}")


ADDRESS = "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop"
ODD_ADDRESS = "https://chat.example.com/hook?token=verysecretvalue"


def an_alert(name: str, address: str) -> str:
    fields = f"name: {name}, condition: story_cost > 1, action: slack_webhook"
    return f"  - {{{fields}, webhook_url: {json.dumps(address)}}}\n"


@pytest.mark.parametrize("address", [ADDRESS, ODD_ADDRESS])
def test_an_address_becomes_a_variable_and_is_never_repeated(address: str) -> None:
    """
    Whether it looks like a secret or not, an address stands in no finding, no source and no policy.
    """
    text = "alerts:\n" + an_alert("a", address)
    loaded = load_text(text, price_book(), "x.yaml")
    secret = address.rpartition("/")[2]

    assert ["P125"] == [d.code for d in loaded.diagnostics]
    assert "slack env SLACK_WEBHOOK_URL" in converted(text)
    assert secret not in repr(loaded)
    assert [len(text)] == [len(s.text) for s in loaded.document.sources if s.name == "x.yaml"]


def test_several_addresses_have_a_variable_each() -> None:
    """
    Two channels aren't made one.
    """
    text = converted("alerts:\n" + an_alert("first", ADDRESS) + an_alert("second-one", ADDRESS))

    assert "slack env SLACK_WEBHOOK_URL_FIRST" in text
    assert "slack env SLACK_WEBHOOK_URL_SECOND_ONE" in text


@pytest.mark.parametrize("written", ["$TEAM_HOOK", "${TEAM_HOOK}"])
def test_a_variable_in_place_of_an_address_is_kept(written: str) -> None:
    """
    A file that names a variable already gets no finding.
    """
    assert [] == told("alerts:\n" + an_alert("a", written))
    assert "slack env TEAM_HOOK" in converted("alerts:\n" + an_alert("a", written))


def test_an_address_of_another_kind_is_hidden_too() -> None:
    """
    A list where an address belongs is an error that doesn't show it.
    """
    loaded = load_text(f"alerts:\n  - {{name: a, webhook_url: [{ODD_ADDRESS}]}}", price_book(), "x.yaml")

    assert "verysecretvalue" not in repr(loaded)


# --- failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        ("{max_attempts: 5}", "retry 5 attempts wait 1s doubling"),
        ("{max_attempts: 0}", "retry 1 attempts wait 1s doubling"),
        ("{initial_delay_ms: 250, backoff_multiplier: 1}", "retry 3 attempts wait 250ms\n"),
        ("{initial_delay_ms: 2000, backoff_multiplier: 2.0}", "retry 3 attempts wait 2s doubling"),
    ],
)
def test_retries_are_attempts(retry: str, expected: str) -> None:
    """
    So many retries are attempts, as the document's own trace counts; none is one attempt.
    """
    assert expected in converted(f"routing: {{retry: {retry}}}") + "\n"


def test_another_multiplier_is_read_as_doubling() -> None:
    """
    The language can only double, which is told.
    """
    assert [("P126", "3")] == told("routing: {retry: {backoff_multiplier: 3}}")


def test_what_is_done_on_a_failure() -> None:
    """
    After a wait the same model again; at once, or with nothing said, the next one.
    """
    on = "[{error: overloaded}, {error: auth, immediate_fallback: true}, "
    on += "{error: rate_limit, wait_seconds: 5}, {error: timeout, immediate_fallback: false}]"
    text = converted(f"providers:\n  - {{name: haiku, fallback_on: {on}}}")

    assert "retry for claude-haiku 3 attempts wait 1s doubling\n  on overloaded next model\n" in text
    assert "  on auth next model\n  on rate_limit wait 5s" in text
    assert "on timeout" not in text


def test_an_unknown_failure_is_an_error() -> None:
    """
    A kind of failure that doesn't exist is pointed at.
    """
    text = "providers:\n  - {name: haiku, fallback_on: [{error: rate_limits, wait_seconds: 5}]}"

    assert [("P212", "rate_limits")] == told(text)
