"""Plans: the order of stories, what they cost, what delegating saves, and where budgets bite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyctl import Engine
from policyctl.engine.decide import decide, observe
from policyctl.engine.order import MOST_PROBLEMS, in_order
from policyctl.engine.plan import flat, grouped, plan
from policyctl.engine.stories import read_prd
from policyctl.schemas.decision import Outcome
from policyctl.schemas.plan import Plan, Planned
from policyctl.schemas.policy import NANO
from policyctl.schemas.request import Request, Spend, State
from policyctl.schemas.story import Prd, Story

MONDAY_10 = datetime(2026, 1, 5, 10, tzinfo=UTC)

MODELS = """\
policy "plans"
baseline large
estimate 1000 in, 1000 out
model tiny  is offline/tiny    costs $1 in, $1 out    can tools
model small is offline/small   costs $2 in, $2 out    can tools, vision
model mid   is anthropic/mid   costs $10 in, $10 out  can tools
model large is anthropic/large costs $50 in, $50 out  can tools, vision
tier low  from complexity 0 has tiny, small
tier high from complexity 5 has mid, large
input private is yes or no default no
domain law prefers large at any tier
"""
TINY, SMALL, MID, LARGE = (dollars * 2 * NANO // 1000 for dollars in (1, 2, 10, 50))
"""What a request of the policy's estimate costs on each model."""


def prd_of(*stories: dict[str, Any]) -> Prd:
    return read_prd(json.dumps({"userStories": stories}, indent=1), "prd.json")


def story(name: str, complexity: object = 1, after: str = "", **fields: Any) -> dict[str, Any]:
    """
    A story; `after` has the ids that it depends on, `subtasks` become its delegation.
    """
    subtasks = fields.pop("subtasks", None)
    delegation = {} if subtasks is None else {"delegation": {"subtasks": subtasks}}
    return {"id": name, "complexity": complexity, "dependencies": after.split(), **fields, **delegation}


def planned(
    prd: Prd, more: str = "", spend: dict[str, Spend] | None = None, *, text: str = MODELS, **options: Any
) -> Plan:
    """
    Plan a PRD by the policy above and some more statements.
    """
    engine = Engine.from_text(text + more)
    state = State(now=MONDAY_10, spend=spend or {})
    return plan(engine.table, prd, observe(engine.table, state), **options)


def order(prd: Prd) -> str:
    return " ".join(s.id for s in in_order(prd).stories)


def told(plan: Plan) -> list[tuple[str, str]]:
    return [(problem.where, problem.message) for problem in plan.problems]


def rows(plan: Plan) -> dict[str, Planned]:
    return {row.story.id: row for row in flat(plan.stories)}


def models(plan: Plan) -> dict[str, str | None]:
    return {name: row.model for name, row in rows(plan).items()}


# --- order


@pytest.mark.parametrize(
    ("expected", "stories"),
    [
        ("A B C", [story("A"), story("B"), story("C")]),
        ("B A C", [story("A", after="B"), story("B"), story("C")]),
        ("C B A", [story("A", after="B"), story("B", after="C"), story("C")]),
        ("B D A C", [story("A", after="D"), story("B"), story("C", after="A"), story("D")]),
        ("A C B", [story("A"), story("B", after="C"), story("C", after="A")]),
    ],
)
def test_dependencies_come_first(expected: str, stories: list[dict[str, Any]]) -> None:
    """
    A story comes after those it depends on; of those that are free, the one that stands first in the file.
    """
    assert expected == order(prd_of(*stories))


def test_an_id_may_differ_in_case() -> None:
    """
    A dependency that differs from an id in upper and lower case only means it, where it fits one story.
    """
    ordered = in_order(prd_of(story("US-2", after="us-1"), story("US-1")))

    assert ["US-1", "US-2"] == [s.id for s in ordered.stories]
    assert () == ordered.problems


def test_subtasks_have_an_order_of_their_own() -> None:
    """
    Sub-tasks come in the order of their dependencies, below their story.
    """
    subtasks = [story("A2", after="A1"), story("A1")]

    assert ["A", "A1", "A2", "B"] == list(rows(planned(prd_of(story("A", subtasks=subtasks), story("B")))))


def test_a_story_waits_for_what_its_subtasks_wait_for() -> None:
    """
    What a sub-task depends on comes before its whole story, and who depends on a sub-task waits for that too.
    """
    waits = prd_of(story("A", subtasks=[story("A1", after="C")]), story("B"), story("C"))
    awaited = prd_of(story("A", after="B1"), story("B", subtasks=[story("B1")]))

    assert ("B C A", "B A") == (order(waits), order(awaited))


def test_a_story_and_its_subtasks_do_not_wait_for_each_other() -> None:
    """
    A sub-task that depends on its own story, or a story that depends on its own sub-task, is no circle.
    """
    prd = prd_of(story("A", after="A1", subtasks=[story("A1", after="A")]))

    assert () == in_order(prd).problems


def test_a_circle_is_told_and_the_rest_goes_on() -> None:
    """
    Stories that wait for one another are told once, with the way round, and keep the order of the file; who
    waits for one of them still comes after it.
    """
    prd = prd_of(
        story("D", after="C"), story("A", after="B"), story("B", after="C"), story("C", after="A"), story("E")
    )
    ordered = in_order(prd)

    assert "A B C D E" == order(prd)
    assert [("userStories[1] (line 10)", "`A` waits for itself: A -> B -> C -> A")] == [
        (problem.where, problem.message) for problem in ordered.problems
    ]


def test_two_circles_are_two_problems() -> None:
    """
    Circles that don't touch are told one by one.
    """
    prd = prd_of(story("A", after="B"), story("B", after="A"), story("C", after="D"), story("D", after="C"))

    assert ["A -> B -> A", "C -> D -> C"] == [
        problem.message.partition(": ")[2] for problem in in_order(prd).problems
    ]


def test_a_long_circle_is_cut() -> None:
    """
    The way round a circle of many stories shows its start and its end.
    """
    many = [story(f"S{n}", after=f"S{(n + 1) % 50}") for n in range(50)]
    problem = in_order(prd_of(*many)).problems[0]

    assert "`S0` waits for itself: S0 -> S1 -> S2 -> S3 -> S4 -> S5 -> S6 -> … -> S0" == problem.message


def test_a_story_that_depends_on_itself_is_told() -> None:
    """
    A dependency on itself is told and left out.
    """
    assert [("userStories[0] (line 3)", "`A` depends on itself")] == told(
        planned(prd_of(story("A", after="A")))
    )


def test_an_unknown_dependency_is_told() -> None:
    """
    A dependency on nobody is told with its place and, where one is near, the id that was meant.
    """
    found = in_order(prd_of(story("US-001"), story("US-002", after="US-00l"))).problems

    assert ["`US-002` depends on `US-00l`, which isn't in this PRD"] == [p.message for p in found]
    assert ["did you mean `US-001`?"] == [p.help for p in found]


def test_many_problems_are_counted() -> None:
    """
    Past a thousand problems with dependencies the rest is only counted.
    """
    prd = prd_of(story("A", after=" ".join(f"x{n}" for n in range(MOST_PROBLEMS + 5))))
    problems = in_order(prd).problems

    assert (MOST_PROBLEMS + 1, "5 more problems with dependencies") == (len(problems), problems[-1].message)


def test_a_long_line_of_dependencies_is_no_trouble() -> None:
    """
    Thousands of stories, each waiting for the next, are put in order, and so where the last waits for the
    first.
    """
    line = [story(f"S{n}", after=f"S{n + 1}" if n < 4999 else "") for n in range(5000)]
    ordered = in_order(prd_of(*line))
    line[-1]["dependencies"] = ["S0"]
    circle = in_order(prd_of(*line))

    assert ("S4999", "S0", ()) == (ordered.stories[0].id, ordered.stories[-1].id, ordered.problems)
    assert ("S0", 1) == (circle.stories[0].id, len(circle.problems))


@given(st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=8))
def test_the_order_obeys_all_that_can_be_obeyed(waits: list[set[int]]) -> None:
    """
    Whatever waits for whatever: each story is there once, and comes after each story that it waits for,
    unless that one waits for it as well.
    """
    count = len(waits)
    prd = prd_of(*(story(f"S{n}", after=" ".join(f"S{m}" for m in sorted(w))) for n, w in enumerate(waits)))
    position = {name: place for place, name in enumerate(order(prd).split())}
    reach = [{m for m in w if m < count and m != n} for n, w in enumerate(waits)]
    direct = [set(targets) for targets in reach]
    for middle in range(count):
        for n in range(count):
            if middle in reach[n]:
                reach[n] |= reach[middle]

    assert sorted(position) == sorted(f"S{n}" for n in range(count))
    for n in range(count):
        for m in direct[n]:
            assert n in reach[m] or position[f"S{m}"] < position[f"S{n}"]


# --- odd PRDs


def test_two_stories_of_one_id_are_both_planned() -> None:
    """
    An id that is taken is told with its place; both stories are planned and counted.
    """
    result = planned(prd_of(story("A"), story("A", 6)))

    assert ["tiny", "mid"] == [row.model for row in result.stories]
    assert [("userStories[1].id (line 8)", "id `A` is taken by `userStories[0]`")] == told(result)


@pytest.mark.parametrize("complexity", [-1, 11, "soon", [3]])
def test_an_impossible_complexity_is_told(complexity: object) -> None:
    """
    A complexity below 0, above 10, or that is no number, is told with its place; the formula stands in.
    """
    result = planned(prd_of(story("A", complexity), story("B", 6)))

    assert ["formula", "number"] == [row.story.complexity.origin for row in result.stories]
    assert ["userStories[0].complexity (line 3)"] == [problem.where for problem in result.problems]
    assert 2 == result.requests


def test_a_text_where_a_number_belongs_is_told() -> None:
    """
    Tokens that are no number are told, and the policy's estimate stands in for them.
    """
    result = planned(prd_of(story("A", estimatedTokens={"input": "many", "output": "2000"})))

    assert [("userStories[0].estimatedTokens.input (line 7)", "`many` is no number of tokens")] == told(
        result
    )
    assert (1000, 2000) == (result.input_tokens, result.output_tokens)


def test_a_story_that_cannot_be_asked_is_in_the_plan() -> None:
    """
    A story that asks for a tier which doesn't exist has its reason, costs nothing, and the rest is planned.
    """
    result = planned(prd_of(story("A", tier="highest"), story("B")))

    assert (None, "can't be asked: unknown tier `highest` (did you mean `high`?)") == (
        result.stories[0].decision,
        result.stories[0].refusal,
    )
    assert (1, 1, TINY) == (result.requests, result.refused, result.cost_nusd)


def test_unknown_models_and_domains_are_told_once() -> None:
    """
    A model or domain that stories name and the policy doesn't have is told once, at the first story.
    """
    stories = [story(n, suggestedModel="huge", domain="cooking") for n in "ABC"]
    result = planned(prd_of(*stories))

    assert [
        "`A` names the model `huge`, which the policy doesn't have (so do 2 more)",
        "`A` names the domain `cooking`, which the policy doesn't have (so do 2 more)",
    ] == [message for _, message in told(result)]


# --- finished stories


def test_stories_that_pass_are_left_out() -> None:
    """
    A story that passes is left out with its sub-tasks, as is a sub-task that does; who waits for it is free.
    """
    prd = prd_of(
        story("A", passes=True, subtasks=[story("A1")]),
        story("B", after="A", subtasks=[story("B1", passes=True), story("B2")]),
    )
    result = planned(prd)

    assert ["B", "B2"] == list(rows(result))
    assert ("A", "B1") == result.finished


def test_all_stories_can_be_planned() -> None:
    """
    On demand the stories that pass are planned and counted like all others.
    """
    result = planned(prd_of(story("A", passes=True), story("B")), finished=True)

    assert (["A", "B"], (), 2 * TINY) == (list(rows(result)), result.finished, result.cost_nusd)


def test_a_plan_of_nothing() -> None:
    """
    Where all stories pass there is nothing to pay.
    """
    result = planned(prd_of(story("A", passes=True)), "budget m is $1 per month\n at 50% warn\n")

    assert (0, 0, 0, 0) == (result.requests, result.refused, result.cost_nusd, result.baseline_nusd)
    assert [0] == [share.planned_nusd for share in result.budgets]


# --- sub-tasks


def test_subtasks_are_routed_by_themselves() -> None:
    """
    A sub-task has its own complexity, tier and cost; delegating saves what its tokens would have cost on the
    first model of its story.
    """
    result = planned(prd_of(story("A", 8, subtasks=[story("A1", 1), story("A2", 9, tier="low")])))

    assert {"A": "mid", "A1": "tiny", "A2": "tiny"} == models(result)
    assert [None, MID - TINY, MID - TINY] == [row.delegation_saving_nusd for row in rows(result).values()]
    assert (2 * (MID - TINY), MID + 2 * TINY) == (result.delegation_saving_nusd, result.cost_nusd)
    assert [None, "A", "A"] == [row.parent for row in rows(result).values()]


def test_delegating_may_cost_more() -> None:
    """
    A sub-task that is harder than its story costs more than it would have there, and that is said.
    """
    result = planned(prd_of(story("A", 1, subtasks=[story("A1", 8)])))

    assert TINY - MID == result.delegation_saving_nusd


LIMITS = {
    "never": "never use tiny when private is yes\n",
    "only": "only use small, large when private is yes\n",
}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_hard_limits_of_a_story_bind_its_subtasks(limit: str) -> None:
    """
    Models that are forbidden for a story are forbidden for its sub-tasks, and for theirs; not for others.
    """
    deep = story("A1", 1, subtasks=[story("A1a", 1)])
    result = planned(prd_of(story("A", 1, private=True, subtasks=[deep]), story("B", 1)), limit)

    assert {"A": "small", "A1": "small", "A1a": "small", "B": "tiny"} == models(result)


def test_hard_limits_add_up() -> None:
    """
    A sub-task keeps its own hard limits beside those of its story; the story doesn't get them.
    """
    limits = "never use tiny when private is yes\nnever use small when requires is tools\n"
    subtasks = [story("A1", 1, mcpTools=True), story("A2", 1)]
    result = planned(prd_of(story("A", 1, private=True, subtasks=subtasks)), limits)

    assert {"A": "small", "A1": None, "A2": "small"} == models(result)
    assert (
        "no model can serve this request: forbidden by `never use small` (1 model); "
        "forbidden by `never use tiny` (1 model)"
    ) == rows(result)["A1"].refusal


def test_a_preference_of_a_story_does_not_bind_its_subtasks() -> None:
    """
    Rules that match a story, its tier and its models are its own affair.
    """
    rule = "rule secret when private is yes use large\n"
    result = planned(prd_of(story("A", 1, private=True, subtasks=[story("A1", 1)])), rule)

    assert {"A": "large", "A1": "tiny"} == models(result)


def test_subtasks_of_a_refused_story_are_refused() -> None:
    """
    Where a rule refuses a story, nothing of it is delegated.
    """
    refuse = 'refuse when private is yes because "Not before the audit."\n'
    result = planned(
        prd_of(story("A", 1, private=True, subtasks=[story("A1", subtasks=[story("A2")])])), refuse
    )

    assert [Outcome.REFUSED_BY_RULE] * 3 == [
        row.decision.outcome for row in rows(result).values() if row.decision is not None
    ]
    assert [
        "Not before the audit.",
        "`A`, which delegates it, is refused",
        "`A1`, which delegates it, is refused",
    ] == [row.refusal for row in rows(result).values()]
    assert (0, 3, 0, 0) == (result.requests, result.refused, result.cost_nusd, result.delegation_saving_nusd)


def test_a_refusal_of_a_subtask_is_its_own() -> None:
    """
    A sub-task that a rule refuses leaves its story and the sub-tasks beside it alone.
    """
    result = planned(
        prd_of(story("A", 1, subtasks=[story("A1", private=True), story("A2")])),
        "refuse when private is yes\n",
    )

    assert {"A": "tiny", "A1": None, "A2": "tiny"} == models(result)


def test_a_subtask_takes_the_inputs_that_the_policy_needs() -> None:
    """
    An input without a default that a sub-task doesn't say is its story's; one with a default isn't.
    """
    more = """\
input stage is one of dev, prod
never use tiny when stage is prod
rule p when private is yes use large
"""
    subtasks = [story("A1"), story("A2", stage="dev")]
    result = planned(prd_of(story("A", stage="prod", private=True, subtasks=subtasks), story("B")), more)

    assert {"A": "large", "A1": "small", "A2": "small", "B": None} == models(result)
    assert "can't be asked: `stage` isn't given (give it: --stage dev)" == rows(result)["B"].refusal


# --- running spend

BUDGET = """\
budget monthly is ${limit} per month
  at 50%  warn
  at 75%  downgrade 1 tier
  at 90%  only tiny
  at 100% pause
"""


def levels(plan: Plan) -> list[tuple[str, str, str | None]]:
    return [(r.budget.name, f"{r.level.percent}% {r.level.action}", r.story) for r in plan.levels]


def ten(complexity: float = 6) -> Prd:
    return prd_of(*(story(f"S{n}", complexity) for n in range(1, 11)))


def test_a_later_story_meets_the_level_that_earlier_ones_reached() -> None:
    """
    Each story is decided with what those before it cost; a level is reached by the story whose cost does it,
    and holds from the next one on.
    """
    # mid costs $0.02, tiny $0.002, and the budget is $0.08: 25 % a story in tier high, 2.5 % in tier low.
    result = planned(ten(), BUDGET.format(limit="0.08"))

    assert ["mid"] * 3 + ["tiny"] * 7 == list(models(result).values())
    assert [
        ("monthly", "50% warn", "S2"),
        ("monthly", "75% downgrade", "S3"),
        ("monthly", "90% only", "S9"),
    ] == (levels(result))
    assert [False] * 3 + [True] * 6 + [False] == [
        row.decision.downgraded for row in result.stories if row.decision is not None
    ]
    assert (3 * MID + 7 * TINY, 0) == (result.budgets[0].planned_nusd, result.budgets[0].spent_before_nusd)


def test_a_budget_that_is_used_up_refuses_the_rest() -> None:
    """
    After the story that uses a budget up, nobody is served; sub-tasks count, and are refused with their
    story.
    """
    stories = [story("A", 1, subtasks=[story("A1")]), story("B", 1, subtasks=[story("B1")])]
    result = planned(prd_of(*stories), "budget run_money is $0.004 per run\n at 100% pause\n")

    assert {"A": "tiny", "A1": "tiny", "B": None, "B1": None} == models(result)
    assert [("run_money", "100% pause", "A1")] == levels(result)
    assert "budget run_money is used up" == rows(result)["B"].refusal


def test_a_subtask_meets_what_its_story_cost() -> None:
    """
    The cost of a story counts before its sub-tasks are decided, and each sub-task's before the next.
    """
    result = planned(
        prd_of(story("A", 6, subtasks=[story("A1", 6), story("A2", 6)])),
        "budget monthly is $0.04 per month\n at 100% pause\n",
    )

    assert {"A": "mid", "A1": "mid", "A2": None} == models(result)


def test_what_is_spent_already_counts() -> None:
    """
    A level that is reached before the plan holds from the start, and what was spent isn't the plan's.
    """
    spend = {"monthly": Spend(60_000_000)}
    result = planned(ten(1), BUDGET.format(limit="0.08"), spend)

    assert [("50% warn", None), ("75% downgrade", None)] == [(text, s) for _, text, s in levels(result)[:2]]
    assert (60_000_000, 10 * TINY) == (
        result.budgets[0].spent_before_nusd,
        result.budgets[0].planned_nusd,
    )


def test_held_money_counts_for_pause_only() -> None:
    """
    What is held for calls under way brings a pause nearer, and no other level.
    """
    spend = {"monthly": Spend(0, 70_000_000)}
    result = planned(ten(1), BUDGET.format(limit="0.08"), spend)

    assert [("monthly", "100% pause", "S5")] == levels(result)
    assert 5 == result.requests


def test_budgets_for_a_part_get_its_costs_only() -> None:
    """
    A cost counts towards the budgets for its provider, tier, model and domain, and towards no other part's.
    """
    more = """\
budget by_provider is $9 per day for provider anthropic
budget by_tier is $9 per week for tier low
budget by_model is $9 per month for model tiny
budget by_domain is $9 per run for domain law
budget whole is $9 per day
"""
    result = planned(prd_of(story("A", 1), story("B", 6), story("C", 1, domain="law")), more)

    assert {"A": "tiny", "B": "mid", "C": "large"} == models(result)
    assert {
        "by_provider": MID + LARGE,
        "by_tier": TINY,
        "by_model": TINY,
        "by_domain": LARGE,
        "whole": TINY + MID + LARGE,
    } == {share.budget.name: share.planned_nusd for share in result.budgets}


def test_a_paused_provider_is_passed_over() -> None:
    """
    A budget for a provider that the plan uses up takes its models away, and the next can still serve.
    """
    more = "budget a is $0.03 per day for provider anthropic\n at 100% pause\nfallback to small\n"

    assert ["mid", "mid", "small"] == list(
        models(planned(prd_of(*(story(n, 6) for n in "ABC")), more)).values()
    )


def test_a_budget_per_story_starts_anew() -> None:
    """
    What a story and its sub-tasks cost counts towards its own budget only, whatever was spent before.
    """
    more = "budget each is $0.005 per story\n at 50% warn\n at 100% pause\n"
    stories = [
        story("A", subtasks=[story("A1"), story("A2"), story("A3")]),
        story("B", subtasks=[story("B1")]),
    ]
    result = planned(prd_of(*stories), more, {"each": Spend(NANO)})

    assert {"A": "tiny", "A1": "tiny", "A2": "tiny", "A3": None, "B": "tiny", "B1": "tiny"} == models(result)
    assert [("each", "50% warn", "A1"), ("each", "100% pause", "A2"), ("each", "50% warn", "B1")] == levels(
        result
    )
    assert (0, 3 * TINY, "A") == (
        result.budgets[0].spent_before_nusd,
        result.budgets[0].planned_nusd,
        result.budgets[0].story,
    )


def test_a_budget_of_nothing_is_used_up_from_the_start() -> None:
    """
    A limit of 0 is reached before the first story, told once, and no story is served.
    """
    for period in ("month", "story"):
        result = planned(ten(1), f"budget none_left is $0 per {period}\n at 100% pause\n")
        assert ([("none_left", "100% pause", None)], 0) == (levels(result), result.requests)


def test_a_rule_that_reads_a_budget_sees_the_running_spend() -> None:
    """
    A rule on what a budget has spent matches from the story on that makes it so, levels or not.
    """
    more = "budget b is $1 per day\nrule thrifty when budget b is at least $0.004 use small\n"

    assert ["tiny", "tiny", "small"] == list(
        models(planned(prd_of(*(story(n) for n in "ABC")), more)).values()
    )


# --- refusals


def test_a_refusal_says_what_removed_the_models() -> None:
    """
    Where no model can serve, the plan says why not, the most frequent reason first; the rest goes on.
    """
    result = planned(prd_of(story("A", required_capabilities=["audio"]), story("B")))

    assert "no model can serve this request: can't do audio (4 models)" == rows(result)["A"].refusal
    assert (1, 1, TINY) == (result.requests, result.refused, result.cost_nusd)


def test_who_waits_for_a_refused_story_is_told() -> None:
    """
    A story that waits for a refused one, at once or by way of others, is planned and says what it waits for.
    """
    prd = prd_of(
        story("C", after="B"), story("B", after="A"), story("A", requires_audio=1, mcpTools=1, tier="x")
    )
    result = planned(prd)

    assert {"A": (), "B": ("A",), "C": ("B",)} == {name: row.blocked_by for name, row in rows(result).items()}
    assert 2 == result.requests


# --- sums


def test_the_baseline_is_the_policys() -> None:
    """
    The same tokens on the model that the policy names are what the plan is compared with.
    """
    result = planned(prd_of(story("A"), story("B", 6)))

    assert ("large", True, 2 * LARGE, TINY + MID) == (
        result.baseline,
        result.baseline_named,
        result.baseline_nusd,
        result.cost_nusd,
    )


@pytest.mark.parametrize(("disabled", "expected"), [("", "large"), ("large", "mid"), ("mid large", "small")])
def test_without_a_baseline_it_is_the_dearest_model(disabled: str, expected: str) -> None:
    """
    Where the policy names no baseline, it is the dearest enabled model of the highest tier that has one.
    """
    text = MODELS.replace("baseline large\n", "")
    for name in disabled.split():
        text = "\n".join(
            f"{line} disabled" if line.startswith(f"model {name} ") else line for line in text.split("\n")
        )
    result = planned(prd_of(story("A")), text=text)

    assert (expected, False) == (result.baseline, result.baseline_named)


def test_groups_add_up() -> None:
    """
    Grouped by anything, counts and costs add up to those of the plan; what nobody serves comes last.
    """
    prd = prd_of(
        story("A", 1), story("B", 6), story("C", domain="law"), story("D", required_capabilities=["audio"])
    )
    engine = Engine.from_text(MODELS)
    result = planned(prd)
    groups = {by: grouped(result, by, engine.table) for by in ("tier", "model", "provider", "domain")}

    assert ["low", "high", None] == [g.name for g in groups["tier"]]
    assert ["large", "mid", "tiny", None] == [g.name for g in groups["model"]]
    assert ["anthropic", "offline", None] == [g.name for g in groups["provider"]]
    assert ["law", "none", None] == [g.name for g in groups["domain"]]
    for found in groups.values():
        assert (4, result.cost_nusd) == (sum(g.requests for g in found), sum(g.cost_nusd for g in found))


# --- against a plain loop

MANY_BUDGETS = """\
never use tiny when private is yes
budget monthly is $0.5 per month
  at 30% warn
  at 50% downgrade 1 tier
  at 80% only small, large
  at 100% pause
budget anthropic is $0.2 per day for provider anthropic
  at 100% pause
budget law_money is $0.2 per run for domain law
  at 50% downgrade 1 tier
budget each is $0.05 per story
  at 40% downgrade 1 tier
  at 100% pause
rule thrifty when budget monthly is above 20% and complexity is above 8 use small
fallback to small
"""

UNBOUNDED, BUDGETED = Engine.from_text(MODELS), Engine.from_text(MODELS + MANY_BUDGETS)

_story = st.fixed_dictionaries(
    {"complexity": st.integers(0, 10)},
    optional={
        "private": st.just(True),
        "domain": st.just("law"),
        "estimatedTokens": st.fixed_dictionaries(
            {"input": st.integers(0, 9_999), "output": st.integers(0, 2_999)}
        ),
        "required_capabilities": st.sampled_from([["vision"], ["audio"]]),
    },
)
_stories = st.lists(
    st.tuples(_story, st.lists(_story, max_size=2), st.sets(st.integers(0, 9))), min_size=1, max_size=9
)


def drawn(parts: list[tuple[dict[str, Any], list[dict[str, Any]], set[int]]]) -> Prd:
    """
    A PRD whose stories depend only on those before them in a shuffled order, so never in a circle.
    """
    count = len(parts)
    rank = [(7 * n + 3) % 11 for n in range(count)]
    return prd_of(
        *(
            {
                "id": f"S{n}",
                **fields,
                "dependencies": [f"S{m}" for m in sorted(after) if m < count and rank[m] < rank[n]],
                "delegation": {"subtasks": subtasks},
            }
            for n, (fields, subtasks, after) in enumerate(parts)
        )
    )


def plain_order(prd: Prd) -> Iterator[Story]:
    """
    Again and again the first story of the file that waits for nobody any more.
    """
    left = list(prd.stories)
    while left:
        ids = {s.id for s in left}
        ready = next(s for s in left if not ids & set(s.depends_on))
        left.remove(ready)
        yield ready


def asked(one: Story, *, private: bool) -> Request:
    inputs = {"private": "yes"} if private else {}
    return Request(
        complexity=one.complexity.value,
        requires=one.requires,
        domain=one.domain,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        inputs=inputs,
    )


def plain_plan(engine: Engine, prd: Prd) -> list[tuple[str, str | None, int]]:
    """
    Decide story after story with a fresh look at all that was spent; a private story's sub-tasks are private,
    which for a policy that reads it in hard limits only is what they inherit.
    """
    spent: dict[str, int] = {}
    found: list[tuple[str, str | None, int]] = []
    for root in plain_order(prd):
        spent["each"] = 0
        for one in (root, *root.subtasks):
            if one is not root and found[-1 - root.subtasks.index(one)][1] is None:
                found.append((one.id, None, 0))
                continue
            budgets = engine.policy.budgets
            state = State(now=MONDAY_10, spend={k: Spend(v) for k, v in spent.items() if k in budgets})
            private = "private" in one.inputs or "private" in root.inputs
            decision = decide(engine.table, asked(one, private=private), observe(engine.table, state))
            model = decision.chain[0] if decision.chain else None
            cost = decision.cost_estimate_nusd or 0
            found.append((one.id, model, cost))
            concerned = {
                "monthly": True,
                "each": True,
                "anthropic": model in ("mid", "large"),
                "law_money": one.domain == "law",
            }
            for name, concerns in concerned.items():
                spent[name] = spent.get(name, 0) + (cost if concerns else 0)
    return found


@settings(max_examples=200, deadline=None)
@given(_stories)
def test_a_plan_is_what_a_plain_loop_gives(
    parts: list[tuple[dict[str, Any], list[dict[str, Any]], set[int]]],
) -> None:
    """
    Order, models and costs are those of a loop that looks at everything anew for each story, under budgets of
    every kind.
    """
    prd = drawn(parts)
    result = plan(BUDGETED.table, prd, BUDGETED.situation(MONDAY_10))

    assert plain_plan(BUDGETED, prd) == [(r.story.id, r.model, r.cost_nusd) for r in flat(result.stories)]


@settings(max_examples=100, deadline=None)
@given(_stories)
def test_without_budgets_the_total_is_the_sum_of_single_decisions(
    parts: list[tuple[dict[str, Any], list[dict[str, Any]], set[int]]],
) -> None:
    """
    Where no budget exists, each story is decided as if it were alone, and the total is the sum.
    """
    prd = drawn(parts)
    result = plan(UNBOUNDED.table, prd, UNBOUNDED.situation(MONDAY_10))
    alone = [
        UNBOUNDED.decide(asked(one, private=False), now=MONDAY_10).cost_estimate_nusd or 0
        for root in prd.stories
        for one in (root, *(root.subtasks if root.requires != {"audio"} else ()))
    ]

    assert sum(alone) == result.cost_nusd
    assert result.cost_nusd == sum(row.cost_nusd for row in flat(result.stories))
    assert result.requests + result.refused == sum(1 + len(s.subtasks) for s in prd.stories)
