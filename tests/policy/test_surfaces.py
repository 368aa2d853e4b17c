"""
`fmt` and `convert` on random policies: the same policy, the same decisions, every comment at its statement.

POLICYCTL_POLICIES says how many policies are drawn, POLICYCTL_SEED from which seed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policyctl.engine.compile import compile_policy
from policyctl.engine.decide import decide, observe
from policyctl.policy.check import check_text
from policyctl.policy.written import Written, converted, formatted, meaning, read_written
from policyctl.router import price_book
from policyctl.schemas.errors import RequestError
from policyctl.schemas.policy import CheckedPolicy
from policyctl.schemas.text import Source

from ..reference.generate import random_request, random_state, seeded
from ..reference.render import at_random, plainly, random_rows

POLICIES = int(os.environ.get("POLICYCTL_POLICIES", "120"))
SEED = os.environ.get("POLICYCTL_SEED", "20250611")
DECISIONS = 10_000
ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted(
    path for ending in ("policy", "yaml", "yml") for path in ROOT.glob(f"examples/**/*.{ending}")
)


def read(text: str, name: str = "a.policy") -> Written:
    written = read_written(Source(name, text))
    assert () == written.diagnostics, text
    return written


def policy_of(text: str, name: str = "a.policy") -> CheckedPolicy:
    checked = check_text(text, price_book(), name)
    assert checked.policy is not None, (checked.report.diagnostics, text)
    return checked.policy


def comments_of(text: str) -> list[str]:
    """
    Return the comments that `at_random` made, wherever they are.
    """
    return [found.rstrip() for found in re.findall(r"# c\d+[^\n]*", text)]


def owners_of(written: Written) -> list[tuple[str, int]]:
    """
    Return the comments of a text with the number of the statement that each stands at.
    """
    owners = []
    for number, notes in enumerate(written.remarks.notes):
        owners += [(line, number) for line in notes.above if line]
        owners += [(comment.text, number) for comment in notes.inside]
    return owners + [(line, len(written.remarks.notes)) for line in written.remarks.below if line]


def shares(count: int) -> Iterator[tuple[int, str]]:
    for number in range(count):
        yield number, f"{SEED}/surfaces/{number}"


def test_any_layout_is_formatted_to_one() -> None:
    """
    However a policy is laid out, `fmt` writes the same text, and writes that one again as it is.
    """
    for _, seed in shares(POLICIES):
        rng = seeded(seed)
        rows = random_rows(rng)
        once = formatted(read(plainly(rows)))
        other = at_random(rng, rows).text

        assert meaning(read(other).statements) == meaning(read(once).statements), seed
        assert once.splitlines() == [line for line in formatted(read(other)).splitlines() if line], seed
        assert once == formatted(read(once)), seed


def test_every_comment_stays_at_its_statement() -> None:
    """
    Comments at any place between two words stay, in their order, each at the statement it stood at.
    """
    for _, seed in shares(POLICIES):
        rng = seeded(seed)
        rows = random_rows(rng)
        laid = at_random(rng, rows, comments=rng.choice((0.02, 0.1, 0.4)))
        written = read(laid.text)
        text = formatted(written)

        assert list(laid.owners) == owners_of(written), seed
        assert list(laid.owners) == owners_of(read(text)), seed
        assert [comment for comment, _ in laid.owners] == comments_of(text), seed
        assert text == formatted(read(text)), seed


def test_both_surfaces_say_the_same() -> None:
    """
    From .policy text to YAML and back, and the other way round: one policy, each comment at its statement.
    """
    for _, seed in shares(POLICIES):
        rng = seeded(seed)
        rows = random_rows(rng)
        laid = at_random(rng, rows, comments=rng.choice((0.0, 0.1, 0.4)))
        yaml = converted(read(laid.text), to_yaml=True)
        again = converted(read(yaml, "a.yaml"), to_yaml=False)
        digests = [policy_of(laid.text), policy_of(yaml, "a.yaml"), policy_of(again)]

        assert 1 == len({checked.policy.digest for checked in digests}), seed
        assert sorted(comment for comment, _ in laid.owners) == sorted(comments_of(yaml)), seed
        assert owners_of(read(again)) == [
            owner for owner in owners_of(read(yaml, "a.yaml")) if "yaml-language-server" not in owner[0]
        ], seed
        assert yaml == formatted(read(yaml, "a.yaml")), seed
        assert yaml == converted(read(again), to_yaml=True), seed
        assert again == converted(read(yaml, "a.yaml"), to_yaml=False), seed


def test_decisions_are_the_same_in_both_surfaces() -> None:
    """
    A converted policy answers every request as the policy it came from.
    """
    for _, seed in shares(POLICIES // 4):
        rng = seeded(seed)
        text = plainly(random_rows(rng))
        yaml = converted(read(text), to_yaml=True)
        assert_same_decisions(policy_of(text), policy_of(yaml, "a.yaml"), seed, 40)


def assert_same_decisions(one: CheckedPolicy, other: CheckedPolicy, seed: str, count: int) -> None:
    rng = seeded(seed)
    tables = [compile_policy(one), compile_policy(other)]
    for start in range(0, count, 20):
        state = random_state(rng, one.policy)
        situations = [observe(table, state) for table in tables]
        for _ in range(min(20, count - start)):
            request = random_request(rng, one.policy)
            answers = []
            for table, situation in zip(tables, situations, strict=True):
                try:
                    answers.append(decide(table, request, situation))
                except RequestError as error:
                    answers.append(str(error))
            assert answers[0] == answers[1], seed


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_convert_without_loss(path: Path) -> None:
    """
    Each shipped policy is formatted already, and the same policy in the other surface.
    """
    text = path.read_text(encoding="utf-8")
    written = read(text, path.name)
    to_yaml = path.suffix == ".policy"
    there = converted(written, to_yaml=to_yaml)
    other = "a.yaml" if to_yaml else "a.policy"
    back = converted(read(there, other), to_yaml=not to_yaml)

    assert text == formatted(written)
    assert there == converted(read(back, path.name), to_yaml=to_yaml)
