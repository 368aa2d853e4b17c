"""A ledger whose clock, owners and policy a test decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from policyctl.deciding import Engine
from policyctl.ledger.checking import Health, check
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Attempt, Denied, Hold, Usage
from policyctl.schemas.policy import NANO, Policy

DOLLAR = NANO
CENT = NANO // 100
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # a Tuesday

MODELS = """\
timezone UTC
model small is anthropic/claude-haiku-4-5 costs $1 in, $1 out can nothing
model large is openai/gpt-4o costs $2 in, $2 out can nothing
tier low  from complexity 0 has small
tier high from complexity 5 has large
domain vision prefers large
"""
MONTHLY = """\
budget monthly is $10 per month
  at 50%  warn
  at 100% pause
"""


def policy_of(text: str = MONTHLY, zone: str = "UTC") -> Policy:
    """
    A small policy with these budgets.
    """
    return Engine.from_text(MODELS.replace("timezone UTC", f"timezone {zone}") + text).policy


def attempt(key: str = "r:1:1", most: int | None = DOLLAR, **more: Any) -> Attempt:
    """
    A call to the small model that may cost a dollar, at a dollar for a million tokens.
    """
    fields: dict[str, Any] = {
        "provider": "anthropic",
        "model": "small",
        "model_tier": "low",
        "tier": "low",
        "price_in_nusd_per_mtok": DOLLAR,
        "price_out_nusd_per_mtok": DOLLAR,
    }
    return Attempt(key=key, most_nusd=most, **{**fields, **more})


def usage(cost: int = 10 * CENT, **more: Any) -> Usage:
    """
    A good answer that cost ten cents.
    """
    return Usage(**{"input_tokens": 1000, "output_tokens": 200, "cost_nusd": cost, "latency_ms": 900, **more})


@dataclass
class World:
    """
    A folder with a ledger, and what the ledger sees of the machine.
    """

    folder: Path
    policy: Policy = field(default_factory=policy_of)
    now: datetime = NOON
    owner: str = "me"
    dead: set[str] = field(default_factory=set)
    ticks: float = 0.0
    where: Path | str | None = None
    opened: list[Ledger] = field(default_factory=list)

    @property
    def place(self) -> Path | str:
        """
        The ledger.
        """
        return self.where or self.folder / "policyctl.db"

    @property
    def log(self) -> Path:
        """
        The usage log.
        """
        return self.folder / "logs" / "provider_usage.jsonl"

    def open(self, policy: Policy | None = None, **more: Any) -> Ledger:
        """
        Open the ledger, which is made where it is missing.
        """
        owner = more.pop("owner", None) or self.owner
        ledger = Ledger(
            self.place,
            policy or self.policy,
            **{
                "log": self.log,
                "create": True,
                "clock": lambda: self.now,
                "owner": lambda: owner,
                "has_ended": lambda name: name in self.dead,
                "monotonic": lambda: self.ticks,
                "sleep": self.sleep,
                **more,
            },
        )
        self.opened.append(ledger)
        return ledger

    def sleep(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.ticks += seconds
        self.now += timedelta(seconds=seconds)

    def lines(self) -> list[dict[str, Any]]:
        """
        What the usage log has; a line that can't be read is an error.
        """
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def health(self) -> Health:
        """
        What a check finds.
        """
        with self.open() as ledger:
            return check(ledger)

    def close(self) -> None:
        """
        Close all that was opened.
        """
        for ledger in self.opened:
            ledger.close()


@contextmanager
def a_world(folder: Path, **more: Any) -> Iterator[World]:
    """
    A world that is put away afterwards.
    """
    world = World(folder, **more)
    try:
        yield world
    finally:
        world.close()


def held(answer: Hold | Denied) -> Hold:
    """
    The hold; a refusal is an error.
    """
    assert isinstance(answer, Hold), answer
    return answer


def denied(answer: Hold | Denied) -> Denied:
    """
    The refusal; a hold is an error.
    """
    assert isinstance(answer, Denied), answer
    return answer
