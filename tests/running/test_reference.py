"""
A second opinion on the walk: random policies and outages against a plain model of docs/running.md.

The model takes decisions as they come, and everything else from that page: who is asked next, how often,
what a failure or a failed gate leads to, and how it ends.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from policyctl.deciding import Engine
from policyctl.schemas.calls import Answer
from policyctl.schemas.decision import Decision
from policyctl.schemas.request import Failure, Request

from .test_chain import Always
from .world import a_router, tried

CASES = 3000 if os.environ.get("POLICYCTL_SOAK") else 240
MODELS = ("ant", "bee", "cat", "dog", "elk", "fox")
TIERS = ("cheap", "medium", "powerful")
AGAIN = ("rate_limit", "overloaded", "timeout", "connection", "server_error")
NEXT = ("auth", "quota", "not_found", "content_filter", "bad_response", "context_window")
STOP = ("invalid_request",)
KINDS = (*AGAIN, *NEXT, *NEXT, *STOP, "context_window")


@dataclass
class World:
    """
    A policy as data, and what its models do: a kind of failure or None for each attempt.
    """

    windows: dict[str, int | None]
    tiers: dict[str, list[str]]
    fallback: list[str]
    retries: dict[
        str, tuple[int, dict[str, str]]
    ]  # of a model, or "" for all: attempts, and a word for a kind
    escalates: list[str]
    outcomes: dict[str, list[str | None]]
    passes: set[str]
    complexity: int
    failures: list[Failure] = field(default_factory=list)

    def text(self) -> str:
        """
        The policy in the language.
        """
        lines = ["timezone UTC"]
        for price, (model, window) in enumerate(self.windows.items(), 1):
            size = "" if window is None else f"  context {window}k"
            lines.append(
                f"model {model} is offline/{model}  costs ${price} in, ${price} out  can nothing{size}"
            )
        for start, (tier, models) in zip((0, 3, 6), self.tiers.items(), strict=True):
            lines.append(f"tier {tier} from complexity {start} has {', '.join(models)}")
        if self.fallback:
            lines.append(f"fallback to {', '.join(self.fallback)}")
        for model, (attempts, words) in self.retries.items():
            whose = f" for {model}" if model else ""
            ons = "".join(f"\n  on {kind} {word}" for kind, word in words.items())
            lines.append(f"retry{whose} {attempts} attempts wait 0s{ons}")
        lines += [f"escalate to next tier when gate {g} fails" for g in self.escalates if g == "tests"]
        lines += [f"escalate to next tier on {kind}" for kind in self.escalates if kind != "tests"]
        return "\n".join(lines) + "\n"


def a_world(chance: random.Random) -> World:
    """
    A random one.
    """
    models = list(chance.sample(MODELS, chance.randint(3, len(MODELS))))
    words = ("next model", "stop", "wait 0s")

    def a_retry() -> tuple[int, dict[str, str]]:
        kinds = chance.sample(KINDS, chance.choice([0, 1, 3]))
        return chance.randint(1, 6), {kind: chance.choice(words) for kind in kinds}

    retries = {"": a_retry()}
    if chance.random() < 0.4:
        retries[chance.choice(models)] = a_retry()
    cuts = sorted(chance.sample(range(1, len(models)), 2))
    parts = (models[: cuts[0]], models[cuts[0] : cuts[1]], models[cuts[1] :])
    trouble = chance.choice([0.2, 0.5, 0.8, 1.0])
    kinds = chance.choice([AGAIN, KINDS, KINDS])
    good = chance.choice([0.1, 0.6])
    return World(
        windows={model: chance.choice([4, 8, 16, None]) for model in models},
        tiers=dict(zip(TIERS, parts, strict=True)),
        fallback=chance.sample(models, chance.choice([0, 1, 1, 2, len(models)])),
        retries=retries,
        escalates=["tests"] * (chance.random() < 0.7) + chance.sample(KINDS[:8], chance.choice([0, 0, 1, 3])),
        outcomes={
            model: [chance.choice(kinds) if chance.random() < trouble else None for _ in range(8)]
            for model in models
        },
        passes={model for model in models if chance.random() < good},
        complexity=chance.randint(0, 9),
    )


def walk(world: World, decide: Callable[[list[Failure]], Decision]) -> tuple[list[str], str]:
    """
    What the page says will happen.
    """
    asked: list[str] = []
    log: list[str] = []
    failed: list[Failure] = []
    too_small, spare = 0, 100  # retries left for all steps, in tenths
    gate_failed_in: str | None = None
    decision = decide(failed)
    while True:
        left = [m for m in decision.chain if m not in asked and (world.windows[m] or 99) > too_small]
        if gate_failed_in is not None:
            rose = decision.tier is not None and TIERS.index(decision.tier) > TIERS.index(gate_failed_in)
            if decision.no_way_up or not rose or not left:
                return log, "a gate failed"
            gate_failed_in = None
        if not left:
            return log, "every step failed" if decision.chain else "refused"
        model = left[0]
        asked.append(model)
        spare = min(100, spare + 1)
        attempts, words = world.retries.get(model, world.retries[""])
        for number in range(1, 9):
            kind = world.outcomes[model][number - 1]
            log.append(f"{model} {number} {kind or 'ok'}")
            usual = "wait 0s" if kind in AGAIN else "stop" if kind in STOP else "next model"
            word = words.get(kind or "", usual)
            if kind is None or word == "stop":
                break
            if word == "next model" or number >= attempts or spare < 10:
                word = "next model"
                break
            spare -= 10
        if kind is None:
            if model in world.passes:
                return log, "served"
            failed.append(Failure("gate tests", decision.tier))
            gate_failed_in = decision.tier
        else:
            if word == "stop":
                return log, "every step failed"
            if kind == "context_window":
                too_small = max(too_small, world.windows[model] or 0)
            if kind in world.escalates:
                failed.append(Failure(kind, decision.tier))
        decision = decide(failed)


@pytest.mark.parametrize("part", range(3))
def test_the_walk_is_as_the_page_says(tmp_path: Path, part: int) -> None:
    """
    Who is asked, how often, in which order, and how it ends is the same by a plain reading of the page.
    """
    chance = random.Random(600 + part)  # noqa: S311
    endings: Counter[str] = Counter()
    for _ in range(CASES // 3):
        world = a_world(chance)
        engine = Engine.from_text(world.text())

        def decide(failed: list[Failure], engine: Engine = engine, world: World = world) -> Decision:
            request = Request(complexity=float(world.complexity), input_tokens=10)
            return engine.decide(replace(request, failures=tuple(failed)))

        expected = walk(world, decide)
        steps = [
            {"model": model, "times": 1, "text": model, **({"fail": kind} if kind else {})}
            for model, kinds in world.outcomes.items()
            for kind in kinds
        ]

        def gate(answer: Answer, world: World = world) -> bool:
            return answer.text in world.passes

        with a_router(tmp_path, world.text(), steps) as router:
            router.health = Always()
            request = Request(complexity=float(world.complexity), input_tokens=10)
            result = router.run(router.job("hello", request=request, gates={"tests": gate}))
        assert expected == (tried(result), result.ending.value), world.text()
        endings[result.ending.value] += 1

    assert {"served", "every step failed", "a gate failed"} <= endings.keys()
