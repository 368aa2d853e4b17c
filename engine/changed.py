"""Pieces of a policy with one member less, another, or two of them the other way round."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ..schemas.policy import Budget, Domain, Fallback, Policy

_T = TypeVar("_T")


def less(members: tuple[_T, ...], n: int) -> tuple[_T, ...]:
    """All members but one."""
    return (*members[:n], *members[n + 1 :])


def put(members: tuple[_T, ...], n: int, member: _T) -> tuple[_T, ...]:
    """The members with another in place of one."""
    return (*members[:n], member, *members[n + 1 :])


def swapped(members: tuple[_T, ...], n: int) -> tuple[_T, ...]:
    """The members with one put below the next."""
    return (*members[:n], members[n + 1], members[n], *members[n + 2 :])


def with_budget(policy: Policy, budget: Budget) -> Policy:
    """The policy with another budget of the same name."""
    return replace(policy, budgets={**policy.budgets, budget.name: budget})


def with_domain(policy: Policy, domain: Domain) -> Policy:
    """The policy with another domain of the same name."""
    return replace(policy, domains={**policy.domains, domain.name: domain})


def with_fallback(policy: Policy, fallback: Fallback, n: int) -> Policy:
    """The policy without one entry of its fallback list."""
    return replace(policy, fallback=replace(fallback, entries=less(fallback.entries, n)))
