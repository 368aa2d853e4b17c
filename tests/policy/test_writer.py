"""Statements as .policy text: the same statements when it is read again, in one layout."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from policyctl.policy.parser import parse
from policyctl.policy.writer import policy_text
from policyctl.schemas.text import Source, Span

ROOT = Path(__file__).parent.parent.parent
POLICIES = sorted([*ROOT.glob("examples/**/*.policy"), *ROOT.glob("tests/cases/policies/*.policy")])


def plain(value: Any) -> Any:
    """
    Return a document's value without its places.
    """
    if isinstance(value, Span):
        return None
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name != "quoted"}
        return (type(value).__name__, parts)
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def read(text: str) -> Any:
    parsed = parse(Source("a.policy", text))
    assert () == parsed.diagnostics
    return parsed.statements


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_what_is_written_is_read_back(path: Path) -> None:
    """
    The text of a policy's statements gives the same statements, and is written the same way again.
    """
    statements = read(path.read_text(encoding="utf-8"))
    text = policy_text(statements, header=["Written anew.", "", "By hand."])

    assert plain(statements) == plain(read(text))
    assert text.startswith("# Written anew.\n#\n# By hand.\n\n")
    assert text == policy_text(read(text), header=["Written anew.", "", "By hand."])
