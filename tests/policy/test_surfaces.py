"""
The printers on random policies: the same policy, the same decisions, every comment at its statement.

POLICYCTL_PAIRS says how many cases are drawn, POLICYCTL_SEED from which seed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from ruamel.yaml import YAML

from policyctl.deciding import price_book
from policyctl.engine.compile import compile_policy
from policyctl.engine.decide import decide, observe
from policyctl.policy.check import check_files, check_text
from policyctl.policy.written import Written, converted, formatted, meaning, read_written
from policyctl.schemas.decision import Decision
from policyctl.schemas.errors import RequestError
from policyctl.schemas.policy import CheckedPolicy
from policyctl.schemas.text import Source

from ..reference.generate import random_request, random_state, seeded
from ..reference.render import at_random, plainly, random_rows, yaml_at_random

# Read before the tests run: they see no variable of policyctl.
POLICIES = int(os.environ.get("POLICYCTL_PAIRS", "100000")) // 4000
SEED = os.environ.get("POLICYCTL_SEED", "20250611")
DECISIONS = 10_000

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted(
    path
    for path in ROOT.glob("examples/**/*")
    if path.suffix in (".policy", ".yaml") and not path.name.endswith(".test.yaml")
)

DSL, TWIN = "a.policy", "a.yaml"


def read(text: str, name: str = DSL) -> Written:
    written = read_written(Source(name, text))
    assert () == written.diagnostics, text
    return written


def policy_of(text: str, name: str = DSL) -> CheckedPolicy:
    checked = check_text(text, price_book(), name)
    assert checked.policy is not None, (checked.report.diagnostics, text)
    return checked.policy


def digest(text: str, name: str = DSL) -> str:
    return policy_of(text, name).policy.digest


def random_cases(count: int, what: str) -> Iterator[tuple[str, Random]]:
    """
    Return a seed to tell where a case fails, and what it draws.
    """
    for number in range(count):
        seed = f"{SEED}/{what}/{number}"
        yield seed, seeded(seed)


def numbered(text: str) -> list[str]:
    """
    Return the comments that were strewn into a text, in the order in which they stand there now.
    """
    return [found.rstrip() for found in re.findall(r"# c\d+[^\n]*", text)]


def owners(written: Written) -> list[tuple[str, int]]:
    """
    Return each strewn comment with the number of the statement that it stands at.
    """
    found = []
    for number, notes in enumerate(written.remarks.notes):
        found += [(line, number) for line in (*notes.above, *(comment.text for comment in notes.inside))]
    found += [(line, len(written.remarks.notes)) for line in written.remarks.below]
    return [(line, number) for line, number in found if line.startswith("# c")]


def told_owners(written: Written) -> list[tuple[str, object]]:
    """
    Return each strewn comment with what its statement says; YAML may have statements in another order.
    """
    statements = [*map(meaning, written.statements), None]
    return sorted((line, str(statements[number])) for line, number in owners(written))


def test_any_layout_is_formatted_to_one() -> None:
    """
    However a policy is laid out, the same text comes of it, which is the same policy, and stays as it is.
    """
    for seed, rng in random_cases(POLICIES, "layout"):
        rows = random_rows(rng)
        once, other = formatted(read(plainly(rows))), read(at_random(rng, rows, blanks=False).text)

        assert meaning(read(once).statements) == meaning(other.statements), seed
        assert once == formatted(other) == formatted(read(once)), seed
        assert 100 >= max(len(line) for line in once.splitlines() if '"' not in line), seed


def test_every_comment_stays_at_its_statement() -> None:
    """
    Comments between any two words of a policy stay, in their order, each at the statement it stood at.
    """
    for seed, rng in random_cases(POLICIES, "comments"):
        laid = at_random(rng, random_rows(rng), comments=rng.choice((0.02, 0.1, 0.4)))
        text = formatted(read(laid.text))

        assert list(laid.owners) == owners(read(laid.text)), seed
        assert list(laid.owners) == owners(read(text)), seed
        assert [comment for comment, _ in laid.owners] == numbered(text), seed
        assert text == formatted(read(text)), seed


def test_both_surfaces_say_the_same() -> None:
    """
    From .policy text to YAML and back it is one policy, each comment at its statement, each text formatted.
    """
    for seed, rng in random_cases(POLICIES // 2, "surfaces"):
        laid = at_random(rng, random_rows(rng), comments=rng.choice((0.0, 0.1, 0.4)))
        there = converted(read(laid.text), to_yaml=True)
        back = converted(read(there, TWIN), to_yaml=False)

        assert digest(laid.text) == digest(there, TWIN) == digest(back), seed
        assert told_owners(read(laid.text)) == told_owners(read(there, TWIN)) == told_owners(read(back)), seed
        assert (there, back) == (formatted(read(there, TWIN)), formatted(read(back))), seed


def test_any_style_of_yaml_is_formatted_to_one() -> None:
    """
    YAML in any style, its keys in any order, becomes the same text; its comments stay at their statements.
    """
    for seed, rng in random_cases(POLICIES // 2, "yaml"):
        there = converted(read(plainly(random_rows(rng))), to_yaml=True)
        text, comments = yaml_at_random(rng, YAML(typ="safe").load(there), rng.choice((0.0, 0.1, 0.3)))
        once, back = formatted(read(text, TWIN)), converted(read(text, TWIN), to_yaml=False)

        assert digest(there, TWIN) == digest(text, TWIN) == digest(once, TWIN) == digest(back), seed
        assert sorted(comments) == sorted(numbered(once)) == sorted(numbered(back)), seed
        assert sorted(owners(read(text, TWIN))) == sorted(owners(read(once, TWIN))), seed
        assert told_owners(read(text, TWIN)) == told_owners(read(back)), seed
        assert (once, back) == (formatted(read(once, TWIN)), formatted(read(back))), seed


def test_random_policies_decide_alike_in_both_surfaces() -> None:
    """
    A converted policy answers every request as the one it was made of.
    """
    for seed, rng in random_cases(POLICIES // 2, "decisions"):
        text = plainly(random_rows(rng))
        there = converted(read(text), to_yaml=True)

        assert_decide_alike(policy_of(text), policy_of(there, TWIN), seed, 40)


def assert_decide_alike(one: CheckedPolicy, other: CheckedPolicy, seed: str, count: int) -> None:
    rng = seeded(seed)
    tables = [compile_policy(one), compile_policy(other)]
    for _ in range(count // 20):
        state = random_state(rng, one.policy)
        situations = [observe(table, state) for table in tables]
        for _ in range(20):
            request = random_request(rng, one.policy)
            answers: list[Decision | str] = []
            for table, situation in zip(tables, situations, strict=True):
                try:
                    answers.append(decide(table, request, situation))
                except RequestError as error:
                    answers.append(str(error))
            assert answers[0] == answers[1], (seed, request)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "/".join(path.parts[-2:]))
def test_examples_are_formatted(path: Path) -> None:
    """
    The shipped policies are laid out as `fmt` does it.
    """
    text = path.read_text(encoding="utf-8")

    assert text == formatted(read(text, path.name))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "/".join(path.parts[-2:]))
def test_examples_are_the_same_in_the_other_surface(path: Path, tmp_path: Path) -> None:
    """
    A shipped policy, one of whose files is converted, is the same policy and answers every request alike.
    """
    folder, main = folder_and_main(path)
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    file = copy / path.relative_to(folder)
    other = file.with_name(f"{file.stem}-converted{'.yaml' if file.suffix == '.policy' else '.policy'}")
    text = converted(read(file.read_text(encoding="utf-8"), file.name), to_yaml=other.suffix == ".yaml")
    other.write_text(text, encoding="utf-8")
    whole = copy / main.relative_to(folder)
    if file != whole:
        named = whole.read_text(encoding="utf-8").replace(f"/{file.name}", f"/{other.name}")
        whole.write_text(named, encoding="utf-8")
    one = check_files([main], price_book()).policy
    converted_one = check_files([other if file == whole else whole], price_book()).policy

    assert one is not None and converted_one is not None
    assert one.policy.digest == converted_one.policy.digest
    assert_decide_alike(one, converted_one, path.name, DECISIONS // len(EXAMPLES))


def folder_and_main(path: Path) -> tuple[Path, Path]:
    """
    Return the folder of an example, and the policy in it that the file is, or is a part of.
    """
    if path.parent.name == "parts":
        return path.parent.parent, path.parent.parent / f"{path.parent.parent.name}.policy"
    return path.parent, path
