"""The reference itself is held against cases that were worked out by hand from DESIGN §4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from policyctl.schemas.decision import Decision, Outcome
from policyctl.schemas.errors import RequestError
from policyctl.schemas.policy import (
    NANO,
    Action,
    Budget,
    Cron,
    Domain,
    During,
    Escalation,
    Fact,
    FactKind,
    FailureKind,
    Fallback,
    Level,
    Limit,
    LimitKind,
    Mates,
    Model,
    NumberIn,
    Policy,
    Rule,
    Tier,
    ValueIs,
    WeekSpan,
    When,
    Window,
)
from policyctl.schemas.request import Failure, Request, Spend, State
from policyctl.schemas.text import Span

from . import evaluator
from .evaluator import decide
from .generate import describe, random_policy, random_request, random_state, read_case, seeded

HERE = Span("hand.policy", 0, 0)
NOON = State(now=datetime(2025, 6, 11, 12, 0, tzinfo=UTC))  # a Wednesday
PRIVATE: When = ((ValueIs("private", ("yes",), False, HERE),),)


def a_model(key: str, usd: int, can: str = "tools", **changes: Any) -> Model:
    """A model that costs so many USD per million tokens, in and out."""
    model = Model(
        key=key,
        id=key if "/" in key else f"anthropic/{key}",
        provider=key.split("/")[0] if "/" in key else "anthropic",
        price_in_nusd_per_mtok=usd * NANO,
        price_out_nusd_per_mtok=usd * NANO,
        capabilities=frozenset(can.split()),
        context_tokens=None,
        output_tokens=None,
        timeout_s=None,
        settings=(),
        aliases=(),
        key_names=(),
        server=None,
        enabled=True,
        span=HERE,
        id_span=HERE,
        costs_span=None,
    )
    return replace(model, **changes)


MODELS = (
    a_model("ant", 1),
    a_model("bee", 2),
    a_model("cat", 3, "tools vision"),
    a_model("dog", 4),
    a_model("elk", 10, "tools vision"),
    a_model("fox", 20),
    a_model("openai/gnu", 5, aliases=("guest",)),  # in no tier
)


def models(*changed: Model) -> dict[str, Model]:
    return {model.key: model for model in (*MODELS, *changed)}


PRIVATE_INPUT = Fact("private", FactKind.YES_NO, "no", span=HERE)
FARM = Policy(
    name="farm",
    version="1",
    timezone="America/New_York",
    baseline=None,
    estimate_input_tokens=2000,
    estimate_output_tokens=1000,
    models=models(),
    tiers=(
        Tier("cheap", 0, False, ("bee", "ant"), HERE),
        Tier("medium", 3, False, ("dog", "cat"), HERE),
        Tier("powerful", 6, True, ("fox", "elk"), HERE),
    ),
    facts={"private": PRIVATE_INPUT},
    windows={},
    rules=(),
    limits=(),
    domains={
        "sight": Domain("sight", ("elk", "cat"), True, HERE),
        "words": Domain("words", ("elk", "cat"), False, HERE),
    },
    budgets={},
    escalations=(Escalation(None, None, "tests", (), HERE),),
    fallback=Fallback(("cat", "openai/gnu"), False, HERE),
    hedge_after_s=None,
    retries=(),
    alerts=(),
    promises=(),
    examples=(),
    digest="d1",
)


def a_budget(*levels: tuple[int, Action, int, Iterable[str]], **changes: Any) -> dict[str, Budget]:
    """A monthly budget of 100 USD for everything."""
    written = tuple(
        Level(Decimal(at), action, tiers, tuple(only), HERE) for at, action, tiers, only in levels
    )
    return {"purse": replace(Budget("purse", 100 * NANO, "month", None, None, written, HERE), **changes)}


def with_level(action: Action, tiers: int = 0, only: Iterable[str] = ()) -> Policy:
    """FARM with one level, at half of its budget."""
    return replace(FARM, budgets=a_budget((50, action, tiers, only)))


SPENT = replace(NOON, spend={"purse": Spend(50 * NANO)})
LOWERED = with_level(Action.DOWNGRADE, 1)


def served(policy: Policy, request: Request, state: State = NOON) -> Decision:
    decision = decide(policy, request, state)
    assert isinstance(decision, Decision)
    return decision


@pytest.mark.parametrize(("complexity", "tier"), [(0, "cheap"), (2.5, "cheap"), (3, "medium"), (6, "medium")])
def test_base_tier_by_complexity(complexity: float, tier: str) -> None:
    """
    A tier starts where it says, ends where the next one starts; above excludes its bound.
    """
    assert tier == served(FARM, Request(complexity=complexity)).tier


def test_above_starts_right_after_its_bound() -> None:
    """
    A tier from above 6 has 6.1, and its cheapest model leads.
    """
    decision = served(FARM, Request(complexity=6.1))

    assert ("powerful", ("elk", "cat", "openai/gnu")) == (decision.tier, decision.chain)


def test_last_word_on_the_base_tier() -> None:
    """
    A rule beats complexity, the story beats the rule, and the person beats them all.
    """
    policy = replace(FARM, rules=(Rule("r", PRIVATE, "cheap", (), None, HERE),))
    asked = Request(complexity=4, inputs={"private": "yes"})

    assert "cheap" == served(policy, asked).tier
    assert "powerful" == served(policy, replace(asked, story_tier="powerful")).tier
    assert "medium" == served(policy, replace(asked, story_tier="powerful", tier="medium")).tier


def test_rule_that_names_models() -> None:
    """
    A rule's models give the highest tier among them, and lead the chain in the order written.
    """
    policy = replace(FARM, rules=(Rule("r", (), None, ("cat", "ant", "openai/gnu"), None, HERE),))
    decision = served(policy, Request(complexity=9))

    assert ("medium", "r") == (decision.tier, decision.rule)
    assert ("cat", "ant", "openai/gnu") == decision.chain
    assert not decision.served_by_fallback


def test_first_matching_rule_decides() -> None:
    """
    The order on the page is the order of decision.
    """
    rules = (
        Rule("never", PRIVATE, "powerful", (), None, HERE),
        Rule("first", (), "medium", (), None, HERE),
        Rule("second", (), "cheap", (), None, HERE),
    )

    assert "first" == served(replace(FARM, rules=rules), Request(complexity=9)).rule


def test_downgrade() -> None:
    """
    A downgrade lowers the base tier by its number, and says so.
    """
    decision = served(LOWERED, Request(complexity=9), SPENT)

    assert ("medium", True, "purse", "downgrade") == (
        decision.tier,
        decision.downgraded,
        decision.budget,
        decision.action,
    )
    assert "cat" == decision.chain[0]


def test_downgraded_where_nothing_was_lowered() -> None:
    """
    A request of the first tier is downgraded as well, so a domain loses its freedom.
    """
    decision = served(LOWERED, Request(complexity=0, domain="sight"), SPENT)

    assert ("cheap", True, "ant") == (decision.tier, decision.downgraded, decision.chain[0])


def test_only_the_person_is_exempt_from_a_downgrade() -> None:
    """
    A story's tier is lowered, `--tier` isn't; the level in force is told all the same.
    """
    assert "medium" == served(LOWERED, Request(complexity=0, story_tier="powerful"), SPENT).tier
    by_person = served(LOWERED, Request(complexity=0, tier="powerful"), SPENT)
    assert ("powerful", False, "downgrade") == (by_person.tier, by_person.downgraded, by_person.action)


def test_level_starts_exactly_at_its_percent() -> None:
    """
    One nano-USD below half of the limit there is no level.
    """
    state = replace(NOON, spend={"purse": Spend(50 * NANO - 1, 50 * NANO)})

    assert None is served(LOWERED, Request(complexity=9), state).budget


def test_escalation_spends_the_failed_tier() -> None:
    """
    A failed gate raises the tier by one; the story's models of the failed tier and below are dropped.
    """
    asked = Request(complexity=0, story_models=("bee", "dog"), failures=(Failure("gate tests"),))
    decision = served(FARM, asked)

    assert ("medium", ("dog", "cat", "openai/gnu")) == (decision.tier, decision.chain)
    assert not decision.no_way_up


def test_escalation_ends_at_the_top() -> None:
    """
    Where no tier is above, the chain stays and is marked.
    """
    decision = served(FARM, Request(complexity=9, failures=(Failure("gate tests", "powerful"),)))

    assert ("powerful", True) == (decision.tier, decision.no_way_up)


def test_escalation_ends_at_the_base_tier_while_downgraded() -> None:
    """
    While downgraded a request rises no higher than it stood before it was lowered.
    """
    gate = Failure("gate tests")

    once = served(LOWERED, Request(complexity=4, failures=(gate,)), SPENT)
    twice = served(LOWERED, Request(complexity=4, failures=(gate, gate)), SPENT)

    assert ("medium", False) == (once.tier, once.no_way_up)
    assert ("medium", True) == (twice.tier, twice.no_way_up)


def test_escalation_needs_a_statement_that_fits() -> None:
    """
    A failure that no statement names, or that happened in another tier, changes nothing.
    """
    kinds = (FailureKind.TIMEOUT,)
    policy = replace(FARM, escalations=(Escalation("medium", "powerful", None, kinds, HERE),))

    assert "cheap" == served(policy, Request(complexity=0, failures=(Failure("timeout"),))).tier
    assert "powerful" == served(policy, Request(complexity=0, failures=(Failure("timeout", "medium"),))).tier
    assert "medium" == served(policy, Request(complexity=4, failures=(Failure("gate timeout"),))).tier


def test_a_target_below_the_failed_tier_is_no_way_up() -> None:
    """
    The tier is then at least the target, and nothing becomes spent.
    """
    policy = replace(FARM, escalations=(Escalation(None, "medium", "tests", (), HERE),))
    asked = Request(complexity=0, story_models=("bee",), failures=(Failure("gate tests", "powerful"),))
    decision = served(policy, asked)

    assert ("medium", True, "bee") == (decision.tier, decision.no_way_up, decision.chain[0])


def test_domain_at_any_tier() -> None:
    """
    `at any tier` lifts a domain's models over the ceiling; without it they are dropped.
    """
    assert ("elk", "cat", "openai/gnu") == served(FARM, Request(complexity=0, domain="sight")).chain
    assert ("ant", "cat", "openai/gnu") == served(FARM, Request(complexity=0, domain="words")).chain


def test_tier_of_the_person_binds_domains() -> None:
    """
    With `--tier` the domain's models of other tiers are dropped, `at any tier` or not.
    """
    asked = Request(complexity=0, domain="sight", tier="powerful")

    assert ("elk", "cat", "openai/gnu") == served(FARM, asked).chain
    assert ("cat", "openai/gnu") == served(FARM, replace(asked, tier="medium")).chain
    assert ("ant", "cat", "openai/gnu") == served(FARM, replace(asked, tier="cheap")).chain


def test_unknown_domain_counts_as_none() -> None:
    """
    A domain that the policy doesn't declare is no error.
    """
    assert "ant" == served(FARM, Request(complexity=0, domain="smell")).chain[0]


def test_person_is_exempt_from_the_ceiling() -> None:
    """
    The person's model leads whatever its tier, by key, alias or last part.
    """
    assert "fox" == served(FARM, Request(complexity=0, preferred="fox")).chain[0]
    assert "openai/gnu" == served(FARM, Request(complexity=0, preferred="guest")).chain[0]
    assert "openai/gnu" == served(FARM, Request(complexity=0, preferred="gnu")).chain[0]


def test_only_replaces_candidates_and_fallback() -> None:
    """
    `only L` serves L in the order written; a person's model counts if it is in L.
    """
    policy = with_level(Action.ONLY, only=("dog", "ant"))

    assert ("dog", "ant") == served(policy, Request(complexity=9, preferred="fox"), SPENT).chain
    assert ("ant", "dog") == served(policy, Request(complexity=9, preferred="ant"), SPENT).chain


def test_only_that_leaves_nobody_is_a_refusal_by_budget() -> None:
    """
    When none of L can serve, the budget refuses.
    """
    policy = with_level(Action.ONLY, only=("dog",))
    decision = served(policy, Request(complexity=9, requires=frozenset({"vision"})), SPENT)

    assert (Outcome.REFUSED_BY_BUDGET, "purse", "only", None) == (
        decision.outcome,
        decision.budget,
        decision.action,
        decision.until,
    )


def test_climb_for_static_reasons() -> None:
    """
    A tier with nobody able climbs, without raising the ceiling for preferences.
    """
    asked = Request(complexity=0, requires=frozenset({"vision"}), story_models=("elk",))
    decision = served(FARM, asked)

    assert ("medium", ("cat",)) == (decision.tier, decision.chain)


def test_no_climb_for_hard_limits() -> None:
    """
    Forbidden models keep their tier from climbing, and the fallback list serves.
    """
    policy = replace(FARM, limits=(Limit(LimitKind.NEVER, ("ant", "bee"), (), None, HERE),))
    decision = served(policy, Request(complexity=0))

    assert ("cheap", True, ("cat", "openai/gnu")) == (
        decision.tier,
        decision.served_by_fallback,
        decision.chain,
    )


def test_no_climb_above_the_base_tier_while_downgraded() -> None:
    """
    While downgraded the climb ends at the base tier.
    """
    lone = replace(LOWERED, fallback=None)
    decision = served(lone, Request(complexity=4, requires=frozenset({"audio"})), SPENT)

    assert (Outcome.NO_MODEL, "purse", False) == (decision.outcome, decision.budget, decision.downgraded)
    vision = Request(complexity=4, requires=frozenset({"vision"}))
    assert ("medium", ("cat",)) == (served(lone, vision, SPENT).tier, served(lone, vision, SPENT).chain)


def test_cooldown_goes_last() -> None:
    """
    A cheaper mate in cooldown is passed over, and joins the end of the chain with the rest.
    """
    decision = served(FARM, Request(complexity=0), replace(NOON, down=frozenset({"ant", "cat"})))

    assert ("bee", "openai/gnu", "ant", "cat") == decision.chain
    assert not decision.served_by_fallback


def test_whole_tier_in_cooldown() -> None:
    """
    If all are in cooldown, the cheapest is taken, and still goes behind the fallback list.
    """
    decision = served(FARM, Request(complexity=0), replace(NOON, down=frozenset({"ant", "bee"})))

    assert (("cat", "openai/gnu", "ant"), False) == (decision.chain, decision.served_by_fallback)


def test_fallback_mates() -> None:
    """
    `next 2 of tier` stands for the two cheapest that can serve and aren't in the chain yet.
    """
    models_of_tier = (*(model.key for model in MODELS[:4]),)
    tier = Tier("one", 0, False, models_of_tier, HERE)
    policy = replace(FARM, tiers=(tier,), fallback=Fallback(("bee", Mates(2), "fox", "ant"), False, HERE))

    assert ("ant", "bee", "cat", "dog", "fox") == served(policy, Request(complexity=0)).chain


def test_cheapest_for_the_requests_own_tokens() -> None:
    """
    Which model is the cheapest depends on the tokens; equal costs go by key.
    """
    long_in = a_model("ant", 1, price_in_nusd_per_mtok=3 * NANO, price_out_nusd_per_mtok=1 * NANO)
    policy = replace(FARM, models=models(long_in))

    assert "bee" == served(policy, Request(complexity=0, input_tokens=1001, output_tokens=1000)).chain[0]
    assert "ant" == served(policy, Request(complexity=0, input_tokens=1000, output_tokens=1000)).chain[0]


def test_cost_estimate_is_rounded_half_up() -> None:
    """
    2000 tokens in and 1000 out at $1 per million are $0.003; half a nano-USD counts as one.
    """
    assert 3_000_000 == served(FARM, Request(complexity=0)).cost_estimate_nusd
    penny = a_model("ant", 0, price_in_nusd_per_mtok=500_000)
    policy = replace(FARM, models=models(penny))
    assert 1 == served(policy, Request(complexity=0, input_tokens=1)).cost_estimate_nusd


def test_context_window_holds_input_plus_output() -> None:
    """
    A model whose known window is too small is unable; an unknown window removes nothing.
    """
    small = a_model("ant", 1, context_tokens=2999)

    assert "bee" == served(replace(FARM, models=models(small)), Request(complexity=0)).chain[0]
    exact = replace(small, context_tokens=3000)
    assert "ant" == served(replace(FARM, models=models(exact)), Request(complexity=0)).chain[0]


def test_refuse_is_told_before_a_budget() -> None:
    """
    A refusing rule comes first, and says nothing about budgets.
    """
    policy = replace(with_level(Action.PAUSE), limits=(Limit(LimitKind.REFUSE, (), PRIVATE, None, HERE),))
    refused = served(policy, Request(complexity=0, inputs={"private": "yes"}), SPENT)

    assert (Outcome.REFUSED_BY_RULE, None, None) == (refused.outcome, refused.budget, refused.until)
    assert Outcome.REFUSED_BY_BUDGET is served(policy, Request(complexity=0), SPENT).outcome


@pytest.mark.parametrize(
    ("period", "now", "until"),
    [
        ("day", "2025-06-11T12:00-04:00", "2025-06-12T00:00-04:00"),
        ("week", "2025-06-11T12:00-04:00", "2025-06-16T00:00-04:00"),
        ("month", "2025-06-11T12:00-04:00", "2025-07-01T00:00-04:00"),
        ("month", "2025-12-31T23:59-05:00", "2026-01-01T00:00-05:00"),
        ("day", "2025-03-09T01:59-05:00", "2025-03-10T00:00-04:00"),
        ("run", "2025-06-11T12:00-04:00", None),
    ],
)
def test_pause_says_until_when(period: str, now: str, until: str | None) -> None:
    """
    A pause holds until the period turns; a run has no such time. Held money counts.
    """
    policy = replace(FARM, budgets=a_budget((50, Action.PAUSE, 0, ()), period=period))
    state = State(now=datetime.fromisoformat(now), spend={"purse": Spend(49 * NANO, NANO)})

    assert (until and datetime.fromisoformat(until)) == served(policy, Request(complexity=0), state).until


def test_pause_ends_when_a_skipped_midnight_resumes() -> None:
    """
    In Cairo midnight of 26 April 2024 doesn't exist: the clock goes on at one.
    """
    policy = replace(FARM, timezone="Africa/Cairo", budgets=a_budget((50, Action.PAUSE, 0, ()), period="day"))
    state = replace(SPENT, now=datetime(2024, 4, 25, 12, tzinfo=ZoneInfo("Africa/Cairo")))

    assert datetime(2024, 4, 25, 22, tzinfo=UTC) == served(policy, Request(complexity=0), state).until


def test_budget_of_one_provider_only_removes_steps() -> None:
    """
    A paused provider loses its steps; where that leaves nobody, the budget refuses.
    """
    levels = (50, Action.PAUSE, 0, ())
    paused = replace(FARM, budgets=a_budget(levels, scope="provider", scope_name="anthropic"))
    decision = served(paused, Request(complexity=0), SPENT)

    assert (("openai/gnu",), None, True) == (decision.chain, decision.budget, decision.served_by_fallback)
    alone = replace(paused, fallback=None)
    assert Outcome.REFUSED_BY_BUDGET is served(alone, Request(complexity=0), SPENT).outcome


def test_window_belongs_to_the_day_it_starts() -> None:
    """
    Mon to Fri 17:00 to 09:00 has Saturday's morning, but not Monday's; `outside` is the rest.
    """
    nights = Window("nights", (WeekSpan(frozenset(range(5)), 17 * 60, 9 * 60),), None, None, HERE)
    days = Window("days", (), None, "nights", HERE)
    rules = (
        Rule("night", ((During("nights", False, HERE),),), "cheap", (), None, HERE),
        Rule("day", ((During("days", False, HERE),),), "cheap", (), None, HERE),
    )
    policy = replace(FARM, timezone="UTC", windows={"nights": nights, "days": days}, rules=rules)

    def at(day: int, hour: int, minute: int = 0) -> str | None:
        moment = State(now=datetime(2025, 6, day, hour, minute, tzinfo=UTC))
        return served(policy, Request(complexity=0), moment).rule

    assert ("day", "night") == (at(9, 8, 59), at(10, 8, 59))  # Monday, Tuesday
    assert ("night", "day") == (at(14, 8, 59), at(14, 9))  # Saturday
    assert "day" == at(14, 17)


def test_cron_with_two_day_fields() -> None:
    """
    Where both day fields are restricted, a day that fits either counts.
    """
    everything = Cron(
        "* * 13 * 5",
        frozenset(range(60)),
        frozenset(range(24)),
        frozenset({13}),
        frozenset(range(1, 13)),
        frozenset({4}),
        False,
        False,
    )
    window = Window("odd", (), everything, None, HERE)
    rule = Rule("odd", ((During("odd", False, HERE),),), "cheap", (), None, HERE)
    policy = replace(FARM, timezone="UTC", windows={"odd": window}, rules=(rule,))

    rules = {
        day: served(policy, Request(complexity=0), State(now=datetime(2025, 10, day, 5, tzinfo=UTC))).rule
        for day in (12, 13, 14, 17)  # Sunday to Tuesday, and a Friday
    }

    assert {12: None, 13: "odd", 14: None, 17: "odd"} == rules


def test_conditions_on_a_set() -> None:
    """
    `is not vision` and `is nothing` look at what is required, number ranges include both ends.
    """
    bare = ValueIs("requires", ("nothing",), False, HERE)
    blind = ValueIs("requires", ("vision", "tools"), True, HERE)
    small = NumberIn("complexity", 2, 4, False, False, False, HERE)
    rules = (
        Rule("bare", ((bare, small),), "cheap", (), None, HERE),
        Rule("blind", ((blind,),), "cheap", (), None, HERE),
    )
    policy = replace(FARM, rules=rules)

    assert "bare" == served(policy, Request(complexity=4)).rule
    assert "blind" == served(policy, Request(complexity=4.5)).rule
    assert None is served(policy, Request(complexity=4, requires=frozenset({"vision"}))).rule


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request(complexity=10.5),
        Request(complexity=float("nan")),
        Request(complexity=1, attempt=0),
        Request(complexity=1, input_tokens=-1),
        Request(complexity=1, tier="huge"),
        Request(complexity=1, tier="cheap", story_tier="huge"),
        Request(complexity=1, preferred="yak"),
        Request(complexity=1, failures=(Failure("gate tests", "huge"),)),
        Request(complexity=1, inputs={"private": "maybe"}),
        Request(complexity=1, inputs={"public": "yes"}),
    ],
)
def test_impossible_requests_are_errors(request_: Request) -> None:
    """
    What a request lacks or what doesn't exist is an error, whatever path it would have taken.
    """
    paused = with_level(Action.PAUSE)

    assert isinstance(decide(paused, request_, SPENT), RequestError)


def test_unknown_models_of_a_story_are_left_out() -> None:
    """
    A story's model that the policy doesn't have, or has twice, is no error.
    """
    twin = a_model("litellm/gnu", 7)
    policy = replace(FARM, models=models(twin))
    decision = served(policy, Request(complexity=0, story_models=("yak", "gnu", "bee")))

    assert "bee" == decision.chain[0]


# --- the generator ------------------------------------------------------------------------------------------


def test_random_cases_reach_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each kind of event is at least one in two hundred of the random cases.
    """
    seen: Counter[str] = Counter()
    climbed = evaluator.climbed

    def watched(policy: Policy, asked: Any, state: State, tier: int, highest: int) -> int:
        reached = climbed(policy, asked, state, tier, highest)
        seen["climbed"] += reached > tier
        return reached

    monkeypatch.setattr(evaluator, "climbed", watched)
    rng = seeded("even")
    total = 0
    for _ in range(100):
        policy = random_policy(rng)
        for state in (random_state(rng, policy), random_state(rng, policy)):
            for _ in range(20):
                answer = decide(policy, random_request(rng, policy), state)
                total += 1
                if isinstance(answer, RequestError):
                    seen["error"] += 1
                    continue
                seen[answer.outcome.value] += 1
                seen[f"action {answer.action}"] += 1
                seen["until"] += answer.until is not None
                seen["rule"] += answer.rule is not None
                for flag in ("downgraded", "no_way_up", "served_by_fallback"):
                    seen[flag] += getattr(answer, flag)
                seen["long chain"] += len(answer.chain) > 3

    events = {outcome.value for outcome in Outcome} | {f"action {action.value}" for action in Action}
    events |= {"error", "until", "rule", "downgraded", "no_way_up", "served_by_fallback", "climbed"}
    assert set() == {event for event in events | {"long chain"} if seen[event] < total / 200}


def test_a_case_survives_as_text() -> None:
    """
    What was written down is read back as the same policy, request and state.
    """
    rng = seeded("text")
    for _ in range(50):
        policy = random_policy(rng)
        case = (policy, random_request(rng, policy), random_state(rng, policy))
        text = describe(*case)

        again = read_case(f"# why it was kept\n{text}")

        assert text == describe(*again)
        assert case[2] == again[2]
