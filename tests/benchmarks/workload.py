"""
Policies of any size and fresh requests for them: what is measured, here and against other engines.

A rule has one to four conditions on nine facts of a request and the clock, chosen so that each rule holds for
some 1.3 in N requests: first matches spread over the whole list, and one request in four meets no rule.
Facts are independent and random, the worst case for anything that remembers requests.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
"""A Monday in office hours; money is spent up to a level."""

SIZES = (10, 100, 1_000, 10_000)
RULES_PER_FILE = 1_000
BRANCHES = 200
TIERS = ("cheap", "medium", "powerful")
DOMAINS = ("vision_work", "large_context", "code")
KINDS = ("bug", "feature", "docs", "refactor", "chore")
STAGES = ("dev", "staging", "prod")
CAPABILITIES = ("vision", "tools", "json_mode")
MOST_SCORE = 1000

HEAD = """
model small is offline/small costs $0.10 in, $0.40 out can tools context 64k
model tiny is offline/tiny costs $0.05 in, $0.90 out can tools, json_mode context 16k
model middle is offline/middle costs $1.00 in, $4.00 out can tools, vision context 128k
model eye is offline/eye costs $1.50 in, $3.00 out can vision, json_mode context 128k
model large is offline/large costs $10.00 in, $40.00 out can tools, vision, json_mode context 200k
tier cheap from complexity 0 has small, tiny
tier medium from complexity 3 has middle, eye
tier powerful from complexity 6 has large
domain vision_work prefers eye
domain large_context prefers large
domain code
fallback to middle, large
never use tiny when private is yes
budget monthly is $500 per month
  at 50%  warn
  at 80%  downgrade 1 tier
  at 100% pause
escalate to next tier when gate tests fails
input private is yes or no default no
input stage is one of dev, staging, prod default dev
input score is 0 to 1000 default 0
window office is Mon to Fri 09:00 to 17:00
"""

Condition = tuple[str, str, Any]
"""Fact, how it is tested ("is", "has", "at least", "between" or "during"), and the value or values."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that all must hold, and the tier that the rule asks for."""

    number: int
    conditions: tuple[Condition, ...]
    tier: str


def rules_of(count: int) -> list[Rule]:
    """So many rules; the same ones for the same count."""
    rng = random.Random(count)  # noqa: S311
    return [_rule(rng, number, count) for number in range(count)]


def _rule(rng: random.Random, number: int, count: int) -> Rule:
    kinds = rng.sample(range(9), rng.randrange(4))
    found: list[Condition] = []
    chance = 1.0
    for kind in kinds:
        condition, share = _condition(rng, kind)
        found.append(condition)
        chance *= share
    width = 1.3 / count / chance * MOST_SCORE
    if width < MOST_SCORE * 0.9:
        low = round(rng.uniform(0, MOST_SCORE - width), 2)
        found.append(("score", "between", (low, round(low + width, 2))))
    elif not found:
        found.append(("score", "at least", 100))
    return Rule(number, tuple(found), rng.choice(TIERS))


def _condition(rng: random.Random, kind: int) -> tuple[Condition, float]:
    """A condition of one of nine kinds, and the share of the requests for which it holds."""
    low = rng.randrange(1, 9)
    return (
        (("private", "is", "yes"), 1 / 2),
        (("stage", "is", rng.choice(STAGES)), 1 / 3),
        (("complexity", "at least", low), 1 - low / 10),
        (("branch", "is", f"branch-{rng.randrange(BRANCHES)}"), 1 / BRANCHES),
        (("requires", "has", rng.choice(CAPABILITIES)), 1 / 3),
        (("domain", "is", rng.choice(DOMAINS)), 1 / 4),
        (("kind", "is", rng.choice(KINDS)), 1 / 5),
        (("attempt", "at least", 2), 1 / 2),
        (("office", "during", "office"), 1.0),
    )[kind]


WORDS = {
    "is": "{0} is {1}",
    "has": "{0} is {1}",
    "at least": "{0} is at least {1}",
    "between": "{0} is {1[0]} to {1[1]}",
    "during": "during {1}",
}


def text_of(rule: Rule) -> str:
    """A rule in the language."""
    words = (
        WORDS[test].format(fact, f'"{value}"' if fact in ("branch", "kind") else value)
        for fact, test, value in rule.conditions
    )
    return f"rule r{rule.number} when {' and '.join(words)} use tier {rule.tier}"


def files_of(folder: Path, count: int) -> list[Path]:
    """A policy of so many rules, in as many files as its size asks for."""
    texts = [text_of(rule) for rule in rules_of(count)]
    parts = [HEAD, *("\n".join(texts[at : at + RULES_PER_FILE]) for at in range(0, count, RULES_PER_FILE))]
    files = [folder / f"part-{number}.policy" for number in range(len(parts))]
    for path, text in zip(files, parts, strict=True):
        path.write_text(text + "\n", encoding="utf-8")
    return files


def requests(seed: str, count: int, *, tokens: bool = False) -> Iterator[dict[str, Any]]:
    """Random requests that give all nine facts, as plain values; with `tokens` their token counts, too."""
    rng = random.Random(seed)  # noqa: S311
    for _ in range(count):
        request = {
            "complexity": round(rng.uniform(0, 10), 1),
            "requires": frozenset(word for word in CAPABILITIES if rng.random() < 1 / 3),
            "domain": rng.choice((*DOMAINS, "other")),
            "kind": rng.choice(KINDS),
            "branch": f"branch-{rng.randrange(BRANCHES)}",
            "attempt": rng.choice((1, 2)),
            "private": rng.choice(("yes", "no")),
            "stage": rng.choice(STAGES),
            "score": round(rng.uniform(0, MOST_SCORE), 2),
        }
        if tokens:
            request |= {
                "input_tokens": rng.randrange(100, 100_000),
                "output_tokens": rng.randrange(10, 8_000),
            }
        yield request


def first_match(rules: list[Rule], request: Mapping[str, Any]) -> int:
    """The number of the first rule that holds, in office hours; their count where none does."""
    for rule in rules:
        if all(_holds(condition, request) for condition in rule.conditions):
            return rule.number
    return len(rules)


def _holds(condition: Condition, request: Mapping[str, Any]) -> bool:
    fact, test, value = condition
    if test == "during":
        return True
    given = request[fact]
    if test == "between":
        return bool(value[0] <= given <= value[1])
    if test == "at least":
        return bool(given >= value)
    return value in given if test == "has" else bool(value == given)
