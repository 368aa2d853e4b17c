"""
One answer, whichever way it is asked for: as a request, prepared, as plain values, or one of many.

The policies are those of the benchmarks, so no figure is bought with a wrong answer. POLICYCTL_SOAK=1 asks
at full size.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policyctl import Engine, RequestError
from policyctl.engine import finished, pages
from policyctl.engine.plain import request_from
from policyctl.schemas.decision import Decision, Outcome
from policyctl.schemas.policy import NANO
from policyctl.schemas.request import Failure, Request, Spend, State

from ..benchmarks.workload import NOW, files_of, requests
from ..reference import evaluator

SOAK = bool(os.environ.get("POLICYCTL_SOAK"))
SIZES = {10: 600, 100: 300, 2_000: 60} if not SOAK else {10: 20_000, 100: 20_000, 1_000: 3_000, 10_000: 500}
SPENDS = (0, 250, 400, 499.99)
NIGHT = NOW + timedelta(hours=7)

Ways = dict[str, Callable[[], Decision]]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Engine]:
    """
    Engines by the number of their rules, each read once.
    """
    known: dict[int, Engine] = {}

    def engine(rules: int) -> Engine:
        if rules not in known:
            known[rules] = Engine.load(*files_of(tmp_path_factory.mktemp("policy"), rules))
        return known[rules]

    return engine


def ways(engine: Engine, values: dict[str, Any], situation: Any) -> Ways:
    """
    Every way to ask for one decision.
    """
    request = request_from(values)
    return {
        "request": lambda: engine.decide(request, situation=situation),
        "prepared": lambda: engine.decide(engine.prepare(values), situation=situation),
        "mapping": lambda: engine.decide(values, situation=situation),
        "fields": lambda: engine.decide(situation=situation, **values),
        "many": lambda: next(engine.decide_many([values], situation=situation)),
    }


def answers(asked: Ways) -> dict[str, object]:
    """
    What each way gives; of an error what it says.
    """
    found: dict[str, object] = {}
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except RequestError as error:
            found[name] = error.problems
    return found


def varied(rng: random.Random, values: dict[str, Any]) -> dict[str, Any]:
    """
    The values with more or less than is usual.
    """
    some = {name: value for name, value in values.items() if name == "complexity" or rng.random() < 0.8}
    more: tuple[dict[str, Any], ...] = (
        {},
        {
            "input_tokens": rng.choice((0, 10, 15_999, 64_000, 250_000)),
            "output_tokens": rng.choice((0, 1, 2000)),
        },
        {"output_tokens": 8_000},
        {"tier": rng.choice(("cheap", "powerful"))},
        {"preferred": rng.choice(("tiny", "eye", "large"))},
        {"private": rng.choice((True, False))},
        {"requires": rng.choice(("vision", ["tools"], {"audio"}, ("vision", "pdf")))},
        {"gates": ["tests"]},
        {"failures": (Failure("gate tests", "cheap"),), "story_models": ("eye",)},
        {"story_tier": "medium"},
        {"attempt": 2.0, "score": 7},
        {"domain": None, "kind": "a new kind"},
        {"delegated_by": Request(complexity=1, inputs={"private": "yes"})},
    )
    return {**some, **rng.choice(more)}


@pytest.mark.parametrize("rules", SIZES)
def test_all_ways_agree_with_the_reference(engines: Callable[[int], Engine], rules: int) -> None:
    """
    On the policies of the benchmarks every way gives the answer of the second opinion.
    """
    engine, rng = engines(rules), random.Random(f"ways/{rules}")  # noqa: S311
    for spent in SPENDS:
        for now in (NOW, NIGHT):
            state = State(now=now, spend={"monthly": Spend(int(spent * NANO))}, down=frozenset({"eye"}))
            situation = engine.situation(now, state.spend, state.down)
            for values in requests(f"{rules}/{spent}/{now}", SIZES[rules] // 8):
                asked = varied(rng, values)
                found = answers(ways(engine, asked, situation))
                expected: object = found["request"]
                if "delegated_by" not in asked:  # of which the reference knows nothing
                    expected = evaluator.decide(engine.policy, request_from(asked), state)

                assert {name: told(expected) for name in found} == {n: told(f) for n, f in found.items()}


def told(decision: object) -> object:
    """
    A decision without the sentence of a refusal, which is nobody's promise; an error as one.
    """
    if not isinstance(decision, Decision):
        return "error"
    return dataclasses.replace(decision, refusal=None)


def test_short_pages_change_nothing(
    engines: Callable[[int], Engine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    A table that is cut into many pages decides as one of a single page does.
    """
    whole = engines(100)
    monkeypatch.setattr(pages, "LEAST_ROWS", 10)
    monkeypatch.setattr(pages, "ROWS_BEYOND", -45)
    monkeypatch.setattr(pages, "FEW_CELLS", 30)
    monkeypatch.setattr(pages, "MANY_CELLS", 30)
    cut = Engine.load(*files_of(tmp_path, 100))
    rng = random.Random("pages")  # noqa: S311

    assert (1, True) == (whole.table.codes.pages, cut.table.codes.pages > 3)
    for now in (NOW, NIGHT):
        there, here = (engine.situation(now) for engine in (whole, cut))
        for values in requests(f"pages/{now}", 300):
            asked = varied(rng, values)
            assert answers(ways(whole, asked, there)) == answers(ways(cut, asked, here))


MISTAKES: tuple[dict[str, Any], ...] = (
    {},
    {"complexity": "4"},
    {"complexity": True},
    {"complexity": 11},
    {"complexity": float("nan")},
    {"complexity": 4, "private": 1},
    {"complexity": 4, "private": "maybe"},
    {"complexity": 4, "stage": None, "score": "many"},
    {"complexity": 4, "score": True},
    {"complexity": 4, "attempt": 1.5},
    {"complexity": 4, "attempt": 0},
    {"complexity": 4, "input_tokens": -1},
    {"complexity": 4, "output_tokens": 10**15},
    {"complexity": 4, "requires": "visoin"},
    {"complexity": 4, "requires": 4},
    {"complexity": 4, "branch": 4},
    {"complexity": 4, "kind": b"bug"},
    {"complexity": 4, "tier": "none"},
    {"complexity": 4, "preferred": "huge"},
    {"complexity": 4, "scroe": 4},
)


@pytest.mark.parametrize("values", MISTAKES, ids=str)
def test_a_mistake_is_told_in_the_same_words(
    engines: Callable[[int], Engine], values: dict[str, Any]
) -> None:
    """
    What can't be a request is an error with the same problems, whichever way it is asked for.
    """
    engine = engines(10)
    asked = ways(engine, {"complexity": 4}, engine.situation(NOW)) | {
        "prepared": lambda: engine.decide(engine.prepare(values), situation=engine.situation(NOW)),
        "mapping": lambda: engine.decide(values, situation=engine.situation(NOW)),
        "fields": lambda: engine.decide(situation=engine.situation(NOW), **values),
    }
    found = [answers(asked)[name] for name in ("prepared", "mapping", "fields")]

    assert [found[0]] * 3 == found
    assert isinstance(found[0], tuple), found[0]


TWO_PRICES = """
model bent is offline/bent costs $1.50 in, $3.00 out can nothing
model flat is offline/flat costs $1.00 in, $4.00 out can nothing
tier only_one from complexity 0 has bent, flat
"""


def test_costs_that_are_nearly_equal_are_compared_exactly() -> None:
    """
    With two tokens in for each one out both models cost the same, and the name decides.
    """
    engine = Engine.from_text(TWO_PRICES)
    situation = engine.situation(NOW)
    for out in (1, 1_000, 10**9, 10**13):
        for more, head in ((-1, "bent"), (1, "flat"), (0, "bent"), (-1, "bent"), (1, "flat")):
            values = {"complexity": 1, "input_tokens": 2 * out + more, "output_tokens": out}
            chains = {name: ask().chain for name, ask in ways(engine, values, situation).items()}

            assert dict.fromkeys(chains, (head,)) == chains


def test_capabilities_that_come_once_are_read_once(engines: Callable[[int], Engine]) -> None:
    """
    What is required may be given by a generator.
    """
    engine = engines(10)
    expected = engine.decide(complexity=4, requires={"vision"}, now=NOW)

    assert expected == engine.decide({"complexity": 4, "requires": (c for c in ["vision"])}, now=NOW)


def test_a_decision_is_shared_and_stays_as_it_is(engines: Callable[[int], Engine]) -> None:
    """
    The same cell gives the same object, and nobody can change it.
    """
    engine = engines(10)
    first, second = (engine.decide({"complexity": c, "score": 5}, now=NOW) for c in (4, 4.1))
    other = engine.decide({"complexity": 4, "score": 5, "input_tokens": 7}, now=NOW)

    assert first is second
    assert first != other
    assert first == dataclasses.replace(other, cost_estimate_nusd=first.cost_estimate_nusd)
    for decision in (first, other):
        with pytest.raises(dataclasses.FrozenInstanceError):
            decision.rule = "another"  # type: ignore[misc]


def test_what_was_prepared_for_another_policy_is_refused(engines: Callable[[int], Engine]) -> None:
    """
    Cells of one table say nothing in another.
    """
    prepared = engines(10).prepare(complexity=4)
    with pytest.raises(ValueError, match="prepared for another policy"):
        engines(100).decide(prepared, now=NOW)
    with pytest.raises(ValueError, match="made for another policy"):
        engines(10).decide(prepared, situation=engines(100).situation(NOW))


def test_a_stream_is_decided_as_it_is_asked_for(engines: Callable[[int], Engine]) -> None:
    """
    `decide_many` takes the next request only where the next decision is wanted.
    """
    taken: list[int] = []

    def stream() -> Iterator[dict[str, Any]]:
        for number in range(5):
            taken.append(number)
            yield {"complexity": number}

    decisions = engines(10).decide_many(stream(), now=NOW)

    assert Outcome.SERVED is next(decisions).outcome
    assert [0] == taken
    assert 4 == len(list(decisions))


def test_threads_decide_while_the_world_changes(engines: Callable[[int], Engine]) -> None:
    """
    Eight threads over one engine, each in changing situations: every answer is that of a single thread.
    """
    engine, rounds = engines(100), 3_000 if SOAK else 150
    worlds = [{"now": now, "spend": {"monthly": spent}} for now in (NOW, NIGHT) for spent in SPENDS]
    asked = [varied(random.Random(n), v) for n, v in enumerate(requests("threads", 120))]  # noqa: S311
    alone = engine.with_budgets(engine.policy.budgets)
    expected = [[alone.decide(values, **world) for values in asked] for world in worlds]

    def run(seed: int) -> list[tuple[int, int]]:
        rng = random.Random(seed)  # noqa: S311
        wrong = []
        for _ in range(rounds):
            world, number = rng.randrange(len(worlds)), rng.randrange(len(asked))
            prepared = engine.prepare(asked[number]) if rng.random() < 0.3 else asked[number]
            if expected[world][number] != engine.decide(prepared, **worlds[world]):
                wrong.append((world, number))
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert [[]] * 8 == list(pool.map(run, range(8)))


def test_memory_stays_flat(engines: Callable[[int], Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many different requests are decided, what is kept is bounded. (Ten millions in a soak.)
    """
    if not SOAK:  # bounds so low that a short run meets all of them
        monkeypatch.setattr(finished, "MOST_KINDS", 50)
        monkeypatch.setattr(finished, "MOST_KEPT", 200)
        monkeypatch.setattr(finished, "MOST_PLACES", 500)
    engine, each = engines(100), 1_000_000 if SOAK else 300
    situation = engine.situation(NOW)
    rng = random.Random("memory")  # noqa: S311

    def run(seed: str) -> int:
        for values in requests(seed, each, tokens=True):
            engine.decide(values, situation=situation)
            if rng.random() < (0.001 if SOAK else 0.3):
                extra = {"branch": f"b{rng.random()}", "story_models": ("eye",), "kind": f"k{rng.random()}"}
                engine.decide({**values, **extra}, situation=situation)
        return held()

    if not SOAK:
        tracemalloc.start()
    try:
        after_first = run("0")
        later = [run(str(number)) for number in range(1, 10 if SOAK else 4)]
    finally:
        tracemalloc.stop()

    assert max(later) - after_first < (8_000_000 if SOAK else 100_000)


def held() -> int:
    """
    The bytes that are held: what Python was asked for; in a soak, where that is too slow, the process's.
    """
    if not SOAK:
        return tracemalloc.get_traced_memory()[0]
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
