"""What people write out of habit, and what the language wants instead."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

WORDS = {
    "=": "write `is`",
    "==": "write `is`",
    "equals": "write `is`",
    "are": "write `is`",
    "!=": "write `is not`",
    "<>": "write `is not`",
    ">": "write `is above`",
    ">=": "write `is at least`",
    "<": "write `is below`",
    "<=": "write `is at most`",
    "above": "write `is above`",
    "below": "write `is below`",
    "over": "write `above`",
    "under": "write `below`",
    "greater": "write `is above`",
    "more": "write `above`",
    "less": "write `below`",
    "exceeds": "write `is above`",
    "between": "write a range: `is 3 to 5`",
    "in": "write `is one of A, B`, or a range: `is 3 to 5`",
    "matches": 'there are no patterns; `starts with "…"` tests how a text begins',
    "contains": 'there are no patterns; `starts with "…"` tests how a text begins',
    "ends": 'there are no patterns; `starts with "…"` tests how a text begins',
    "like": 'there are no patterns; `starts with "…"` tests how a text begins',
    "&&": "write `and`",
    "&": "write `and`",
    "||": "start another line with `or when`",
    "|": "start another line with `or when`",
    "or": "alternatives start with `or when`, each on a line of its own",
    "if": "write `when`",
    "unless": "write `when … is not …`",
    "then": "leave it out",
    "else": "a request that no rule matches goes by its complexity; leave this out",
    "otherwise": "a request that no rule matches goes by its complexity; leave this out",
    "default:": "a request that no rule matches goes by its complexity; leave this out",
    "true": "write `yes`",
    "True": "write `yes`",
    "false": "write `no`",
    "False": "write `no`",
    "not": "write `FACT is not VALUE`, or `FACT is no`",
    "one": "write it in figures: 1",
    "two": "write it in figures: 2",
    "three": "write it in figures: 3",
    "times": "write `attempts`",
    "tries": "write `attempts`",
    "retries": "write `attempts`",
    "free": "write `costs nothing`",
    "import": "write `include`",
    "allow": "write `only use`",
    "deny": "write `never use`, or `refuse when`",
    "block": "write `never use`, or `refuse when`",
    "set": "leave it out",
    "daily": "write `per day`",
    "weekly": "write `per week`",
    "monthly": "write `per month`",
    "USD": "amounts have a dollar sign in front: $400",
    "dollars": "amounts have a dollar sign in front: $400",
    "€": "amounts are in US dollars: $0.25",
    "percent": "write `75%`",
    "%": "write it without a blank: 75%",
    "k": "write it without a blank: 128k",
    "M": "write it without a blank: 1M",
    "min": "write minutes as `2m`",
    "minutes": "write minutes as `2m`",
    "seconds": "write seconds as `30s`",
    "hours": "write hours as `2h`",
    ":": "leave the colon out",
    "{": "the language has no braces; a statement ends where the next one starts",
    "}": "the language has no braces; a statement ends where the next one starts",
    "[": "the language has no brackets; a list is `a, b, c`",
    "]": "the language has no brackets; a list is `a, b, c`",
    "(": "the language has no brackets; alternatives start with `or when`",
    ")": "the language has no brackets; alternatives start with `or when`",
    ";": "leave it out; a statement ends where the next one starts",
    "//": "a comment starts with `#`",
    "--": "a comment starts with `#`",
    "/*": "a comment starts with `#`",
}

_QUOTES = "'\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u0060"

# Shapes of a word, most telling first, with what to write instead of it.
SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(f"[{_QUOTES}]"), 'texts stand in straight double quotes: "…"'),
    (re.compile(r"-\d|[\u2013\u2014]"), "a range is written with `to`, a negative amount can't be"),
    (re.compile(r"\$-"), "an amount can't be negative"),
    (re.compile(r"[€£¥]"), "amounts are in US dollars: $0.25"),
    (re.compile(r"\d[\d.]*K"), "write a small k: 128k"),
    (re.compile(r"\d[\d.]*m$"), "write millions as 1M"),
    (re.compile(r"\d+(\.\d+)?(am|pm)", re.IGNORECASE), "write times of day as 09:00 or 17:00"),
    (re.compile(r"\d[\d.]*(sec|secs|seconds?)"), "write seconds as `30s`"),
    (re.compile(r"\d[\d.]*(min|mins|minutes?)"), "write minutes as `2m`"),
    (re.compile(r"\d[\d.]*(hrs?|hours?)"), "write hours as `2h`"),
    (re.compile(r"\d[\d.]*(d|days?)$"), "write a day as `24h`"),
    (re.compile(r"/\$|\$[\d.]+/\$"), "write `costs $2.50 in, $10.00 out`"),
    (re.compile(r"/(month|day|week|mo)"), "write `per month`, `per week` or `per day`"),
    (re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w*-"), "days read `Mon to Fri`"),
    (re.compile(r"(mon|tue|wed|thu|fri|sat|sun)(day)?$"), "days are Mon, Tue, … Sun"),
    (re.compile(r"(Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)$"), "days are Mon, Tue, … Sun"),
    (re.compile(r"\S*[={}()<>\[\];]"), "words stand apart, and none of these signs has a meaning here"),
    (
        re.compile(r"[A-Za-z]\S*[^\x00-\x7f]|[^\x00-\x7f]"),
        "names are of plain letters, digits and - _ . / : @",
    ),
)


def instead(found: str, expected: AbstractSet[str], before: str) -> str | None:
    """
    What to write instead of a word that is only there out of habit; None where it is no such word.

    `before` is the word in front of it.
    """
    if found in ("and", "or", "&", "|") and "," in expected:
        return "the items of a list are separated by commas"
    if before == "or":
        return "alternatives start with `or when`; the items of a list are separated by commas"
    if before.startswith('"') and "when" in expected:
        return "a text holds no quote itself"
    if found == "when" and before == "escalate":
        return "write `escalate to next tier when gate NAME fails`"
    if found == "when" or (found == "or" and "rule" in expected):
        return "conditions stand before `use`"
    if found == "use" and "rule" in expected:
        return "a rule has a name: `rule NAME when … use …`"
    if found in ("use", "and", "or") and expected >= {"is", "starts"}:
        return f"write `{before} is yes`, or `{before} is VALUE`"
    if before == "on" and "timeout" in expected:
        return "kinds of failure have names: rate_limit, overloaded, timeout, server_error, …"
    if found == "than" and before in ("less", "more", "greater"):
        return "write `is below 8` or `is above 8`"
    if expected in ({"use"}, {"to"}) and found[0].isalpha():
        return f"write `{before} {next(iter(expected))} {found}`"
    if expected >= {"one", "text", "yes"} and found[0].isalpha() and found not in WORDS:
        return f"a choice reads `one of {found}, …`"
    if expected >= {"is", "starts"}:
        test = _without_is(found, before)
        if test is not None:
            return test
    if found in WORDS:
        return WORDS[found]
    glued = _GLUED.fullmatch(found)
    if glued is not None:
        return f"{WORDS[glued[1]][:-1]} {glued[2]}`"
    return next((help for shape, help in SHAPES if shape.match(found)), None)


def _without_is(found: str, before: str) -> str | None:
    """What to write where a condition lacks its `is`."""
    if found == "at":
        return f"write `{before} is at least …`, or `{before} is at most …`"
    if before == "requires" and found in ("includes", "include", "contains", "has", "needs"):
        return "write `is`"
    if found[0].isalnum() and found not in WORDS and not any(shape.match(found) for shape, _ in SHAPES):
        return f"write `{before} is {found}`"
    return None


def written_so(help: str | None, found: str) -> str | None:
    """What a help puts in the place of a word, where it means just the same; nothing for mere noise."""
    if found in _NOISE:
        return ""
    quoted = _QUOTED.fullmatch(found)
    if quoted is not None:
        return f'"{quoted[1]}"'
    match = None if help is None or found in _OTHER_MEANING else _WRITE.fullmatch(help)
    return None if match is None else match[1]


_WRITE = re.compile("write `([^`]+)`")
_QUOTED = re.compile(f'[{_QUOTES}]([^{_QUOTES}"]+)[{_QUOTES}]')
_GLUED = re.compile(r"(==|!=|<>|>=|<=|[=<>])([\w$].*)")
_NOISE = frozenset({":", ";", "then"})
_OTHER_MEANING = frozenset({"allow"})
"""What others allow may be used; what this language only uses must be."""
