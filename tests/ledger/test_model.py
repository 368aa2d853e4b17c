"""Whatever happens in whatever order, the ledger says what a plain reading of the rules says."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import DeniedBy, Hold, HoldState, Usage
from policyctl.schemas.request import Spend

from .world import DOLLAR, World, attempt, policy_of

SOAK = int(os.environ.get("POLICYCTL_SOAK", "0"))
SEQUENCES = 1000 if SOAK else 40
STEPS = 40

BUDGETS = """\
budget monthly is $20 per month
  at 50%  warn
  at 100% pause
budget daily is $9 per day
  at 100% pause
budget anthropic is $6 per day for provider anthropic
  at 90% pause
budget big is $5 per week for model large
  at 100% pause
budget eyes is $4 per month for domain vision
  at 100% pause
budget cheap is $7 per week for tier low
  at 100% pause
budget each is $3 per story
  at 100% pause
budget quiet is $1 per run
"""
KEYS = st.sampled_from([f"k{number}" for number in range(12)])
COSTS = st.sampled_from([0, 1, DOLLAR // 3, DOLLAR, 2 * DOLLAR, 5 * DOLLAR])
ORDER = list(HoldState)


CAPS = {
    "monthly": 20 * DOLLAR,
    "daily": 9 * DOLLAR,
    "anthropic": 54 * DOLLAR // 10,
    "big": 5 * DOLLAR,
    "eyes": 4 * DOLLAR,
    "cheap": 7 * DOLLAR,
    "each": 3 * DOLLAR,
}
SCOPES = {
    "anthropic": ("provider", "anthropic"),
    "big": ("model", "large"),
    "eyes": ("domain", "vision"),
    "cheap": ("tier", "low"),
}


class Reading:
    """
    The rules of docs/ledger.md, over a dict of calls.
    """

    def __init__(self) -> None:
        self.calls: dict[str, dict[str, object]] = {}
        self.latest = None

    def sums(self, budget: str, now: object, story: str | None, run: str | None) -> Spend:
        scope = SCOPES.get(budget)
        spent = held = 0
        for call in self.calls.values():
            if scope is not None and call[scope[0]] != scope[1]:
                continue
            if not self.in_window(budget, call, now, story, run):
                continue
            if call["state"] in (HoldState.HELD, HoldState.SENT):
                held += call["hold"]  # type: ignore[operator]
            else:
                spent += call["cost"]  # type: ignore[operator]
        return Spend(spent, held)

    @staticmethod
    def in_window(budget: str, call: dict, now, story, run) -> bool:  # type: ignore[no-untyped-def,type-arg]
        if budget == "each":
            return story is not None and call["story"] == story
        if budget == "quiet":
            return run is not None and call["run"] == run
        when = call["when"]
        if budget in ("daily", "anthropic"):
            return bool(when.date() == now.date())
        if budget in ("big", "cheap"):
            return bool(when.isocalendar()[:2] == now.isocalendar()[:2])
        return bool((when.year, when.month) == (now.year, now.month))


class Money(RuleBasedStateMachine):
    """
    Calls come and end, clocks jump both ways, owners die, ledgers close and open.
    """

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.world = World(Path(self.folder.name) / "ledger", policy_of(BUDGETS))
        self.reading = Reading()
        self.latest = datetime(2000, 1, 1, tzinfo=UTC)  # nothing was reserved yet
        self.ledger: Ledger = self.world.open()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.now = self.now  # else the check tells of the clock
            assert () == self.world.health().problems
            self.world.close()
            self.folder.cleanup()

    @property
    def now(self):  # type: ignore[no-untyped-def]
        return max(self.world.now, self.latest)

    @staticmethod
    def applies(budget: str, call: dict[str, object]) -> bool:
        if budget == "each":
            return call["story"] is not None
        return budget not in SCOPES or call[SCOPES[budget][0]] == SCOPES[budget][1]

    def fits(self, budget: str, most: int, story: str | None, run: str | None) -> bool:
        spend = self.reading.sums(budget, self.now, story, run)
        return spend.spent_nusd + spend.held_nusd + most <= CAPS[budget]

    @rule(
        key=KEYS,
        most=COSTS,
        model=st.sampled_from([("anthropic", "small", "low"), ("openai", "large", "high")]),
        domain=st.sampled_from([None, "vision"]),
        story=st.sampled_from([None, "S-1", "S-2"]),
        run=st.sampled_from([None, "R"]),
        send=st.booleans(),
        owner=st.sampled_from(["me", "other"]),
    )
    def reserve(self, key, most, model, domain, story, run, send, owner) -> None:  # type: ignore[no-untyped-def]
        provider, name, tier = model
        self.world.owner = owner
        body = (most, model, domain, story, run)
        known = self.reading.calls.get(key)
        if known is not None and known["body"] != body:
            return
        ledger = self.ledger
        ledger._owner = lambda: owner
        asked = attempt(
            key,
            most,
            provider=provider,
            model=name,
            model_tier=tier,
            domain=domain,
            story_id=story,
            run_id=run,
        )
        answer = ledger.reserve(asked, send=send, lease_s=3600)
        if known is not None:
            assert Hold(key, known["state"], known["hold"], known["cost"], known["flag"]) == answer
            return
        call = {
            "provider": provider, "model": name, "tier": tier, "domain": domain, "story": story, "run": run
        }  # fmt: skip
        full = [b for b in CAPS if self.applies(b, call) and not self.fits(b, max(most, 1), story, run)]
        if full:
            assert not isinstance(answer, Hold)
            assert (DeniedBy.BUDGET, full[0]) == (answer.by, answer.budget)
            return
        assert isinstance(answer, Hold)
        self.latest = self.now
        state = HoldState.SENT if send else HoldState.HELD
        self.reading.calls[key] = {
            **call, "body": body, "state": state, "hold": most, "cost": 0, "flag": None, "owner": owner,
            "when": self.now, "lease": self.now + timedelta(seconds=3600),
        }  # fmt: skip

    def _rises(self, key: str, state: HoldState, cost: int, flag: object) -> None:
        call = self.reading.calls[key]
        if ORDER.index(state) > ORDER.index(call["state"]):  # type: ignore[arg-type]
            call.update(state=state, cost=cost, flag=flag)

    @rule(key=KEYS, cost=COSTS, times=st.integers(1, 3))
    def commit(self, key: str, cost: int, times: int) -> None:
        call = self.reading.calls.get(key)
        if call is None or cost > 10 * call["hold"]:  # type: ignore[operator]
            return
        for _ in range(times):
            answer = self.ledger.commit(key, Usage(input_tokens=1, output_tokens=1, cost_nusd=cost))
        over = answer.flag if cost > call["hold"] else None  # type: ignore[operator]
        self._rises(key, HoldState.COMMITTED, cost, over)
        assert (call["state"], call["cost"]) == (answer.state, answer.cost_nusd)

    @rule(key=KEYS, what=st.sampled_from(["sent", "release", "abandon", "renew"]), times=st.integers(1, 3))
    def tell(self, key: str, what: str, times: int) -> None:
        call = self.reading.calls.get(key)
        if call is None:
            return
        for _ in range(times):
            answer = getattr(self.ledger, what)(key)
        if what == "sent":
            self._rises(key, HoldState.SENT, 0, None)
        elif what == "renew":
            until = self.now + timedelta(seconds=120)
            call["lease"] = max(call["lease"], until)  # type: ignore[type-var]
        elif what == "release":
            self._rises(key, HoldState.RELEASED, 0, None)
        elif what == "abandon":
            self._rises(key, HoldState.UNKNOWN, call["hold"], answer.flag)  # type: ignore[arg-type]
        assert call["state"] == answer.state

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 6, 24 * 25, -1, -24, -24 * 40]))
    def clock(self, hours: int) -> None:
        self.world.now += timedelta(hours=hours)

    @rule()
    def recover(self) -> None:
        self.ledger.recover()
        for call in self.reading.calls.values():
            if call["state"] in (HoldState.HELD, HoldState.SENT) and (
                call["lease"] <= self.now or call["owner"] in self.world.dead  # type: ignore[operator]
            ):
                lost = call["state"] is HoldState.SENT
                call["state"] = HoldState.UNKNOWN if lost else HoldState.RELEASED
                call["cost"] = call["hold"] if lost else 0
                call["flag"] = "outcome unknown" if lost else None

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = self.world.open()
        self.recover()

    @rule()
    def die(self) -> None:
        self.world.dead = {"other"}
        self.recover()
        self.world.dead = set()

    @invariant()
    def sums_agree(self) -> None:
        if hasattr(self, "ledger"):
            for story in (None, "S-1"):
                found = self.ledger.spend(story_id=story, run_id="R")
                read = {name: self.reading.sums(name, self.now, story, "R") for name in found}
                if story is None:
                    read["each"] = Spend()
                assert read == found


TestMoney = Money.TestCase
TestMoney.settings = settings(
    max_examples=SEQUENCES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not SOAK,
    phases=(Phase.generate,),  # what fails is printed as it is: to shrink it takes too long
)
