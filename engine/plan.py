"""
Prd, Situation -> Plan: each story decided in the order of the dependencies, with what it costs.

Money is spent as the plan goes: what a story and its sub-tasks cost counts towards the budgets
before the next one is decided, so later stories meet the levels that earlier ones reached. No time
passes meanwhile: all stories are decided for the same moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import partial

from ..policy.words import listed_count
from ..schemas.decision import Decision
from ..schemas.errors import Problem, RequestError
from ..schemas.plan import Plan, PlanGroup, Planned
from ..schemas.policy import Model, Policy
from ..schemas.records import dataclass
from ..schemas.request import Request
from ..schemas.story import Prd, Story
from .chain import expected_cost, expected_cost_nusd, route
from .complexity import shown
from .decide import alive_rows, decide_facts, matching
from .facts import Facts, facts_of
from .order import family, in_order
from .situation import Situation
from .spending import Spending
from .stories import story_request
from .table import DecisionTable

RequestFor = Callable[[Story], Request]
GROUPS = ("tier", "model", "provider", "domain")
_MOST_REASONS = 3


def plan(
    table: DecisionTable,
    prd: Prd,
    situation: Situation,
    *,
    requests: RequestFor | None = None,
    finished: bool = False,
) -> Plan:
    """
    Plan a PRD: decide its stories one after the other, and add up what they cost.

    Args:
        situation: the clock, spend and keys from which the plan starts. What it says of a budget
            per story isn't looked at: each story starts that one anew.
        requests: what to ask for a story; by default its own request, with those of its extra
            keys that the policy declares.
        finished: plan the stories that pass, too; else they are left out, sub-tasks included.

    Returns:
        A plan. A story that can't be asked or that nobody serves is in it with the reason.
    """
    ordered = in_order(prd)
    todo = ordered.stories if finished else _unfinished(ordered.stories)
    planned = {story.place for story in family(todo)}
    planner = _Planner(
        table, Spending(table, situation), requests or partial(story_request, table.policy), ordered.waits
    )
    rows = tuple(planner.story(story) for story in todo)
    return _summed(
        planner,
        rows,
        finished=tuple(s.id for s in family(prd.stories) if s.passes and s.place not in planned),
        problems=(*prd.problems, *ordered.problems, *planner.remarks()),
    )


def flat(rows: Iterable[Planned]) -> Iterator[Planned]:
    """All rows, each before its sub-tasks."""
    for row in rows:
        yield row
        yield from flat(row.subtasks)


def grouped(plan: Plan, by: str, table: DecisionTable) -> tuple[PlanGroup, ...]:
    """
    Count and add up a plan by tier (lowest first), model, provider or domain (dearest first).

    What nobody serves is the last group; its name is None.
    """
    counts: Counter[str | None] = Counter()
    costs: Counter[str | None] = Counter()
    for row in flat(plan.stories):
        name = _group_of(row, by)
        counts[name] += 1
        costs[name] += row.cost_nusd
    tiers = [tier.name for tier in table.policy.tiers]
    rank = {name: number for number, name in enumerate(tiers)} if by == "tier" else {}
    order = sorted(counts, key=lambda n: (n is None, rank.get(n or "", 0) if rank else -costs[n], n or ""))
    return tuple(PlanGroup(name, counts[name], costs[name]) for name in order)


def _group_of(row: Planned, by: str) -> str | None:
    if row.model is None or row.decision is None:
        return None
    names = {"tier": row.decision.tier, "model": row.model, "provider": row.provider, "domain": row.domain}
    return names[by]


def baseline_of(policy: Policy) -> str:
    """The baseline model: the policy's, else the dearest enabled one of the highest tier that has any."""
    if policy.baseline is not None:
        return policy.baseline
    tokens = policy.estimate_input_tokens, policy.estimate_output_tokens
    enabled = ([key for key in tier.models if policy.models[key].enabled] for tier in reversed(policy.tiers))
    keys = next(filter(None, enabled), list(policy.tiers[-1].models))
    return min(keys, key=lambda key: (-expected_cost(policy.models[key], *tokens), key))


def _unfinished(stories: tuple[Story, ...]) -> tuple[Story, ...]:
    return tuple(
        replace(story, subtasks=_unfinished(story.subtasks)) if story.subtasks else story
        for story in stories
        if not story.passes
    )


# --- stories --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parent:
    """What a sub-task has from the story that delegates it: its row, and its facts if it could be asked."""

    row: Planned
    facts: Facts | None


@dataclass(slots=True)
class _Planner:
    """Decides stories one after the other, and pays for them."""

    table: DecisionTable
    spending: Spending
    requests: RequestFor
    waits: Mapping[str, tuple[str, ...]]
    stuck: dict[str, str] = field(default_factory=dict)
    unknown: dict[tuple[str, str], list[Story]] = field(default_factory=dict)
    baseline: Model = field(init=False)

    def __post_init__(self) -> None:
        self.baseline = self.table.policy.models[baseline_of(self.table.policy)]

    def story(self, story: Story) -> Planned:
        """Plan a story of its own, and its sub-tasks after it."""
        self.spending.next_story()
        return self._row(story, story, None)

    def _row(self, story: Story, root: Story, parent: _Parent | None) -> Planned:
        row, facts = self._asked(story, parent)
        if row.model is not None:
            model = self.table.policy.models[row.model]
            self.spending.charge(model, row.domain, row.cost_nusd, story.id, root.id)
        if row.refusal is not None or row.blocked_by:
            self.stuck[story.place] = story.id
        own = _Parent(row, facts)
        return replace(row, subtasks=tuple(self._row(subtask, root, own) for subtask in story.subtasks))

    def _asked(self, story: Story, parent: _Parent | None) -> tuple[Planned, Facts | None]:
        """A row without its sub-tasks, and the facts that it was decided by."""
        if parent is not None and parent.row.refusal is not None:
            return self._refused_with_parent(story, parent.row), None
        try:
            facts = facts_of(self.table, self.requests(story), None if parent is None else parent.facts)
        except RequestError as error:
            reasons = "; ".join(p.message + (f" ({p.help})" if p.help else "") for p in error.problems)
            return self._without_model(story, parent, None, f"can't be asked: {reasons}"), None
        self._note_unknown(story, facts)
        situation = self.spending.situation()
        decision = decide_facts(self.table, facts, situation)
        if decision.chain:
            return self._served(story, parent, decision, facts), facts
        refusal = self._refusal(facts, situation)
        return self._without_model(story, parent, decision, refusal, facts), facts

    def _refusal(self, facts: Facts, situation: Situation) -> str:
        """Why nobody serves: the refusal, and what removed most of the models."""
        rule, limits = matching(self.table, alive_rows(self.table, facts, situation))
        routing = route(self.table, facts, situation, rule, limits)
        removed = {v.model: v.reason for v in reversed(routing.verdicts) if not v.kept}
        reasons = Counter(removed.values()).most_common(_MOST_REASONS)
        words = "; ".join(f"{reason} ({listed_count(count, 'model')})" for reason, count in reasons)
        return f"{routing.refusal}: {words}" if words else routing.refusal or "refused"

    def _served(self, story: Story, parent: _Parent | None, decision: Decision, facts: Facts) -> Planned:
        models, tokens = self.table.policy.models, (facts.input_tokens, facts.output_tokens)
        model, cost = models[decision.chain[0]], decision.cost_estimate_nusd or 0
        saving = None
        if parent is not None and parent.row.model is not None:
            saving = expected_cost_nusd(models[parent.row.model], *tokens) - cost
        return Planned(
            story=story,
            parent=None if parent is None else parent.row.story.id,
            decision=decision,
            refusal=None,
            model=model.key,
            provider=model.provider,
            domain=facts.domain,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_nusd=cost,
            baseline_nusd=expected_cost_nusd(self.baseline, *tokens),
            delegation_saving_nusd=saving,
            blocked_by=self._blocked_by(story),
            subtasks=(),
        )

    def _without_model(
        self,
        story: Story,
        parent: _Parent | None,
        decision: Decision | None,
        refusal: str,
        facts: Facts | None = None,
    ) -> Planned:
        policy = self.table.policy
        asked = story.input_tokens, story.output_tokens
        return Planned(
            story=story,
            parent=None if parent is None else parent.row.story.id,
            decision=decision,
            refusal=refusal,
            model=None,
            provider=None,
            domain="none" if facts is None else facts.domain,
            input_tokens=policy.estimate_input_tokens if asked[0] is None else asked[0],
            output_tokens=policy.estimate_output_tokens if asked[1] is None else asked[1],
            cost_nusd=0,
            baseline_nusd=0,
            delegation_saving_nusd=None,
            blocked_by=self._blocked_by(story),
            subtasks=(),
        )

    def _refused_with_parent(self, story: Story, parent: Planned) -> Planned:
        refusal = f"`{shown(parent.story.id)}`, which delegates it, is refused"
        decision = parent.decision and replace(parent.decision, refusal=refusal)
        return self._without_model(story, _Parent(parent, None), decision, refusal)

    def _blocked_by(self, story: Story) -> tuple[str, ...]:
        return tuple(self.stuck[place] for place in self.waits[story.place] if place in self.stuck)

    # remarks

    def _note_unknown(self, story: Story, facts: Facts) -> None:
        names = [("model", name) for name in facts.unknown_models]
        if story.domain is not None and story.domain != facts.domain:
            names.append(("domain", story.domain))
        for name in names:
            self.unknown.setdefault(name, []).append(story)

    def remarks(self) -> Iterator[Problem]:
        """The models and domains that stories name and the policy doesn't have, each once."""
        for (kind, name), stories in self.unknown.items():
            who = f"`{shown(stories[0].id)}`"
            more = f" (so {'does' if len(stories) == 2 else 'do'} {len(stories) - 1} more)"
            text = f"{who} names the {kind} `{shown(name)}`, which the policy doesn't have"
            help_text = "it is left out" if kind == "model" else "it counts as none"
            yield Problem(stories[0].place, text + (more if len(stories) > 1 else ""), help_text)


# --- sums -----------------------------------------------------------------------------------------


def _summed(
    planner: _Planner, rows: tuple[Planned, ...], finished: tuple[str, ...], problems: tuple[Problem, ...]
) -> Plan:
    everything = list(flat(rows))
    served = [row for row in everything if row.model is not None]
    return Plan(
        stories=rows,
        finished=finished,
        problems=problems,
        baseline=planner.baseline.key,
        baseline_named=planner.table.policy.baseline is not None,
        requests=len(served),
        refused=len(everything) - len(served),
        input_tokens=sum(row.input_tokens for row in served),
        output_tokens=sum(row.output_tokens for row in served),
        cost_nusd=sum(row.cost_nusd for row in served),
        baseline_nusd=sum(row.baseline_nusd for row in served),
        delegation_saving_nusd=sum(row.delegation_saving_nusd or 0 for row in served),
        budgets=tuple(planner.spending.shares()),
        levels=tuple(planner.spending.levels),
    )
