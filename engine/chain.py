"""
The tail of a decision: from the rule that matched to the chain, with the reason for each model.

This is docs/decision.md from "Level" on, in its order. It runs once for each cell of requests;
`decide` keeps what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from datetime import datetime

from ..policy.words import level_words, limit_words, number
from ..schemas.decision import Layer, Outcome, Verdict
from ..schemas.policy import Action, Escalation, Limit, LimitKind, Mates, Model, Rule
from ..schemas.records import dataclass
from .facts import Facts
from .situation import Situation, Standing, spend_of, until
from .table import DecisionTable


@dataclass(frozen=True, slots=True)
class Routing:
    """A chain or a refusal, and what led to it."""

    outcome: Outcome
    chain: tuple[str, ...] = ()
    tier: str | None = None
    standing: Standing | None = None
    downgraded: bool = False
    no_way_up: bool = False
    served_by_fallback: bool = False
    refusal: str | None = None
    until: datetime | None = None
    layers: tuple[Layer, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The tier after level and escalation, and how far things may move from it."""

    tier: int
    base: int
    downgraded: bool
    spent: int
    no_way_up: bool


def expected_cost(model: Model, input_tokens: int, output_tokens: int) -> int:
    """The cost of a call in 10^-6 nano-USD: exact, for comparing."""
    return input_tokens * model.price_in_nusd_per_mtok + output_tokens * model.price_out_nusd_per_mtok


def expected_cost_nusd(model: Model, input_tokens: int, output_tokens: int) -> int:
    """The cost of a call in nano-USD, rounded half up."""
    return (expected_cost(model, input_tokens, output_tokens) + 500_000) // 1_000_000


def route(
    table: DecisionTable,
    facts: Facts,
    situation: Situation,
    rule: Rule | None,
    limits: tuple[Limit, ...],
) -> Routing:
    """
    Find the chain.

    Args:
        rule: the first rule that matches.
        limits: the hard limits that match, in the order written.
    """
    refusing = next((limit for limit in limits if limit.kind is LimitKind.REFUSE), None)
    if refusing is not None:
        return Routing(
            Outcome.REFUSED_BY_RULE, refusal=refusing.because or f"the policy says: {limit_words(refusing)}"
        )
    standing = situation.standing_for(facts.domain)
    layers = list(_level_layers(table, situation, standing))
    if standing is not None and standing.level.action is Action.PAUSE:
        return _paused(situation, standing, layers)
    ceiling, tier_layers = ceiling_of(table, facts, standing, rule)
    walk = _Walk(table, facts, situation, _forbidden(table, limits))
    if standing is not None and standing.level.action is Action.ONLY:
        tier = ceiling.tier
        walk.only(standing)
    else:
        walk.preferred()
        walk.named(ceiling, rule)
        tier = ceiling.tier if walk.head_can_serve else walk.cheapest(ceiling, tier_layers)
        walk.fallback(tier)
    layers += tier_layers
    return walk.routing(tier, standing, ceiling, layers)


def fallback_chain(table: DecisionTable, key: str) -> tuple[str, ...]:
    """A model and then the fallback list, whatever the request; disabled models fall out."""
    models, rank = table.policy.models, table.rank.get(key)
    chain = [key]
    for entry in table.policy.fallback.entries if table.policy.fallback is not None else ():
        if isinstance(entry, str):
            chain.append(entry)
        elif rank is not None:
            tokens = table.policy.estimate_input_tokens, table.policy.estimate_output_tokens
            mates = sorted(
                (k for k in table.policy.tiers[rank].models if k not in chain and models[k].enabled),
                key=lambda k: (expected_cost(models[k], *tokens), k),
            )
            chain += mates[: entry.count]
    return tuple(k for k in dict.fromkeys(chain) if k == key or models[k].enabled)


def removal_of(
    table: DecisionTable, facts: Facts, situation: Situation, limits: tuple[Limit, ...], key: str
) -> str | None:
    """Why one model can't serve a request, whoever names it; None where it can."""
    return _Walk(table, facts, situation, _forbidden(table, limits)).removal(key)


# --- level ----------------------------------------------------------------------------------------


def _level_layers(table: DecisionTable, situation: Situation, standing: Standing | None) -> Iterator[Layer]:
    """Each budget that has reached a level and concerns the request, the one in force first."""
    if standing is not None:
        yield Layer("budget", f"{_reached(situation, standing)}")
    others = [s for s in situation.reached if s != standing and s.budget.scope != "domain"]
    for other in others:
        scope = f" for {other.budget.scope} {other.budget.scope_name}" if other.budget.scope else ""
        yield Layer("budget", f"{_reached(situation, other)}{scope}")
    if standing is None and not others:
        yield Layer("budget", "no level is reached" if table.policy.budgets else "the policy has none")


def _reached(situation: Situation, standing: Standing) -> str:
    budget, level = standing.budget, standing.level
    spend = spend_of(situation.state, budget)
    held = spend.held_nusd if level.action is Action.PAUSE else 0
    # Rounded down: 99.96 % must not read as the 100 % that it hasn't reached.
    tenths = (spend.spent_nusd + held) * 1000 // budget.limit_nusd if budget.limit_nusd else 1000
    return f"{budget.name} is at {number(tenths / 10)}%: {level_words(level)}"


def _paused(situation: Situation, standing: Standing, layers: list[Layer]) -> Routing:
    end = until(standing.budget, situation.local)
    return Routing(
        Outcome.REFUSED_BY_BUDGET,
        standing=standing,
        refusal=f"budget {standing.budget.name} is used up",
        until=end,
        layers=tuple(layers),
    )


# --- tier -----------------------------------------------------------------------------------------


def ceiling_of(
    table: DecisionTable, facts: Facts, standing: Standing | None, rule: Rule | None
) -> tuple[Ceiling, list[Layer]]:
    names = [tier.name for tier in table.policy.tiers]
    base, why = _base_tier(table, facts, rule)
    layers = [Layer("tier", f"{names[base]}: {why}")]
    level = standing.level if standing is not None else None
    downgraded = level is not None and level.action is Action.DOWNGRADE and facts.tier is None
    tier = max(base - level.tiers, 0) if downgraded and level is not None else base
    if level is not None and level.action is Action.DOWNGRADE:
        layers.append(Layer("downgrade", _downgrade_words(names, base, tier, exempt=not downgraded)))
    ceiling = Ceiling(tier, base, downgraded, -1, no_way_up=False)
    return _escalate(table, facts, ceiling, layers), layers


def _base_tier(table: DecisionTable, facts: Facts, rule: Rule | None) -> tuple[int, str]:
    """The base tier, and the sentence that says who gave it: the last one given wins."""
    if facts.tier is not None:
        return facts.tier, "--tier asks for it"
    if facts.story_tier is not None:
        return facts.story_tier, "the story asks for it"
    if rule is not None and rule.tier is not None:
        return table.tiers[rule.tier], f"rule {rule.name} says so"
    if rule is not None:
        ranks = [table.rank[key] for key in rule.models if key in table.rank]
        if ranks:
            return max(ranks), f"the highest tier among the models of rule {rule.name}"
    tier = table.policy.tiers[facts.complexity_tier]
    complexity = number(float(facts.values["complexity"]))  # type: ignore[arg-type]
    bound = f"{'above' if tier.above else 'from'} {number(tier.start)}"
    return facts.complexity_tier, f"complexity {complexity} is in it ({bound} on)"


def _downgrade_words(names: list[str], base: int, tier: int, *, exempt: bool) -> str:
    if exempt:
        return f"not applied: --tier {names[base]} is exempt"
    if base == tier:
        return f"{names[base]} is the lowest tier already"
    return f"lowered from {names[base]} to {names[tier]}"


def _escalate(table: DecisionTable, facts: Facts, start: Ceiling, layers: list[Layer]) -> Ceiling:
    names = [tier.name for tier in table.policy.tiers]
    tier, spent, no_way_up = start.tier, start.spent, False
    cap = start.base if start.downgraded else len(names) - 1
    for cause, at in facts.failures:
        failed = tier if at is None else at
        statement = _statement_for(table, cause, names[failed])
        if statement is None:
            layers.append(Layer("escalation", f"{cause} failed in {names[failed]}: no `escalate` names it"))
            continue
        target = failed + 1 if statement.to_tier is None else table.tiers[statement.to_tier]
        target = min(target, cap)
        tier = max(tier, target)
        if target > failed:
            spent = max(spent, failed)
            text = f"{cause} failed in {names[failed]}: escalated to {names[tier]}"
        else:
            no_way_up = True
            text = f"{cause} failed in {names[failed]}: no way up"
        layers.append(Layer("escalation", text))
    return Ceiling(tier, start.base, start.downgraded, spent, no_way_up)


def _statement_for(table: DecisionTable, cause: str, failed: str) -> Escalation | None:
    for statement in table.policy.escalations:
        named = cause == f"gate {statement.gate}" if statement.gate else cause in statement.kinds
        if named and statement.from_tier in (None, failed):
            return statement
    return None


# --- ability --------------------------------------------------------------------------------------


def _forbidden(table: DecisionTable, limits: Iterable[Limit]) -> dict[str, str]:
    """Models that hard limits keep out, with the sentence that says so."""
    forbidden: dict[str, str] = {}
    for limit in limits:
        named = limit.kind is LimitKind.NEVER
        for key in table.policy.models:
            if (key in limit.models) == named:
                words = f"`{limit.kind} {', '.join(limit.models)}`"
                reason = f"forbidden by {words}" if named else f"not among {words}"
                because = f": {limit.because}" if limit.because else ""
                forbidden.setdefault(key, reason + because)
    return forbidden


@dataclass
class _Walk:
    """Considers models one after the other, each once, and keeps those that can serve."""

    table: DecisionTable
    facts: Facts
    situation: Situation
    forbidden: dict[str, str]
    chain: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    head_can_serve: bool = False
    by_budget: str | None = None
    only_list: bool = False
    from_fallback: bool = False

    # what a model can

    def unable(self, key: str) -> str | None:
        """Why a model can't serve this request, whatever the limits and budgets."""
        if key in self.situation.unusable:
            return self.situation.unusable[key]
        model = self.table.policy.models[key]
        lacking = sorted(self.facts.requires - model.capabilities)
        if lacking:
            return f"can't do {' and '.join(lacking)}"
        needed = self.facts.input_tokens + self.facts.output_tokens
        if model.context_tokens is not None and needed > model.context_tokens:
            return f"context of {number(model.context_tokens)} tokens is too small for {needed}"
        return None

    def removal(self, key: str) -> str | None:
        """Why a model can't serve: hard limits first, then ability, then paused budgets."""
        reason = self.forbidden.get(key) or self.unable(key)
        if reason is None and key in self.situation.paused:
            self.by_budget = self.situation.paused[key].name
            reason = f"budget {self.situation.paused[key].name} is used up"
        return reason

    def offer(self, key: str, source: str, why: str) -> bool:
        """Add a model to the chain if it can serve and isn't in it. Says whether it can serve."""
        removal = self.removal(key)
        if removal is not None:
            self.drop(key, source, removal)
        elif key not in self.chain:
            self.chain.append(key)
            self.verdicts.append(Verdict(key, source, True, why))
        return removal is None

    def drop(self, key: str, source: str, why: str) -> None:
        """Note that a model was considered and left out."""
        self.verdicts.append(Verdict(key, source, False, why))

    # who is considered

    def only(self, standing: Standing) -> None:
        """The models of an `only` level in place of all others."""
        self.only_list = True
        source = f"budget {standing.budget.name}"
        person = self.facts.preferred
        if person is not None and person in standing.level.models:
            self.offer(person, "--preferred", "a person asked for it, and the budget allows it")
        elif person is not None:
            self.drop(person, "--preferred", f"not among the models that {source} leaves")
        for key in standing.level.models:
            if key != person:
                self.offer(key, source, level_words(standing.level))

    def preferred(self) -> None:
        """The person's model, which no ceiling binds."""
        if self.facts.preferred is not None:
            self.head_can_serve = self.offer(self.facts.preferred, "--preferred", "a person asked for it")

    def named(self, ceiling: Ceiling, rule: Rule | None) -> None:
        """The models that the rule, the story and the domain name, under the ceiling."""
        for key in rule.models if rule is not None else ():
            self._name(key, f"rule {rule.name}" if rule else "", ceiling)
        for key in self.facts.story_models:
            self._name(key, "story", ceiling)
        domain = self.table.policy.domains.get(self.facts.domain)
        if domain is not None:
            free = domain.any_tier and not ceiling.downgraded
            for key in domain.models:
                self._name(key, f"domain {domain.name}", ceiling, free=free, domain=True)

    def _name(
        self, key: str, source: str, ceiling: Ceiling, *, free: bool = False, domain: bool = False
    ) -> None:
        reason = self._out_of_place(key, ceiling, free=free, domain=domain)
        if reason is not None:
            self.drop(key, source, reason)
        elif self.offer(key, source, f"{source} {'prefers' if domain else 'names'} it"):
            self.head_can_serve = True

    def _out_of_place(self, key: str, ceiling: Ceiling, *, free: bool, domain: bool) -> str | None:
        """Why a named model is left out because of its tier."""
        names = [tier.name for tier in self.table.policy.tiers]
        rank = self.table.rank.get(key)
        if rank is None:
            return "in no tier"
        if rank <= ceiling.spent:
            return f"{names[rank]} has failed already"
        if domain and self.facts.tier is not None and rank != ceiling.tier:
            return f"--tier asks for {names[ceiling.tier]}, this is {names[rank]}"
        if rank > ceiling.tier and not free:
            return f"{names[rank]} is above the ceiling, {names[ceiling.tier]}"
        return None

    def cheapest(self, ceiling: Ceiling, layers: list[Layer]) -> int:
        """One model of the tier; climbs where nobody in it is able. Returns the tier that serves."""
        tier = self._climb(ceiling, layers)
        source = f"tier {self.table.policy.tiers[tier].name}"
        able = []
        for key in self._by_cost(self.table.policy.tiers[tier].models):
            removal = self.removal(key)
            if removal is None:
                able.append(key)
            else:
                self.drop(key, source, removal)
        down = self.situation.state.down
        chosen = next((key for key in able if key not in down), able[0] if able else None)
        for number_, key in enumerate(able):
            if key == chosen:
                self.offer(
                    key,
                    source,
                    "the cheapest that can serve" if number_ == 0 else "the cheapest not in cooldown",
                )
            elif chosen is not None and number_ < able.index(chosen):
                self.offer(key, source, "cheaper, but in cooldown")
            else:
                self.drop(key, source, "not needed: a cheaper model can serve")
        return tier

    def _climb(self, ceiling: Ceiling, layers: list[Layer]) -> int:
        """The lowest tier from the ceiling up in which somebody is able; the ceiling if there is none."""
        tiers = self.table.policy.tiers
        top = max(ceiling.base, ceiling.tier) if ceiling.downgraded else len(tiers) - 1
        for number_ in range(ceiling.tier, top + 1):
            if any(self.unable(key) is None for key in tiers[number_].models):
                break
        else:
            self._pass(range(ceiling.tier + 1, top + 1))
            return ceiling.tier
        self._pass(range(ceiling.tier, number_))
        if number_ != ceiling.tier:
            text = f"nobody in {tiers[ceiling.tier].name} is able: up to {tiers[number_].name}"
            layers.append(Layer("climb", text))
        return number_

    def _pass(self, numbers: range) -> None:
        """Note the models of tiers in which nobody is able, each once."""
        told = {verdict.model for verdict in self.verdicts}
        for number_ in numbers:
            tier = self.table.policy.tiers[number_]
            for key in tier.models:
                if key not in told:
                    told.add(key)
                    self.drop(key, f"tier {tier.name}", self.removal(key) or "")

    def _by_cost(self, keys: Iterable[str]) -> list[str]:
        models = self.table.policy.models
        tokens = self.facts.input_tokens, self.facts.output_tokens
        return sorted(keys, key=lambda key: (expected_cost(models[key], *tokens), key))

    def fallback(self, tier: int) -> None:
        """The fallback list, which no ceiling binds."""
        fallback = self.table.policy.fallback
        self.from_fallback = not self.chain
        for entry in fallback.entries if fallback is not None else ():
            if isinstance(entry, Mates):
                self._mates(tier, entry.count)
            else:
                self.offer(entry, "fallback list", "from the fallback list")

    def _mates(self, tier: int, count: int) -> None:
        tier_ = self.table.policy.tiers[tier]
        free = [key for key in self._by_cost(tier_.models) if key not in self.chain]
        mates = [key for key in free if self.removal(key) is None]
        for key in mates[:count]:
            self.offer(key, "fallback list", f"next of tier {tier_.name}")

    # the end

    def routing(self, tier: int, standing: Standing | None, ceiling: Ceiling, layers: list[Layer]) -> Routing:
        """The chain with its cooldowns at the end, or a refusal."""
        done = Routing(Outcome.SERVED, standing=standing, layers=tuple(layers), verdicts=tuple(self.verdicts))
        if not self.chain:
            if self.by_budget is not None or self.only_list:
                name = self.by_budget or (standing.budget.name if standing is not None else "")
                refusal = f"no model is left that budget {name} allows"
                return replace(done, outcome=Outcome.REFUSED_BY_BUDGET, refusal=refusal)
            return replace(done, outcome=Outcome.NO_MODEL, refusal="no model can serve this request")
        down = self.situation.state.down
        return replace(
            done,
            chain=tuple(sorted(self.chain, key=lambda key: key in down)),
            tier=self.table.policy.tiers[tier].name,
            downgraded=ceiling.downgraded,
            no_way_up=ceiling.no_way_up,
            served_by_fallback=self.from_fallback,
        )
