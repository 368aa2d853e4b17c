"""Requests that are cut short: cancelled, closed with their router, disturbed by who looks on, in a fork."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from policyctl import ChainError, GateError, PolicyctlError, RouterError
from policyctl.router import Router
from policyctl.schemas.calls import Answer, Piece
from policyctl.schemas.job import Gate
from policyctl.schemas.run import Ended, Event, Started

from .test_chain import Always
from .world import CHAIN, POLICY, Steps, a_router, story, tried

MONEY = CHAIN + "budget daily is $1000 per day\n  at 100% pause\n"
PARALLEL = POLICY + "fallback to middle, large in parallel\nbudget daily is $1000 per day\n  at 100% pause\n"
GATED = "escalate to next tier when gate tests fails\n"
POLICIES = [MONEY + GATED, MONEY + GATED + "hedge after 3ms\n", PARALLEL + GATED]
ROUNDS = 2000 if os.environ.get("POLICYCTL_SOAK") else 100


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """
    What asyncio and threads complain of.
    """
    said: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: said.append(repr(hook.exc_value)))
    yield said
    said += [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert [] == said


def ours() -> set[str]:
    """
    The threads of routers that are alive.
    """
    return {t.name for t in threading.enumerate() if t.name.startswith("policyctl")}


@pytest.mark.parametrize("policy", POLICIES, ids=["one by one", "hedged", "in parallel"])
def test_wherever_it_is_cancelled_the_books_are_right(
    tmp_path: Path, policy: str, complaints: list[str]
) -> None:
    """
    A request may be cancelled at any moment: each attempt that began is told to have ended, what is spent
    is what was told, nothing stays held, and no task and no thread is left.
    """
    chance = random.Random(len(policy))  # noqa: S311
    events: list[Event] = []
    with a_router(tmp_path, policy, _all_sorts(chance), money=True) as router:
        router.health = Always()

        async def all_of_them() -> None:
            for _ in range(ROUNDS):
                await asyncio.gather(*(_cut_short(router, chance, events) for _ in range(3)))

        asyncio.run(all_of_them())
        loop = router._loop
        assert loop is not None and loop._loop is not None
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), loop._loop).result()
        left = [task.get_name() for task in asyncio.all_tasks(loop._loop)]
        assert router.ledger is not None
        spend = router.ledger.spend()["daily"]

    assert [] == left
    assert set() == ours()
    begun = sorted((e.model, e.attempt) for e in events if isinstance(e, Started))
    over = [event for event in events if isinstance(event, Ended)]
    assert begun == sorted((e.model, e.attempt) for e in over)
    assert 50 < len(over)
    assert (sum(event.cost_nusd or 0 for event in over), 0) == (spend.spent_nusd, spend.held_nusd)


def _all_sorts(chance: random.Random) -> Steps:
    steps: Steps = []
    for _ in range(ROUNDS * 3):
        step: dict[str, Any] = {"model": chance.choice(["small", "middle", "large", "*"]), "times": 2}
        step["delay_s"] = chance.choice([0, 0.001, 0.004, 0.01])
        kind = chance.choice([None, None, "rate_limit", "auth", "timeout", "connection"])
        steps.append(step if kind is None else {**step, "fail": kind})
    return steps


async def _cut_short(router: Router, chance: random.Random, events: list[Event]) -> None:
    async def gate(answer: Answer) -> bool:
        await asyncio.sleep(0.002)
        return chance.random() < 0.5

    async def listen() -> None:
        async for _ in router.astream("hello", complexity=1, observe=events.append):
            if chance.random() < 0.1:
                break

    async def ask() -> None:
        gates = {"tests": gate} if chance.random() < 0.5 else {}
        await router.acomplete("hello", complexity=1, gates=gates, observe=events.append)

    task = asyncio.create_task(chance.choice([listen, ask])())
    await asyncio.sleep(chance.random() * chance.choice([0.005, 0.02, 0.04]))
    for _ in range(chance.choice([1, 1, 2, 3])):  # some have no patience
        task.cancel()
        await asyncio.sleep(chance.random() * 0.002)
    with suppress(asyncio.CancelledError, ChainError, GateError):
        await task


# --- closing -------------------------------------------------------------------------------------------


def test_closing_ends_what_is_under_way(tmp_path: Path, complaints: list[str]) -> None:
    """
    Who waits for an answer while the router is closed is told so; his call is settled.
    """
    told: list[object] = []
    events: list[Event] = []
    with a_router(tmp_path, MONEY, [{"delay_s": 30}], money=True) as router:
        begun = threading.Event()

        def watch(event: Event) -> None:
            events.append(event)
            begun.set()

        def wait() -> None:
            try:
                router.complete("hello", complexity=1, observe=watch)
            except PolicyctlError as error:
                told.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        begun.wait(10)
        router.close()
        thread.join(10)
        with pytest.raises(RouterError, match="was closed"):
            router.complete("hello", complexity=1)

    assert ["the router was closed"] == [str(error) for error in told]
    assert ["small 1", "small 1 cancelled"] == story(tuple(events))
    assert set() == ours()


def test_closing_ends_an_open_stream(tmp_path: Path, complaints: list[str]) -> None:
    """
    A stream that nobody has heard to its end is settled when the router is closed, and has no more pieces.
    """
    events: list[Event] = []
    with a_router(tmp_path, MONEY, [{"pieces": ["a"] * 50, "delay_s": 30}], money=True) as router:
        stream = router.stream("hello", complexity=1, observe=events.append)
        assert isinstance(next(stream), Piece)
        router.close()
        assert ["small 1", "small 1 cancelled"] == story(tuple(events))
        with pytest.raises(RouterError, match="was closed"):
            next(stream)
        stream.close()

    assert set() == ours()


# --- who looks on --------------------------------------------------------------------------------------


def test_an_observer_that_raises_spoils_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    What an observer raises is reported, and the request goes on.
    """

    def broken(event: Event) -> None:
        raise BrokenPipeError("nobody reads")

    with a_router(tmp_path, MONEY, money=True) as router:
        result = router.complete("hello", complexity=1, observe=broken)
        assert router.ledger is not None
        assert 0 == router.ledger.spend()["daily"].held_nusd

        seen: list[Event] = []
        router._observe = broken
        router.complete("hello", complexity=1, observe=seen.append)

    assert ["small 1", "small 1 ok"] == story(tuple(seen))
    assert "small" == result.model
    assert {"an observer of policyctl raised"} == {record.getMessage() for record in caplog.records}


def test_a_gate_on_the_loop_can_ask_but_not_block(tmp_path: Path) -> None:
    """
    An asynchronous gate may ask another model by `acomplete`; by `complete` it would wait for itself,
    which is an error and no standstill.
    """
    with a_router(tmp_path) as router:

        async def blocks(answer: Answer) -> bool:
            return bool(router.complete("good?", complexity=1).text)

        async def asks(answer: Answer) -> bool:
            return bool((await router.acomplete("good?", complexity=1)).text)

        with pytest.raises(RouterError, match="acomplete"):
            router.complete("hello", complexity=1, gates={"judge": blocks})
        assert "small" == router.complete("hello", complexity=1, gates={"judge": asks}).model


def test_gates_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """
    Many gates that take their time are asked at once, and one that hangs holds up neither them nor the end.
    """
    hangs = threading.Event()
    with a_router(tmp_path) as router:

        async def ask(gate: Gate) -> bool:
            try:
                await router.acomplete("hello", complexity=1, gates={"tests": gate}, deadline_s=5)
            except GateError:
                return False
            return True

        def slow(answer: Answer) -> bool:
            time.sleep(0.5)
            return True

        async def all_of_them() -> list[bool]:
            stuck = asyncio.create_task(ask(lambda answer: hangs.wait(30)))
            served = await asyncio.gather(*(ask(slow) for _ in range(60)))
            stuck.cancel()
            return served

        assert [True] * 60 == asyncio.run(all_of_them())
    assert not hangs.is_set()
    hangs.set()


def test_a_router_is_not_closed_by_who_looks_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    On its own loop a router can't wait for its end; closing it there is an error, and all goes on.
    """
    with a_router(tmp_path) as router:
        result = router.complete("hello", complexity=1, observe=lambda event: router.close())
        assert "small" == result.model
        assert "small" == router.complete("hello", complexity=1).model


def test_a_gate_has_nobody_left_above_it(tmp_path: Path) -> None:
    """
    Where a fallback of the higher tier answers and fails the gate, nobody is left to ask: the gate failed.
    """
    policy = POLICY + "never use large\nfallback to middle\n" + GATED
    steps = [{"model": "small", "fail": "auth"}]
    with a_router(tmp_path, policy, steps) as router, pytest.raises(GateError) as caught:
        router.complete("hello", complexity=1, gates={"tests": lambda answer: False})

    assert ["small 1 auth", "middle 1 ok"] == tried(caught.value.result)


def test_nothing_is_asked_after_the_deadline(tmp_path: Path) -> None:
    """
    A step that is under way as the deadline comes is the last one, and what it may be billed is told.
    """
    with a_router(tmp_path, MONEY, [{"delay_s": 30}], money=True) as router:
        with pytest.raises(ChainError, match="the deadline has passed") as caught:
            router.complete("hello", complexity=1, deadline_s=0.2)
        assert router.ledger is not None
        spend = router.ledger.spend()["daily"]

    result = caught.value.result
    assert ["small"] == [attempt.model for attempt in result.attempts]
    assert (result.cost_nusd, 0) == (spend.spent_nusd, spend.held_nusd)


# --- forks -----------------------------------------------------------------------------------------------


def test_a_fork_has_a_loop_of_its_own(tmp_path: Path) -> None:
    """
    A router that was used before a fork answers in the child, too.
    """
    with a_router(tmp_path, MONEY, money=True) as router:
        router.complete("hello", complexity=1)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            answered = router.complete("hello", complexity=1).model == "small"
            os._exit(0 if answered else 1)
        assert (child, 0) == os.waitpid(child, 0)
