"""docs/language.md says what the grammar and the code say, and its examples are policies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lark import Lark

from policyctl.deciding import validate
from policyctl.policy.build import METRICS
from policyctl.policy.parser import STARTERS, grammar_text
from policyctl.policy.scope import built_in_facts
from policyctl.schemas.diagnostics import Severity
from policyctl.schemas.policy import CAPABILITIES, FailureKind

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def section(heading: str) -> str:
    """
    Return the text below a heading, up to the next one.
    """
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def first_list(heading: str) -> list[str]:
    """
    Return the words in backticks of a section's first paragraph.
    """
    return re.findall(r"`([^`]+)`", section(heading).strip().split("\n\n")[0])


def table(heading: str) -> list[list[str]]:
    """
    Return the cells of a section's table, without its head.
    """
    rows = [line for line in section(heading).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def grammar_rules() -> dict[str, list[str]]:
    """
    Return the lines of each rule of the grammar, comments left out.
    """
    rules: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in grammar_text().splitlines():
        if found := re.match(r"\??([a-z_]+): ", line):
            lines = rules[found[1]] = [line]
        elif line.startswith(" "):
            lines.append(line)
        else:
            lines = []
    return rules


RULES = grammar_rules()
STATEMENTS = re.findall(r"[a-z]+", " ".join(RULES["statement"]).partition(":")[2])
TOUR, NAMES, *EXAMPLES = blocks("policy")


# --- grammar lines


def test_the_statements_are_found() -> None:
    """
    The grammar's list of statements is read as a whole, and each is a rule of its own.
    """
    assert ("policy", "end") == (STATEMENTS[0], STATEMENTS[-1])
    assert STARTERS == set(STATEMENTS) <= set(RULES)


def test_each_statement_has_a_section_in_the_grammars_order() -> None:
    """
    The sections of the statements are those of the grammar, in its order.
    """
    statements = PAGE.partition("\n## Statements\n")[2].partition("\n## ")[0]

    assert STATEMENTS == re.findall(r"^### (\S+)$", statements, re.MULTILINE)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_section_shows_its_rule_and_an_example(name: str) -> None:
    """
    Below a statement's heading stand its rule as the grammar has it, and a policy that uses it.
    """
    text = section(name)
    example = re.findall(r"^```policy\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)

    assert "\n".join(RULES[name]) in text
    assert 1 == len(example)
    assert re.search(rf"^{name}\b", example[0], re.MULTILINE)


@pytest.mark.parametrize("name", sorted(RULES))
def test_each_rule_stands_in_the_page(name: str) -> None:
    """
    No rule of the grammar is left out.
    """
    shown = "".join(blocks("lark"))

    assert "\n".join(RULES[name]) + "\n" in shown


def test_no_grammar_line_is_made_up() -> None:
    """
    Every line of a grammar block stands in the grammar as it is, and no block is empty.
    """
    grammar = set(grammar_text().splitlines())
    shown = [line for block in blocks("lark") for line in block.splitlines()]

    assert len(shown) >= len(RULES)
    assert [] == [line for line in shown if line not in grammar]


# --- examples


def errors(text: str, folder: Path) -> list[tuple[str, str]]:
    """
    Return what `policyctl validate` calls an error in a policy beside which team/models.policy lies.
    """
    file, included = folder / "page.policy", folder / "team" / "models.policy"
    included.parent.mkdir()
    included.write_text("model team is ollama/qwen3-coder:30b costs nothing\n", encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    found = validate([file]).report.diagnostics
    return [(each.code, each.message) for each in found if each.severity is Severity.ERROR]


@pytest.mark.parametrize("text", [TOUR, NAMES], ids=["tour", "names"])
def test_the_first_two_examples_are_whole_policies(text: str, tmp_path: Path) -> None:
    """
    The tour and the declarations that the other examples use check without an error.
    """
    assert [] == errors(text, tmp_path)


@pytest.mark.parametrize("text", EXAMPLES, ids=[text.splitlines()[0] for text in EXAMPLES])
def test_an_example_checks_behind_the_declarations(text: str, tmp_path: Path) -> None:
    """
    Each other example checks without an error behind the names that the page declares for all.
    """
    assert [] == errors(NAMES + text, tmp_path)


@pytest.mark.parametrize("form", [row[1].strip("`") for row in table("Conditions")])
def test_the_condition_of_each_form_can_be_written(form: str, tmp_path: Path) -> None:
    """
    The table of conditions shows conditions that check.
    """
    assert [] == errors(f"{NAMES}rule shown when {form} use opus\n", tmp_path)


# --- lists


def test_the_reserved_words_are_the_grammars() -> None:
    """
    The page lists the keywords of the grammar, and days beside them.
    """
    terminals = Lark(grammar_text(), parser="lalr", lexer="basic").terminals
    keywords = {
        each.pattern.value
        for each in terminals
        if each.pattern.type == "str" and str(each.pattern.value).isalpha()
    }

    assert sorted(keywords) == first_list("Reserved words")
    assert DAYS == re.findall(r"`([A-Z][a-z]+)`", section("Reserved words"))


def test_the_capabilities_are_those_of_the_code() -> None:
    """
    The page lists what a model can do, in the order of the code.
    """
    assert list(CAPABILITIES) == first_list("Capabilities")


def test_the_kinds_of_failure_are_those_of_the_code() -> None:
    """
    The page lists the kinds of failure, and says of each what it is.
    """
    kinds = [kind.value for kind in FailureKind]

    assert kinds == first_list("Kinds of failure")
    assert kinds == re.findall(r"^- `(\w+)`: ", section("Kinds of failure"), re.MULTILINE)


def test_the_metrics_are_those_of_the_code() -> None:
    """
    The page lists the metrics with their units.
    """
    expected = [[f"`{name}`", unit.value] for name, unit in METRICS.items()]

    assert expected == table("Metrics")


def test_the_built_in_facts_are_those_of_the_code() -> None:
    """
    The page's table has every built-in fact with its kind, in the order of the code.
    """
    expected = [
        [f"`{fact.name}`", f"whole {fact.kind}" if fact.whole else fact.kind.value]
        for fact in built_in_facts((), (), (0, 0))
    ]

    assert expected == [row[:2] for row in table("Built-in facts")]


# --- the page itself


def test_links_lead_somewhere() -> None:
    """
    Links go to headings of the page and to files beside it.
    """
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    folder = Path(__file__).resolve().parents[2] / "docs"
    links = re.findall(r"]\(([^)]+)\)", PAGE)

    assert links
    for link in links:
        file, _, anchor = link.partition("#")
        assert (folder / file).is_file() if file else anchor in headings, link


def test_the_codes_named_exist() -> None:
    """
    Each code that the page names has a check file.
    """
    checks = Path(__file__).resolve().parents[2] / "policy" / "checks"
    codes = set(re.findall(r"\bP\d{3}\b", PAGE))

    assert codes
    assert codes <= {path.name[:4].upper() for path in checks.glob("p[0-9]*.py")}
