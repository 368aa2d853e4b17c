"""
The one object that puts the rooms together: what a program, the command and a loop hold.

`Engine` reads a policy once and decides as often as it is asked.

What only reading and checking a policy needs is imported where that is done: the command decides by a
policy that it has kept without any of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .engine.compile import compile_policy
from .engine.decide import decide, observe
from .engine.explain import explain
from .engine.situation import Situation
from .engine.table import DecisionTable
from .engine.windows import next_change
from .policy.names import did_you_mean
from .schemas.checked import Checked
from .schemas.decision import Decision, Explanation
from .schemas.diagnostics import Report
from .schemas.errors import PolicyError, Problem, RequestError
from .schemas.policy import CAPABILITIES, NANO, Budget, CheckedPolicy, Policy
from .schemas.request import Failure, Request, Spend, State
from .schemas.text import Source

if TYPE_CHECKING:
    from .engine.flips import Flip
    from .schemas.catalogue import Prices
    from .schemas.ledger import Attempt

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
        self._last: tuple[State, datetime, Situation] | None = None

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

    def decide(
        self,
        request: Request | None = None,
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
            request: the request; or give its fields as keyword arguments, with declared inputs
                by their names: `decide(complexity=4, requires={"vision"}, private=True)`.
            situation: a situation that `situation()` gave, in place of the next four.
            now: the moment to decide for; it must know its time zone. Default: the clock.
            spend: for a budget's name what was spent in its current window, in USD.
            down: keys of models in cooldown.
            available: keys of models that have a key; None: don't look.

        Raises:
            RequestError: the request lacks a fact, or gives an impossible one; or `now` or `spend` can't be.
        """
        there = situation or self._kept(_state(now, spend, down, available))
        return decide(self.table, _asked(request, facts), there)

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
        return explain(self.table, _asked(request, facts), there)

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
        state = _state(now, spend, down, available)
        return replace(self._kept(state), state=state, local=state.now.astimezone(self.table.zone))

    def _kept(self, state: State) -> Situation:
        """A situation in which the same is decided as in this state: the last one, while nothing changes."""
        if self._last is not None:
            seen, until, situation = self._last
            if seen.now <= state.now < until and replace(state, now=seen.now) == seen:
                return situation
        self._check_budgets(state.spend)
        situation = observe(self.table, self._with_keys(state))
        self._last = (state, self._next_turn(state.now), situation)
        return situation

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

    def _next_turn(self, now: datetime) -> datetime:
        """When the windows, or the day, and with it what budgets call today, change next."""
        local = now.astimezone(self.table.zone)
        midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        change = next_change(self.policy.windows, self.table.zone, now, days=1)
        tomorrow = midnight.astimezone(UTC)
        return tomorrow if change is None else min(change, tomorrow)


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


_FIELDS = frozenset(Request.__dataclass_fields__)
_NOBODY = Request()
_TEXT_FIELDS = {"domain", "kind", "skill", "branch", "story_tier", "tier", "preferred"}


def _asked(request: Request | None, facts: Mapping[str, object]) -> Request:
    if request is None:
        return request_from(facts)
    if facts:
        raise TypeError(f"give a request or its fields, not both: {', '.join(facts)}")
    return request


def request_from(facts: Mapping[str, object]) -> Request:
    """
    A request from plain values: fields of Request by name, everything else a declared input.

    True and False become yes and no, any iterable of capabilities a set, names of failed gates
    (`gates=["tests"]`) failures, which come after those given as `failures`.

    Raises:
        RequestError: what should be one or more texts is something else.
    """
    fields: dict[str, object] = {k: v for k, v in facts.items() if k in _FIELDS and v is not None}
    inputs = {k: v for k, v in facts.items() if k not in _FIELDS | {"gates"} and v is not None}
    for name in _TEXT_FIELDS & fields.keys():
        if not isinstance(fields[name], str):
            raise RequestError((Problem(name, f"`{name}` is a text, not `{fields[name]}`"),))
    if not isinstance(fields.get("delegated_by", _NOBODY), Request):
        raise RequestError((Problem("delegated_by", "`delegated_by` is a Request, that of the story"),))
    if "requires" in fields:
        fields["requires"] = frozenset(_texts("requires", fields["requires"]))
        _check_capabilities(fields["requires"])  # type: ignore[arg-type]
    if "story_models" in fields:
        fields["story_models"] = _texts("story_models", fields["story_models"])
    if facts.get("gates") is not None:
        failed = (Failure(f"gate {gate}") for gate in _texts("gates", facts["gates"]))
        fields["failures"] = (*fields.get("failures", ()), *failed)  # type: ignore[misc]
    given = fields.pop("inputs", {})
    merged = {**given, **inputs} if isinstance(given, Mapping) else inputs
    plain = {name: _plain(value) for name, value in merged.items()}
    return Request(**fields, inputs=plain)  # type: ignore[arg-type]  # values are checked by decide


def _check_capabilities(names: Iterable[str]) -> None:
    """A story may require what nobody can; a program that does has mistyped."""
    for name in names:
        if name not in CAPABILITIES:
            help = did_you_mean(name, CAPABILITIES, else_list="the capabilities are")
            raise RequestError((Problem("requires", f"unknown capability `{name}`", help),))


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise RequestError((Problem(name, f"`{name}` is one or more texts, not `{value}`"),))
    return tuple(str(item) for item in value)
