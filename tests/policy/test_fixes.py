"""
Mends that are sure: made, the finding is gone, nothing new is found, and all other text is as it was.

POLICYCTL_PAIRS scales how many random misspellings are tried.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from policyctl.deciding import price_book
from policyctl.policy.check import check_text
from policyctl.policy.fixes import disjoint, mended
from policyctl.policy.names import is_slip
from policyctl.schemas.checked import Checked
from policyctl.schemas.diagnostics import Diagnostic, Edit, Severity
from policyctl.schemas.text import Span

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MISSPELLINGS = int(os.environ.get("POLICYCTL_PAIRS", "100000")) // 1000

HEAD = """\
model haiku is anthropic/claude-haiku-5-5
model opus  is anthropic/claude-opus-5-5 alias strongest
model litellm/gpt-4o is litellm/gpt-4o
tier cheap from complexity 0 has haiku
tier powerful from complexity 6 has opus, litellm/gpt-4o
input private is yes or no default no
input stage is one of develop, production, "log" default develop
window nights is Mon to Fri 22:00 to 06:00
domain debugging prefers opus
budget monthly is $500 per month at 100% pause
"""
YAML_HEAD = """\
models:
  haiku: {is: anthropic/claude-haiku-5-5}
  opus: {is: anthropic/claude-opus-5-5, alias: strongest}
tiers:
  cheap: {from: 0, has: [haiku]}
  powerful: {from: 6, has: [opus]}
inputs:
  private: {is: yes or no, default: no}
  stage: {is: 'one of develop, production, "log"', default: develop}
windows: {nights: Mon to Fri 22:00 to 06:00}
domains: {debugging: {prefers: opus}}
budgets: {monthly: {is: $500 per month, levels: {100%: pause}}}
"""

SURE = [
    ("P202", "rule x when complexty is above 4 use opus", "rule x when complexity is above 4 use opus"),
    ("P202", 'rule x when "privat" is yes use opus', 'rule x when "private" is yes use opus'),
    ("P202", "refuse when Private is yes", "refuse when private is yes"),
    ("P203", "never use hiaku", "never use haiku"),
    ("P203", 'never use "hiaku"', 'never use "haiku"'),
    ("P203", "fallback to haiku, strongset", "fallback to haiku, strongest"),
    ("P203", "fallback to gpt4-o", None),
    ("P203", "fallback to gpt-o4", None),
    ("P203", "fallback to litelm/gpt-4o", "fallback to litellm/gpt-4o"),
    ("P204", "rule x use tier powerfull", "rule x use tier powerful"),
    ("P204", "rule x when tier is cheep use opus", "rule x when tier is cheap use opus"),
    ("P206", "rule x when during nigths use opus", "rule x when during nights use opus"),
    (
        "P207",
        "rule x when budget montly is above 80% use haiku",
        "rule x when budget monthly is above 80% use haiku",
    ),
    ("P208", "rule x when domain is debuging use opus", "rule x when domain is debugging use opus"),
    ("P209", "refuse when stage is prodction", "refuse when stage is production"),
    ("P209", "refuse when stage is logg", 'refuse when stage is "log"'),
    (
        "P209",
        "refuse when stage is one of develop, prodution",
        "refuse when stage is one of develop, production",
    ),
    ("P210", "refuse when requires is visoin", "refuse when requires is vision"),
    ("P210", "refuse when requires is nothin", "refuse when requires is nothing"),
    ("P210", "model m is openai/gpt-5 can vison", "model m is openai/gpt-5 can vision"),
    ("P212", "retry 3 attempts wait 1s on ratelimit stop", "retry 3 attempts wait 1s on rate_limit stop"),
    ("P212", "retry 3 attempts wait 1s on timout stop", "retry 3 attempts wait 1s on timeout stop"),
    ("P213", "alert a when dayly_cost is above $5 log", "alert a when daily_cost is above $5 log"),
    ("P214", "timezone Europe/Berln", "timezone Europe/Berlin"),
    ("P214", 'timezone "europe/berlin"', 'timezone "Europe/Berlin"'),
    ("P301", "refuse when private is true", "refuse when private is yes"),
    ("P301", "input b is yes or no default False", "input b is yes or no default no"),
    ("P101", "rule x whne private is yes use opus", "rule x when private is yes use opus"),
    ("P101", "rul x use opus", "rule x use opus"),
    ("P101", "model m is openai/gpt-5 cots $1 in, $2 out", "model m is openai/gpt-5 costs $1 in, $2 out"),
    ("P101", 'rule x when branch == "main" use opus', 'rule x when branch is "main" use opus'),
    ("P101", 'rule x when branch=="main" use opus', 'rule x when branch is "main" use opus'),
    ("P101", 'rule x when branch != "main" use opus', 'rule x when branch is not "main" use opus'),
    ("P101", "rule x when complexity>5 use opus", "rule x when complexity is above 5 use opus"),
    ("P101", "rule x when complexity <= 5 use haiku", "rule x when complexity is at most 5 use haiku"),
    ("P101", "rule x if private is yes use opus", "rule x when private is yes use opus"),
    ("P101", "rule x when private is yes then use opus", "rule x when private is yes use opus"),
    ("P101", "rule x: when private is yes use opus", "rule x when private is yes use opus"),
    ("P101", "never use haiku;", "never use haiku"),
    ("P101", "budget b is $5 daily", "budget b is $5 per day"),
    ("P101", "policy code-review version 2", 'policy "code-review" version 2'),
    (
        "P101",
        "rule x when branch starts with release use opus",
        'rule x when branch starts with "release" use opus',
    ),
    ("P101", "rule x when branch is 'main' use opus", 'rule x when branch is "main" use opus'),
    ("P101", "rule x when branch is “main” use opus", 'rule x when branch is "main" use opus'),
    ("P101", "rule x wehn private is yes use teir cheap", None),
    ("P101", "fallbck to haiku hedge aftr 10s", "fallback to haiku hedge after 10s"),
]
"""A code, a statement that is wrong behind HEAD, and what it becomes; None: it stays as it is."""

NOT_SURE = [
    ("fallback to claude-3", "another name"),
    ("model gpt-4 is openai/gpt-4 costs $1 in, $2 out\nfallback to gpt-5", "another figure"),
    (
        "tier low above complexity 8 has opus\ntier law above complexity 9 has opus\nrule x use tier lwa",
        "short",
    ),
    ("window night is outside nights\nrule x when during nightss use opus", "two that are near"),
    (
        "model a/gpt-mini is openai/gpt-5\nmodel b/gpt-mini is openai/gpt-5\nfallback to gpt-mni",
        "may be any of two",
    ),
    ("rule x use powerful", "a tier"),
    ("model m is antropic/claude-haiku-5-5 costs $1 in, $2 out", "who sees the data"),
    ("allow haiku when private is yes", "the same word with another meaning"),
    ("tier top above complexity 8 has haiku models", "not whole by it"),
    ("tier top above complexity 8 has haiku opus", "a comma, or a name too many"),
    ("rule x when branch starts with release/* use opus", "no word alone"),
    ("rule x use opus because private", "a sentence"),
    ("rule x when private is yes use opus because 'too many words'", "where it ends"),
    ("never use haiku when private is on", "not just the same"),
]

IN_YAML = [
    ("P110", "rule: {x: {use: opus}}", "rules: {x: {use: opus}}"),
    (
        "P110",
        "rules: {x: {wehn: private is yes, use: opus}}",
        "rules: {x: {when: private is yes, use: opus}}",
    ),
    ("P110", 'rules: {x: {"becuase": "A", use: opus}}', 'rules: {x: {"because": "A", use: opus}}'),
    ("P110", "rules: {x: {use: opus, uses: haiku}}", None),
    ("P203", "fallback: {to: [hiaku, opus]}", "fallback: {to: [haiku, opus]}"),
    ("P203", "fallback: {to: ['hiaku', \"opsu\"]}", "fallback: {to: ['haiku', \"opus\"]}"),
    ("P203", "fallback: hiaku, opus", "fallback: haiku, opus"),
    (
        "P202",
        "rules: {x: {when: 'privat is yes', use: opus}}",
        "rules: {x: {when: 'private is yes', use: opus}}",
    ),
    (
        "P206",
        'rules: {x: {when: "during nigths", use: opus}}',
        'rules: {x: {when: "during nights", use: opus}}',
    ),
    (
        "P202",
        "rules:\n  x:\n    when: |\n      privat is yes\n      and during nights\n    use: opus",
        "rules:\n  x:\n    when: |\n      private is yes\n      and during nights\n    use: opus",
    ),
    (
        "P206",
        "rules:\n  x:\n    when: >-\n      private is yes\n      and during nigths\n    use: opus # nigths",
        "rules:\n  x:\n    when: >-\n      private is yes\n      and during nights\n    use: opus # nigths",
    ),
    (
        "P207",
        "rules:\n  x:\n    when: private is yes\n      and budget montly is above 5%\n    use: opus",
        "rules:\n  x:\n    when: private is yes\n      and budget monthly is above 5%\n    use: opus",
    ),
    (
        "P101",
        "rules: {x: {when: complexity > 5, use: opus}}",
        "rules: {x: {when: complexity is above 5, use: opus}}",
    ),
    ("P101", "rules: {x: {when: privat si yes, use: opus}}", None),
    ("P101", "rules: {x: {when: branch starts with main, use: opus}}", None),
    ("P209", "rules: {x: {when: stage is logg, use: opus}}", None),
    (
        "P209",
        "rules: {x: {when: 'stage is \"logg\"', use: opus}}",
        "rules: {x: {when: 'stage is \"log\"', use: opus}}",
    ),
    ("P209", 'rules: {x: {when: "stage is \\"logg\\"", use: opus}}', None),
    ("P202", 'rules: {x: {when: "priv\\x61t is yes", use: opus}}', None),
    (
        "P301",
        "rules: {x: {when: private is true, use: opus}}",
        "rules: {x: {when: private is yes, use: opus}}",
    ),
    (
        "P301",
        "rules: {x: {when: private is True and during nights, use: opus}}",
        "rules: {x: {when: private is yes and during nights, use: opus}}",
    ),
    ("P214", "timezone: Europe/Berln", "timezone: Europe/Berlin"),
    (
        "P212",
        "retry: [{attempts: 3, wait: 1s, on: {timout: stop}}]",
        "retry: [{attempts: 3, wait: 1s, on: {timeout: stop}}]",
    ),
]


def check(text: str, name: str = "a.policy") -> Checked:
    return check_text(text, price_book(), name)


def told(checked: Checked) -> Counter[tuple[str, str]]:
    """
    Count the errors by their code and words.
    """
    errors = (d for d in checked.report.diagnostics if d.severity is Severity.ERROR)
    return Counter((d.code, d.message) for d in errors)


def mend(text: str, name: str = "a.policy") -> tuple[str, Checked]:
    """
    Make all sure mends, until there is none.
    """
    for _ in range(10):
        checked = check(text, name)
        done = list(disjoint(checked.report.diagnostics))
        if not done:
            return text, checked
        text = mended(text, [edit for found in done for edit in found.fix])
    raise AssertionError("the mends never end")


@pytest.mark.parametrize("head", ["", "# a comment — ü 😀\r\n"])
@pytest.mark.parametrize(("code", "wrong", "right"), SURE)
def test_a_sure_mend(head: str, code: str, wrong: str, right: str | None) -> None:
    """
    The first finding has the code and a mend; with it the policy has no error, and only that word is changed.
    """
    before, after = (f"{head}{HEAD}{text}\r\n# the end" for text in (wrong, right or wrong))
    first = check(before).report.diagnostics[0]

    assert (code, right is not None) == (first.code, bool(first.fix))
    text, checked = mend(before)
    assert after == text
    assert Counter() == told(checked) if right is not None else told(checked)


@pytest.mark.parametrize(("wrong", "why"), NOT_SURE)
def test_what_is_not_sure_is_left(wrong: str, why: str) -> None:
    """
    A name that may mean something else is never changed, however near another one is.
    """
    text = f"{HEAD}{wrong}\n"

    assert told(check(text)), why
    assert text == mend(text)[0], why


@pytest.mark.parametrize(("code", "wrong", "right"), IN_YAML)
def test_a_sure_mend_in_yaml(code: str, wrong: str, right: str | None) -> None:
    """
    In plain, quoted and block scalars, and in keys, just the wrong characters are replaced; where they are
    escaped, or the new word would need another kind of quotes, nothing is.
    """
    before, after = (f"{YAML_HEAD}{text}\n" for text in (wrong, right or wrong))
    found = [d for d in check(before, "a.yaml").report.diagnostics if d.code == code]
    text, checked = mend(before, "a.yaml")

    assert found
    assert after == text
    assert Counter() == told(checked) if right is not None else told(checked)


def test_help_and_mend_agree() -> None:
    """
    What is put in the place of a name is what the help asks about.
    """
    for _, wrong, right in SURE:
        for found in check(f"{HEAD}{wrong}\n").report.diagnostics:
            meant = re.match(r"did you mean `(.+)`\?", found.help or "")
            if found.fix and meant:
                assert meant[1] == found.fix[0].new.strip('"'), (right, found)


def test_a_mend_is_in_no_secret() -> None:
    """
    What is blotted out for being a secret, or a character that can't be seen, is never touched.
    """
    text = f'{HEAD}rule x when kind is "sk-ant-{"a" * 30}" use hiaku # \u200b\n'
    checked = check(text)
    (found,) = disjoint(checked.report.diagnostics)

    assert {"P103", "P203", "P601"} == {d.code for d in checked.report.diagnostics}
    assert text.replace("hiaku", "haiku") == mended(text, found.fix)


def test_of_mends_that_meet_the_first_is_made() -> None:
    """
    Mends that overlap or touch aren't made in one go, whatever their order; all others are.
    """

    def one(start: int, end: int, source: str = "a") -> Diagnostic:
        span = Span(source, start, end)
        return Diagnostic("P101", Severity.ERROR, "x", span, fix=(Edit(span, "", ""),))

    found = [one(4, 8), one(7, 9), one(8, 9), one(0, 2), one(4, 8, "b"), one(10, 10), one(10, 10)]

    assert [found[0], found[3], found[4], found[5]] == list(disjoint(found))


def test_edits_are_made_from_the_end() -> None:
    """
    Edits of other lengths than what they replace don't move each other.
    """
    edits = [
        Edit(Span("a", 0, 1), "a", "long"),
        Edit(Span("a", 2, 3), "c", ""),
        Edit(Span("a", 4, 4), "", "!"),
    ]

    assert "long b!" == mended("a cb", [edits[0], Edit(Span("a", 2, 3), "c", ""), edits[2]])


@pytest.mark.parametrize(
    ("name", "near", "others", "sure"),
    [
        ("haku", "haiku", [], True),
        ("hiku", "haiku", ["hiki"], False),
        ("hiakuu", "haiku", [], False),
        ("of_huors", "of_hours", [], True),
        ("of_huorz", "of_hours", [], False),
        ("off_call", "on_call", [], False),
        ("unverified", "verified", [], False),
        ("internal", "external", [], False),
        ("in_hours", "on_hours", [], False),
        ("amoral", "moral", [], False),
        ("HAIKU", "haiku", [], True),
        ("HAIKU", "haiku", ["Haiku"], False),
        ("ops", "opus", [], False),
        ("OPS", "ops", [], True),
        ("gpt-4", "gpt-5", [], False),
        ("gpt-4o", "gpt-4", [], False),
        ("gpt-o4", "gpt-4o", [], False),
        ("gtp-4o", "gpt-4o", ["gpt-4"], False),
        ("clade-4", "claude-4", [], True),
    ],
)
def test_what_a_slip_is(name: str, near: str, others: list[str], sure: bool) -> None:
    """
    One slip, but not in the first letter; nobody else near; the same figures. The contrary isn't near.
    """
    assert sure is is_slip(name, near, [near, *others])


# --- random misspellings -----------------------------------------------------------------------------------

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./:@-]*[A-Za-z0-9_]")


def words_of(text: str) -> list[re.Match[str]]:
    """
    The words outside comments and texts in double quotes.
    """
    covered = [m.span() for m in re.finditer(r'"[^"\n]*"|#[^\n]*', text)]
    found = (m for m in WORD.finditer(text) if len(m.group()) > 2)
    return [m for m in found if not any(start <= m.start() < end for start, end in covered)]


def misspelt(chance: random.Random, word: str) -> str:
    """
    The word with a letter left out, doubled, replaced, or swapped with its neighbour.
    """
    at = chance.randrange(1, len(word) - 1)
    letter = chance.choice("aeinrst")
    return chance.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ]
    )


def texts() -> Iterator[tuple[str, str]]:
    """
    The examples that are whole in one file, each without an error.
    """
    for path in sorted(EXAMPLES.rglob("*")):
        if path.suffix in (".policy", ".yaml"):
            text = path.read_text(encoding="utf-8")
            if not told(check(text, path.name)):
                yield path.name, text


TEXTS = list(texts())


def only_renamed(before: str, after: str, word: str, typo: str) -> bool:
    """
    Whether two texts differ in nothing but in places where one has the word and the other its misspelling.
    """
    return before.replace(typo, word) == after.replace(typo, word)


def test_random_misspellings_are_mended_or_left() -> None:
    """
    A misspelt word of an example is mended to the same policy, or told and left. Where the misspelt word
    declares a name, its uses may follow it. Never does a mend leave another error than there was, nor
    another policy than the one that was meant; and most misspellings that are told are mended.
    """
    chance = random.Random(7)  # noqa: S311
    digests = {name: digest(check(text, name)) for name, text in TEXTS}
    mends = left = 0
    for _ in range(MISSPELLINGS):
        name, text = chance.choice(TEXTS)
        word = chance.choice(words_of(text))
        typo = misspelt(chance, word.group())
        wrong = text[: word.start()] + typo + text[word.end() :]
        errors = told(check(wrong, name))
        if not errors:
            continue
        after, checked = mend(wrong, name)
        assert not told(checked) - errors or after == text, (name, word.group(), typo, told(checked), errors)
        if told(checked):
            left += 1
            continue
        mends += 1
        same = digest(checked) == digests[name] or only_renamed(text, after, word.group(), typo)
        assert same, (name, word.group(), typo)

    assert mends > left, (mends, left)
    assert mends > MISSPELLINGS // 4


def digest(checked: Checked) -> str:
    assert checked.policy is not None
    return checked.policy.policy.digest


# --- the older YAML form -----------------------------------------------------------------------------------


def test_files_of_the_older_form_are_not_mended() -> None:
    """
    What is misspelt in the older YAML form is told and never changed: its words aren't those of the language.
    """
    text = "routing:\n  strategy: cost\n  fallback_chain: [claude-sonet, claude-opus]\n"
    checked = check(text, "old.yaml")

    assert told(checked)
    assert [] == [d for d in checked.report.diagnostics if d.fix]
