"""One ledger, asked by many threads of a process, as an executor on an event loop does."""

from __future__ import annotations

import asyncio
import fcntl
import time
from concurrent.futures import ThreadPoolExecutor

from policyctl.schemas.ledger import DeniedBy, HoldState
from policyctl.schemas.request import Spend

from .world import CENT, World, attempt, denied, held, policy_of, usage

THREADS = 32


def test_many_threads_share_a_ledger(either: World) -> None:
    """
    Each thread gets the answers to its own calls, and the sums are those of all.
    """
    ledger = either.open(policy_of("budget monthly is $2 per month\n  at 100% pause\n"))

    def work(thread: int) -> int:
        given = 0
        for number in range(10):
            key = f"{thread}:{number}"
            answer = ledger.reserve(attempt(key, CENT), send=True)
            if hasattr(answer, "state"):
                assert (key, HoldState.SENT, CENT) == (answer.key, answer.state, answer.hold_nusd)
                assert thread == ledger.commit(key, usage(thread)).cost_nusd
                assert HoldState.COMMITTED == ledger.renew(key).state
                given += 1
        return given

    with ThreadPoolExecutor(THREADS) as pool:
        given = list(pool.map(work, range(THREADS)))

    spent = sum(thread * count for thread, count in enumerate(given))
    assert {"monthly": Spend(spent)} == ledger.spend()
    assert 10 * THREADS == sum(given)
    assert 10 * THREADS == len(either.lines())
    assert () == either.health().problems


def test_an_event_loop_goes_on_while_the_ledger_is_waited_for(world: World) -> None:
    """
    Another process sits on the ledger: 32 threads of a loop are told no in the time that was given, the
    loop runs on meanwhile, and each of them can go on afterwards.
    """
    ledger = world.open(wait_s=0.5)
    ticks = [0]

    async def tick() -> None:
        while True:
            ticks[0] += 1
            await asyncio.sleep(0.01)

    async def ask(prefix: str) -> list[object]:
        ticking = asyncio.ensure_future(tick())
        calls = (
            asyncio.to_thread(ledger.reserve, attempt(f"{prefix}{number}", CENT), send=True, wait_s=0)
            for number in range(THREADS)
        )
        answers = await asyncio.gather(*calls)
        ticking.cancel()
        return list(answers)

    with (world.folder / "policyctl.db-lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = time.monotonic()
        refused = asyncio.run(ask("a"))
        took_s = time.monotonic() - start
    admitted = asyncio.run(ask("b"))

    # The threads of the loop are fewer than the calls: some wait their turn, none for more than a few.
    assert 0.5 <= took_s < 0.5 * THREADS
    assert ticks[0] > 10
    assert {DeniedBy.LEDGER} == {denied(answer).by for answer in refused}  # type: ignore[arg-type]
    assert {HoldState.SENT} == {held(answer).state for answer in admitted}  # type: ignore[arg-type]
    assert {"monthly": Spend(0, THREADS * CENT)} == ledger.spend()
