"""Money is held before a call, and becomes what the call really cost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policyctl.schemas.errors import LedgerMisuse
from policyctl.schemas.ledger import DeniedBy, Flag, Hold, HoldState, Usage
from policyctl.schemas.request import Spend

from .world import CENT, DOLLAR, MONTHLY, World, attempt, denied, held, policy_of, usage


def test_a_call_is_held_sent_and_committed(either: World) -> None:
    """
    A hold stands at the worst case until the cost is known, and counts as spent only then.
    """
    ledger = either.open()

    assert Hold("r:1:1", HoldState.HELD, DOLLAR, 0) == ledger.reserve(attempt())
    assert {"monthly": Spend(0, DOLLAR)} == ledger.spend()
    assert HoldState.SENT == ledger.sent("r:1:1").state
    assert Hold("r:1:1", HoldState.COMMITTED, DOLLAR, 10 * CENT) == ledger.commit("r:1:1", usage())
    assert {"monthly": Spend(10 * CENT, 0)} == ledger.spend()


def test_a_hold_that_doesnt_fit_is_refused(either: World) -> None:
    """
    What is spent, what is held and the new hold together stay within the limit; to the nano-dollar.
    """
    ledger = either.open()
    ledger.reserve(attempt("a", 9 * DOLLAR))
    ledger.commit("a", usage(4 * DOLLAR))
    ledger.reserve(attempt("b", 5 * DOLLAR))
    refused = denied(ledger.reserve(attempt("c", DOLLAR + 1)))

    assert (DeniedBy.BUDGET, "monthly", True) == (refused.by, refused.budget, refused.only_held)
    assert "budget `monthly` has $4 spent and $5 held of $10" in refused.message
    assert "2026-04-01T00:00:00+00:00" == (refused.until and refused.until.isoformat())
    assert {"monthly": Spend(4 * DOLLAR, 5 * DOLLAR)} == ledger.spend()
    assert HoldState.HELD == held(ledger.reserve(attempt("d", DOLLAR))).state


def test_a_budget_at_its_limit_refuses_what_costs_nothing_too(either: World) -> None:
    """
    A budget that pauses serves nothing that it is for, as in a decision.
    """
    ledger = either.open()
    ledger.reserve(attempt("a", 10 * DOLLAR))

    assert denied(ledger.reserve(attempt("b", 0))).only_held


def test_waiting_ends_when_a_call_under_way_makes_room(either: World) -> None:
    """
    Where only open holds are in the way, a reservation waits for them, and no longer than it is told.
    """
    ledger = either.open()
    ledger.reserve(attempt("a", 10 * DOLLAR))
    start = either.ticks
    assert denied(ledger.reserve(attempt("b"), wait_s=3)).only_held
    assert 3 == pytest.approx(either.ticks - start)

    def sleep(seconds: float) -> None:
        either.sleep(seconds)
        if either.ticks > 4:
            ledger.commit("a", usage())

    ledger._sleep = sleep
    assert HoldState.HELD == held(ledger.reserve(attempt("b"), wait_s=30)).state
    assert 4 < either.ticks < 5


def test_waiting_is_no_use_against_what_is_spent(either: World) -> None:
    """
    A budget that is spent refuses at once.
    """
    ledger = either.open()
    ledger.reserve(attempt("a", 10 * DOLLAR))
    ledger.commit("a", usage(10 * DOLLAR))

    assert not denied(ledger.reserve(attempt("b"), wait_s=30)).only_held
    assert 0 == either.ticks


def test_without_a_price_nothing_is_reserved(either: World) -> None:
    """
    No known price means no hold, and so no call; what costs nothing has a price.
    """
    ledger = either.open()
    unpriced = attempt("a", None, price_in_nusd_per_mtok=None)
    free = attempt("b", None, price_in_nusd_per_mtok=0, price_out_nusd_per_mtok=0, max_output_tokens=10**9)

    assert DeniedBy.NO_PRICE == denied(ledger.reserve(unpriced)).by
    assert 0 == held(ledger.reserve(free)).hold_nusd


def test_the_worst_case_follows_from_the_tokens_rounded_up(either: World) -> None:
    """
    Where no sum is given, the hold is the token limits at the prices, rounded up to a nano-dollar.
    """
    ledger = either.open()
    odd = attempt("a", None, price_in_nusd_per_mtok=3, max_input_tokens=333_334, max_output_tokens=2)

    assert 2_002 == held(ledger.reserve(odd)).hold_nusd  # 2,001.000002


@pytest.mark.parametrize(
    ("told", "cost", "flag"),
    [
        (None, DOLLAR, Flag.MISSING),
        (Usage(), DOLLAR, Flag.MISSING),
        (Usage(input_tokens=5), DOLLAR, Flag.MISSING),
        (Usage(input_tokens=500_000, output_tokens=1), 500_001_000, None),
        (usage(-1), DOLLAR, Flag.INVALID),
        (usage(input_tokens=-1), DOLLAR, Flag.INVALID),
        (usage(input_tokens=True), DOLLAR, Flag.INVALID),
        (usage(input_tokens=1.5), DOLLAR, Flag.INVALID),
        (usage(float("nan")), DOLLAR, Flag.INVALID),  # type: ignore[arg-type]
        (usage(float("inf")), DOLLAR, Flag.INVALID),  # type: ignore[arg-type]
        (usage("12"), DOLLAR, Flag.INVALID),  # type: ignore[arg-type]
        (usage(10**30), DOLLAR, Flag.INVALID),
        (usage(latency_ms=10**40), DOLLAR, Flag.INVALID),
        (usage(10 * DOLLAR + 1), DOLLAR, Flag.ABSURD),
        (usage(output_tokens=1001), DOLLAR, Flag.ABSURD),
        (usage(10 * DOLLAR), 10 * DOLLAR, Flag.OVERRUN),
        (usage(0), 0, None),
    ],
)
def test_usage_is_believed_within_bounds(
    world: World, told: Usage | None, cost: int, flag: Flag | None
) -> None:
    """
    Usage that is missing, impossible or more than ten times the hold counts at the hold and is flagged;
    a cost above the hold that can be believed counts in full.
    """
    ledger = world.open(policy=policy_of("budget monthly is $1000 per month\n  at 100% pause\n"))
    ledger.reserve(attempt(max_output_tokens=100), send=True)
    settled = ledger.commit("r:1:1", told)

    assert (HoldState.COMMITTED, cost, flag) == (settled.state, settled.cost_nusd, settled.flag)
    assert {"monthly": Spend(cost, 0)} == ledger.spend()
    assert (0 if flag is None else 1) == world.health().flagged


def test_the_same_key_gives_the_same_hold(either: World) -> None:
    """
    A key names one call for good: again it gives what became of it, and another call under it is an error.
    """
    ledger = either.open()
    first = ledger.reserve(attempt())
    again = ledger.reserve(attempt())
    with pytest.raises(LedgerMisuse, match="used for another call"):
        ledger.reserve(attempt(most=2 * DOLLAR))
    with pytest.raises(LedgerMisuse, match="used for another call"):
        ledger.reserve(attempt(story_id="US-2"))
    ledger.commit("r:1:1", usage())

    assert first == again
    assert HoldState.COMMITTED == held(ledger.reserve(attempt())).state
    assert {"monthly": Spend(10 * CENT, 0)} == ledger.spend()


def test_a_key_that_nobody_reserved_is_an_error(either: World) -> None:
    """
    Nothing can become of a call that was never held.
    """
    ledger = either.open()
    for act in (ledger.sent, ledger.release, ledger.abandon, ledger.renew):
        with pytest.raises(LedgerMisuse, match="nothing is held under the key `x`"):
            act("x")
    with pytest.raises(LedgerMisuse, match="nothing is held under the key `x`"):
        ledger.commit("x", usage())


def test_a_released_hold_costs_nothing(either: World) -> None:
    """
    What was never sent, or isn't billed, is given back; a commit that comes after all counts.
    """
    ledger = either.open()
    ledger.reserve(attempt("a"))
    ledger.release("a")
    ledger.reserve(attempt("b"), send=True)
    ledger.release("b", "rate_limit")

    assert {"monthly": Spend(0, 0)} == ledger.spend()
    assert ["rate_limit"] == [line["error"] for line in either.lines()]  # `a` never was a call
    assert HoldState.RELEASED == ledger.sent("a").state
    assert 10 * CENT == ledger.commit("b", usage()).cost_nusd
    assert {"monthly": Spend(10 * CENT, 0)} == ledger.spend()


def test_an_unknown_outcome_counts_at_the_hold_until_it_is_known(either: World) -> None:
    """
    Nobody knows what became of a call: it counts in full, and a late commit puts that right, also in the log.
    """
    ledger = either.open()
    ledger.reserve(attempt(), send=True)
    lost = ledger.abandon("r:1:1")
    before = ledger.spend()
    known = ledger.commit("r:1:1", usage())

    assert (HoldState.UNKNOWN, DOLLAR, Flag.UNKNOWN) == (lost.state, lost.cost_nusd, lost.flag)
    assert {"monthly": Spend(DOLLAR, 0)} == before
    assert (HoldState.COMMITTED, 10 * CENT, None) == (known.state, known.cost_nusd, known.flag)
    assert {"monthly": Spend(10 * CENT, 0)} == ledger.spend()
    assert [1.0, -0.9] == [line["cost_usd"] for line in either.lines()]
    assert [None, True] == [line.get("adjusts") for line in either.lines()]
    assert () == either.health().problems


def test_a_dead_owners_holds_are_settled(either: World) -> None:
    """
    When a process dies, what it sent counts at its hold and what it didn't is given back.
    """
    ledger = either.open(owner="other")
    ledger.reserve(attempt("held"))
    ledger.reserve(attempt("sent"), send=True)
    either.dead.add("other")
    after = either.open()

    assert {"monthly": Spend(DOLLAR, 0)} == after.spend()
    assert HoldState.RELEASED == held(after.reserve(attempt("held"))).state
    assert HoldState.UNKNOWN == held(after.reserve(attempt("sent"))).state
    assert 0 == after.recover()


def test_a_lease_that_passed_ends_a_hold(either: World) -> None:
    """
    A hold is good for its lease; renewing keeps it, and what was given back must not be sent any more.
    """
    ledger = either.open()
    for key in ("short", "long", "renewed"):
        ledger.reserve(attempt(key), lease_s=600 if key == "long" else 60)
    either.now += timedelta(seconds=59)
    ledger.renew("renewed", lease_s=60)
    either.now += timedelta(seconds=2)

    assert 1 == ledger.recover()
    assert [HoldState.RELEASED, HoldState.SENT, HoldState.SENT] == [
        ledger.sent(key).state for key in ("short", "long", "renewed")
    ]


def test_renewing_never_shortens_a_lease(either: World) -> None:
    """
    A renewal by a clock that is behind, or for less than is left, leaves the lease as it is.
    """
    ledger = either.open()
    ledger.reserve(attempt("a"), lease_s=600)
    either.now -= timedelta(days=1)
    ledger.renew("a", lease_s=60)

    assert 0 == ledger.recover()
    assert HoldState.SENT == ledger.sent("a").state


def test_leases_are_looked_at_now_and_then(either: World) -> None:
    """
    A ledger that goes on working finds the holds of the dead by itself, every half minute.
    """
    ledger = either.open()
    either.open(owner="other").reserve(attempt("lost", 10 * DOLLAR))
    either.dead.add("other")
    assert denied(ledger.reserve(attempt("a"))).only_held
    either.ticks += 30
    ledger.reserve(attempt("a"))

    assert HoldState.HELD == held(ledger.reserve(attempt("a"))).state


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ({"key": ""}, "needs a key"),
        ({"model": ""}, "needs a model"),
        ({"most": -1}, "a hold can't be -1"),
        ({"most": True}, "a hold can't be True"),
        ({"most": 1.5}, "a hold can't be 1.5"),
        ({"most": 10**18 + 1}, "a hold can't be 1"),
        ({"complexity": float("nan")}, "`complexity` can't be nan"),
        ({"iteration": 2**63}, "`iteration` can't be as large"),
        ({"max_input_tokens": -5}, "`max_input_tokens` can't be -5"),
        ({"price_in_nusd_per_mtok": -1}, "`price_in_nusd_per_mtok` can't be -1"),
        ({"story_id": "x" * 501}, "`story_id` has 501 characters"),
        ({"story_id": "a\0b"}, "`story_id` holds characters"),
        ({"domain": "\ud800"}, "`domain` holds characters"),
    ],
)
def test_an_attempt_that_cannot_be_is_an_error(world: World, odd: dict[str, object], says: str) -> None:
    """
    Numbers that are none, texts that can't be kept: nothing of the kind comes into the ledger.
    """
    ledger = world.open()
    with pytest.raises(LedgerMisuse, match=says):
        ledger.reserve(attempt(**odd))  # type: ignore[arg-type]

    assert {"monthly": Spend(0, 0)} == ledger.spend()


def test_no_key_is_ever_stored(world: World) -> None:
    """
    What looks like a key is blotted out of the little text that is kept of a failure.
    """
    secret = "sk-ant-" + "a1B2" * 8
    ledger = world.open()
    ledger.reserve(attempt(escalation=f"escalated to high {secret}"), send=True)
    ledger.release("r:1:1", f"auth: {secret}\x1b[31m\nsecond line")
    ledger.close()
    written = b"".join(file.read_bytes() for file in world.folder.rglob("*") if file.is_file())

    assert secret.encode() not in written
    assert ["auth: " + "x" * len(secret) + " [31m second line"] == [line["error"] for line in world.lines()]


def test_holds_outlive_their_ledger(either: World) -> None:
    """
    What was answered is durable: another opening finds it.
    """
    with either.open() as ledger:
        ledger.reserve(attempt(), send=True)

    assert {"monthly": Spend(0, DOLLAR)} == either.open(policy_of(MONTHLY)).spend()
