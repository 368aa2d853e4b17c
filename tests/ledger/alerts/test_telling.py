"""What fires, when, how often, and when it is told that it is over."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from policyctl.ledger import upkeep
from policyctl.ledger.alerts.alerter import Alerts
from policyctl.ledger.alerts.channels import Channels
from policyctl.ledger.alerts.watching import Refusal
from policyctl.ledger.alerts.web import Web
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.alerts import AlertStanding, Standing
from policyctl.schemas.policy import Policy

from ..world import CENT, DOLLAR, World, attempt, policy_of, usage

DAILY = "alert dear when daily_cost is above $2 log\n"


def spend(ledger: Ledger, key: str, cost: int = DOLLAR, **more: Any) -> None:
    """
    Make a call that costs so much.
    """
    told = {name: more.pop(name) for name in ("success", "latency_ms", "error") if name in more}
    ledger.reserve(attempt(key, cost, **more), send=True)
    ledger.commit(key, usage(cost, **told))


class Watch:
    """
    A ledger with alerts that are told in a log.
    """

    def __init__(self, world: World, text: str = DAILY, policy: Policy | None = None) -> None:
        self.world = world
        self.policy = policy or policy_of(text)
        self.ledger = world.open(self.policy)
        self.log = world.folder / "logs" / "alerts.jsonl"
        self.alerts = Alerts(self.ledger, self.policy, channels=Channels(self.log, {}, Web().post))

    def spend(self, key: str, cost: int = DOLLAR, **more: Any) -> None:
        """
        Make a call, and look at what that means, as a loop does.
        """
        spend(self.ledger, key, cost, **more)
        self.alerts.look([key])

    def texts(self) -> list[str]:
        """
        Each message that was sent, in words.
        """
        self.alerts.send()
        return [message["text"] for message in self.messages()]

    def messages(self) -> list[dict[str, Any]]:
        """
        Each message of the log.
        """
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def standing(self, name: str) -> AlertStanding:
        """
        Where an alert stands.
        """
        return next(each for each in self.alerts.standings() if each.alert == name)


def test_an_alert_fires_once_a_window(either: World) -> None:
    """
    The call that crosses the bound fires it; those after it don't, nor does looking again.
    """
    watch = Watch(either)
    for number in range(6):
        watch.spend(f"r:{number}")
        watch.alerts.look()

    assert ["dear: daily_cost is $3.0000, above $2; day 2026-03-10 (UTC)"] == watch.texts()


@pytest.mark.parametrize(
    ("bound", "fires_at"), [("above $2", 3), ("at least $2", 2), ("below $2", 1), ("at most $2", 1)]
)
def test_a_bound_means_what_it_says(world: World, bound: str, fires_at: int) -> None:
    """
    `above` a bound isn't at it, `at least` is.
    """
    watch = Watch(world, f"alert dear when daily_cost is {bound} log\n")
    fired = []
    for number in range(1, 5):
        spend(watch.ledger, f"r:{number}")
        fired += [number] * watch.alerts.look()

    assert fires_at == fired[0]


def test_the_turn_of_the_window_is_told_as_a_recovery(either: World) -> None:
    """
    What fired yesterday has recovered where today is quiet; then it can fire anew.
    """
    watch = Watch(either)
    watch.spend("r:1", 3 * DOLLAR)
    either.now += timedelta(days=1)
    watch.spend("r:2", CENT)
    watch.spend("r:3", 4 * DOLLAR)

    assert [
        "dear: daily_cost is $3.0000, above $2; day 2026-03-10 (UTC)",
        "recovered: dear: daily_cost is $0.0100, not above $2 any more; day 2026-03-10 (UTC)",
        "dear: daily_cost is $4.0100, above $2; day 2026-03-11 (UTC)",
    ] == watch.texts()


def test_what_goes_on_firing_hasn_t_recovered(world: World) -> None:
    """
    Where the next window is as bad, no recovery is told in between; and one only when it is over.
    """
    watch = Watch(world)
    watch.spend("r:1", 3 * DOLLAR)
    world.now += timedelta(days=1)
    watch.spend("r:2", 3 * DOLLAR)
    world.now += timedelta(days=1)
    watch.spend("r:3", CENT)
    watch.alerts.look()
    watch.texts()

    assert ["fired", "fired", "recovered"] == [m["kind"] for m in watch.messages()]
    assert "day 2026-03-11 (UTC)" == watch.messages()[-1]["window"]


def test_a_call_that_ends_after_midnight_counts_for_its_day(world: World) -> None:
    """
    A call belongs to the day in which it was reserved; its alert fires though that day is over.
    """
    watch = Watch(world)
    watch.spend("r:0", CENT)
    world.now = world.now.replace(hour=23, minute=59)
    watch.ledger.reserve(attempt("late", 3 * DOLLAR), send=True)
    world.now += timedelta(hours=3)
    watch.spend("r:1", CENT)
    watch.ledger.commit("late", usage(3 * DOLLAR))
    watch.alerts.look(["late"])
    watch.texts()

    assert [("fired", "day 2026-03-10 (UTC)"), ("recovered", "day 2026-03-10 (UTC)")] == [
        (m["kind"], m["window"]) for m in watch.messages()
    ]


def test_a_day_that_ended_before_anybody_looked_is_looked_at(world: World) -> None:
    """
    A bound that was crossed after the last look fires at the next one, though that is tomorrow.
    """
    watch = Watch(world)
    watch.alerts.look()
    spend(watch.ledger, "r:1", 3 * DOLLAR)
    world.now += timedelta(days=1)
    watch.alerts.look()
    watch.texts()

    assert ["fired", "recovered"] == [m["kind"] for m in watch.messages()]


def test_each_story_and_run_is_a_window_of_its_own(either: World) -> None:
    """
    A story that costs too much is told once; so is the next one, and a run.
    """
    text = (
        "alert dear_story when story_cost is above $2 log\nalert dear_run when run_cost is at least $7 log\n"
    )
    watch = Watch(either, text)
    for number in range(4):
        for story in ("US-1", "US-2"):
            watch.spend(f"{story}:{number}", story_id=story, run_id="run-1")
    watch.spend("other", story_id="US-3", run_id="run-2")

    assert [
        "dear_story: story_cost is $3.0000, above $2; story US-1",
        "dear_story: story_cost is $3.0000, above $2; story US-2",
        "dear_run: run_cost is $7.0000, at least $7; run run-1",
    ] == watch.texts()


RATES = """\
alert failing   when failure_rate    is above 20% log
alert falling   when fallback_rate   is above 20% log
alert climbing  when escalation_rate is above 20% log
alert slow    when latency_p50     is above 2s  log
alert slowest when latency_p95     is above 5s  log
"""


def test_rates_and_latencies_need_some_calls(either: World) -> None:
    """
    Nine calls say nothing, whatever they are like; ten do.
    """
    watch = Watch(either, RATES)
    for number in range(9):
        watch.spend(f"r:{number}", CENT, fallback_used=True, escalation="escalated to high", latency_ms=9000)
    states = {each.alert: each.state for each in watch.alerts.standings()}
    watch.spend("r:9", CENT, latency_ms=9000)

    assert {Standing.UNKNOWN} == set(states.values())
    assert [
        "falling: fallback_rate is 90.00%, above 20%; day 2026-03-10 (UTC)",
        "climbing: escalation_rate is 90.00%, above 20%; day 2026-03-10 (UTC)",
        "slow: latency_p50 is 9.0s, above 2s; day 2026-03-10 (UTC)",
        "slowest: latency_p95 is 9.0s, above 5s; day 2026-03-10 (UTC)",
    ] == watch.texts()


def test_a_rate_that_falls_again_has_recovered_once(either: World) -> None:
    """
    A rate may cross its bound often: in one day it fires once, and recovers once.
    """
    watch = Watch(either, "alert failing when failure_rate is at least 50% log\n")
    for number in range(40):
        watch.spend(f"r:{number}", CENT, success=number % 40 in (*range(5, 12), *range(20, 30), 35))

    assert [
        "failing: failure_rate is 50.00%, at least 50%; day 2026-03-10 (UTC)",
        "recovered: failing: failure_rate is 45.45%, not at least 50% any more; day 2026-03-10 (UTC)",
    ] == [text.replace("  ", " ") for text in watch.texts()]


def test_rates_are_those_of_a_plain_count(world: World) -> None:
    """
    Rates and latencies agree with counting by hand, over random calls of today that were sent.
    """
    chance = random.Random(7)  # noqa: S311
    watch = Watch(world, RATES)
    world.now -= timedelta(days=1)
    for number in range(20):
        spend(watch.ledger, f"old:{number}", CENT, success=False)
    world.now += timedelta(days=1)
    calls = []
    for number in range(137):
        fact = {
            "success": chance.random() < 0.7,
            "fallback_used": chance.random() < 0.3,
            "escalation": chance.choice([None, "escalated to high"]),
            "latency_ms": chance.choice([None, chance.randint(0, 9000)]),
        }
        spend(watch.ledger, f"r:{number}", CENT, **fact)
        calls.append(fact)
        watch.ledger.reserve(attempt(f"never sent:{number}", CENT))
        watch.ledger.release(f"never sent:{number}")
    times = sorted(c["latency_ms"] for c in calls if c["success"] and c["latency_ms"] is not None)
    expected = {
        "failing": 100 * sum(not c["success"] for c in calls) / len(calls),
        "falling": 100 * sum(c["fallback_used"] for c in calls) / len(calls),
        "climbing": 100 * sum(c["escalation"] is not None for c in calls) / len(calls),
        "slow": times[-(-len(times) * 50 // 100) - 1] / 1000,
        "slowest": times[-(-len(times) * 95 // 100) - 1] / 1000,
    }

    found = {each.alert: each.value for each in watch.alerts.standings()}
    assert expected == pytest.approx({name: float(value or -1) for name, value in found.items()})


LEVELS = """\
budget monthly is $10 per month
  at 50%  warn
  at 75%  downgrade 1 tier
  at 100% pause
budget one_story is $4 per story
  at 50% warn
"""


def test_each_level_of_a_budget_is_told_in_the_log(either: World) -> None:
    """
    A level fires when it is reached, once in its window; a call may reach two at once.
    """
    watch = Watch(either, LEVELS)
    watch.spend("r:1", 4 * DOLLAR, story_id="US-1")
    watch.spend("r:2", 4 * DOLLAR)
    watch.spend("r:3", 2 * DOLLAR)

    assert [
        "budget one_story has $4.0000 of $4 spent: at 50% warn; story US-1",
        "budget monthly has $8.0000 of $10 spent: at 50% warn; month 2026-03-01 (UTC)",
        "budget monthly has $8.0000 of $10 spent: at 75% downgrade 1 tier; month 2026-03-01 (UTC)",
        "budget monthly has $10.0000 of $10 spent: at 100% pause; month 2026-03-01 (UTC)",
    ] == watch.texts()


def test_a_budget_that_refuses_a_call_has_reached_its_pause(either: World) -> None:
    """
    A pausing budget refuses before its limit is spent: that is told once, and over when its window turns.
    """
    watch = Watch(either, "budget monthly is $10 per month\n  at 100% pause\n")
    watch.spend("r:1", 8 * DOLLAR)
    refusal = [Refusal("monthly", None, None)] * 3
    watch.alerts.look([], refusal)
    watch.alerts.look([], refusal)
    state = watch.standing("monthly at 100%").state
    watch.spend("r:2", DOLLAR)
    either.now += timedelta(days=30)
    watch.spend("r:3", DOLLAR)

    assert Standing.FIRING == state
    assert [
        "budget monthly has $8.0000 of $10 spent and refused a call: at 100% pause; month 2026-03-01 (UTC)",
        "recovered: budget monthly has $1.0000 of $10 spent, less than 100%; month 2026-03-01 (UTC)",
    ] == watch.texts()


def test_a_raised_limit_is_a_new_bound(world: World) -> None:
    """
    A level of a budget that is raised fires anew where the new limit's is reached.
    """
    watch = Watch(world, LEVELS)
    watch.spend("r:1", 6 * DOLLAR)
    watch.ledger.raise_limit("monthly", 20 * DOLLAR)
    watch.spend("r:2", 2 * DOLLAR)
    watch.spend("r:3", 3 * DOLLAR)

    assert [
        "budget monthly has $6.0000 of $10 spent: at 50% warn; month 2026-03-01 (UTC)",
        "budget monthly has $11.0000 of $20 spent: at 50% warn; month 2026-03-01 (UTC)",
    ] == watch.texts()


def test_another_bound_is_another_alert(world: World) -> None:
    """
    Whoever raises the bound in the policy is told when that is crossed, too; another channel changes nothing.
    """
    first = Watch(world)
    first.spend("r:1", 3 * DOLLAR)
    for text in ('daily_cost is above $2 email "a@b.example"', "daily_cost is above $5 log"):
        second = Watch(world, f"alert dear when {text}\n")
        second.spend(f"for {text[:30]}", 2 * DOLLAR)
    second.spend("r:2", 2 * DOLLAR)

    assert [
        "dear: daily_cost is $3.0000, above $2; day 2026-03-10 (UTC)",
        "dear: daily_cost is $7.0000, above $5; day 2026-03-10 (UTC)",
    ] == second.texts()


def test_standings_tell_where_each_stands_and_change_nothing(either: World) -> None:
    """
    Looking at the standings tells nothing; the story that is nearest to its bound is shown.
    """
    watch = Watch(either, DAILY + "alert dear_story when story_cost is above $5 log\n")
    nobody = watch.standing("dear_story")
    for story, cost in (("US-1", 1), ("US-2", 3), ("US-3", 2)):
        spend(watch.ledger, story, cost * DOLLAR, story_id=story)
    before = watch.standing("dear")
    watch.alerts.check()
    after, story = watch.standing("dear"), watch.standing("dear_story")

    assert (Standing.UNKNOWN, None) == (nobody.state, nobody.window)
    assert (Standing.FIRING, None, None) == (before.state, before.since, before.last)
    assert (Standing.FIRING, either.now) == (after.state, after.since)
    assert after.last is not None and ("fired", "sent", 1) == (
        after.last.kind,
        after.last.delivery,
        after.last.tries,
    )
    assert (Standing.QUIET, "story US-2", 3 * DOLLAR) == (story.state, story.window, story.value)


def test_names_of_others_can_t_forge_a_line(world: World) -> None:
    """
    A story's name with line ends, escapes and what looks like a key leaves one line without them.
    """
    watch = Watch(world, "alert dear_story when story_cost is above $1 log\n")
    watch.spend("r:1", 3 * DOLLAR, story_id="US-1\n{}\x1b[31m\u202e sk-ant-abcdefghijklmnopqrst")
    [text] = watch.texts()

    assert (
        "dear_story: story_cost is $3.0000, above $1; story US-1 {} [31m xxxxxxxxxxxxxxxxxxxxxxxxxxx" == text
    )
    assert 1 == watch.log.read_text().count("\n")
    assert b"\x1b" not in watch.log.read_bytes()


def test_no_alert_is_lost_among_looks_of_any_kind(world: World) -> None:
    """
    Whatever the order of calls, days and looks, each day over the bound fires once, as does each story.
    """
    chance = random.Random(11)  # noqa: S311
    watch = Watch(world, DAILY + "alert dear_story when story_cost is above $3 log\n")
    days: Counter[str] = Counter()
    stories: Counter[str] = Counter()
    for number in range(150):
        story = f"US-{chance.randint(1, 12)}"
        days[f"day {world.now.date()} (UTC)"] += 1
        stories[f"story {story}"] += 1
        spend(watch.ledger, f"r:{number}", DOLLAR, story_id=story)
        if chance.random() < 0.4:
            watch.alerts.look()
        if chance.random() < 0.1:
            world.now += timedelta(hours=chance.randint(1, 30))
    watch.alerts.look()
    watch.texts()

    fired = Counter(m["window"] for m in watch.messages() if m["kind"] == "fired")
    expected = {n: 1 for n, c in days.items() if c > 2} | {n: 1 for n, c in stories.items() if c > 3}
    assert expected == {name: count for name, count in fired.items() if name in expected}
    assert set(fired) == set(expected)


def test_old_messages_go_with_old_calls(world: World) -> None:
    """
    Compacting takes out what was told long ago, and leaves what is still to be told.
    """
    watch = Watch(world, DAILY + 'alert mail when daily_cost is above $2 email "a@b.example"\n')
    watch.spend("r:1", 3 * DOLLAR)
    watch.alerts.send()
    world.now += timedelta(days=90)
    watch.alerts.look()
    upkeep.forget_before(watch.ledger, world.now - timedelta(days=60))

    left = watch.ledger.do(lambda tx: tx.rows("SELECT alert, kind, state FROM messages ORDER BY alert, kind"))
    assert [
        ("dear", "recovered", "waiting"),
        ("mail", "fired", "waiting"),
        ("mail", "recovered", "waiting"),
    ] == left
