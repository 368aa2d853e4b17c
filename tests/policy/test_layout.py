"""The one layout, case by case: what stands on a line, what is aligned, and where comments go."""

from __future__ import annotations

import re
import textwrap
from datetime import date
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from policyctl.deciding import validate_text
from policyctl.policy.checks.p111_unwritable import Unwritable
from policyctl.policy.parser import parse
from policyctl.policy.remarks import Remarks
from policyctl.policy.writer import policy_text
from policyctl.policy.written import SCHEMA, Written, converted, formatted, read_written
from policyctl.schemas.text import Source

CASES = Path(__file__).parent.parent / "cases" / "format"


def read(text: str, name: str = "a.policy") -> Written:
    return read_written(Source(name, text))


def laid_out(text: str, name: str = "a.policy") -> str:
    return formatted(read(textwrap.dedent(text), name))


def codes(written: Written) -> list[str]:
    return [diagnostic.code for diagnostic in written.diagnostics]


@pytest.mark.parametrize("path", sorted(CASES.glob("*.in.*")), ids=lambda path: path.name)
def test_cases(path: Path) -> None:
    """
    A file of tests/cases/format becomes the file beside it of the same name without `in`.
    """
    text = path.read_text(encoding="utf-8")
    expected = path.with_name(path.name.replace(".in.", ".")).read_text(encoding="utf-8")

    assert expected == formatted(read(text, path.name))
    assert expected == formatted(read(expected, path.name))


def test_the_two_cases_are_one_policy() -> None:
    """
    The YAML case is the .policy case, converted.
    """
    statements = (CASES / "statements.policy").read_text(encoding="utf-8")

    assert (CASES / "statements.yaml").read_text(encoding="utf-8") == converted(
        read(statements), to_yaml=True
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('tier "log" from complexity 0 has "a", "b c"', 'tier "log" from complexity 0  has a, "b c"'),
        ('rule r when "kind" is "x" use "x/y"', 'rule r\n  when kind is "x"\n  use x/y'),
        ('example kind is x and stage is "a" gives b', 'example kind is x and stage is "a" gives b'),
        ('timezone "Europe/Berlin"', "timezone Europe/Berlin"),
        ("budget b is $1,500.00 per day", "budget b is $1,500.00 per day"),
        (
            "window w is Mon, Tue, Wed 9:00 to 10:00, Sat, Sun 00:00 to 24:00",
            "window w is Mon to Wed 9:00 to 10:00, Sat to Sun all day",
        ),
        ("window w is Wed, Mon, Sun 09:00 to 10:00", "window w is Wed, Mon, Sun 09:00 to 10:00"),
        ("window w is Sat to Mon all day", "window w is Sat to Mon all day"),
        ('policy "x"', 'policy "x"'),
        ('policy "x" version 1', 'policy "x" version 1'),
    ],
)
def test_spelling(before: str, after: str) -> None:
    """
    Names have quotes only where they need them; amounts, texts and values of conditions stay as they are.
    """
    assert after + "\n" == laid_out(before)


def test_columns_of_a_run_stand_under_one_another() -> None:
    """
    Statements of one kind are aligned, over blank lines and comments too, but not over other statements.
    """
    text = """\
        tier a from complexity 0 has x

        # more
        tier longer above complexity 2.5 has x
        baseline x
        tier top from complexity 8 has x
        """
    expected = """\
        tier a      from complexity 0     has x

        # more
        tier longer above complexity 2.5  has x
        baseline x
        tier top from complexity 8  has x
        """

    assert textwrap.dedent(expected) == laid_out(text)


def test_clauses_have_lines_of_their_own_where_one_of_a_block_is_long() -> None:
    """
    One line for each statement of a block, or for none; a blank line parts blocks.
    """
    models = ", ".join(f"model-{n}" for n in range(9))
    text = f"""\
        tier a from complexity 0 has x

        tier b from complexity 3 has x tier c from complexity 6 has {models}
        """
    expected = f"""\
        tier a from complexity 0  has x

        tier b from complexity 3
          has x
        tier c from complexity 6
          has {models}
        """

    assert textwrap.dedent(expected) == laid_out(text)


def test_a_list_goes_over_lines() -> None:
    """
    What is longer than a line goes on below it, deeper than clauses do.
    """
    models = [f"a-long-name-of-a-model-{n}" for n in range(6)]
    text = laid_out(f"fallback to {', '.join(models)}")

    assert [True, True] == [len(line) <= 100 for line in text.splitlines()]
    assert f"    {', '.join(models[3:])}" == text.splitlines()[1]


def test_a_wide_name_keeps_its_column_to_itself() -> None:
    """
    A name of more than forty letters doesn't push its neighbours to the right.
    """
    wide = "w" * 60

    text = f"window a is outside b\nwindow {wide} is outside b\nwindow c is outside b\n"

    assert text == laid_out(text)


@pytest.mark.parametrize("name", ["a.policy", "a.yaml"])
def test_a_file_of_comments_alone(name: str) -> None:
    """
    Comments stay where there is no statement; one blank line parts what many did.
    """
    assert "# one\n\n# two\n" == laid_out("\n\n  # one   \n\n\n\n# two\n\n", name)
    assert "" == laid_out("\n \n", name)
    assert "" == laid_out("", name)


def test_comments_between_clauses() -> None:
    """
    A comment on its own line stays above its clause, one behind a clause behind it; a list goes over lines.
    """
    text = """\
        rule r # first
           # why
           when a is b # here
           or when
           # too
           c is d use # kept
           x, # cheap
           y
           # when it grows: use z

        # next
        never use x # ever
        # done
        """
    expected = """\
        rule r  # first
          # why
          when a is b  # here
          # too
          or when c is d  # kept
          use x,  # cheap
            y
          # when it grows: use z

        # next
        never use x  # ever
        # done
        """

    assert textwrap.dedent(expected) == laid_out(text)


ODD = (
    "true",
    "No",
    "null",
    "1e3",
    "0x1F",
    "2026-01-05",
    "12:30",
    ".inf",
    "~",
    "a:",
    "",
    " a ",
    "a: b",
    "- a",
)


@pytest.mark.parametrize("text", [*ODD, "a # b", "it's", "a\\b: c", "'a' \\", "loop", "to-do.1", "# a"])
def test_texts_in_yaml(text: str) -> None:
    """
    A text has quotes where some reader of YAML would take it for something else, and only there.
    """
    there = converted(read(f'policy "{text}"'), to_yaml=True).splitlines()[-1]

    assert text == YAML(typ="safe").load(there)["policy"]
    assert ("loop" in text or "it's" in text or "to-do" in text) == (f"policy: {text}" == there)
    assert text not in ODD or f'policy: "{text}"' == there


def test_comments_in_yaml() -> None:
    """
    Comments stay at their entry, key or item.
    """
    text = """\
        # the file

        # all of them
        models:
          # the small one
          a: {is: offline/a, costs: nothing} # cheap
          b:
            is: offline/b # here
            can: # best first
            - vision # eyes
            # and hands
            - tools
            # the end of b

          # c: {is: offline/c}
        tiers: # low to high
          low: {from: 0, has: [a, # cheap
             b]}
          # high: later
        # done
        """
    expected = """\
        # the file

        # all of them
        models:
          # the small one
          a: {is: offline/a, costs: nothing}  # cheap
          b:
            is: offline/b  # here
            can:  # best first
              - vision  # eyes
              # and hands
              - tools
          # the end of b
          # c: {is: offline/c}
        tiers:
          # low to high
          low:
            from: 0
            has:
              - a  # cheap
              - b
          # high: later
        # done
        """

    assert textwrap.dedent(expected) == laid_out(text, "a.yaml")


def test_line_ends_are_those_of_unix() -> None:
    """
    Carriage returns and blanks at the ends of lines go away, in comments too.
    """
    assert "# a\nbaseline b  # c\n" == formatted(read("# a  \r\nbaseline   b # c\t\r\n"))


def test_an_ignore_goes_on_ignoring() -> None:
    """
    What a comment keeps quiet stays quiet when its statement goes over more lines than before.
    """
    comment = "# policyctl: ignore[P801, P803] until the audit"
    clauses = "costs $1 in, $1 out can vision, tools output 4096 timeout 120s set top_p 1"
    model = f"model old is openai/gpt-4-turbo {clauses}"
    tier = "tier low from complexity 0 has old"

    for text in (f"{model} {comment}\n{tier}", f"{comment}\n{model}\n{tier}"):
        after = formatted(read(text))
        there = converted(read(text), to_yaml=True)

        assert 3 == len(after.splitlines()) - after.startswith("#")
        for name, each in (("a.policy", text), ("a.policy", after), ("a.yaml", there)):
            assert () == validate_text(each, name, date(2027, 1, 1)).report.diagnostics, each


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.policy", "baseline", "P101"),
        ("a.policy", 'policy "x', "P102"),
        ("a.policy", "# \u200b\nbaseline x", "P103"),
        ("a.policy", "hedge after 5.5.5s", "P101"),
        ("a.policy", "end\nbaseline x", "P108"),
        ("a.policy", "# sk-ant-aaaaaaaaaaaaaaaaaaaaaaaa", "P601"),
        ("a.yaml", "baseline: [x", "P109"),
        ("a.yaml", "modles: {}", "P110"),
        ("a.yaml", "end: true\nbaseline: x", "P108"),
        ("a.yaml", "providers: {a: {}}", "P111"),
        ("a.yaml", "rules: {r: {use: x, because: 'say \"x\"'}}", "P102"),
        ("a.yaml", 'models: {"a\\nb": {is: offline/x}}', "P102"),
        ("a.yaml", 'rules: {r: {use: x, because: "\\u202e"}}', "P103"),
        ("a.yaml", "estimate: 1 in, 2 out never use x", "P101"),
        ("a.yaml", "inputs: {a: {is: text, env: log}}", "P101"),
    ],
)
def test_a_file_with_errors_is_not_written(name: str, text: str, code: str) -> None:
    """
    What can't be read is told with its code, in YAML also what only YAML could hide.
    """
    assert [code] == codes(read(text, name))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("model a is offline/a\nmodel a is offline/b", "model a is offline/b"),
        ("timezone UTC\ntimezone UTC", "timezone UTC"),
        ('rule a use x\ninclude "b.policy"\nrule c use x', 'include "b.policy"'),
        ('include "a.policy"\nrule b use x\ninclude "c.policy"', 'include "c.policy"'),
        ("rule a or when x is y use z", "or when x is y"),
        ("rule a when x is y when v is w use z", "when v is w"),
        ("model a is offline/a can tools can vision", "model a is offline/a can tools can vision"),
        (
            "budget b is $5 per day at 50% warn at 50% pause",
            "budget b is $5 per day at 50% warn at 50% pause",
        ),
        (
            "rule ok use x\ntier t from complexity 50% has a\ntier u from complexity 6 has a",
            "tier t from complexity 50% has a",
        ),
        ("retry 0 attempts wait 1s", "retry 0 attempts wait 1s"),
    ],
)
def test_what_yaml_can_not_say_is_pointed_at(text: str, what: str) -> None:
    """
    A policy that YAML has no form for is an error at the statement; most of these are errors of a policy too.
    """
    with pytest.raises(Unwritable) as raised:
        converted(read(text), to_yaml=True)

    span = raised.value.diagnostic.span
    assert span is not None
    assert "P111" == raised.value.diagnostic.code
    assert what == text[span.start : span.end]


def test_includes_stay_in_their_order() -> None:
    """
    Includes before or behind the statements of a kind stay there.
    """
    text = 'model a is offline/a\ninclude "b.policy"\ninclude "c.yaml"\nrule d use a\n'

    assert ["models", "include", "rules"] == [
        line.rstrip(":")
        for line in converted(read(text), to_yaml=True).splitlines()
        if line.endswith(":") and not line.startswith(" ")
    ]


def test_the_schema_of_yaml_is_named_in_yaml_alone() -> None:
    """
    Converted YAML starts with what tells an editor its schema; .policy text has no use for it.
    """
    there = converted(read("# mine\n\nbaseline x"), to_yaml=True)

    assert f"# {SCHEMA}\n\n# mine\n\nbaseline: x\n" == there
    assert "# mine\n\nbaseline x\n" == converted(read(there, "a.yaml"), to_yaml=False)


def test_statements_alone_are_set_off_by_kind() -> None:
    """
    Statements without a text of their own, such as converted ones, have a blank line between kinds.
    """
    statements = parse(
        Source("a.policy", "baseline x\ntimezone UTC\nrule a use x\nrule b use x\nend")
    ).statements
    text = policy_text(statements, header=["Made by hand.", ""])

    assert (
        "# Made by hand.\n#\n\nbaseline x\ntimezone UTC\n\nrule a\n  use x\nrule b\n  use x\n\nend\n" == text
    )
    assert "# Nothing.\n" == policy_text((), Remarks(()), header=["Nothing."])


def test_a_text_that_would_be_too_large_is_not_written() -> None:
    """
    What would grow beyond the size of a policy's file is left alone.
    """
    text = "".join(f"budget b{n} is $1 per day at 1% warn at 2% warn at 3% warn\n" for n in range(2500))
    many = "tier a from complexity 0 has " + ",".join(f"m{n}" for n in range(19_000))

    assert 256 * 1024 > len(formatted(read(text)))
    with pytest.raises(Unwritable) as raised:
        converted(read(many), to_yaml=True)
    assert "P104" == raised.value.diagnostic.code


def test_the_page_shows_what_is_written() -> None:
    """
    The policy on docs/format.md is laid out as the page says.
    """
    page = Path(__file__).parent.parent.parent / "docs" / "format.md"
    (shown,) = re.findall(r"```policy\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)

    assert shown == laid_out(shown)
    assert () == validate_text(shown, "a.policy", date(2026, 1, 5)).report.diagnostics
