"""Whole requests over real sockets: the executor, the real libraries, and providers that misbehave."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policyctl import ChainError, RunError
from policyctl.deciding import Engine
from policyctl.ledger.ledger import Ledger
from policyctl.router import Router
from policyctl.schemas.run import Result

from ..servers.fake_providers import FakeProviders, Reply
from .world import tried

SOAK = bool(os.environ.get("POLICYCTL_SOAK"))
KEY = "sk-canary-0123456789abcdef0123456789"
PROMPT = "canary-prompt about three rivers"

IDS = {
    "openai": "openai/gpt-5",
    "anthropic": "anthropic/claude-haiku-4-5",
    "google": "google/gemini-2.5-flash",
    "deepseek": "deepseek/deepseek-chat",
    "litellm": "litellm/gpt-4o-mini",
}
GLOBS = {name: f"*{id.partition('/')[2]}" for name, id in IDS.items()}
"""What the server is told of a model."""


def policy_of(fakes: FakeProviders, *names: str, more: str = "", timeout: str = "5s") -> str:
    """
    A policy whose chain asks these providers one after the other, all of them the fake.
    """
    lines = []
    for name in names:
        base = fakes.base("openai" if name == "litellm" else name)
        lines.append(
            f"model {name} is {IDS[name]} costs $1 in, $4 out can tools, json_mode"
            f' timeout {timeout} server "{base}" key FAKE_KEY'
        )
    lines.append(f"tier single from complexity 0 has {names[0]}")
    if names[1:]:
        lines.append(f"fallback to {', '.join(names[1:])}{' in parallel' if 'parallel' in more else ''}")
    return "\n".join([*lines, more.replace("parallel", "")])


Make = Callable[..., Router]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """
    What makes a router that is closed after the test.
    """

    def make(policy: str, *, money: bool = False) -> Router:
        engine = Engine.from_text(policy)
        ledger = Ledger(tmp_path / "l" / "p.db", engine.policy, create=True) if money else None
        router = Router(engine, ledger, environ={"FAKE_KEY": KEY, "PATH": os.environ["PATH"]})
        request.addfinalizer(router.close)
        return router

    return make


RETRY = "retry 2 attempts wait 10ms\n"


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("face", ["sync", "async", "stream"])
def test_each_provider_answers(fakes: FakeProviders, make: Make, name: str, face: str) -> None:
    """
    Through each library, in each face, a request is one request on the wire, and costs what was counted.
    """
    fakes.reply("*", Reply("three rivers", input_tokens=100, output_tokens=10))
    router = make(policy_of(fakes, name))
    if face == "async":
        result = asyncio.run(router.acomplete(PROMPT, complexity=1))
    elif face == "stream":
        *_, last = router.stream(PROMPT, complexity=1)
        assert isinstance(last, Result)
        result = last
    else:
        result = router.complete(PROMPT, complexity=1)

    assert ("three rivers", name) == (result.text, result.model)
    assert 100 * 1000 + 10 * 4000 == result.cost_nusd
    assert 1 == fakes.count("*")


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    ("fault", "kind", "sent"),
    [
        ("rate_limit:0", "rate_limit", 2),
        ("unavailable", "overloaded", 2),
        ("bad_gateway", "server_error", 2),
        ("reset", "connection", 2),
        ("auth", "auth", 1),
        ("not_found", "not_found", 1),
        ("empty_text", "bad_response", 1),
        ("length", "bad_response", 1),
        ("garbage", "bad_response", 1),
    ],
)
def test_each_fault_takes_its_way(
    fakes: FakeProviders, make: Make, name: str, fault: str, kind: str, sent: int
) -> None:
    """
    A failure is sent as often as its kind says, never once more by a library; then the next model answers.
    """
    backup = "deepseek" if name != "deepseek" else "openai"
    fakes.plan(GLOBS[name], fault)
    router = make(policy_of(fakes, name, backup, more=RETRY))
    result = router.complete(PROMPT, complexity=1)

    assert [*(f"{name} {n} {kind}" for n in range(1, sent + 1)), f"{backup} 1 ok"] == tried(result)
    assert sent == fakes.count(GLOBS[name])
    assert 1 == fakes.count(GLOBS[backup])


def test_a_bad_request_is_sent_once(fakes: FakeProviders, make: Make) -> None:
    """
    What one provider says is wrong with a request is not tried with the others.
    """
    fakes.plan("*", "bad_request")
    router = make(policy_of(fakes, "openai", "deepseek", more=RETRY))
    with pytest.raises(ChainError):
        router.complete(PROMPT, complexity=1)

    assert 1 == fakes.count("*")


@pytest.mark.parametrize("name", ["openai", "litellm"])
@pytest.mark.parametrize("fault", ["hang", "slow_drip:0.1"])
def test_no_request_outlives_its_deadline(fakes: FakeProviders, make: Make, name: str, fault: str) -> None:
    """
    Neither silence nor an answer that drips holds a request past its deadline.
    """
    router = make(policy_of(fakes, name, "deepseek", timeout="60s"))
    router.complete(PROMPT, complexity=1)  # what is imported first takes its time
    fakes.plan("*", fault)
    began = time.monotonic()
    with pytest.raises(ChainError):
        router.complete(PROMPT, complexity=1, deadline_s=0.6)

    assert time.monotonic() - began < 0.6 + 0.5 + 1.0  # the last second is the machine's
    fakes.wait_idle()
    assert "client_closed" == fakes.requests[-1].outcome


def test_a_cancelled_hedge_closes_its_socket(fakes: FakeProviders, make: Make) -> None:
    """
    The loser of a hedge is hung up on, seen at the server, and its hold is settled.
    """
    fakes.plan(GLOBS["openai"], "hang")
    budget = "hedge after 100ms\nbudget daily is $1 per day\n  at 100% pause\n"
    router = make(policy_of(fakes, "openai", "deepseek", more=budget), money=True)
    result = router.complete(PROMPT, complexity=1, max_output_tokens=1000)
    fakes.wait_idle()

    assert "deepseek" == result.model
    (slow,) = [seen for seen in fakes.requests if "gpt-5" in seen.model]
    assert "client_closed" == slow.outcome
    assert router.ledger is not None
    spend = router.ledger.spend()["daily"]
    assert (result.cost_nusd, 0) == (spend.spent_nusd, spend.held_nusd)


def test_one_provider_down_is_not_noticed(fakes: FakeProviders, make: Make) -> None:
    """
    With one of three providers down, at least 99.9 % of requests are served.
    """
    fakes.plan(GLOBS["openai"], "server_error", "reset", "unavailable")
    router = make(policy_of(fakes, "openai", "deepseek", "litellm", more=RETRY))
    asked = 1000 if SOAK else 100
    served = 0
    with ThreadPoolExecutor(16) as pool:
        for done in pool.map(lambda _: _ending(router), range(asked)):
            served += done is not None

    assert served >= 0.999 * asked
    assert fakes.count(GLOBS["openai"]) < asked * 0.2  # its breaker keeps most of them away


def test_three_providers_down_are_left_alone(fakes: FakeProviders, make: Make) -> None:
    """
    When everything is down, retries stay within their budget and breakers stop most hops.
    """
    fakes.plan("*", "server_error")
    router = make(policy_of(fakes, "openai", "deepseek", "litellm", more="retry 3 attempts wait 1ms\n"))
    asked = 1000 if SOAK else 200
    for _ in range(asked):
        assert _ending(router) is None

    steps = 3 * asked
    assert fakes.count("*") <= 1.2 * steps
    assert fakes.count("*") < 0.2 * steps


def _ending(router: Router) -> Result | None:
    try:
        return router.complete(PROMPT, complexity=1, deadline_s=20)
    except RunError:
        return None


FAULTS = """
rate_limit:0 quota server_error bad_gateway unavailable overloaded gateway_timeout auth permission not_found
bad_request context_length content_filter empty_text empty_choices missing_usage negative_usage absurd_usage
length reset eof reset_mid eof_mid truncated_json garbage leak:500 leak:400 redirect not_utf8
""".split()


@pytest.mark.parametrize("name", IDS)
def test_neither_key_nor_prompt_is_ever_told(
    fakes: FakeProviders,
    make: Make,
    name: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Over all faults, plain and streamed: not in results, errors, logs at DEBUG, output, ledger or usage log.
    """
    caplog.set_level(logging.DEBUG)
    router = make(
        policy_of(fakes, name, more=RETRY + "budget daily is $90 per day\n  at 100% pause\n"), money=True
    )
    router.health = _Fine()
    said = []
    for fault in FAULTS:
        fakes.heal()
        fakes.plan("*", fault)
        for ask in (_plain, _streamed):
            try:
                said.append(repr(ask(router)))
            except RunError as error:
                said += [str(error), repr(error.result), *traceback.format_exception(error)]
    out = capfd.readouterr()
    text = "\n".join([*said, *(r.getMessage() for r in caplog.records), out.out, out.err])
    for canary in (KEY, "canary-prompt"):
        assert canary not in text
    for path in (tmp_path / "l").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert KEY.encode() not in data and b"canary-prompt" not in data, path
    assert not fakes.requests[-1].path.startswith("/elsewhere")


def _plain(router: Router) -> Result:
    return router.complete(PROMPT, complexity=1, deadline_s=10)


def _streamed(router: Router) -> object:
    return list(router.stream(PROMPT, complexity=1, deadline_s=10))


class _Fine:
    """Health that lets every model be tried."""

    def down(self) -> frozenset[str]:
        return frozenset()

    def refused_s(self, model: str) -> float:
        return 0.0

    def succeeded(self, model: str, latency_s: float) -> None: ...

    def failed(self, model: str, kind: object, retry_after_s: float | None = None) -> None: ...

    def left(self, model: str) -> None: ...


@pytest.mark.parametrize("name", ["openai", "anthropic", "litellm"])
def test_many_at_once_over_sockets(fakes: FakeProviders, make: Make, name: str) -> None:
    """
    200 requests at once on one event loop and on 32 threads: each gets its own answer, no thread is left.
    """
    fakes.plan("*", "delay:0.05")
    router = make(policy_of(fakes, name))
    router.complete("warm", complexity=1)
    before = _ours()

    async def all_at_once() -> list[Result]:
        asked = (router.acomplete(f"number {n}", complexity=1) for n in range(200))
        return await asyncio.gather(*asked)

    answers = [result.text for result in asyncio.run(all_at_once())]
    with ThreadPoolExecutor(32) as pool:
        texts = pool.map(lambda n: router.complete(f"number {n}", complexity=1).text, range(200))
        answers += list(texts)

    assert [f"echo: number {n}" for n in range(200)] * 2 == answers
    assert before == _ours()


def test_first_requests_at_once_share_one_client(fakes: FakeProviders, make: Make) -> None:
    """
    However many ask for the first time at once, all connections are closed with the router.
    """
    router = make(policy_of(fakes, "openai"))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: router.complete(f"number {n}", complexity=1), range(64)))
    router.close()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gc.collect()

    assert [] == [str(warning.message) for warning in told]


def _ours() -> list[str]:
    """
    The threads that aren't the server's.
    """
    names = (thread.name for thread in threading.enumerate())
    return sorted(name for name in names if name.startswith(("MainThread", "policyctl", "ThreadPool")))


def test_a_schema_goes_through_a_tool_where_a_model_has_no_json_mode(
    fakes: FakeProviders, make: Make
) -> None:
    """
    A model with tools alone is asked for JSON through a tool that it must call.
    """
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    policy = policy_of(fakes, "openai").replace("can tools, json_mode", "can tools")
    result = make(policy).complete(PROMPT, complexity=1, schema=schema)

    assert '"n"' in result.text
    assert () == (result.answer.tool_calls if result.answer else None)
    assert "tools" in fakes.requests[-1].body
