"""Alerts beside requests: once each from all sides, sent at least once, and nobody waits for them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policyctl.ledger.alerts.alerter import Alerter, Alerts
from policyctl.ledger.alerts.channels import Channels
from policyctl.ledger.alerts.events import CLAIM_S, WAITS_S, claim
from policyctl.ledger.alerts.web import Web
from policyctl.ledger.ledger import Ledger
from policyctl.ledger.schema import MIGRATIONS
from policyctl.schemas.alerts import AlertWatch, Delivery

from ..world import DOLLAR, World, policy_of
from .receivers import SECRET, Hook, a_hook, a_raw_server, hang
from .test_telling import spend

HOOKED = "alert dear when daily_cost is above $2 webhook env HOOK\n"
LOGGED = "alert noted when daily_cost is above $2 log\n"
STORIES, PROCESSES, THREADS = (1250, 8, 4) if os.environ.get("POLICYCTL_SOAK") else (30, 4, 2)


def channels(world: World, url: str = "", origin: str = "", whole_s: float = 5) -> Channels:
    log = world.folder / "logs" / "alerts.jsonl"
    allow = frozenset({origin}) if origin else frozenset[str]()
    return Channels(log, {"HOOK": url}, Web(allow, whole_s=whole_s).post)


def hooked(world: World, hook: Hook, text: str = HOOKED) -> tuple[Ledger, Alerts]:
    """
    A ledger whose alert calls a webhook, fired.
    """
    policy = policy_of(text)
    ledger = world.open(policy)
    alerts = Alerts(ledger, policy, channels=channels(world, hook.url, hook.origin))
    spend(ledger, "r:1", 3 * DOLLAR)
    alerts.look(["r:1"])
    return ledger, alerts


def delivery(alerts: Alerts, name: str = "dear") -> tuple[Delivery, int, str | None]:
    """
    How far an alert's last message has come.
    """
    last = next(each.last for each in alerts.standings() if each.alert == name)
    assert last is not None
    return last.delivery, last.tries, last.problem


def until(done: Any, what: str) -> None:
    """
    Wait for something that happens in the background.
    """
    for _ in range(2000):
        if done():
            return
        time.sleep(0.01)
    pytest.fail(f"never: {what}")


# --- once each, from all sides ----------------------------------------------------------------------------


def crossed_from_all_sides(where: str, folder: Path) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """
    Let processes cross many bounds at once; what the ledger has of it, and what the webhook got.
    """
    with a_hook() as hook:
        job = {
            "where": where,
            "log": str(folder / "alerts.jsonl"),
            "url": hook.url,
            "origin": hook.origin,
            "stories": STORIES,
            "processes": PROCESSES,
            "threads": THREADS,
            "together": 10,
            "start": time.time() + 1.0,
        }
        program = Path(__file__).with_name("crossings.py")
        subprocess.run([sys.executable, str(program), json.dumps(job)], check=True, timeout=900)
        place = where if where.startswith("postgresql://") else Path(where)
        with Ledger(place) as ledger:
            told = ledger.do(lambda tx: tx.rows("SELECT alert, window_name, kind, state, id FROM messages"))
    return told, [received.json for received in hook.got]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_each_crossing_is_one_event(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """
    However many threads and processes cross a bound at once, one event comes of it, and reaches the webhook.
    """
    where = str(tmp_path / "ledger" / "policyctl.db")
    if engine == "postgres":
        where = request.getfixturevalue("database")
        from ..servers import drop_ledger

        drop_ledger(where)
    told, got = crossed_from_all_sides(where, tmp_path)

    fired = Counter((alert, window) for alert, window, kind, _, _ in told if kind == "fired")
    stories = [f"story S{number}" for number in range(STORIES)]
    assert {1} == set(fired.values())
    assert {("dear_story", story) for story in stories} | {
        ("one_story at 50%", story) for story in stories
    } == {key for key in fired if key[1].startswith("story ")}
    assert {"dear_day", "monthly at 0.0001%", "monthly at 0.0002%"} == {a for a, w in fired if "(UTC)" in w}
    assert {"sent"} == {state for _, _, _, state, _ in told}
    assert {"fired"} == {kind for _, _, kind, _, _ in told}
    assert {identity for alert, _, _, _, identity in told if alert.startswith("dear")} == {
        m["id"] for m in got
    }


def test_a_ledger_without_alerts_gets_them(world: World) -> None:
    """
    A ledger of an older policyctl has no tables for alerts; it gets them when it is opened.
    """
    world.folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(world.place)) as db:
        for statement in (*MIGRATIONS[0], *MIGRATIONS[1], "INSERT INTO counters VALUES ('id', 7)"):
            db.execute(statement)
        db.execute("PRAGMA user_version = 2")
        db.commit()
    policy = policy_of(LOGGED)
    ledger = world.open(policy)
    spend(ledger, "r:1", 3 * DOLLAR)
    done = Alerts(ledger, policy, channels=channels(world)).check()

    assert (1, 1, ()) == (done.made, done.sent, done.unsent)


# --- at least once ----------------------------------------------------------------------------------------


def test_a_message_is_tried_again_and_keeps_its_id(either: World) -> None:
    """
    A webhook that fails is tried again later; the receiver knows the message by its id.
    """
    with a_hook(500, 503, 200) as hook:
        _, alerts = hooked(either, hook)
        states = []
        for wait in (0, *WAITS_S[:2]):
            either.now += timedelta(seconds=wait)
            alerts.send()
            states.append(delivery(alerts))
            alerts.send()  # not before its time

    assert [
        ("waiting", 1, "it answered 500"),
        ("waiting", 2, "it answered 503"),
        ("sent", 3, None),
    ] == states
    assert 1 == len({received.json["id"] for received in hook.got})


def test_tries_have_an_end(world: World) -> None:
    """
    After its last try a message is given up, and the standing says why.
    """
    with a_hook(500) as hook:
        _, alerts = hooked(world, hook)
        for _ in range(20):
            alerts.send()
            world.now += timedelta(hours=2)

    assert (Delivery.FAILED, len(WAITS_S) + 1, "it answered 500") == delivery(alerts)
    assert len(WAITS_S) + 1 == len(hook.got)


def test_what_can_t_get_better_is_given_up_at_once(world: World) -> None:
    """
    An address that isn't there any more is not tried again.
    """
    with a_hook(404) as hook:
        _, alerts = hooked(world, hook)
        sent = alerts.send()

    assert (0, ["webhook: it answered 404"]) == sent
    assert (Delivery.FAILED, 1, "it answered 404") == delivery(alerts)


def test_a_message_of_a_process_that_died_is_sent_by_another(either: World) -> None:
    """
    What a process had claimed and never sent is sent by the next one, once the claim has run out.
    """
    with a_hook() as hook:
        ledger, alerts = hooked(either, hook)
        ledger.do(lambda sheet: claim(sheet, ledger.now_ms()))  # and the process dies
        alerts.send()
        too_soon = len(hook.got)
        either.now += timedelta(seconds=CLAIM_S + 1)
        alerts.send()

    assert (0, 1) == (too_soon, len(hook.got))
    assert (Delivery.SENT, 2, None) == delivery(alerts)


def test_processes_that_die_while_they_send_try_no_message_for_ever(either: World) -> None:
    """
    A try counts from its start: a message on which each process dies is given up as others are.
    """
    with a_hook() as hook:
        ledger, alerts = hooked(either, hook)
        for _ in range(10):
            ledger.do(lambda sheet: claim(sheet, ledger.now_ms()))  # and the process dies
            either.now += timedelta(hours=1)

    ended = "each process that sent it ended before it was answered"
    assert (Delivery.FAILED, len(WAITS_S) + 1, ended) == delivery(alerts)


def test_one_address_that_is_down_holds_up_no_other(world: World) -> None:
    """
    Messages for an address that can't be reached wait after one try; the others are sent.
    """
    text = "alert dear_story when story_cost is above $1 webhook env HOOK\n" + LOGGED
    policy = policy_of(text)
    ledger = world.open(policy)
    with a_hook(500) as hook:
        alerts = Alerts(ledger, policy, channels=channels(world, hook.url, hook.origin))
        for number in range(5):
            spend(ledger, f"r:{number}", 2 * DOLLAR, story_id=f"US-{number}")
        alerts.look()
        sent, problems = alerts.send()

    assert (1, ["webhook: it answered 500"]) == (sent, problems)
    assert 1 == len(hook.got)
    assert (Delivery.SENT, 1, None) == delivery(alerts, "noted")


def test_the_address_is_nowhere_but_in_the_request(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """
    Sent, refused or failed: the address of a webhook is in no file of the ledger and in nothing that is told.
    """
    with a_hook(200) as hook:
        _, alerts = hooked(world, hook, HOOKED + LOGGED)
        alerts.send()
    for url in (f"http://10.0.0.1/{SECRET}", f"https://127.0.0.1/{SECRET}", f"https://x:{SECRET}@a.example/"):
        world.now += timedelta(days=1)
        spend(alerts.ledger, f"at {world.now}", 3 * DOLLAR)
        other = Alerts(alerts.ledger, alerts.policy, channels=channels(world, url))
        assert SECRET not in repr(other.check()) + repr(other.standings())
    alerts.ledger.close()
    written = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())

    assert 1 == len(hook.got)
    assert b"dear" in written
    assert SECRET.encode() not in written
    assert SECRET not in caplog.text


@contextmanager
def in_use(ledger: Ledger) -> Iterator[None]:
    """
    Keep everybody else out of a ledger.
    """
    held, let_go = threading.Event(), threading.Event()

    def hold(tx: object) -> None:
        held.set()
        let_go.wait(30)

    holder = threading.Thread(target=lambda: ledger.do(hold))
    holder.start()
    held.wait(10)
    try:
        yield
    finally:
        let_go.set()
        holder.join()


# --- nobody waits -----------------------------------------------------------------------------------------


def test_a_hanging_webhook_delays_no_request(world: World) -> None:
    """
    While a webhook hangs, calls are reserved, committed and told as ever, and other alerts are noted.
    """
    policy = policy_of(HOOKED + "alert dear_story when story_cost is above $1 log\n")
    ledger = world.open(policy)
    with a_raw_server(hang) as server:
        sends = channels(world, f"{server.origin}/{SECRET}", server.origin, whole_s=30)
        alerter: AlertWatch = Alerter(ledger, policy, channels=sends, every_s=0.01)
        spend(ledger, "r:1", 3 * DOLLAR)
        alerter.after("r:1")
        until(lambda: server.met, "the webhook is called")
        others = [thread for thread in threading.enumerate() if thread.name == "policyctl-alerts"]
        for number in range(50):
            spend(ledger, f"more:{number}", 2 * DOLLAR, story_id=f"US-{number}")
            alerter.after(f"more:{number}")
        still_hangs = 1 == len(server.met) and others[0].is_alive()
        alerter.close(0)

    assert still_hangs  # so none of the calls above has waited for it


def test_requests_take_as_long_beside_a_hanging_webhook_as_beside_none(world: World) -> None:
    """
    Telling that a call was settled is a matter of a queue: it asks neither the ledger nor the webhook.
    """
    policy = policy_of(HOOKED)
    ledger = world.open(policy)
    alerter = Alerter(ledger, policy, channels=channels(world))
    spend(ledger, "r:1", 3 * DOLLAR)
    with in_use(ledger):
        for number in range(1000):
            alerter.after(f"r:{number}")
    alerter.close(10)

    assert 1 == ledger.do(lambda tx: tx.rows("SELECT count(*) FROM alerts"))[0][0]


def test_closing_looks_once_more_and_sends(world: World) -> None:
    """
    A loop's last call may cross a bound: closing tells it.
    """
    policy = policy_of(LOGGED)
    ledger = world.open(policy)
    alerter = Alerter(ledger, policy, channels=channels(world), every_s=60)
    spend(ledger, "r:1", DOLLAR)
    alerter.after("r:1")
    time.sleep(0.05)
    spend(ledger, "r:2", 2 * DOLLAR)
    alerter.after("r:2")
    alerter.close(20)

    assert 1 == len((world.folder / "logs" / "alerts.jsonl").read_text().splitlines())


def test_closing_has_an_end(world: World) -> None:
    """
    A webhook that hangs holds a loop's end no longer than asked; the message waits in the ledger.
    """
    policy = policy_of(HOOKED)
    ledger = world.open(policy)
    with a_raw_server(hang) as server:
        sends = channels(world, f"{server.origin}/{SECRET}", server.origin, whole_s=30)
        alerter = Alerter(ledger, policy, channels=sends)
        spend(ledger, "r:1", 3 * DOLLAR)
        alerter.after("r:1")
        alerter.close(0.5)
        waiting = ledger.do(lambda tx: tx.rows("SELECT state FROM messages"))

    assert [("waiting",)] == waiting


def test_a_ledger_that_doesn_t_answer_is_asked_again(world: World) -> None:
    """
    What can't be looked at now is looked at later; no call is forgotten, and nothing is raised.
    """
    policy = policy_of("alert dear_story when story_cost is above $1 log\n")
    ledger = world.open(policy)
    spend(ledger, "r:1", 3 * DOLLAR, story_id="US-1")
    hasty = world.open(policy, wait_s=0.02)
    alerter = Alerter(hasty, policy, channels=channels(world), every_s=0.01)
    with in_use(ledger):
        alerter.after("r:1")
        until(lambda: alerter.problem, "the ledger isn't free in time")
    until(lambda: (world.folder / "logs" / "alerts.jsonl").exists(), "the alert is told")
    alerter.close(10)

    assert alerter.problem is None


def test_a_child_has_an_alerter_of_its_own(world: World) -> None:
    """
    After a fork the child's calls are looked at in the child.
    """
    policy = policy_of(LOGGED)
    ledger = world.open(policy)
    alerter = Alerter(ledger, policy, channels=channels(world), every_s=0.01)
    alerter.after("r:0")
    until(
        lambda: ledger.do(lambda tx: tx.rows("SELECT 1 FROM counters WHERE name = 'alerts looked at'")),
        "a look",
    )
    child = os.fork()
    if child == 0:
        code = 1
        try:
            spend(ledger, "r:1", 3 * DOLLAR)
            alerter.after("r:1")
            alerter.close(20)
            code = 0
        finally:
            os._exit(code)

    assert 0 == os.waitpid(child, 0)[1]
    assert 1 == len((world.folder / "logs" / "alerts.jsonl").read_text().splitlines())
    alerter.close(10)


def test_a_policy_without_alerts_costs_nothing(world: World) -> None:
    """
    Where nothing is watched no thread is started.
    """
    policy, before = policy_of(""), set(threading.enumerate())
    alerter = Alerter(world.open(policy), policy, channels=channels(world))
    alerter.after("r:1")
    alerter.close()

    new = set(threading.enumerate()) - before
    assert "policyctl-alerts" not in {thread.name for thread in new}
