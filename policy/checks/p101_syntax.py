"""
P101: syntax error

What it finds

A word, sign or amount that can't stand where it stands. The message says what
can, in the words of the language. Checking goes on at the next statement, so
one run tells all of them.

Why it matters

A statement that can't be read can't be obeyed, and a policy is used whole or
not at all. Habits of other languages (`==`, `!=`, braces, `true`) end here;
the help says the word of this one.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule release
      when branch == "main"
      use tier strong

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule release
      when branch is "main"
      use tier strong
"""

from __future__ import annotations

from collections.abc import Iterator

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..document import STARTERS
from ..habits import WORDS, instead, written_so
from ..names import closest, is_slip, listed, quoted

CODE = "P101"

_KINDS = {
    "NAME": "a name",
    "STRING": 'a text in "quotes"',
    "NUMBER": "a number",
    "COUNT": "a number",
    "MONEY": "an amount such as $5",
    "PERCENT": "a percentage such as 75%",
    "DURATION": "a duration such as 30s",
    "CLOCK": "a time such as 09:00",
    "DAY": "a day such as Mon",
    "WORD": "",
    "OPEN_STRING": "",
}


def syntax_error(
    span: Span, found: str | None, expected: frozenset[str], before: str | None, new_line: bool = False
) -> Diagnostic:
    """
    What was found (None: the end of the file) where only `expected` can stand.

    `before` is the word in front of it. `new_line` says that what was found starts a line; if it is
    also the next statement, the one before is incomplete.
    """
    what = "the end of the file" if found is None else f"`{found}`"
    if "policy" in expected and "model" in expected and len(expected) > 20:
        message = f"expected a statement, found {what}" if found else f"unexpected {what}"
    else:
        after = f" after `{before}`" if before is not None else ""
        message = f"expected {_in_words(expected, before)}{after}, found {what}"
    cut_off = new_line and found in STARTERS
    return Diagnostic(CODE, Severity.ERROR, message, span, help=_help(found, expected, before or "", cut_off))


def second_statement(span: Span, found: str) -> Diagnostic:
    """A statement that hides in the text of another one, in YAML."""
    message = f"`{found}` starts a second statement inside this one"
    return Diagnostic(CODE, Severity.ERROR, message, span, help="give each statement an entry of its own")


def _in_words(expected: frozenset[str], before: str | None) -> str:
    if before in _AMOUNT_AFTER and "NUMBER" in expected:
        words = sorted(f"`{w}`" for w in expected - _KINDS.keys())
        return listed([_AMOUNT_AFTER[before], *words], last="or")
    statements = {"policy", "model", "rule"} <= expected
    words = sorted(w for w in expected if w not in _KINDS and not (statements and w in STARTERS))
    words = ["or when" if w == "or" else w for w in words]
    kinds = {_KINDS[w] for w in expected if _KINDS.get(w)}
    if {"NAME", "STRING"} <= expected:
        kinds -= {_KINDS["STRING"]}
    if expected >= _AMOUNTS:
        kinds = kinds - {_KINDS[w] for w in _AMOUNTS} | {"an amount"}
    parts = sorted(kinds) + [f"`{w}`" for w in words]
    if statements:
        parts.append("the next statement")
    return listed(parts, last="or")


_AMOUNTS = frozenset({"NUMBER", "COUNT", "MONEY", "PERCENT", "DURATION"})

_AMOUNT_AFTER = {
    "context": "a number of tokens such as 128k",
    "output": "a number of tokens such as 8192",
    "estimate": "a number of tokens such as 2000",
    "costs": "an amount of money such as $2.50",
    "timeout": "a duration such as 30s",
    "wait": "a duration such as 30s",
    "after": "a duration such as 30s",
    "complexity": "a number from 0 to 10",
}


def _help(found: str | None, expected: frozenset[str], before: str, cut_off: bool) -> str | None:
    if found is None:
        return "the last statement isn't complete; was the file cut off?"
    if cut_off:
        return f"the statement before `{found}` isn't complete"
    odd = next((c for c in found if c.isspace()), None)
    if odd is not None:  # as word processors and web pages have it
        return f"there is a blank U+{ord(odd):04X} in it; write a plain one"
    near = _near(found, expected)
    help = instead(found, expected, before) if near is None else f"did you mean `{near}`?"
    if help is not None:
        return help
    if expected == {"STRING"}:
        return 'a text stands in quotes: "…"'
    is_word = found.replace("_", "").replace("-", "").isalnum() and found[0].isalpha()
    if "," in expected and is_word:
        return f"if `{found}` belongs to the list, a comma stands before it"
    if "NAME" in expected and found.isalpha():
        return f"`{found}` is a word of the language; as a name it stands in quotes: {quoted(found)}"
    if "DAY" in expected or "CLOCK" in expected:
        return "days and times read `Mon to Fri 09:00 to 17:00` or `Sat to Sun all day`"
    if "MONEY" in expected and "NUMBER" not in expected and found[:1].isdigit():
        return f"an amount of money starts with a dollar sign: ${found}"
    return None


def mends(found: str, expected: frozenset[str], before: str | None) -> Iterator[str]:
    """What a wrong word was most likely meant to be: one that makes its statement whole is sure."""
    near, words = _near(found, expected), _keywords(expected)
    if near is not None:
        if is_slip(found, near, words, shortest=3, gap=1):
            yield near
        return
    meant = written_so(instead(found, expected, before or ""), found)
    if meant is not None:
        yield meant
    elif expected == {"STRING"} and before not in _SENTENCES:
        yield quoted(found)


_SENTENCES = ("because", "cron")
"""Words before texts that are seldom a single word."""


def _near(found: str, expected: frozenset[str]) -> str | None:
    """The word of the language that a word was meant to be, unless it is one of another language."""
    return None if found in WORDS else closest(found, _keywords(expected), cutoff=0.7)


def _keywords(expected: frozenset[str]) -> list[str]:
    return [word for word in expected if word not in _KINDS]
