"""
Two policies are told to decide alike exactly where no request tells them apart.

POLICYCTL_PROOFS says how many random pairs are drawn, POLICYCTL_SEED from which seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import pytest

from policyctl.engine.analysis.diff import Difference, compare
from policyctl.engine.compile import compile_policy
from policyctl.schemas.policy import BudgetIn, CheckedPolicy, During, Policy, ValueIs

from ..reference.generate import changed, seeded
from ..reference.small import Ask, conditions_of, everything, small_policy, told, varied

PAIRS = int(os.environ.get("POLICYCTL_PROOFS", "200"))
SEED = os.environ.get("POLICYCTL_SEED", "20250611")
SHARES = 10
MOST_REQUESTS = 150


@pytest.mark.parametrize("share", range(SHARES))
def test_what_two_policies_decide_differently_is_found(share: int) -> None:
    """
    Two policies are equivalent exactly where no request tells them apart; a region has just the
    requests that change as it says.
    """
    for old, new, asks in pairs(share):
        tables = [compile_policy(CheckedPolicy(policy)) for policy in (old, new)]
        found = compare(tables[0], tables[1])
        differ = [ask for ask in asks if told(old, ask) != told(new, ask)]

        assert found.proven, (old, new)
        assert not (found.equivalent and differ), (old, new, differ[0])
        if not any(not region.later for region in found.regions):
            assert not differ, (old, new, differ[0])
        if found.equivalent and old.models.keys() == new.models.keys():
            assert all(told(old, ask) == told(new, ask) for ask in varied(old, asks)), (old, new)
        for region in found.regions:
            cases = [Ask(case.request, case.state) for case in region.case]
            assert told(old, cases[0]) != told(new, cases[1]), (old, new, region)
        every_cell_is_where_it_should(old, new, found)


def every_cell_is_where_it_should(old: Policy, new: Policy, found: Difference) -> None:
    """In each cell of a region the decisions change as it says, and in no other cell they do."""
    space, changed = found.space, found.changed
    assert space is not None and changed is not None
    inside: dict[Any, int] = {}
    for cells in product(*(range(len(axis.cells)) for axis in space.axes)):
        path = None
        for axis, cell in enumerate(cells):
            path = (path, axis, cell)
        kind = changed.at(dict(enumerate(cells)))
        first, second = (space.case(path, number) for number in (0, 1))
        answers = told(old, Ask(first.request, first.state)), told(new, Ask(second.request, second.state))
        if kind == "same":
            assert answers[0] == answers[1], (old, new, first)
            continue
        region = found.regions[kind]
        inside[kind] = inside.get(kind, 0) + 1
        if not region.later:
            assert answers == tuple((d.outcome, d.chain, d.tier) for d in (region.old, region.new))
        assert all(cells[space.axis_of[subject]] in allowed for subject, allowed in region.cells.items()), (
            old,
            new,
            region,
        )
    for number, region in enumerate(found.regions):
        size = prod(len(region.cells.get(axis.subject, axis.cells)) for axis in space.axes)
        assert region.whole == (size == inside.get(number)), (old, new, region)


CHANGED = (
    ("rules",),
    ("limits",),
    ("escalations",),
    ("fallback",),
    ("models",),
    ("tiers",),
    ("budgets",),
    ("domains", "facts"),
)
"""What the second policy has of a third."""


def pairs(share: int) -> Iterator[tuple[Policy, Policy, list[Ask]]]:
    """Two policies of which the second has something of a third, and the requests of both."""
    rng = seeded(f"{SEED}/pairs/{share}")
    left = PAIRS // SHARES
    while left:
        old, other = small_policy(rng), small_policy(rng)
        new = changed(old, **{name: getattr(other, name) for name in rng.choice(CHANGED)})
        if fits(old) and fits(new):
            asks = [everything(policy, MOST_REQUESTS) for policy in (old, new)]
            if None not in asks:
                left -= 1
                yield old, new, [ask for of_one in asks for ask in of_one or ()]


def fits(policy: Policy) -> bool:
    """Whether all names of a policy are declared in it."""
    keys, tiers = set(policy.models), {tier.name for tier in policy.tiers}
    for c in conditions_of(policy):
        if isinstance(c, During) and c.window not in policy.windows:
            return False
        if isinstance(c, BudgetIn) and c.budget not in policy.budgets:
            return False
        if (
            isinstance(c, ValueIs)
            and c.fact in ("domain", "tier")
            and not set(c.values) <= {*policy.facts[c.fact].values}
        ):
            return False
    named = [
        key
        for s in (*policy.rules, *policy.limits, *policy.tiers, *policy.domains.values())
        for key in s.models
    ]
    named += [
        entry for entry in (policy.fallback.entries if policy.fallback else ()) if isinstance(entry, str)
    ]
    named += [key for budget in policy.budgets.values() for level in budget.levels for key in level.models]
    places = [rule.tier for rule in policy.rules if rule.tier is not None]
    places += [name for e in policy.escalations for name in (e.from_tier, e.to_tier) if name is not None]
    scopes = {"tier": tiers, "model": keys, "domain": set(policy.domains), "provider": {"acme", "brisk"}}
    scoped = all(b.scope_name in scopes[b.scope] for b in policy.budgets.values() if b.scope is not None)
    return (
        set(named) <= keys
        and set(places) <= tiers
        and scoped
        and {*policy.facts["tier"].values} == {*tiers, "none"}
    )
