"""The grammar: without conflicts, shipped as fresh tables, shown by its own comments, blind to layout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from lark import Lark

from policyctl.deciding import price_book
from policyctl.policy import document as doc
from policyctl.policy import parser
from policyctl.policy.check import check_text
from policyctl.policy.parser import Parsed, build_tables, grammar_text, parse
from policyctl.schemas.text import Source, Span

FINGERPRINT = 32
"""Bytes in front of the tables: a SHA-256."""

JUNK = {"WORD", "OPEN_STRING"}
"""What the grammar's lexer has tokens for, and no rule takes."""

LOOP = Path(__file__).resolve().parents[2] / "examples" / "claude-loop" / "claude-loop.policy"


def read(text: str) -> Parsed:
    return parse(Source("policy", text))


def plain(value: Any) -> Any:
    """
    Return a Document value as tuples of its type and fields, places left out.
    """
    if is_dataclass(value):
        kept = [getattr(value, field.name) for field in fields(value)]
        return (type(value).__name__, *(plain(each) for each in kept if not isinstance(each, Span)))
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


# --- the tables


def test_the_grammar_has_no_conflict() -> None:
    """
    Lark's strict mode (which needs interegular) finds neither two rules nor two terminals that compete.
    """
    assert build_tables(strict=True)


def test_the_shipped_tables_are_fresh() -> None:
    """
    The tables in the package were made from this grammar by this version of Lark; else `python -m
    policyctl.policy.parser` makes them anew.
    """
    assert build_tables()[:FINGERPRINT] == parser.TABLES.read_bytes()[:FINGERPRINT]


@pytest.fixture
def forgetful() -> Iterator[None]:
    """
    Let the parser load its tables again, before the test and after it.
    """
    caches = (parser._lark, parser._lexer, parser._patterns)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_the_shipped_tables_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Parsing never builds the grammar where the shipped tables fit.
    """
    monkeypatch.setattr(parser, "_build", lambda: pytest.fail("the grammar was built"))

    assert [doc.End] == [type(statement) for statement in read("end").statements]


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("shipped", [None, b"", b"x" * FINGERPRINT + b"tables of another Lark"])
def test_other_tables_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shipped: bytes | None
) -> None:
    """
    Where the tables are missing or were made from something else, the grammar is built and works.
    """
    tables = tmp_path / "grammar.tables"
    if shipped is not None:
        tables.write_bytes(shipped)
    monkeypatch.setattr(parser, "TABLES", tables)

    assert parser._load_tables() is None
    assert [doc.End] == [type(statement) for statement in read("end").statements]


# --- the grammar as documentation


def commented() -> list[tuple[str, str]]:
    """
    Return each comment line of policy text with the rule right below it.
    """
    found = []
    above: list[str] = []
    for line in grammar_text().splitlines():
        if line.startswith("// "):
            above.append(line[3:])
            continue
        if rule := re.match(r"\??([a-z_]+): ", line):
            found += [(rule[1], text) for text in above]
        above = []
    return found


COMMENTED = commented()


@pytest.fixture(scope="module")
def any_rule() -> Lark:
    """
    The grammar as a parser that can start at each rule with a comment.
    """
    starts = sorted({rule for rule, _ in COMMENTED})
    return Lark(grammar_text(), parser="lalr", lexer="basic", start=starts)


def test_each_statement_has_a_line_of_policy_text() -> None:
    """
    Above the rule of every statement stands a line that it parses.
    """
    assert set() == parser.STARTERS - {rule for rule, _ in COMMENTED}


@pytest.mark.parametrize(("rule", "text"), COMMENTED)
def test_the_text_above_a_rule_parses_as_that_rule(any_rule: Lark, rule: str, text: str) -> None:
    """
    A comment above a rule is real policy text, without anything that the lexer would drop.
    """
    assert set() == JUNK & {token.type for token in parser._lex(text)}
    assert any_rule.parse(text, start=rule)


ONE_OF_EACH = [
    (doc.Header, 'policy "claude-loop" version 1'),
    (doc.Timezone, "timezone America/New_York"),
    (doc.Include, 'include "team/models.policy"'),
    (doc.Baseline, "baseline claude-opus"),
    (doc.Estimate, "estimate 2000 in, 1k out"),
    (doc.Model, "model litellm/gpt-4o is litellm/gpt-4o costs $2.50 in, $10.00 out can vision alias gpt"),
    (doc.Tier, "tier medium above complexity 2.5 has gemini-pro, litellm/gpt-4o"),
    (doc.Input, "input time_rules is yes or no default no from env ENABLE_TIME_RULES"),
    (doc.Window, "window nights is Mon, Wed to Fri 22:00 to 06:00, Sat to Sun all day"),
    (doc.Rule, 'rule freeze when branch is "main" or when during freeze use tier powerful because "Why."'),
    (doc.Limit, "never use deepseek-chat when private is yes"),
    (doc.Limit, "only use local-qwen when requires is not one of vision, audio"),
    (doc.Limit, "refuse when complexity is 3 to 5 and outside office_hours"),
    (doc.Domain, "domain debugging prefers litellm/o1, claude-opus at any tier"),
    (doc.Budget, "budget d is $40 per day for provider anthropic at 75% downgrade 1 tier at 90% only haiku"),
    (doc.Escalate, "escalate from medium to powerful on timeout, bad_response"),
    (doc.Fallback, "fallback to next 2 of tier, claude-sonnet in parallel"),
    (doc.Hedge, "hedge after 500ms"),
    (doc.Retry, "retry for haiku 3 attempts wait 1s doubling up to 30s on timeout next model on auth stop"),
    (doc.Alert, "alert expensive when story_cost is above $5 slack env SLACK_WEBHOOK_URL"),
    (doc.Promise, "promise cheap at most $0.50 per request when budget d is below 90%"),
    (doc.Example, "example complexity is 5 and domain is vision gives gemini-flash, claude-opus"),
    (doc.End, "end"),
]


@pytest.mark.parametrize(("kind", "text"), ONE_OF_EACH)
def test_each_kind_of_statement_is_read_as_itself(kind: type, text: str) -> None:
    """
    A line of each statement gives one value of its Document type, which spans the whole line.
    """
    parsed = read(text)

    assert () == parsed.diagnostics
    assert [kind] == [type(statement) for statement in parsed.statements]
    assert Span("policy", 0, len(text)) == parsed.statements[0].span


def test_no_kind_of_statement_is_forgotten() -> None:
    """
    The lines above have every Document type of a statement, and every word that starts one.
    """
    assert set(get_args(doc.Statement)) == {kind for kind, _ in ONE_OF_EACH}
    assert parser.STARTERS == {text.split()[0] for _, text in ONE_OF_EACH}


# --- layout


def without_comments(text: str) -> str:
    return re.sub(r'("[^"\n]*")|#[^\n]*', lambda match: match[1] or "", text)


def one_line(text: str) -> str:
    return without_comments(text).replace("\n", " ")


def a_word_a_line(text: str) -> str:
    return re.sub(r'("[^"\n]*")|\s+', lambda match: match[1] or "\n", without_comments(text))


def commented_throughout(text: str) -> str:
    return a_word_a_line(text).replace("\n", '  # end "\n\t')


@pytest.mark.parametrize(
    "layout",
    [without_comments, one_line, a_word_a_line, commented_throughout, lambda t: t.replace("\n", "\r\n")],
)
def test_layout_says_nothing(layout: Any) -> None:
    """
    Line ends, blanks and comments change no statement.
    """
    text = LOOP.read_text(encoding="utf-8") + "\n".join(text for _, text in ONE_OF_EACH)
    expected, found = read(text), read(layout(text))

    assert () == expected.diagnostics == found.diagnostics
    assert len(expected.statements) > len(ONE_OF_EACH) + 50
    assert plain(expected.statements) == plain(found.statements)


# --- amounts that nobody should write

BASE = """
model haiku is anthropic/claude-haiku-5-5
tier cheap from complexity 0 has haiku
domain legal
budget weekly is $100 per week
"""

PLACES = [
    "estimate {} in, {} out",
    "model x is ollama/x costs {} in, {} out",
    "model x is ollama/x costs nothing context {} output {} timeout {}",
    "model x is ollama/x costs nothing set temperature {}",
    "tier strong from complexity {} has haiku",
    "input n is {} to {}",
    "input n is 1 to 5 default {}",
    "input n is one of {}, b",
    "window w is Mon {} to {}",
    "rule r when complexity is {} use haiku",
    "rule r when complexity is {} to {} use haiku",
    "rule r when input_tokens is not {} use haiku",
    "rule r when attempt is at least {} use haiku",
    "rule r when branch is {} use haiku",
    "rule r when requires is one of vision, {} use haiku",
    "rule r when budget weekly is above {} use haiku",
    "budget b is {} per day at 100% pause",
    "budget b is $5 per day at {} downgrade {} tier",
    "fallback to next {} of tier",
    "hedge after {}",
    "retry {} attempts wait {} doubling up to {} on timeout wait {}",
    "alert a when daily_cost is above {} log",
    "alert a when latency_p50 is below {} log",
    "alert a when nothing_known is below {} log",
    "promise p at least {} providers",
    "promise p at most {} in",
    "promise p at most {} per request",
    "example complexity is {} gives haiku",
]

NEVER_RIGHT = [
    "$1,50",
    "$1,0000",
    "$1.2.3",
    "$.50",
    "$-5",
    "-$5",
    "-1",
    "-1s",
    "+3",
    "1e999",
    "$1e999",
    "1e-3",
    "0x10",
    "1_000",
    "1.",
    ".5",
    "1..2",
    "1,5",
    "NaN%",
    "5 %",
    "5$",
    "$",
    "1h30m",
    "10d",
    "1234567890123456789",
    "$1234567890123456789",
    "1234567890123456789%",
    "1234567890123456789s",
    "1234567890123456789k",
    "9" * 5000,
    "$" + "9" * 5000,
    "$" + "1," * 2000 + "1",
    "0." + "0" * 5000 + "1",
    "\u0663",
    "\uff13",
]


@pytest.mark.parametrize("place", PLACES)
def test_an_impossible_amount_is_an_error_with_a_place(place: str) -> None:
    """
    What is no amount anywhere is told as an error inside the text, never raised and never accepted.
    """
    for amount in NEVER_RIGHT:
        text = BASE + place.replace("{}", amount)
        checked = check_text(text, price_book())

        assert checked.policy is None, ascii(amount[:40])
        for found in checked.report.diagnostics:
            assert found.span is not None
            assert 0 <= found.span.start <= found.span.end <= len(text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("P304", "budget b is $1,50 per day"),
        ("P304", "budget b is $1234567890123456789 per day"),
        ("P304", "budget b is $0.0000000001 per day"),
        ("P303", "budget b is $999999999999 per day"),
        ("P302", "budget b is 5 per day"),
        ("P101", "budget b is $-5 per day"),
        ("P303", "budget b is $5 per day at 1001% warn"),
        ("P303", "budget b is $5 per day at 50% downgrade 0 tier"),
        ("P302", "budget b is $5 per day at 50% downgrade 1.5 tier"),
        ("P302", "retry 3.7 attempts wait 1s"),
        ("P303", "retry 0 attempts wait 1s"),
        ("P303", "retry 101 attempts wait 1s"),
        ("P302", "retry 3 attempts wait 1"),
        ("P303", "retry 3 attempts wait 169h"),
        ("P101", "retry 1e999 attempts wait 1s"),
        ("P302", "estimate 1.5 in, 10 out"),
        ("P303", "estimate 10 in, 1001M out"),
        ("P303", "rule r when complexity is above 10.5 use haiku"),
        ("P302", "rule r when attempt is 1.5 use haiku"),
        ("P303", "rule r when attempt is 0 use haiku"),
        ("P302", "rule r when input_tokens is above 10% use haiku"),
        ("P303", "model x is ollama/x costs nothing context 0"),
        ("P308", "window w is Mon 23:60 to 24:00"),
        ("P308", "window w is Mon 24:00 to 24:00"),
    ],
)
def test_an_amount_out_of_place_has_its_code(code: str, text: str) -> None:
    """
    A wrong unit, a number out of range and digits without sense are told apart.
    """
    found = {each.code for each in check_text(BASE + text, price_book()).report.diagnostics}

    assert {code} == found


@pytest.mark.parametrize(
    "text",
    [
        "budget b is $1,500 per day",
        "budget b is $1,234,567.89 per day",
        "budget b is $0.000000001 per day",
        "budget b is $5 per day at 0% warn at 92.5% pause",
        "retry 100 attempts wait 0s doubling up to 168h",
        "estimate 0.5k in, 1000M out",
        "tier strong above complexity 0 has haiku",
        "rule r when input_tokens is 0.001k to 1M use haiku",
        "window w is Sun 9:00 to 24:00, Mon 00:00 to 00:00",
    ],
)
def test_an_amount_at_the_edge_is_fine(text: str) -> None:
    """
    The last numbers that make sense are taken.
    """
    assert not check_text(BASE + text, price_book()).report.has_errors
