"""
Processes that use a ledger hard, run as a program of their own: `python hammer.py JOB JSON`.

It imports once and forks its workers, so a worker costs next to nothing to start, and to kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from policyctl.deciding import Engine
from policyctl.ledger import postgres, sqlite, usage_log
from policyctl.ledger.ledger import Ledger
from policyctl.ledger.tx import Backend
from policyctl.schemas.ledger import Attempt, Hold, HoldState, Usage
from policyctl.schemas.policy import NANO, Policy

CALL = NANO  # each call may cost a dollar
POLICY = """\
timezone UTC
model small is offline/small costs $1 in, $1 out can nothing
tier low from complexity 0 has small
budget monthly is ${limit} per month
  at 100% pause
"""


def where_of(text: str) -> Path | str:
    return text if text.startswith("postgresql://") else Path(text)


@lru_cache
def policy_of(limit: int) -> Policy:
    return Engine.from_text(POLICY.replace("{limit}", str(limit))).policy


def open_ledger(job: dict[str, Any]) -> Ledger:
    return Ledger(
        where_of(job["where"]), policy_of(job["limit"]), log=Path(job["log"]), create=True, wait_s=60
    )


def attempt(key: str) -> Attempt:
    return Attempt(key=key, provider="offline", model="small", model_tier="low", most_nusd=CALL)


def fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            sys.stdout.flush()
            os._exit(0)
    return child


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- admission -------------------------------------------------------------------------------------------


def admit(job: dict[str, Any]) -> None:
    """
    Ask for more holds than fit, from all sides at once, and write down how many were given.
    """
    start, results = time.time() + 0.2, Path(job["results"])

    def work(process: int) -> None:
        ledger, given = open_ledger(job), [0] * job["threads"]

        def ask(thread: int) -> None:
            time.sleep(max(0, start - time.time()))
            for number in range(job["each"]):
                answer = ledger.reserve(attempt(f"{process}:{thread}:{number}"), send=True, lease_s=3600)
                given[thread] += isinstance(answer, Hold)

        in_threads(job["threads"], ask)
        ledger.close()
        append(results, f"{sum(given)}\n")

    children = [fork(partial(work, number)) for number in range(job["processes"])]
    for child in children:
        os.waitpid(child, 0)


def append(path: Path, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, text.encode())
    os.close(file)


# --- speed -----------------------------------------------------------------------------------------------


def pairs(job: dict[str, Any]) -> None:
    """
    Reserve and commit as fast as it goes, and write down how long the slowest answer took, and all.
    """
    open_ledger(job).close()  # what each process would do first isn't timed
    start, results = time.time() + 0.2, Path(job["results"])

    def work(process: int) -> None:
        ledger, worst = open_ledger(job), [0.0] * job["threads"]

        def pair(thread: int) -> None:
            time.sleep(max(0, start - time.time()))
            for number in range(job["each"]):
                key = f"{process}:{thread}:{number}"
                before = time.perf_counter()
                ledger.reserve(attempt(key), send=True)
                between = time.perf_counter()
                ledger.commit(key, Usage(input_tokens=1, output_tokens=1, cost_nusd=1))
                worst[thread] = max(worst[thread], between - before, time.perf_counter() - between)

        in_threads(job["threads"], pair)
        append(results, f"{max(worst)} {time.time() - start}\n")
        ledger.close()

    children = [fork(partial(work, number)) for number in range(job["processes"])]
    for child in children:
        os.waitpid(child, 0)


# --- kills -----------------------------------------------------------------------------------------------


POINTS = (
    "before commit",
    "after commit",
    "before sync",
    "before log",
    "torn log",
    "after log",
    "in checkpoint",
    "after reserve",
    "after bill",
    "after settle",
)


def kill(job: dict[str, Any]) -> None:
    """
    Start workers that spend, and kill each: every other one at a labelled point, the others any time.

    What a provider billed is in `bills`, written before the ledger is told.
    """
    chance = random.Random(job["seed"])  # noqa: S311
    policy_of(job["limit"])
    for number in range(job["kills"]):
        point = POINTS[number // 2 % len(POINTS)] if number % 2 == 0 else None
        count = chance.randint(1, 6)
        ready, is_ready = os.pipe()
        victims = [fork(partial(spend, job, f"{number}a", point, count, is_ready))]
        victims.append(fork(partial(spend, job, f"{number}b", None, 0, is_ready)))
        os.close(is_ready)
        if chance.random() < 0.9:  # the others die while they open the ledger
            os.read(ready, 1)
        time.sleep(chance.uniform(0, job["life_s"]))
        os.close(ready)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)


def spend(job: dict[str, Any], name: str, point: str | None, count: int, ready: int) -> None:
    """
    Spend until killed.
    """
    die = _killer(point, count)
    ledger = open_ledger(job)
    os.write(ready, b".")

    def work(thread: int) -> None:
        chance = random.Random(f"{name}:{thread}")  # noqa: S311
        for number in range(10_000):
            key = f"{name}:{thread}:{number}"
            if isinstance(ledger.reserve(attempt(key)), Hold):
                die("after reserve")
                _call(ledger, key, chance.randint(1, CALL), Path(job["bills"]), die)

    in_threads(3, work)


def _call(ledger: Ledger, key: str, cost: int, bills: Path, die: Callable[[str], None]) -> None:
    if ledger.sent(key).state is not HoldState.SENT:
        return
    append(bills, f"{key} {cost}\n")
    die("after bill")
    ledger.commit(key, Usage(input_tokens=1, output_tokens=1, cost_nusd=cost))
    die("after settle")


def _killer(point: str | None, count: int) -> Callable[[str], None]:
    """
    What kills this process when it comes to a point for the count-th time; the ledger is made to pass by.
    """
    left = [count]

    def die(here: str) -> None:
        if here == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    for backend in (sqlite.SqliteBackend, postgres.PostgresBackend):
        _watch(backend, die)
    write = usage_log.UsageLog._write

    def watched_write(self: usage_log.UsageLog, file: int, lines: list[str]) -> None:
        die("before log")
        if point == "torn log" and left[0] == 1:
            data = "".join(f"{line}\n" for line in lines).encode()
            os.write(file, data[: len(data) // 2])
            die("torn log")
        write(self, file, lines)
        die("after log")
        if point == "torn log":
            left[0] = max(1, left[0] - 1)

    usage_log.UsageLog._write = watched_write  # type: ignore[method-assign]
    if point == "in checkpoint":
        sqlite.CHECKPOINT_PAGES = 1
    return die


def _watch(backend: Any, die: Callable[[str], None]) -> None:
    """
    Let a backend pass by the points of a group's end.
    """
    commit, sync = backend.commit, backend.sync

    def watched_commit(self: Backend) -> None:
        die("before commit")
        commit(self)
        die("after commit")

    def watched_sync(self: Backend) -> None:
        die("before sync")
        sync(self)

    backend.commit, backend.sync = watched_commit, watched_sync


if __name__ == "__main__":
    {"admit": admit, "kill": kill, "pairs": pairs}[sys.argv[1]](json.loads(sys.argv[2]))
