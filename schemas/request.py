"""What is asked, and the state of the world in which it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from .records import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """
    A gate that failed ("gate tests"), or a kind of failure ("timeout"), and the tier it failed in.

    `tier` None: the tier that the request would be in without this failure.
    """

    cause: str
    tier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One piece of work to find a chain for. None means "not given".

    `story_tier` and `story_models` come from the story (`preferred_provider` first, then
    `suggestedModel`); `tier` and `preferred` from the person who runs it. `inputs` are the
    policy's declared inputs: "yes" and "no", a choice or text, or a number. `delegated_by` is the
    request of the story whose sub-task this is: its hard limits hold here too, and what it says of
    inputs without a default counts where this one is silent.
    """

    complexity: float | None = None
    requires: frozenset[str] = frozenset()
    domain: str | None = None
    kind: str | None = None
    skill: str | None = None
    branch: str | None = None
    attempt: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    inputs: Mapping[str, str | float] = field(default_factory=dict)
    story_tier: str | None = None
    story_models: tuple[str, ...] = ()
    tier: str | None = None
    preferred: str | None = None
    failures: tuple[Failure, ...] = ()
    delegated_by: Request | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """What a budget's current window has spent, and what is held for calls under way, in nano-USD."""

    spent_nusd: int = 0
    held_nusd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """
    The world at one moment, passed in.

    `now` must know its zone. Budgets that `spend` doesn't name are unspent. `down` are the
    models in cooldown. `available` are the models whose key is present, or None where keys
    aren't looked at.
    """

    now: datetime
    spend: Mapping[str, Spend] = field(default_factory=dict)
    down: frozenset[str] = frozenset()
    available: frozenset[str] | None = None
