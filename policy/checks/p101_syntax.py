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

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import closest, listed, quoted

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
    "COMMA": "`,`",
    "WORD": "",
    "OPEN_STRING": "",
}

_HABITS = {
    "=": "write `is`",
    "==": "write `is`",
    "!=": "write `is not`",
    ">": "write `is above`",
    ">=": "write `is at least`",
    "<": "write `is below`",
    "<=": "write `is at most`",
    "&&": "write `and`",
    "||": "start another line with `or when`",
    "or": "alternatives start with `or when`",
    "otherwise": "a request that no rule matches goes by its complexity; leave this out",
    "true": "write `yes`",
    "false": "write `no`",
    ":": "leave the colon out",
    "{": "the language has no braces; a statement ends where the next one starts",
    "}": "the language has no braces; a statement ends where the next one starts",
    ";": "leave it out; a statement ends where the next one starts",
    "//": "a comment starts with `#`",
    "--": "a comment starts with `#`",
}


def syntax_error(
    span: Span, found: str | None, expected: frozenset[str], before: str | None, cut_off: bool = False
) -> Diagnostic:
    """
    What was found (None: the end of the file) where only `expected` can stand.

    `before` is the word in front of it. `cut_off` says that what was found starts a line and looks
    like the next statement, so that it is the one before that is incomplete.
    """
    what = "the end of the file" if found is None else f"`{found}`"
    if "policy" in expected and "model" in expected and len(expected) > 20:
        message = f"expected a statement, found {what}" if found else f"unexpected {what}"
    else:
        after = f" after `{before}`" if before is not None else ""
        message = f"expected {_in_words(expected)}{after}, found {what}"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=_help(found, expected, cut_off))


def _in_words(expected: frozenset[str]) -> str:
    statements = {"policy", "model", "rule"} <= expected
    words = sorted(w for w in expected if w not in _KINDS and not (statements and w in _STATEMENTS))
    words = ["or when" if w == "or" else w for w in words]
    kinds = {_KINDS[w] for w in expected if _KINDS.get(w)}
    if {"NAME", "STRING"} <= expected:
        kinds -= {_KINDS["STRING"]}
    if len(kinds) > 2:
        kinds = {k for k in kinds if k not in ("a number",)} if len(kinds) < 5 else {"a value"}
    parts = sorted(kinds) + [f"`{w}`" for w in words]
    if statements:
        parts.append("the next statement")
    return listed(parts, last="or")


def _help(found: str | None, expected: frozenset[str], cut_off: bool) -> str | None:
    if found is None:
        return "the last statement isn't complete; was the file cut off?"
    if cut_off:
        return f"the statement before `{found}` isn't complete"
    if found in _HABITS:
        return _HABITS[found]
    odd = next((c for c in found if c.isspace()), None)
    if odd is not None:  # as word processors and web pages have it
        return f"there is a blank U+{ord(odd):04X} in it; write a plain one"
    if found.startswith(("'", "\u2018", "\u201c", "\u201e", "\u00ab")):
        return 'texts stand in double quotes: "…"'
    words = [w for w in expected if w not in _KINDS]
    near = closest(found, words)
    if near is not None:
        return f"did you mean `{near}`?"
    if expected == {"STRING"}:
        return f"a text stands in quotes: {quoted(found)}"
    if "NAME" in expected and found.isalpha():
        return f"`{found}` is a word of the language; as a name it stands in quotes: {quoted(found)}"
    if "DAY" in expected or "CLOCK" in expected:
        return "days and times read `Mon to Fri 09:00 to 17:00` or `Sat to Sun all day`"
    if found.startswith(("-", "$-")):
        return "amounts can't be negative"
    if "MONEY" in expected and "NUMBER" not in expected and found[:1].isdigit():
        return f"an amount of money starts with a dollar sign: ${found}"
    return None


_STATEMENTS = frozenset(
    "policy timezone include baseline estimate model tier input window rule never only refuse domain "
    "budget escalate fallback hedge retry alert promise example end".split()
)
