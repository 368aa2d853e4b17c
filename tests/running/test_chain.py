"""How a chain is walked: retries, fallbacks, gates, deadlines, side by side, piece by piece."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from policyctl import ChainError, GateError, RequestError, RoutingError
from policyctl.schemas.calls import Answer, Piece
from policyctl.schemas.run import Ending, Result

from .world import CHAIN, POLICY, a_router, story, tried


def test_the_first_model_answers(tmp_path: Path) -> None:
    """
    Where nothing fails, the first model of the chain is asked, once.
    """
    with a_router(tmp_path) as router:
        result = router.complete("hello", complexity=1)

    assert "small" == result.model
    assert ["small 1", "small 1 ok"] == story(result.events)
    assert "An offline answer in place of small." == result.text


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "timeout", "connection", "server_error"])
def test_what_may_mend_is_tried_again(tmp_path: Path, kind: str) -> None:
    """
    A failure that may mend by itself is tried again on the same model, as often as the policy says.
    """
    with a_router(tmp_path, steps=[{"model": "small", "fail": kind}]) as router:
        result = router.complete("hello", complexity=1)

    assert [f"small 1 {kind}", f"small 2 {kind}", "middle 1 ok"] == tried(result)


@pytest.mark.parametrize("kind", ["auth", "quota", "not_found", "content_filter", "bad_response"])
def test_what_does_not_mend_goes_to_the_next_model(tmp_path: Path, kind: str) -> None:
    """
    A failure that the same model would repeat makes it the next one's turn at once.
    """
    with a_router(tmp_path, steps=[{"model": "small", "fail": kind}]) as router:
        result = router.complete("hello", complexity=1)

    assert [f"small 1 {kind}", "middle 1 ok"] == tried(result)


def test_a_bad_request_stops_the_chain(tmp_path: Path) -> None:
    """
    The same bad request fails everywhere: nobody else is asked.
    """
    with (
        a_router(tmp_path, steps=[{"model": "small", "fail": "invalid_request"}]) as router,
        pytest.raises(ChainError) as caught,
    ):
        router.complete("hello", complexity=1)

    assert ["small 1 invalid_request"] == tried(caught.value.result)


def test_a_request_too_long_goes_to_a_larger_window(tmp_path: Path) -> None:
    """
    After a window that was too small, only models with a larger one are asked.
    """
    policy = POLICY.replace("context 8k", "context 4k") + "fallback to middle, large\n"
    with a_router(tmp_path, policy, [{"model": "small", "fail": "context_window"}]) as router:
        result = router.complete("hello", complexity=1)

    assert ["small 1 context_window", "large 1 ok"] == tried(result)


def test_the_policy_has_the_last_word_on_a_kind(tmp_path: Path) -> None:
    """
    `on KINDS next model` and `on KINDS stop` count before what suits the kind.
    """
    policy = POLICY + "fallback to middle\nretry 3 attempts wait 0s on timeout next model on auth stop\n"
    with a_router(tmp_path, policy, [{"model": "small", "fail": "timeout"}]) as router:
        assert ["small 1 timeout", "middle 1 ok"] == tried(router.complete("hello", complexity=1))
    with (
        a_router(tmp_path, policy, [{"model": "small", "fail": "auth"}]) as router,
        pytest.raises(ChainError) as caught,
    ):
        router.complete("hello", complexity=1)
    assert ["small 1 auth"] == tried(caught.value.result)


def test_retry_after_that_is_longer_than_the_policy_waits_is_not_waited_for(tmp_path: Path) -> None:
    """
    A provider that asks for a long rest is left alone, and the next model answers.
    """
    steps = [{"model": "small", "fail": "rate_limit", "retry_after_s": 3000}]
    with a_router(tmp_path, steps=steps) as router:
        assert ["small 1 rate_limit", "middle 1 ok"] == tried(router.complete("hello", complexity=1))
        again = router.complete("hello", complexity=1)

    assert ["middle 1 ok"] == tried(again)


def test_every_step_failed(tmp_path: Path) -> None:
    """
    Where all models fail, the error carries all attempts and names each model's failure.
    """
    with a_router(tmp_path, steps=[{"fail": "auth"}]) as router, pytest.raises(ChainError) as caught:
        router.complete("hello", complexity=1)

    assert "every step failed: small (auth), middle (auth), large (auth)" == str(caught.value)
    assert Ending.FAILED is caught.value.result.ending


def test_a_model_in_cooldown_is_skipped_until_a_probe(tmp_path: Path) -> None:
    """
    A model that keeps failing isn't sent anything for a while.
    """
    with a_router(tmp_path, steps=[{"model": "small", "fail": "server_error"}]) as router:
        results = [router.complete("hello", complexity=1) for _ in range(4)]

    assert [2, 1, 0, 0] == [sum(a.model == "small" for a in result.attempts) for result in results]
    assert {"middle"} == {result.model for result in results}


def test_retries_have_a_budget(tmp_path: Path) -> None:
    """
    An outage never becomes a storm: retries are at most a tenth of all steps, once the first ten are used.
    """
    policy = CHAIN.replace("2 attempts", "3 attempts")
    asked = 0
    with a_router(tmp_path, policy, [{"fail": "server_error"}]) as router:
        router.health = Always()
        for _ in range(100):
            with pytest.raises(ChainError) as caught:
                router.complete("hello", complexity=1)
            asked += len(caught.value.result.attempts)

    assert 300 < asked <= 300 + 10 + 30


class Always:
    """Lets every model be tried."""

    def down(self) -> frozenset[str]:
        return frozenset()

    def refused_s(self, model: str) -> float:
        return 0.0

    def succeeded(self, model: str, latency_s: float) -> None:
        pass

    def failed(self, model: str, kind: object, retry_after_s: float | None = None) -> None:
        pass

    def left(self, model: str) -> None:
        pass


# --- deadlines ---------------------------------------------------------------------------------------


def test_a_request_ends_at_its_deadline(tmp_path: Path) -> None:
    """
    However slow the models are, a request is over when its deadline is.
    """
    began = time.monotonic()
    with a_router(tmp_path, steps=[{"delay_s": 30}]) as router, pytest.raises(ChainError) as caught:
        router.complete("hello", complexity=1, deadline_s=0.3)

    assert time.monotonic() - began < 0.3 + 0.5 + 1.0  # the last second is the machine's
    assert "timeout" in str(caught.value) or "deadline" in str(caught.value)


def test_a_wait_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    """
    Where the wait before a retry would pass the deadline, the next model is asked at once.
    """
    policy = CHAIN.replace("wait 0s", "wait 20s")
    with a_router(tmp_path, policy, [{"model": "small", "fail": "overloaded"}]) as router:
        result = router.complete("hello", complexity=1, deadline_s=5)

    assert ["small 1 overloaded", "middle 1 ok"] == tried(result)


# --- side by side ------------------------------------------------------------------------------------


def test_a_hedge_starts_beside_a_slow_step(tmp_path: Path) -> None:
    """
    `hedge after`: when a step is slow the next one starts, the first answer wins, the other is cancelled.
    """
    policy = CHAIN + "hedge after 50ms\n"
    with a_router(tmp_path, policy, [{"model": "small", "delay_s": 30}]) as router:
        result = router.complete("hello", complexity=1)

    assert "middle" == result.model
    assert ["small 1", "middle 1", "middle 1 ok", "small 1 cancelled"] == story(result.events)


def test_a_parallel_fallback_starts_as_one(tmp_path: Path) -> None:
    """
    `fallback … in parallel`: once the steps before it have failed, the whole list starts.
    """
    policy = POLICY + "fallback to middle, large in parallel\n"
    steps = [{"model": "small", "fail": "auth"}, {"model": "middle", "delay_s": 30}]
    with a_router(tmp_path, policy, steps) as router:
        result = router.complete("hello", complexity=1)

    assert "large" == result.model
    expected = ["small 1", "small 1 auth", "middle 1", "large 1", "large 1 ok", "middle 1 cancelled"]
    assert expected == story(result.events)


# --- gates -------------------------------------------------------------------------------------------

GATED = CHAIN + "escalate to next tier when gate tests fails\n"


def test_a_failed_gate_raises_the_tier(tmp_path: Path) -> None:
    """
    An answer that fails a gate is thrown away, and the next tier is asked.
    """
    with a_router(tmp_path, GATED) as router:
        result = router.complete("hello", complexity=1, gates={"tests": _Passes(after=2)})

    assert "large" == result.model
    assert 2 == result.escalations
    assert "now the tier is medium now" in story(result.events)


def test_a_gate_that_fails_at_the_top_ends_the_run(tmp_path: Path) -> None:
    """
    Where no tier is left to rise to, the run ends, and says which gate it was.
    """
    with a_router(tmp_path, GATED) as router, pytest.raises(GateError) as caught:
        router.complete("hello", complexity=1, gates={"tests": lambda answer: False})

    assert "tests" == caught.value.result.failed_gate
    assert ["small 1 ok", "middle 1 ok", "large 1 ok"] == tried(caught.value.result)


def test_a_gate_that_no_statement_names_ends_the_run(tmp_path: Path) -> None:
    """
    Without an `escalate` for it, a failed gate can't raise the tier.
    """
    with a_router(tmp_path, GATED) as router, pytest.raises(GateError) as caught:
        router.complete("hello", complexity=1, gates={"lint": lambda answer: False})

    assert ["small 1 ok"] == tried(caught.value.result)


class _Passes:
    """A gate that fails so many times and then passes."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, answer: Answer) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_kind_of_failure_can_raise_the_tier(tmp_path: Path) -> None:
    """
    `escalate … on KIND` takes the next tier in place of the fallback list's order.
    """
    policy = POLICY + "fallback to middle, large\nescalate from cheap to powerful on bad_response\n"
    with a_router(tmp_path, policy, [{"model": "small", "fail": "bad_response"}]) as router:
        result = router.complete("hello", complexity=1)

    assert "large" == result.model
    assert 1 == result.escalations


# --- piece by piece ----------------------------------------------------------------------------------


def test_a_stream_falls_back_until_its_first_piece(tmp_path: Path) -> None:
    """
    A model that fails before it said anything is replaced; the caller sees only the other's pieces.
    """
    steps = [{"model": "small", "fail": "auth"}, {"model": "middle", "pieces": ["one ", "two"]}]
    with a_router(tmp_path, steps=steps) as router:
        *pieces, result = router.stream("hello", complexity=1)

    assert "one two" == "".join(piece.text for piece in pieces if isinstance(piece, Piece))
    assert isinstance(result, Result) and "middle" == result.model and "one two" == result.text


def test_a_stream_that_breaks_is_told(tmp_path: Path) -> None:
    """
    What was handed over can't be taken back: after the first piece a failure ends the run.
    """
    steps = [{"model": "small", "pieces": ["one ", "two"], "fail": "connection"}]
    heard = []
    with a_router(tmp_path, steps=steps) as router, pytest.raises(ChainError) as caught:
        for piece in router.stream("hello", complexity=1):
            assert isinstance(piece, Piece)
            heard.append(piece.text)

    assert ["one ", "two"] == heard
    assert "small broke off in the middle" in str(caught.value)


def test_whoever_stops_listening_ends_the_stream(tmp_path: Path) -> None:
    """
    Closing a stream cancels its call, in both faces.
    """
    steps = [{"pieces": ["a"] * 50, "delay_s": 100}]
    events: list[object] = []

    async def listen() -> None:
        async for _ in router.astream("hello", complexity=1, observe=events.append):
            break

    with a_router(tmp_path, steps=steps) as router:
        for _ in router.stream("hello", complexity=1, observe=events.append):
            break
        asyncio.run(listen())
        router.close()

    assert ["small 1", "small 1 cancelled"] * 2 == story(tuple(events))  # type: ignore[arg-type]


# --- refusals and mistakes -----------------------------------------------------------------------------


def test_a_refusal_carries_its_decision(tmp_path: Path) -> None:
    """
    Where nobody may serve, nothing is sent, and the error carries the decision.
    """
    with a_router(tmp_path, POLICY) as router, pytest.raises(RoutingError) as caught:
        router.complete("hello", complexity=1, requires={"pdf"})

    assert () == caught.value.decision.chain
    assert () == caught.value.result.attempts


def test_a_model_alone_has_no_fallback(tmp_path: Path) -> None:
    """
    `alone` asks one model and nobody else; where it can't serve, the refusal says why.
    """
    with a_router(tmp_path, steps=[{"model": "middle", "fail": "auth"}]) as router:
        with pytest.raises(ChainError) as caught:
            router.complete("hello", complexity=1, alone="middle")
        assert ["middle 1 auth"] == tried(caught.value.result)
        with pytest.raises(RoutingError, match=r"small can't serve: can't do vision"):
            router.complete("hello", complexity=1, alone="small", requires={"vision"})
        with pytest.raises(RequestError, match="unknown model `smal`"):
            router.complete("hello", complexity=1, alone="smal")


@pytest.mark.parametrize(
    ("messages", "needs"),
    [
        ([{"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url"}]}], "middle"),
        ([{"role": "user", "content": "?"}], "small"),
    ],
)
def test_a_picture_needs_a_model_that_sees(
    tmp_path: Path, messages: list[dict[str, object]], needs: str
) -> None:
    """
    What messages bring along is required of the model without being said.
    """
    with a_router(tmp_path) as router:
        assert needs == router.complete(messages, complexity=1).model


def test_a_message_that_is_none_is_named() -> None:
    """
    A message without a role or a readable content is an error that names it.
    """
    from policyctl.router import messages_of

    with pytest.raises(RequestError, match="message 2 has no role"):
        messages_of([{"role": "user", "content": "?"}, {"content": "?"}])


# --- many at once --------------------------------------------------------------------------------------


def test_many_requests_on_one_loop_and_on_threads(tmp_path: Path) -> None:
    """
    200 requests on one event loop and on 32 threads are all answered, and nothing is left behind.
    """
    steps = [{"model": "small", "delay_s": 0.01}]
    before = threading.active_count()
    with a_router(tmp_path, steps=steps) as router:

        async def all_at_once() -> list[Result]:
            return await asyncio.gather(*(router.acomplete("hello", complexity=1) for _ in range(200)))

        results = asyncio.run(all_at_once())
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(32) as pool:
            results += pool.map(lambda _: router.complete("hello", complexity=1), range(200))

    assert 400 == sum(result.model == "small" for result in results)
    assert 400 == len({result.request_id for result in results})
    assert before == threading.active_count()
