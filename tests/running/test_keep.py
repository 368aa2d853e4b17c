"""Answers that lie on disk from before they are paid for until they are used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policyctl import RequestError
from policyctl.schemas.run import Ending

from .world import CHAIN, a_router, tried

GATED = CHAIN + "escalate to next tier when gate tests fails\n"


def test_a_kept_answer_is_taken_and_nobody_is_asked(tmp_path: Path) -> None:
    """
    The same prompt with the same file costs nothing the second time.
    """
    keep = tmp_path / "kept" / "a.json"
    with a_router(tmp_path, steps=[{"text": "rivers", "times": 1}], money=True) as router:
        first = router.complete("Name three rivers.", complexity=1, keep=keep)
        again = router.complete("Name three rivers.", complexity=1, keep=keep)

    assert ("rivers", "small", "cheap") == (first.text, first.model, first.decision.tier)
    assert ("rivers", "small", "cheap") == (again.text, again.model, again.decision.tier)
    assert ([], 0) == (tried(again), again.cost_nusd)


def test_it_is_there_before_it_is_paid(tmp_path: Path) -> None:
    """
    When the ledger is told of an answer, the answer lies on disk already.
    """
    keep, seen = tmp_path / "a.json", []
    with a_router(tmp_path, money=True) as router:
        assert router.ledger is not None
        commit = router.ledger.commit

        def committed(key: str, usage: object) -> object:
            seen.append(keep.exists())
            return commit(key, usage)  # type: ignore[arg-type]

        router.ledger.commit = committed  # type: ignore[method-assign, assignment]
        router.complete("Name three rivers.", complexity=1, keep=keep)

    assert [True] == seen


def test_an_answer_to_something_else_isn_t_taken(tmp_path: Path) -> None:
    """
    Another prompt, a torn file and a model that has left the policy count as no answer.
    """
    keep = tmp_path / "a.json"
    with a_router(tmp_path) as router:
        router.complete("Name three rivers.", complexity=1, keep=keep)
        other = router.complete("Name three lakes.", complexity=1, keep=keep)
        keep.write_text(keep.read_text(encoding="utf-8").replace('"small"', '"gone"'), encoding="utf-8")
        gone = router.complete("Name three lakes.", complexity=1, keep=keep)
        keep.write_bytes(keep.read_bytes()[:-9])
        torn = router.complete("Name three lakes.", complexity=1, keep=keep)

    assert ["small 1 ok"] == tried(other) == tried(gone) == tried(torn)


def test_a_kept_answer_that_fails_its_gate_raises_the_tier(tmp_path: Path) -> None:
    """
    Gates look at a kept answer as at any: the walk goes on above the tier that gave it and is paid.
    """
    keep = tmp_path / "a.json"
    with a_router(tmp_path, GATED) as router:
        router.complete("Name three rivers.", complexity=1, keep=keep)
        risen = router.complete(
            "Name three rivers.",
            complexity=1,
            keep=keep,
            gates={"tests": lambda answer: "small" not in answer.text},
        )

    assert (Ending.SERVED, "middle", "medium", 1) == (
        risen.ending, risen.model, risen.decision.tier, risen.escalations,
    )  # fmt: skip
    assert ["middle 1 ok"] == tried(risen)


def test_one_process_at_a_time_has_a_request(tmp_path: Path) -> None:
    """
    Who comes while another is at work on the same request waits and takes its answer; no lock is left.
    """
    keep = tmp_path / "kept" / "a.json"
    slow = [{"text": "rivers", "delay_s": 0.5, "times": 1}]
    with a_router(tmp_path, steps=slow) as router, ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(router.complete, "Name three rivers.", complexity=1, keep=keep) for _ in range(2)
        ]
        both = [future.result() for future in asked]

    assert [[], ["small 1 ok"]] == sorted(tried(one) for one in both)
    assert {"rivers"} == {one.text for one in both}
    assert [keep] == list(keep.parent.iterdir())


def test_nobody_is_asked_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """
    A place where no file can be written is told before a cent is spent.
    """
    (tmp_path / "file").write_text("", encoding="utf-8")
    with a_router(tmp_path) as router, pytest.raises(RequestError, match="can't keep an answer"):
        router.complete("Name three rivers.", complexity=1, keep=tmp_path / "file" / "a.json")
