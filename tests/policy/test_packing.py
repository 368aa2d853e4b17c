"""A checked policy that is packed as JSON and unpacked is the same; nothing else is ever unpacked."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policyctl.deciding import validate
from policyctl.policy.digest import digest_of
from policyctl.policy.packing import Spoilt, pack, unpack
from policyctl.schemas.checked import Checked
from policyctl.schemas.diagnostics import Report
from policyctl.schemas.policy import CheckedPolicy

from ..reference.generate import random_policy, seeded

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
POLICIES = sorted([*EXAMPLES.glob("*/*.policy"), *EXAMPLES.glob("*/claude-loop.yaml")])
RANDOM_POLICIES = 200
SPOILT_DOCUMENTS = 1_000


def through_json(checked: Checked) -> Checked:
    """
    Pack, write, read and unpack.
    """
    return unpack(json.loads(json.dumps(pack(checked), allow_nan=False)))


@pytest.mark.parametrize("file", POLICIES, ids=lambda path: path.name)
def test_an_example_stays_the_same(file: Path) -> None:
    """
    Every example comes back with all that was found, every place, every number of the same kind.
    """
    checked = validate([file])
    again = through_json(checked)

    assert checked == again
    assert repr(checked.report) == repr(again.report)
    assert checked.policy is not None
    assert again.policy is not None
    assert checked.policy.policy.digest == digest_of(again.policy.policy).digest


def test_random_policies_stay_the_same() -> None:
    """
    So do random policies, whose digest tells 5 from 5.0.
    """
    for number in range(RANDOM_POLICIES):
        policy = digest_of(random_policy(seeded(f"pack {number}")))
        checked = Checked(Report((), ()), CheckedPolicy(policy))
        again = through_json(checked)

        assert checked == again
        assert again.policy is not None
        assert policy.digest == digest_of(again.policy.policy).digest


def test_the_same_policy_is_always_packed_the_same_way() -> None:
    """
    Sets have no order of their own, but what is packed has.
    """
    checked = validate([EXAMPLES / "today" / "today.policy"])

    assert json.dumps(pack(checked)) == json.dumps(pack(through_json(checked)))


def test_a_policy_with_errors_is_not_packed() -> None:
    """
    Only a checked policy is packed, and only one whose sources are what stands in its files.
    """
    checked = validate([EXAMPLES / "today" / "today.policy"])
    other = tuple(replace(file, text=file.text + "#") for file in checked.files)

    with pytest.raises(ValueError, match="only a policy that stands in its files"):
        pack(replace(checked, policy=None))
    with pytest.raises(ValueError, match="only a policy that stands in its files"):
        pack(replace(checked, files=other))


def test_a_spoilt_document_is_told_as_one() -> None:
    """
    Whatever is put in place of any part, what comes out is a policy of the right types, or `Spoilt`.
    """
    packed = json.dumps(pack(validate([EXAMPLES / "team" / "team.policy"])))
    rng = seeded("spoilt")
    refused = 0
    for _ in range(SPOILT_DOCUMENTS):
        document = spoil(rng, json.loads(packed))
        try:
            checked = unpack(document)
        except Spoilt:
            refused += 1
        else:
            assert document == json.loads(json.dumps(pack(checked)))

    assert refused > SPOILT_DOCUMENTS // 2


ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, "", "x", "never use", "NaN", "1e999999999", [], [[]], {}, {"": None}, [1, 2, 3]
)  # fmt: skip


def spoil(rng: random.Random, document: Any) -> Any:
    """
    Put something else in place of one part of a document, somewhere in its depth.
    """
    parent, at, here = None, None, document
    for _ in range(rng.randint(0, 7)):
        if not isinstance(here, dict | list) or not here:
            break
        parent, at = here, rng.choice(list(here) if isinstance(here, dict) else range(len(here)))
        here = parent[at]
    if parent is None:
        return rng.choice(ODD)
    match rng.randrange(4):
        case 0:
            del parent[at]
        case 1 if isinstance(parent, list):
            parent.insert(at, here)
        case _:
            parent[at] = rng.choice(ODD)
    return document
