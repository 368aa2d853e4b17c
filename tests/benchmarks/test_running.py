"""
What a request costs on top of the call itself.

`make bench` prints the table. In one run, against the same server in a process of its own: a bare
`litellm.completion`, a bare `litellm.acompletion`, the same call through a Router without a ledger, and
with one. They take turns in blocks, not call by call: LiteLLM has one logging task a process, and moves it
whenever another event loop calls. What is shown is the median of each and the difference to the first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from policyctl.deciding import Engine
from policyctl.ledger.ledger import Ledger
from policyctl.providers.loop import LoopThread
from policyctl.router import Router

from ..servers import alone

BLOCKS, BLOCK, WARM = 8, 40, 5
POLICY = """\
model m is litellm/gpt-4o-mini costs $1 in, $4 out can tools server "{url}/v1" key FAKE_KEY
tier single from complexity 0 has m
"""


async def _nothing() -> None:
    """
    What is done before the loop ends.
    """


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def test_overhead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A request through a Router without a ledger takes less than a millisecond more than the bare call.
    """
    environ = {"FAKE_KEY": "k"}
    with alone.apart() as url:
        engine = Engine.from_text(POLICY.format(url=url))
        ledger = Ledger(tmp_path / "l" / "p.db", engine.policy, create=True)
        with Router(engine, environ=environ) as plain, Router(engine, ledger, environ=environ) as counted:
            plain.complete("hello", complexity=1)
            import litellm

            said = {
                "model": "openai/gpt-4o-mini",
                "messages": [{"role": "user", "content": "hello"}],
                "api_base": f"{url}/v1",
                "api_key": "k",
                "max_tokens": 8192,
                "num_retries": 0,
                "max_retries": 0,
            }
            loop = LoopThread()
            ways: dict[str, Callable[[], object]] = {
                "litellm.completion": lambda: litellm.completion(**said),
                "litellm.acompletion": lambda: loop.run(litellm.acompletion(**said)),
                "Router, no ledger": lambda: plain.complete("hello", complexity=1),
                "Router, SQLite ledger": lambda: counted.complete("hello", complexity=1),
            }
            took: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(BLOCKS):
                for name, way in ways.items():
                    times = [_timed(way) for _ in range(WARM + BLOCK)]
                    took[name] += times[WARM:]
            loop.close(_nothing)
    medians = {name: statistics.median(times) for name, times in took.items()}
    floor = medians["litellm.completion"]
    with capsys.disabled():
        print()
        for name, median in medians.items():
            p99 = sorted(took[name])[int(BLOCKS * BLOCK * 0.99)]
            print(f"  {name:24} p50 {median:6.2f} ms  p99 {p99:6.2f} ms  {median - floor:+.2f} ms")
    assert medians["Router, no ledger"] - floor < 1.0
