"""`# policyctl: ignore[P801] reason`: a warning that was seen is kept quiet, and nothing else is."""

from __future__ import annotations

import random
import re
from datetime import date
from pathlib import Path

import pytest

from policyctl.deciding import Engine, validate, validate_text
from policyctl.policy.ignores import without_ignored
from policyctl.policy.parser import _lex
from policyctl.schemas.checked import Checked
from policyctl.schemas.diagnostics import Diagnostic, Report, Severity
from policyctl.schemas.text import Source, Span

AFTER = date(2026, 10, 23)
"""A day on which gpt-4-turbo is deprecated (P801)."""

OLD = "model old is openai/gpt-4-turbo"
REST = "model new is offline/new costs $1 in, $1 out\ntier low from complexity 0 has old, new\n"
YAML_REST = "tiers:\n  low: {from: 0, has: [old, new]}\n"


def told(text: str, name: str = "a.policy") -> list[tuple[str, int]]:
    """
    Return the code and line of each finding, in order.
    """
    checked = checked_text(text, name)
    return [
        (d.code, text.count("\n", 0, d.span.start) + 1 if d.span else 0) for d in checked.report.diagnostics
    ]


def checked_text(text: str, name: str = "a.policy") -> Checked:
    return validate_text(text, name, AFTER)


def messages(text: str) -> list[str]:
    return [d.message for d in checked_text(text).report.diagnostics]


def test_without_an_ignore_the_warning_is_told() -> None:
    """
    The policies of these tests have one warning.
    """
    assert [("P801", 1)] == told(f"{OLD}\n{REST}")


@pytest.mark.parametrize(
    "comment",
    [
        "# policyctl: ignore[P801] until May",
        "# policyctl: ignore[P801]",
        "#policyctl:ignore[P801] — bis Mai",
        "# policyctl: ignore[P801]\tuntil [May] # really",
    ],
)
def test_an_ignore_counts_for_the_line_that_it_ends(comment: str) -> None:
    """
    At the end of the warning's line, or alone above it, the comment keeps the warning quiet; with any reason.
    """
    for line in ("\n", "\r\n"):
        assert [] == told(f"{OLD}  {comment}{line}{REST}")
        assert [] == told(f"{comment}{line}{OLD}{line}{REST}")
        assert [] == told(f"  {comment}{line}# another comment{line}\t# one more{line}{OLD}{line}{REST}")


def test_an_ignore_counts_for_no_other_line() -> None:
    """
    Below the warning, above a blank line, or on another statement it ignores nothing, which is told.
    """
    ignore = "# policyctl: ignore[P801] x"

    assert [("P801", 1), ("P602", 2)] == told(f"{OLD}\n{ignore}\n{REST}")
    assert [("P602", 1), ("P801", 3)] == told(f"{ignore}\n\n{OLD}\n{REST}")
    assert [("P801", 1), ("P602", 2)] == told(f"{OLD}\ntier low from complexity 0 has old {ignore}\n")
    assert [("P801", 1), ("P602", 4)] == told(f"{OLD}\n{REST}{ignore}")


def test_all_lines_of_a_statement_are_one() -> None:
    """
    An ignore above a statement, or on any line of it, counts for the whole of it, but for no other.
    """
    ignore = "# policyctl: ignore[P803] x"
    head, costs = OLD, "  costs $1 in, $1 out"
    other = "model other is openai/gpt-4-turbo\n  # policyctl: ignore[P801] y"

    for text in (
        f"{ignore}\n{head}\n{costs}\n",
        f"{head}\n{costs} {ignore}\n",
        f"{head} {ignore}\n{costs}\n",
        f"{head}\n  {ignore}\n{costs}\n  output 4k\n",
    ):
        assert ["P801"] == [code for code, _ in told(text + REST)]
    codes = [code for code, _ in told(f"{head}\n  can tools\n{other}\n{REST}")]

    assert ["P801", "P801", "P602"] == [code for code in codes if code in ("P801", "P602")]


def test_several_codes_and_several_comments() -> None:
    """
    A comment may name several codes, and several comments may stand above a line; each code counts alone.
    """
    priced = f"{OLD} costs $1 in, $1 out"

    assert ["P801", "P803"] == [code for code, _ in told(f"{priced}\n{REST}")]
    assert [] == told(f"{priced} # policyctl: ignore[P801, P803] both\n{REST}")
    assert [] == told(f"# policyctl: ignore[P801] one\n{priced} # policyctl: ignore[P803] two\n{REST}")
    assert [("P602", 1)] == told(f"{priced} # policyctl: ignore[P801,P803,P802] three\n{REST}")


def test_an_ignore_that_ignores_nothing_points_at_its_code() -> None:
    """
    The code that isn't found is underlined, and the help says what to do.
    """
    text = f"{OLD} # policyctl: ignore[P801, P999] x\n{REST}"
    (found,) = checked_text(text).report.diagnostics

    assert found.span is not None
    assert ("P602", Severity.WARNING, "P999") == (
        found.code,
        found.severity,
        text[found.span.start : found.span.end],
    )
    assert "there is no `P999` here to ignore" == found.message


@pytest.mark.parametrize(
    "comment",
    [
        "# policyctl: ignore",
        "# policyctl: ignore P801",
        "# policyctl: ignore[]",
        "# policyctl: ignore[p801]",
        "# policyctl: ignore[P801]until",
        "# policyctl: ignore[P801",
        "# policyctl: ignore[P801; P802]",
        "# policyctl: ingore[P801] x",
        "# Policyctl: ignore[P801] x",
        "#  policyctl : ignore[P801] x",
        "# policyctl: off",
    ],
)
def test_a_comment_to_policyctl_that_cannot_be_read_is_told(comment: str) -> None:
    """
    What starts like an ignore and is none would be relied on: it is a warning, and ignores nothing.
    """
    assert {("P602", 1), ("P801", 1)} == set(told(f"{OLD} {comment}\n{REST}"))


@pytest.mark.parametrize(
    "comment",
    ["# see policyctl: ignore[P801]", "# policyctl is nice", "# ignore[P801]", "## policyctl: ignore[P801]"],
)
def test_other_comments_are_just_comments(comment: str) -> None:
    """
    A comment that is about something else means nothing, whatever words are in it.
    """
    assert [("P801", 1)] == told(f"{OLD} {comment}\n{REST}")


def test_an_error_is_never_ignored() -> None:
    """
    An ignore leaves errors alone: the error of a broken policy, and that of an example that fails.
    """
    model = "model old is offline/old costs $1 in, $1 out\n"
    broken = f"fallback to nobody # policyctl: ignore[P203] x\n{REST}{model}"
    example = "example complexity is 1 gives new # policyctl: ignore[P501] x\n"
    cheap = "model old is offline/old costs $0.5 in, $0.5 out\n"

    assert [("P203", 1)] == told(broken)
    assert [("P501", 1), ("P602", 1)] == told(f"{example}{cheap}{REST}")
    assert ["`P501` is an error here, so it can't be ignored"] == messages(f"{example}{cheap}{REST}")[1:]


def test_an_ignore_of_ignores_is_none() -> None:
    """
    P602 can't be ignored, by itself or by another comment.
    """
    model = "model old is offline/old costs $1 in, $1 out # policyctl: ignore[P801]\n"

    assert [("P602", 1), ("P602", 2)] == told(f"# policyctl: ignore[P602] x\n{model}{REST}")


def test_a_broken_policy_says_nothing_of_unused_ignores() -> None:
    """
    Where errors keep a policy from being looked at as a whole, nobody knows whether an ignore is of use.
    """
    assert [("P203", 3)] == told(f"# policyctl: ignore[P801] x\n{OLD}\nfallback to nobody\n{REST}")


def test_text_that_looks_like_a_comment_is_text() -> None:
    """
    In quotes `#` is a plain character, closed on the line or not.
    """
    rule = 'rule x when kind is "# policyctl: ignore[P801]" use new'

    assert [("P801", 2)] == told(f"{rule}\n{OLD}\n{REST}")
    assert [("P801", 1)] == told(f'{OLD} key "A_KEY" # "x" policyctl: ignore[P801]\n{REST}')
    assert [] == told(f'{OLD} key "A_KEY" # policyctl: ignore[P801] "\n{REST}')


def test_the_digest_does_not_change() -> None:
    """
    An ignore is a comment: the policy, and what it is called by, stay the same.
    """
    plain, ignored = (Engine.from_text(f"{OLD} {c}\n{REST}") for c in ("", "# policyctl: ignore[P801] x"))

    assert plain.policy.digest == ignored.policy.digest


# --- YAML ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "models",
    [
        "models:\n  old: {is: openai/gpt-4-turbo} # policyctl: ignore[P801] x\n",
        "models:\n  # policyctl: ignore[P801] x\n  # and more\n  old: {is: openai/gpt-4-turbo}\n",
        "models:\n  old:\n    # policyctl: ignore[P801] x\n    is: openai/gpt-4-turbo\n",
        "models:\n  old:\n    is: 'openai/gpt-4-turbo'  # policyctl: ignore[P801] x\n",
        'models:\n  old: {is: "openai/gpt-4-turbo",   # policyctl: ignore[P801] x\n    alias: o}\n',
        "models:\n  old:\n    is: >- # policyctl: ignore[P602]\n      openai/gpt-4-turbo\n",
    ],
)
def test_ignores_in_yaml(models: str) -> None:
    """
    In YAML a comment counts for its line or, alone, for the next; in maps, lists and beside quotes.
    """
    text = f"{models}  new: {{is: offline/new, costs: '$1 in, $1 out'}}\n{YAML_REST}"
    expected = [] if "ignore[P801]" in models else [("P602", 3), ("P801", 4)]

    assert expected == told(text, "a.yaml")


@pytest.mark.parametrize(
    "because",
    [
        "'# policyctl: ignore[P801]'",
        '" # policyctl: ignore[P801]"',
        "a#policyctl:ignore[P801]",
        "|\n      a\n      # policyctl: ignore[P801]\n      b",
        ">\n      # policyctl: ignore[P801]",
    ],
)
def test_text_in_yaml_that_looks_like_a_comment_is_text(because: str) -> None:
    """
    In quotes, in blocks and inside a word `#` is a plain character.
    """
    rule = f"rules:\n  x:\n    use: new\n    because: {because}\n"
    models = "models:\n  old: {is: openai/gpt-4-turbo}\n  new: {is: offline/new, costs: '$1 in, $1 out'}\n"

    assert ["P801"] == [code for code, _ in told(f"{rule}{models}{YAML_REST}", "a.yaml")]


# --- files, bounds ---------------------------------------------------------------------------------------


def test_each_file_has_its_own_ignores(tmp_path: Path) -> None:
    """
    An ignore counts in the file that it stands in, included ones too.
    """
    (tmp_path / "a.policy").write_text(
        f'include "b.policy" # policyctl: ignore[P801] x\n{REST}', encoding="utf-8"
    )
    (tmp_path / "b.policy").write_text(f"{OLD}\n", encoding="utf-8")
    outside = validate([tmp_path / "a.policy"], AFTER).report.diagnostics
    (tmp_path / "a.policy").write_text(f'include "b.policy"\n{REST}', encoding="utf-8")
    (tmp_path / "b.policy").write_text(f"{OLD} # policyctl: ignore[P801] x\n", encoding="utf-8")
    inside = validate([tmp_path / "a.policy"], AFTER).report.diagnostics

    assert ["P602", "P801"] == [d.code for d in outside]
    assert () == inside


def test_thousands_of_ignores_are_bounded() -> None:
    """
    A file of nothing but useless ignores is told by its first ones, quickly.
    """
    many = "# policyctl: ignore[P801,P802,P803] x\n" * 6000

    assert 20 == len(told(f"{many}{REST}model old is offline/old costs $1 in, $1 out\n"))


def test_where_findings_may_be_cut_off_nothing_is_said_of_ignores() -> None:
    """
    Where so much is found that some may not have been told, an unused ignore isn't told either.
    """
    source = Source("a", "# policyctl: ignore[P801]\n" + "x\n" * 200)
    warnings = tuple(
        Diagnostic("P802", Severity.WARNING, f"w{n}", Span("a", 26 + 2 * n, 27 + 2 * n)) for n in range(150)
    )

    assert warnings == without_ignored(Report((source,), warnings), whole=True).diagnostics


def test_where_something_is_unproved_nothing_is_said_of_ignores() -> None:
    """
    What the proofs didn't get to may be just what an ignore is about.
    """
    source = Source("a", "# policyctl: ignore[P704]\nx\n")
    unproved = Diagnostic("P718", Severity.WARNING, "unproved: everything", None)

    assert (unproved,) == without_ignored(Report((source,), (unproved,)), whole=True).diagnostics


def comments_of(text: str) -> list[tuple[int, int]]:
    """
    Return where comments to policyctl stand, as the lexer of the language has it: in none of its tokens.
    """
    ends = [0, *(token.end_pos or 0 for token in _lex(text))]
    starts = [*(token.start_pos or 0 for token in _lex(text)), len(text)]
    gaps = [(a, text[a:b]) for a, b in zip(ends, starts, strict=True)]
    found = [(at + m.start(), at + m.end(), m[0]) for at, gap in gaps for m in re.finditer("#[^\n]*", gap)]
    return [(start, end) for start, end, comment in found if re.match(r"#\s*policyctl:", comment)]


def test_comments_are_those_of_the_lexer() -> None:
    """
    On random texts of quotes, hashes and words, an ignore is found just where the lexer has a comment.
    """
    chance = random.Random(3)  # noqa: S311
    pieces = ['"', "#", "# policyctl: ignore[P801]", " ", "\n", "a", ",", '"x"', "'"]
    for _ in range(500):
        text = "".join(chance.choices(pieces, k=12))
        found = without_ignored(Report((Source("a", text),), ()), whole=True).diagnostics
        starts = [d.span.start for d in found if d.span]
        comments = comments_of(text)
        assert len(comments) == len(starts), text
        assert all(any(a <= start < b for a, b in comments) for start in starts), text
