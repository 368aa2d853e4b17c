"""Mistakes that people make: each is told once, where it stands, and spoils nothing beside it."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from policyctl.cli.findings import place
from policyctl.deciding import price_book
from policyctl.policy.check import check_text
from policyctl.policy.load import load_text
from policyctl.policy.parser import STARTERS
from policyctl.schemas.checked import Checked

CASES = sorted((Path(__file__).resolve().parents[1] / "cases" / "errors").glob("*.policy"))
EXPECTED = re.compile(r"(\^ )?error\[(P\d{3})\]: (.*?)\s*(?=# error\[|$)")

HEAD = """model haiku is anthropic/claude-haiku-5-5
model opus is anthropic/claude-opus-5-5
tier cheap from complexity 0 has haiku
tier strong from complexity 6 has opus
"""


def check(text: str) -> Checked:
    return check_text(text, price_book())


def told(checked: Checked) -> list[tuple[int, str, str]]:
    """
    Return the line, code and message of each finding; line 0 has those without a place.
    """
    (source,) = checked.report.sources
    return [
        (0 if d.span is None else place(source, d.span.start).line, d.code, d.message)
        for d in checked.report.diagnostics
    ]


# --- one file a mistake


def expected_in(text: str) -> list[tuple[int, str, str]]:
    """
    Return what the comments say: `# error[P203]: …` of its own line, `# ^ error[…]` of the one above.
    """
    return [
        (number - bool(match[1]), match[2], match[3])
        for number, line in enumerate(text.splitlines(), 1)
        for match in EXPECTED.finditer(line)
    ]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_mistake_is_told_on_its_line(path: Path) -> None:
    """
    The findings of a file are those that its comments announce: same lines, same codes, same words.
    """
    text = path.read_text(encoding="utf-8")
    expected, found = expected_in(text), told(check(text))

    assert expected
    assert [e[:2] for e in expected] == [f[:2] for f in found]
    for (_, _, words), (_, _, message) in zip(expected, found, strict=True):
        assert words in message


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("rule_without_name", "a rule has a name: `rule NAME when … use …`"),
        ("escalate_backwards", "write `escalate to next tier when gate NAME fails`"),
        ("alternative_after_use", "conditions stand before `use`"),
        ("clauses_in_wrong_order", "conditions stand before `use`"),
    ],
)
def test_words_in_another_order_are_put_right(name: str, help: str) -> None:
    """
    Who knows the words and not their order is told how the statement reads.
    """
    text = next(path for path in CASES if path.stem == name).read_text(encoding="utf-8")

    assert [help] == [d.help for d in check(text).report.diagnostics]


# --- one mistake in each kind of statement

BROKEN = {
    "policy": "policy loop version 1",
    "timezone": "timezone = UTC",
    "include": "include models.policy",
    "baseline": "baseline is haiku",
    "estimate": "estimate 2000, 1000",
    "model": "model sonnet = anthropic/claude-sonnet-5-5",
    "tier": "tier middle at complexity 3 has haiku",
    "input": "input private is boolean",
    "window": "window work is Mon-Fri 09:00 to 17:00",
    "rule": "rule release when branch == main use opus",
    "never": "never haiku",
    "only": "only haiku when kind is legal",
    "refuse": "refuse if kind is legal",
    "domain": "domain vision likes opus",
    "budget": "budget monthly is $500 each month",
    "escalate": "escalate when gate tests fails",
    "fallback": "fallback haiku, opus",
    "hedge": "hedge 10s",
    "retry": "retry 3 times wait 1s",
    "alert": "alert big daily_cost is above $20 log",
    "promise": "promise cheap haiku only",
    "example": "example complexity is 5 chooses haiku",
    "end": "ends",
}
MENDED = "\n".join(
    (
        "rule uses_all_that_is_broken",
        "  when private is yes and during work and outside work and domain is vision",
        "  or when tier is middle and budget monthly is above 50%",
        "  use sonnet",
        "fallback to sonnet, haiku",
    )
)


def test_no_kind_of_statement_is_forgotten() -> None:
    """
    There is a mistake for each word that starts a statement.
    """
    assert STARTERS == set(BROKEN)


def mixed(seed: int) -> tuple[str, list[int], list[int]]:
    """
    Return a text of all broken statements in some order and layout with a healthy one behind each, and the
    numbers of the broken and of the healthy lines.
    """
    rng = random.Random(seed)  # noqa: S311
    words = sorted(BROKEN)
    rng.shuffle(words)
    lines = HEAD.splitlines()
    broken, healthy = [], []
    for number, word in enumerate(words):
        first, _, rest = BROKEN[word].rpartition(" ")
        layout = [BROKEN[word], f"{first}\n    {rest}" if first else rest, f"{BROKEN[word]}  # why not"]
        broken.append(len(lines) + 1)
        lines += rng.choice(layout).splitlines()
        lines += [""] * rng.randrange(2)
        healthy.append(len(lines) + 1)
        lines.append(f"rule healthy_{number} when complexity is {number % 10} use haiku")
    return "\n".join(lines), broken, healthy


@pytest.mark.parametrize("seed", range(25))
def test_a_mistake_in_each_statement_is_one_finding_each(seed: int) -> None:
    """
    With a mistake in every statement, each is told once and in its own statement, and the healthy statement
    behind each is read.
    """
    text, broken, healthy = mixed(seed)
    found = [line for line, _, _ in told(check(text)) if line > 4]
    starts = sorted(broken + healthy)
    statement_of = [max(start for start in starts if start <= line) for line in found]
    read = {s.name.text for s in load_text(text, price_book()).document.statements if hasattr(s, "name")}

    assert sorted(broken) == sorted(statement_of)
    assert {f"healthy_{number}" for number in range(len(broken))} <= read


def test_a_name_whose_declaration_is_broken_is_not_unknown() -> None:
    """
    Where the statements that declare a model, tier, input, window, domain and budget are broken, their names
    are no mistake where they are used.
    """
    declared = [BROKEN[word] for word in ("model", "tier", "input", "window", "domain", "budget")]
    found = told(check("\n".join((HEAD, *declared, MENDED))))

    assert ["P101"] * len(declared) == [code for _, code, _ in found]


@pytest.mark.parametrize("word", ["modle", "Model", "models", "mdel"])
def test_a_misspelt_statement_still_declares(word: str) -> None:
    """
    A model whose statement starts with a misspelt word isn't unknown where it is used.
    """
    found = told(check(f"{HEAD}{word} sonnet is anthropic/claude-sonnet-5-5\nfallback to sonnet"))

    assert [(5, "P101")] == [f[:2] for f in found]


@pytest.mark.parametrize(
    "text",
    [
        'include "missing.policy"',
        "tier cheap {",
        "model haiku = anthropic/claude-haiku-5-5\ntier cheap from complexity 0 has haiku",
        "model\n" * 60 + HEAD + "fallback to haiku",
    ],
    ids=["include", "the only tier", "the only model", "more errors than are told"],
)
def test_what_could_not_be_read_is_not_missed(text: str) -> None:
    """
    Where a part couldn't be read, nobody is told that what it may have held is missing.
    """
    codes = {code for _, code, _ in told(check(text + "\nrule r use sonnet" * text.startswith("include")))}

    assert codes <= {"P101", "P106"}


def test_a_finding_is_told_once() -> None:
    """
    No two findings of any case are the same.
    """
    for path in CASES:
        found = check(path.read_text(encoding="utf-8")).report.diagnostics

        assert len(set(found)) == len(found)
