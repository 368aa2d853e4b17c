"""
Policies as a program and the command hold them: `Engine` reads one once and decides as often as it is asked.

What only reading and checking a policy needs is imported where that is done: the command decides by a
policy that it has kept without any of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

from .engine.compile import compile_policy
from .engine.decide import Prepared, decide, decide_plain, decide_prepared
from .engine.explain import explain
from .engine.plain import request_from
from .engine.prepared import prepare
from .engine.situation import Situation
from .engine.situations import Situations
from .engine.table import DecisionTable
from .policy.names import did_you_mean
from .schemas.checked import Checked
from .schemas.decision import Decision, Explanation
from .schemas.diagnostics import Report
from .schemas.errors import PolicyError, Problem, RequestError
from .schemas.policy import NANO, Budget, CheckedPolicy, Policy
from .schemas.request import Request, Spend, State
from .schemas.text import Source

if TYPE_CHECKING:
    from .engine.flips import Flip
    from .schemas.catalogue import Prices
    from .schemas.ledger import Attempt, WindowSpend
    from .schemas.story import Story

PolicyPath = str | Path

MOST_FAILING = 20
"""Failing examples told in one run."""

MOST_OUTDATED = 100
"""Warnings about dates and prices told in one run."""


def price_book() -> Prices:
    """The price catalogue that counts here: the shipped one, or a newer one of this machine."""
    from .providers.catalogue import PriceBook
    from .providers.snapshots import catalogue_in_force

    return PriceBook(catalogue_in_force(os.environ).catalogue)


def check(*paths: PolicyPath) -> Checked:
    """Check a policy of one or several files just so far that it can decide: see `validate` for the rest."""
    from .policy.check import check_files

    return check_files([Path(p) for p in paths], price_book())


def validate(
    paths: Iterable[PolicyPath], today: date | None = None, texts: Mapping[Path, str] | None = None
) -> Checked:
    """
    Check a policy of one or several files: its examples, and what the price catalogue says, included.

    Args:
        paths: the files, merged in this order.
        today: the day for which dates are looked at; None is the clock's.
        texts: what stands in place of what is in files, such as the open buffers of an editor, by the
            paths of the files with their symbolic links followed.
    """
    from .policy.check import check_files

    files = [Path(p) for p in paths]
    return _heard(_used(check_files(files, price_book(), texts), tuple(str(path) for path in files), today))


def validate_text(text: str, name: str = "policy", today: date | None = None) -> Checked:
    """Check a policy from its text, as `validate` does."""
    from .policy.check import check_text

    return _heard(_used(check_text(text, price_book(), name), (), today))


def _heard(checked: Checked) -> Checked:
    """The same, without the warnings that the policy's comments ask to ignore."""
    from .policy.ignores import without_ignored

    return replace(checked, report=without_ignored(checked.report, whole=checked.policy is not None))


def _used(checked: Checked, files: tuple[str, ...], today: date | None) -> Checked:
    """What using a policy that has no errors shows: its examples, proofs, its models in today's market."""
    if checked.policy is None:
        return checked
    from .engine.analysis.findings import analyse
    from .engine.examples import failing_examples
    from .policy.check import in_order
    from .policy.freshness import outdated

    table = compile_policy(checked.policy)
    # Bounded: a policy of nothing but failing examples is told by its first ones.
    failing = islice(failing_examples(table, files), MOST_FAILING)
    stale = islice(outdated(checked.policy.policy, price_book(), today or date.today()), MOST_OUTDATED)
    sources = checked.report.sources
    found = in_order(sources, (*checked.report.diagnostics, *failing, *analyse(table, files), *stale))
    return replace(checked, report=Report(sources, found))


class _Usual(NamedTuple):
    """The situation of a call that says nothing of the world, and for how long it is, as timestamps."""

    start: float
    end: float
    situation: Situation


class Engine:
    """
    A compiled policy that decides.

    Decisions read no file, no environment and no network. The clock is read only where a call
    doesn't pass `now`.
    """

    def __init__(self, checked: Checked) -> None:
        if checked.policy is None:
            raise PolicyError(checked.report)
        self.report = checked.report
        self.table: DecisionTable = compile_policy(checked.policy)
        self._situations = Situations(self.table)
        self._usual: _Usual | None = None
        self._changed: Engine | None = None

    @classmethod
    def load(cls, *paths: PolicyPath) -> Engine:
        """
        Read a policy from one file, or from several that are merged in the order given.

        Raises:
            PolicyError: the policy has errors; its `report` lists them with their places.
        """
        return cls(check(*paths))

    @classmethod
    def from_text(cls, text: str, name: str = "policy") -> Engine:
        """
        Read a policy from its text.

        Raises:
            PolicyError: the policy has errors; its `report` lists them with their places.
        """
        from .policy.check import check_text

        return cls(check_text(text, price_book(), name))

    @property
    def policy(self) -> Policy:
        """What the policy says."""
        return self.table.policy

    @property
    def sources(self) -> tuple[Source, ...]:
        """The text of the policy, file by file."""
        return self.report.sources

    def with_budgets(self, budgets: Mapping[str, Budget]) -> Engine:
        """The same policy with other budgets: as the environment or a person changed them."""
        return Engine(Checked(self.report, CheckedPolicy(replace(self.policy, budgets=budgets))))

    def in_force(self, windows: Iterable[WindowSpend]) -> Engine:
        """
        The same policy with the limits of these windows: those that a person raised, budgets that he paused.

        The last one is kept, so that a limit which stays raised is compiled once.
        """
        windows = tuple(windows)
        if not any(window.raised or window.paused for window in windows):
            return self
        from .engine.limits import with_changes

        budgets = with_changes(self.policy.budgets, windows)
        changed = self._changed
        if changed is None or changed.policy.budgets != budgets:
            changed = self._changed = self.with_budgets(budgets)
        return changed

    @property
    def baseline(self) -> str:
        """The model that reports compare with: the policy's baseline, else the dearest of the top tier."""
        from .engine.plan import baseline_of

        return baseline_of(self.policy)

    def story_request(
        self,
        story: Story,
        by: Sequence[Story] = (),
        *,
        environ: Mapping[str, str] | None = None,
        tier: str | None = None,
        branch: str | None = None,
        **said: Any,
    ) -> Request:
        """
        Turn a story of a PRD into its request.

        Args:
            by: the stories that delegate it, the outermost first.
            environ: has inputs that the policy takes from it, where the story says nothing of them.
            tier, branch: what the person says for the whole run; None: nothing.
            said: other fields of the request, in place of what the story says, where they aren't None.
        """
        from .engine.reading import input_value
        from .engine.stories import story_request

        found = {
            name: input_value(fact, environ[fact.env])
            for name, fact in self.policy.facts.items()
            if environ and fact.env is not None and environ.get(fact.env)
        }

        def in_run(request: Request) -> Request:
            outer = request.delegated_by
            return replace(
                request,
                inputs={**found, **request.inputs},
                tier=tier,
                branch=branch,
                delegated_by=None if outer is None else in_run(outer),
            )

        request = in_run(story_request(self.policy, story, by))
        return replace(request, **{name: value for name, value in said.items() if value is not None})

    def attempt(self, key: str, model: str, **about: Any) -> Attempt:
        """
        A call of a model of this policy, for the ledger: with its provider, prices and tier.

        Args:
            key: names the call for good, as in `request:step:attempt`.
            model: its key, alias or short name.
            about: other fields of Attempt.

        Raises:
            RequestError: the policy has no such model.
        """
        from .schemas.ledger import Attempt

        found = self.policy.models[next(iter(self._keys("model", (model,))))]
        rank = self.table.rank.get(found.key)
        known = {
            "provider": found.provider,
            "price_in_nusd_per_mtok": found.price_in_nusd_per_mtok,
            "price_out_nusd_per_mtok": found.price_out_nusd_per_mtok,
            "model_tier": None if rank is None else self.policy.tiers[rank].name,
            "policy_digest": self.policy.digest,
        }
        return Attempt(key=key, model=found.key, **{**known, **about})

    def without_rules(self) -> DecisionTable:
        """The table of this policy without its rules, hard limits and domains: what tiers alone give."""
        bare = replace(self.policy, rules=(), limits=(), domains={})
        return compile_policy(CheckedPolicy(bare))

    def prepare(self, request: Request | Mapping[str, object] | None = None, **facts: object) -> Prepared:
        """
        Make a request ready for `decide`, which then takes the least time; arguments and errors as there.

        It is for this engine alone, and for any number of threads, situations and decisions.
        """
        asked = _asked(request, facts)
        return prepare(self.table, _as_request(asked))

    def decide(
        self,
        request: Request | Prepared | Mapping[str, object] | None = None,
        *,
        situation: Situation | None = None,
        now: datetime | None = None,
        spend: Mapping[str, Spend | float | Decimal] | None = None,
        down: Iterable[str] = (),
        available: Iterable[str] | None = None,
        **facts: object,
    ) -> Decision:
        """
        Find the chain for a request.

        Args:
            request: the request, or what `prepare` made of it; or its fields, with declared inputs by their
                names, in a mapping or as keyword arguments: `decide(complexity=4, private=True)`.
            situation: a situation that `situation()` gave, in place of the next four.
            now: the moment to decide for; it must know its time zone. Default: the clock.
            spend: for a budget's name what was spent in its current window, in USD.
            down: keys of models in cooldown.
            available: keys of models that have a key; None: don't look.

        Raises:
            RequestError: the request lacks a fact, or gives an impossible one; or `now` or `spend` can't be.
        """
        there = situation or self._present(now, spend, down, available)
        if facts or request is None:
            return decide_plain(self.table, _asked(request, facts), there)
        if type(request) is Prepared and request.table is self.table:  # as `decide` does, and a call less
            return decide_prepared(request, there)
        return decide(self.table, request, there)

    def decide_many(
        self,
        requests: Iterable[Request | Prepared | Mapping[str, object]],
        *,
        situation: Situation | None = None,
        now: datetime | None = None,
        spend: Mapping[str, Spend | float | Decimal] | None = None,
        down: Iterable[str] = (),
        available: Iterable[str] | None = None,
    ) -> Iterator[Decision]:
        """
        Decide requests one after the other, as they are asked for, all in one situation.

        Arguments and errors as for `decide`; a request that can't be decided ends it.
        """
        there = situation or self._present(now, spend, down, available)
        table = self.table
        return (decide(table, request, there) for request in requests)

    def explain(
        self,
        request: Request | None = None,
        *,
        situation: Situation | None = None,
        now: datetime | None = None,
        spend: Mapping[str, Spend | float | Decimal] | None = None,
        down: Iterable[str] = (),
        available: Iterable[str] | None = None,
        **facts: object,
    ) -> Explanation:
        """Decide, and say why. Arguments and errors as for `decide`."""
        there = situation or self.situation(now, spend, down, available)
        asked = _asked(request, facts)
        return explain(self.table, _as_request(asked), there)

    def flips(self, request: Request, situation: Situation) -> tuple[Flip, ...]:
        """The smallest changes that would give another chain."""
        from .engine.flips import flips

        return flips(self.table, request, situation)

    def situation(
        self,
        now: datetime | None = None,
        spend: Mapping[str, Spend | float | Decimal] | None = None,
        down: Iterable[str] = (),
        available: Iterable[str] | None = None,
    ) -> Situation:
        """The state of the world for this policy at a moment; arguments as for `decide`."""
        state = self._checked(_state(now, spend, down, available))
        kept = self._situations.of(state)[1]
        return replace(kept, state=state, local=state.now.astimezone(self.table.zone))

    def _present(
        self,
        now: datetime | None,
        spend: Mapping[str, Spend | float | Decimal] | None,
        down: Iterable[str],
        available: Iterable[str] | None,
    ) -> Situation:
        """A situation in which the same is decided as in this state; the last one, while nothing changes."""
        usual, says_nothing = self._usual, now is None and not spend and not down and available is None
        if says_nothing and usual is not None and usual.start <= time() < usual.end:
            return usual.situation
        stretch, situation = self._situations.of(self._checked(_state(now, spend, down, available)))
        if says_nothing:
            self._usual = _Usual(stretch.start, stretch.end, situation)
        return situation

    def _checked(self, state: State) -> State:
        """The state with its models by their keys, whatever the caller calls them, and only known budgets."""
        self._check_budgets(state.spend)
        return self._with_keys(state)

    def _with_keys(self, state: State) -> State:
        """The state with its models by their keys, whatever the caller calls them."""
        available = None if state.available is None else self._keys("available", state.available)
        return replace(state, down=self._keys("down", state.down), available=available)

    def _keys(self, what: str, names: Iterable[str]) -> frozenset[str]:
        known = self.table.references
        problems = [
            Problem(what, f"unknown model `{n}`", did_you_mean(str(n), known))
            for n in names
            if n not in known
        ]
        if problems:
            raise RequestError(tuple(problems))
        return frozenset(known[name] for name in names)

    def _check_budgets(self, names: Iterable[str]) -> None:
        known = self.policy.budgets
        problems = [
            Problem("spend", f"unknown budget `{n}`", did_you_mean(str(n), known))
            for n in names
            if n not in known
        ]
        if problems:
            raise RequestError(tuple(problems))


def _state(
    now: datetime | None,
    spend: Mapping[str, Spend | float | Decimal] | None,
    down: Iterable[str],
    available: Iterable[str] | None,
) -> State:
    return State(
        now=datetime.now(UTC) if now is None else _moment(now),
        spend={name: _spend(name, amount) for name, amount in (spend or {}).items()},
        down=frozenset(down),
        available=None if available is None else frozenset(available),
    )


def _moment(now: datetime) -> datetime:
    """A moment in UTC, where moments compare as what they are; in one zone Python compares clock hands."""
    if now.tzinfo is None:
        help = "pass datetime.now(UTC), or give it a `tzinfo`"
        raise RequestError((Problem("now", "`now` doesn't say which time zone it is in", help),))
    if not 1900 <= now.year < 9000:
        raise RequestError((Problem("now", f"`now` can't be in the year {now.year}"),))
    return now.astimezone(UTC)


def _spend(budget: str, amount: Spend | float | Decimal) -> Spend:
    """An amount in USD as Spend; no amount of money is negative, infinite or not a number."""
    try:
        spend = amount if isinstance(amount, Spend) else Spend(int(Decimal(str(amount)) * NANO))
    except (ArithmeticError, ValueError):
        spend = Spend(-1)
    if spend.spent_nusd < 0 or spend.held_nusd < 0:
        raise RequestError((Problem("spend", f"budget `{budget}` can't have spent {amount}"),))
    return spend


def _asked(request: Any, facts: Mapping[str, object]) -> Any:
    """The request, or the mapping of its fields."""
    if request is None:
        return facts
    if facts:
        raise TypeError(f"give a request or its fields, not both: {', '.join(facts)}")
    return request


def _as_request(asked: Request | Mapping[str, object]) -> Request:
    return asked if isinstance(asked, Request) else request_from(asked)
