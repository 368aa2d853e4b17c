"""What a run does to the ledger: a hold for every leg, and none left behind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from policyctl import LedgerError, RoutingError
from policyctl.deciding import Engine
from policyctl.ledger.ledger import Ledger
from policyctl.router import Router
from policyctl.schemas.ledger import Attempt, Hold
from policyctl.schemas.run import Ending

from .world import CHAIN, POLICY, a_router, log_lines, story, tried

MONEY = CHAIN + "budget daily is $10 per day\n  at 100% pause\n"
TOKENS = {"input": 20, "output": 1000}


def spent(router: Router, budget: str = "daily") -> tuple[int, int]:
    """
    What a budget has spent and holds, in millionths of a dollar.
    """
    assert router.ledger is not None
    spend = router.ledger.spend()[budget]
    return spend.spent_nusd // 1000, spend.held_nusd // 1000


def test_an_answer_costs_its_tokens(tmp_path: Path) -> None:
    """
    What is spent is what the answer's tokens cost; nothing stays held, and the log tells of it.
    """
    with a_router(tmp_path, MONEY, [{"tokens": TOKENS, "text": "yes"}], money=True) as router:
        result = router.complete("hello", complexity=1, story_id="US-1", run_id="r1")
        assert (4020, 0) == spent(router)

    assert 4_020_000 == result.cost_nusd
    (line,) = log_lines(tmp_path)
    assert ("US-1", "small", True, 0.00402) == (
        line["story_id"],
        line["model"],
        line["success"],
        line["cost_usd"],
    )


def test_a_refused_call_costs_nothing_and_a_lost_one_its_hold(tmp_path: Path) -> None:
    """
    Failures that providers don't bill give their hold back; one whose outcome is unknown counts in full.
    """
    steps = [{"model": "small", "fail": "rate_limit"}, {"model": "middle", "fail": "timeout"}]
    with a_router(tmp_path, MONEY, steps, money=True) as router:
        result = router.complete("hello", complexity=1, max_output_tokens=1000)
        sums = spent(router)

    costs = {a.model: (a.cost_nusd, a.estimated) for a in result.attempts}
    assert (0, False) == costs["small"]
    assert costs["middle"][0] > 1000 * 8000 and costs["middle"][1]
    assert (result.cost_nusd // 1000, 0) == sums


def test_a_hold_that_does_not_fit_goes_to_the_next_step(tmp_path: Path) -> None:
    """
    Where a model's worst case is more than the budget has left, the next step is asked.
    """
    policy = POLICY + "fallback to small\nbudget daily is $0.05 per day\n  at 100% pause\n"
    with a_router(tmp_path, policy, money=True) as router:
        result = router.complete("hello", complexity=7, max_output_tokens=4000)

    assert ["large -", "small 1", "small 1 ok"] == story(result.events)


def test_no_hold_fits(tmp_path: Path) -> None:
    """
    Where no step's worst case fits, that is a refusal by the budget, and nothing was sent.
    """
    policy = POLICY + "budget daily is $0.001 per day\n  at 100% pause\n"
    with a_router(tmp_path, policy, money=True) as router, pytest.raises(RoutingError) as caught:
        router.complete("hello", complexity=1)

    result = caught.value.result
    assert Ending.REFUSED is result.ending
    assert result.denied is not None and "daily" == result.denied.budget
    assert "daily" in str(caught.value)
    assert () == result.attempts


def test_a_hold_waits_for_calls_under_way(tmp_path: Path) -> None:
    """
    Where only what others hold is in the way, the step waits for it.
    """
    policy = POLICY + "budget daily is $0.05 per day\n  at 100% pause\n"
    with a_router(tmp_path, policy, money=True) as router:
        ledger = router.ledger
        assert ledger is not None
        other = Attempt(key="other:1:1", provider="offline", model="small", most_nusd=48_000_000)
        assert isinstance(ledger.reserve(other, send=True), Hold)
        timer = threading.Timer(0.2, lambda: ledger.release("other:1:1"))
        timer.start()
        result = router.complete("hello", complexity=1, max_output_tokens=2000)
        timer.join()

    assert ["small 1", "small 1 ok"] == story(result.events)


def test_waiting_for_room_ends_at_the_deadline(tmp_path: Path) -> None:
    """
    A step doesn't wait for room past the request's deadline.
    """
    policy = POLICY + "budget daily is $0.05 per day\n  at 100% pause\n"
    with a_router(tmp_path, policy, money=True) as router:
        assert router.ledger is not None
        other = Attempt(key="other:1:1", provider="offline", model="small", most_nusd=48_000_000)
        router.ledger.reserve(other, send=True)
        with pytest.raises(RoutingError, match="daily"):
            router.complete("hello", complexity=1, max_output_tokens=2000, deadline_s=0.3)


def test_a_level_crossed_on_the_way_changes_the_rest(tmp_path: Path) -> None:
    """
    When an attempt takes a budget over a level, the rest of the chain follows that level.
    """
    policy = CHAIN + "budget daily is $1 per day\n  at 50% only small\n  at 100% pause\n"
    cut_off = {"model": "middle", "tokens": {"input": 0, "output": 70_000}, "finish_reason": "length"}
    with a_router(tmp_path, policy, [cut_off], money=True) as router:
        result = router.complete("hello", complexity=4, max_output_tokens=100_000)

    assert ["middle 1 bad_response", "small 1 ok"] == tried(result)
    assert "now budget daily: only" in story(result.events)


def test_a_level_that_pauses_on_the_way_ends_the_run(tmp_path: Path) -> None:
    """
    When an attempt uses the budget up, nothing more is sent.
    """
    policy = CHAIN + "budget daily is $1 per day\n  at 50% pause\n"
    cut_off = {"model": "middle", "tokens": {"input": 0, "output": 63_000}, "finish_reason": "length"}
    with a_router(tmp_path, policy, [cut_off], money=True) as router, pytest.raises(RoutingError) as caught:
        router.complete("hello", complexity=4, max_output_tokens=50_000)

    assert ["middle 1 bad_response"] == tried(caught.value.result)
    assert "budget daily is used up" == str(caught.value)


def test_a_cancelled_hedge_is_settled(tmp_path: Path) -> None:
    """
    What a cancelled leg may still be billed counts as spent at its hold; nothing stays open.
    """
    policy = MONEY + "hedge after 50ms\n"
    with a_router(tmp_path, policy, [{"model": "small", "delay_s": 30}], money=True) as router:
        result = router.complete("hello", complexity=1, max_output_tokens=1000)
        total, held = spent(router)

    legs = {a.model: a.cost_nusd or 0 for a in result.attempts}
    assert {"small", "middle"} == set(legs)
    assert legs["small"] > 1000 * 4000
    assert (sum(legs.values()) // 1000, 0) == (total, held)


def test_a_stream_costs_its_tokens(tmp_path: Path) -> None:
    """
    A stream that was heard to its end is settled by its tokens.
    """
    with a_router(tmp_path, MONEY, [{"tokens": TOKENS, "text": "yes"}], money=True) as router:
        list(router.stream("hello", complexity=1))
        assert (4020, 0) == spent(router)


def test_missing_usage_counts_at_the_hold_and_is_flagged(tmp_path: Path) -> None:
    """
    An answer whose provider doesn't say what it counted costs its hold, marked as an estimate.
    """
    policy = Engine.from_text(MONEY)
    ledger = Ledger(tmp_path / "l" / "p.db", policy.policy, create=True)
    with Router(policy, ledger, environ={}, adapters=_Silent()) as router:
        result = router.complete("hello", complexity=1, max_output_tokens=1000)

    (attempt,) = result.attempts
    assert attempt.estimated and attempt.cost_nusd is not None and attempt.cost_nusd > 4_000_000


class _Silent:
    """Answers without a word on tokens."""

    def for_model(self, model: object) -> _Silent:
        return self

    async def complete(self, call: object) -> object:
        from policyctl.schemas.calls import Answer

        return Answer(text="yes")

    async def close(self) -> None:
        pass


def test_a_policy_with_budgets_needs_a_ledger() -> None:
    """
    Budgets that nobody writes down would hold nothing back.
    """
    with pytest.raises(LedgerError, match="nobody would count what budget daily spends"):
        Router(Engine.from_text(MONEY), environ={})


def test_where_the_ledger_cannot_answer_nothing_is_sent(tmp_path: Path) -> None:
    """
    With the ledger gone, a request ends in an error and no model is asked.
    """
    events: list[object] = []
    with a_router(tmp_path, MONEY, money=True) as router:
        assert router.ledger is not None
        router.ledger.close()
        with pytest.raises(LedgerError):
            router.complete("hello", complexity=1, observe=events.append)

    assert [] == events


def test_an_answer_is_not_lost_with_the_ledger(tmp_path: Path) -> None:
    """
    Where the ledger can't write down what an answer cost, the answer is given all the same, and marked.
    """
    with a_router(tmp_path, MONEY, [{"text": "yes", "delay_s": 0.3}], money=True) as router:
        ledger = router.ledger
        assert ledger is not None
        timer = threading.Timer(0.1, ledger.close)
        timer.start()
        result = router.complete("hello", complexity=1)
        timer.join()

    assert "yes" == result.text
    (attempt,) = result.attempts
    assert attempt.estimated
    assert "the ledger couldn't write it down" in attempt.words


def test_monthly_cost_budget_binds(tmp_path: Path) -> None:
    """
    MONTHLY_COST_BUDGET limits the month, also where the policy says nothing of it.
    """
    file = tmp_path / "small.policy"
    file.write_text(POLICY, encoding="utf-8")
    environ = {"MONTHLY_COST_BUDGET": "0.0001"}
    with (
        Router.load(file, ledger=tmp_path / "l" / "p.db", environ=environ, offline=True) as router,
        pytest.raises(RoutingError, match="monthly"),
    ):
        router.complete("hello", complexity=1)


def test_pretended_money_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Offline, levels act as they would, but nothing is written where real money is counted.
    """
    monkeypatch.chdir(tmp_path)
    Path("small.policy").write_text(MONEY, encoding="utf-8")
    with Router.load("small.policy", environ={}, offline=True) as router:
        assert router.complete("hello", complexity=1).cost_nusd > 0

    assert ["small.policy"] == [path.name for path in tmp_path.iterdir()]


def test_a_limit_that_was_raised_holds_and_is_compiled_once(tmp_path: Path) -> None:
    """
    A person who raises a budget is heeded by the next request, and the policy isn't compiled for each.
    """
    policy = POLICY + "budget daily is $0.001 per day\n  at 100% pause\n"
    with a_router(tmp_path, policy, money=True) as router:
        assert router.ledger is not None
        with pytest.raises(RoutingError):
            router.complete("hello", complexity=1)
        router.ledger.raise_limit("daily", 10**9)
        assert "small" == router.complete("hello", complexity=1).model
        first, second = (router.engine.in_force(router.ledger.status()) for _ in range(2))

    assert first is second
    assert 10**9 == first.policy.budgets["daily"].limit_nusd
