"""Random ledgers, and a plain reading of what they hold, to hold reports against."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from policyctl.ledger import upkeep
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Attempt, Usage
from policyctl.schemas.policy import NANO, Policy

from .world import DOLLAR, World

Line = dict[str, Any]
MODELS = (("anthropic", "small", "low"), ("openai", "large", "high"), ("elsewhere", "alien", None))
FATES = ("commit", "commit", "commit", "lost", "late", "abandon", "release", "open", "record")
STORIES = (None, "US-1", "US-2", "US-2/1", "US-2/2", "US-2/2/1", "US-10/3")


def fill(world: World, ledger: Ledger, seed: int, calls: int, days: int = 40) -> None:
    """
    Calls of every kind and fate, over some days from where the clock stands.
    """
    chance = random.Random(seed)  # noqa: S311
    step = timedelta(days=days) / calls
    for number in range(calls):
        world.now += step * chance.random() * 2
        _call(ledger, chance, f"{seed}:{number}:1", world.now)


def _call(ledger: Ledger, chance: random.Random, key: str, now: datetime) -> None:
    provider, model, tier = chance.choice(MODELS)
    prices = {"price_in_nusd_per_mtok": DOLLAR, "price_out_nusd_per_mtok": 3 * DOLLAR}
    call = Attempt(
        key=key,
        provider=provider,
        model=model,
        most_nusd=chance.randrange(DOLLAR),
        max_input_tokens=9000,
        max_output_tokens=9000,
        tier=tier and chance.choice(("low", "high")),
        model_tier=tier,
        domain=chance.choice((None, None, "vision")),
        story_id=chance.choice(STORIES),
        run_id=chance.choice((None, "one", "two")),
        fallback_used=chance.random() < 0.2,
        escalation="escalated to high" if chance.random() < 0.2 else None,
        **(prices if tier else {}),
    )
    cost = chance.choice((None, 0, chance.randrange(DOLLAR), chance.randrange(20 * DOLLAR), -1))
    usage = Usage(
        input_tokens=chance.choice((None, 0, chance.randrange(9000), 10**9)),
        output_tokens=chance.choice((0, chance.randrange(9000))),
        cost_nusd=cost,
        latency_ms=chance.choice((None, 0, chance.randrange(100), int(chance.lognormvariate(7, 3)))),
        success=chance.random() < 0.8,
    )
    fate = chance.choice(FATES)
    if fate == "record":
        if cost is not None and cost >= 0:
            ledger.record(call, usage, when=now - timedelta(hours=chance.randrange(48)))
        return
    ledger.reserve(call, send=chance.random() < 0.9 or fate != "release")
    if fate in ("abandon", "late"):
        ledger.abandon(key)
    if fate == "release":
        ledger.release(key, "connection")
    if fate in ("commit", "late"):
        ledger.commit(key, usage)
    if fate == "lost":
        ledger.commit(key, None)


# --- a plain reading -----------------------------------------------------------------------------------


def exported(ledger: Ledger) -> list[Line]:
    """
    The usage log that the ledger writes out, line by line.
    """
    return [json.loads(line) for page in upkeep.export(ledger) for line in page]


def plainly(lines: Iterable[Line], name: Callable[[Line], Any]) -> dict[Any, Counter[str]]:
    """
    The sums of a report, by whatever tells lines apart.
    """
    found: dict[Any, Counter[str]] = {}
    for line in lines:
        tally, cost = found.setdefault(name(line), Counter()), round(line["cost_usd"] * NANO)
        good, raised, flag = line["success"], "escalation" in line, line.get("flag")
        work, tokens = good and not raised, line["input_tokens"] + line["output_tokens"]
        tally.update(
            calls=1,
            succeeded=good,
            fallbacks=line.get("fallback_used", False),
            escalated=raised,
            doubted=flag in ("usage invalid", "usage absurd"),
            at_hold=flag in ("usage missing", "outcome unknown"),
            unpriced=not cost and line["model"] == "alien" and tokens > 0,
            input_tokens=line["input_tokens"],
            output_tokens=line["output_tokens"],
            cost_nusd=cost,
            at_hold_nusd=cost if flag in ("usage missing", "outcome unknown") else 0,
            failed_nusd=0 if good else cost,
            escalated_nusd=cost if good and raised else 0,
            work_input_tokens=line["input_tokens"] if work else 0,
            work_output_tokens=line["output_tokens"] if work else 0,
        )
    return found


def two_digits(ms: int) -> int:
    """
    A latency to two digits, halves up.
    """
    unit = 1
    while ms + unit // 2 >= 100 * unit:
        unit *= 10
    return (ms + unit // 2) // unit * unit


def percentiles_of(lines: Iterable[Line]) -> tuple[int, int] | None:
    """
    The latencies of good answers that half of them, and 95 of 100, don't surpass.
    """
    times = sorted(line["latency_ms"] for line in lines if line["success"] and line["latency_ms"] is not None)
    if not times:
        return None
    ranks = (-(-len(times) * share // 100) - 1 for share in (50, 95))
    half, most = (two_digits(times[rank]) for rank in ranks)
    return half, most


def baseline_nusd(policy: Policy, tally: Counter[str]) -> int:
    """
    What the work costs on the larger model, rounded half up.
    """
    model = policy.models["large"]
    exact = tally["work_input_tokens"] * model.price_in_nusd_per_mtok
    exact += tally["work_output_tokens"] * model.price_out_nusd_per_mtok
    return (exact + 500_000) // 1_000_000
