"""
Random policies as .policy text, written without the language's own printers.

A policy of `generate` gives the statements, with its names changed for odder ones. They are rows of
words, so that the same policy can be laid out in any way, with comments wherever one may stand.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from policyctl.schemas.policy import (
    NANO,
    Action,
    Budget,
    BudgetIn,
    Condition,
    During,
    Escalation,
    Fact,
    FactKind,
    FailureKind,
    Fallback,
    Limit,
    LimitKind,
    Mates,
    Model,
    NumberIn,
    Policy,
    Rule,
    StartsWith,
    ValueIs,
    When,
    Window,
)

from .generate import maybe, random_policy, some

RESERVED = ("log", "stop", "nothing", "Mon", "yes", "model", "complexity", "text", "end", "timeout", "on")
ODD_NAMES = (
    *RESERVED,
    *("Monday", "a.b-c/d:e@f_g", "true", "null", "off", "x9_", "Yes", "sunday", "s", "k", "in_parallel"),
)
ODD_TEXTS = (
    *("Don't # panic.", "#", "", " lead", "trail ", "a: b", "- x", "[x, y]", "{y}", "100%", "true", "null"),
    *("1e3", "~", "'single'", "it's $HOME; `x`", "back\\slash", "C:\\n", "@x", "%x", "*x", "&x", "!x", "|"),
    *("ünïcødé 漢字 🙂", "tab\tinside", "ends with:", "0x1F", "2025-06-11", "no", "12:30", "? x", "> y", "="),
    "a long reason that goes on and on, past the edge of every page that anybody would want to read it on",
)
CRONS = ("* * 24-31 12 *", "*/30 9-16 * * mon-fri", "0-29 * */2 jan,jun sun", "59 23 * * *")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
COMMENTS = (" a note", "", ' "open', " # more", " rule x", " ünï 🙂")
RATES = ("fallback_rate", "failure_rate", "escalation_rate")

Row = list[str]
"""The words of one statement; a comma is a word."""


def random_rows(rng: random.Random) -> list[Row]:
    """The statements of a random policy, which the checker passes."""
    return _Rows(rng, random_policy(rng)).all()


def listed(words: Iterable[str]) -> Row:
    row: Row = []
    for word in words:
        row += [",", word] if row else [word]
    return row


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def usd(nusd: Decimal | int) -> str:
    text = f"{Decimal(nusd) / NANO:.9f}"
    return "$" + (text.rstrip("0").rstrip(".") if "." in text else text)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


class _Rows:
    def __init__(self, rng: random.Random, policy: Policy) -> None:
        self.rng = rng
        self.policy = policy
        self.keys = list(policy.models)
        self.odd = dict(zip(self._renamed(), rng.sample(ODD_NAMES, len(ODD_NAMES)), strict=False))

    def _renamed(self) -> list[str]:
        """Names that get another one; a model's last part and its alias stay what they are."""
        policy = self.policy
        names = [*policy.windows, *policy.budgets, *(t.name for t in policy.tiers), *policy.domains]
        names += [rule.name for rule in policy.rules] + [key for key in policy.models if "/" not in key]
        return [name for name in names if maybe(self.rng, 0.3)]

    def all(self) -> list[Row]:
        policy, rng = self.policy, self.rng
        rows = [
            *([["policy", self.text(), *(["version", "2.5"] if maybe(rng, 0.5) else [])]]),
            ["timezone", policy.timezone],
            [
                "estimate",
                str(policy.estimate_input_tokens),
                "in",
                ",",
                f"{policy.estimate_output_tokens}",
                "out",
            ],
            *([["baseline", self.name(rng.choice(self.keys))]] if maybe(rng, 0.4) else []),
            *(self.model(model) for model in policy.models.values()),
            *(self.tier(n) for n in range(len(policy.tiers))),
            *(self.input(fact) for fact in policy.facts.values() if not fact.built_in),
            *(self.window(window) for window in policy.windows.values()),
            *(self.rule(rule) for rule in policy.rules),
            *(self.limit(limit) for limit in policy.limits),
            *(self.domain(name) for name in policy.domains),
            *(self.budget(budget) for budget in policy.budgets.values()),
            *(self.escalation(escalation) for escalation in policy.escalations),
            *([] if policy.fallback is None else [self.fallback(policy.fallback)]),
            *([["hedge", "after", rng.choice(("10s", "1.5m"))]] if maybe(rng, 0.3) else []),
            *self.retries(),
            *self.alerts(),
            *self.promises(),
        ]
        return [*rows, ["end"]] if maybe(rng, 0.7) else rows

    # words

    def name(self, name: str) -> str:
        name = self.odd.get(name, name)
        reserved = name in RESERVED
        return f'"{name}"' if reserved or maybe(self.rng, 0.1) else name

    def names(self, names: Iterable[str]) -> Row:
        return listed(self.name(name) for name in names)

    def text(self) -> str:
        return f'"{self.rng.choice(ODD_TEXTS)}"'

    def because(self) -> Row:
        return ["because", self.text()] if maybe(self.rng, 0.4) else []

    # conditions

    def when(self, when: When) -> Row:
        row: Row = []
        for conditions in when:
            joined: Row = []
            for condition in conditions:
                joined += [*(["and"] if joined else []), *self.condition(condition)]
            row += [*(["or"] if row else []), "when", *joined] if joined else []
        return row

    def condition(self, condition: Condition) -> Row:
        match condition:
            case During():
                return ["outside" if condition.negated else "during", self.name(condition.window)]
            case BudgetIn():
                return ["budget", self.name(condition.budget), "is", *self.bound(condition)]
            case StartsWith():
                return [self.fact(condition.fact), "starts", "with", f'"{condition.prefix}"']
            case NumberIn():
                return self.number_condition(condition)
            case ValueIs():
                return self.value_condition(condition)

    def fact(self, name: str) -> str:
        return f'"{name}"' if maybe(self.rng, 0.05) else name

    def bound(self, condition: BudgetIn | NumberIn) -> Row:
        value = condition.high if condition.low is None else condition.low
        assert value is not None
        opened = condition.low_open if condition.low is not None else condition.high_open
        words = ("above", "at least") if condition.low is not None else ("below", "at most")
        if isinstance(condition, NumberIn):
            text = number(value)
        else:
            text = usd(Decimal(value)) if condition.in_money else f"{value}%"
        return [*words[0 if opened else 1].split(), text]

    def number_condition(self, condition: NumberIn) -> Row:
        row = [self.fact(condition.fact), "is"]
        low, high = condition.low, condition.high
        if low is None or high is None:
            return [*row, *self.bound(condition)]
        if low == high:
            return [*row, *(["not"] if condition.negated else []), number(low)]
        return [*row, number(low), "to", number(high)]

    def value_condition(self, condition: ValueIs) -> Row:
        text = self.policy.facts[condition.fact].kind is FactKind.TEXT
        values = [f'"{value}"' if text else self.value(condition.fact, value) for value in condition.values]
        several = len(values) > 1 or maybe(self.rng, 0.2)
        row = [self.fact(condition.fact), "is", *(["not"] if condition.negated else [])]
        return [*row, *(["one", "of"] if several else []), *listed(values)]

    def value(self, fact: str, value: str) -> str:
        named = fact in ("domain", "tier") and value != "none"
        return self.name(value) if named else f'"{value}"' if maybe(self.rng, 0.1) else value

    # statements

    def model(self, model: Model) -> Row:
        rng = self.rng
        costs = (usd(model.price_in_nusd_per_mtok), "in", ",", usd(model.price_out_nusd_per_mtok), "out")
        context = model.context_tokens
        clauses = [
            ["costs", *costs] if model.price_in_nusd_per_mtok else ["costs", "nothing"],
            ["can", *(listed(sorted(model.capabilities)) or ["nothing"])],
            [] if context is None else ["context", str(context)],
            ["output", "8k"] if maybe(rng, 0.3) else [],
            ["timeout", "90s"] if maybe(rng, 0.3) else [],
            ["set", "temperature", "0.20", ",", "top_p", "1"] if maybe(rng, 0.2) else [],
            ["alias", *listed(model.aliases)] if model.aliases else [],
            ["key", *model.key_names] if model.key_names else [],
            ["server", '"http://127.0.0.1:1/v1"'] if maybe(rng, 0.2) else [],
            [] if model.enabled else ["disabled"],
        ]
        if maybe(rng, 0.3):
            rng.shuffle(clauses)
        head = ["model", self.name(model.key), "is", f"offline/{model.key}"]
        return [*head, *(word for clause in clauses for word in clause)]

    def tier(self, index: int) -> Row:
        tier = self.policy.tiers[index]
        start = ["above" if tier.above else "from", "complexity", number(tier.start)]
        return ["tier", self.name(tier.name), *start, "has", *self.names(tier.models)]

    def input(self, fact: Fact) -> Row:
        kinds: dict[FactKind, Callable[[], Row]] = {
            FactKind.YES_NO: lambda: ["yes", "or", "no"],
            FactKind.CHOICE: lambda: ["one", "of", *listed(fact.values)],
            FactKind.NUMBER: lambda: ["0", "to", "1000"],
            FactKind.TEXT: lambda: ["text"],
        }
        default: Row = []
        if fact.default is not None:
            value = fact.default if isinstance(fact.default, str) else number(fact.default)
            default = ["default", f'"{value}"' if fact.kind is FactKind.TEXT else value]
        env = ["from", "env", "POLICY_INPUT"] if maybe(self.rng, 0.3) else []
        return ["input", fact.name, "is", *kinds[fact.kind](), *default, *env]

    def window(self, window: Window) -> Row:
        row = ["window", self.name(window.name), "is"]
        if window.outside is not None:
            return [*row, "outside", self.name(window.outside)]
        if window.cron is not None:
            return [*row, "cron", f'"{self.rng.choice(CRONS)}"']
        for number, span in enumerate(window.spans):
            days = self.rng.sample(sorted(span.days), len(span.days))
            all_day = (0, 1440) == (span.start_minute, span.end_minute) and maybe(self.rng, 0.8)
            times = ["all", "day"] if all_day else [clock(span.start_minute), "to", clock(span.end_minute)]
            row += [*([","] if number else []), *self.days(days), *times]
        return row

    def days(self, days: Sequence[int]) -> Row:
        if maybe(self.rng, 0.3):
            return [DAYS[days[0]], "to", DAYS[days[-1]]]
        return listed(DAYS[day] for day in days)

    def rule(self, rule: Rule) -> Row:
        use = self.names(rule.models) if rule.tier is None else ["tier", self.name(rule.tier)]
        return ["rule", self.name(rule.name), *self.when(rule.when), "use", *use, *self.because()]

    def limit(self, limit: Limit) -> Row:
        words = ["refuse"] if limit.kind is LimitKind.REFUSE else [*limit.kind.value.split()]
        return [*words, *self.names(limit.models), *self.when(limit.when), *self.because()]

    def domain(self, name: str) -> Row:
        domain = self.policy.domains[name]
        row = ["domain", self.name(name)]
        if not domain.models:
            return row
        return [
            *row,
            "prefers",
            *self.names(domain.models),
            *("at any tier".split() if domain.any_tier else []),
        ]

    def budget(self, budget: Budget) -> Row:
        row = ["budget", self.name(budget.name), "is", usd(budget.limit_nusd), "per", budget.period]
        if budget.scope is not None and budget.scope_name is not None:
            provider = budget.scope == "provider"
            row += ["for", budget.scope, "offline" if provider else self.name(budget.scope_name)]
        for level in budget.levels:
            action = {
                Action.DOWNGRADE: ["downgrade", str(level.tiers), "tier"],
                Action.ONLY: ["only", *self.names(level.models)],
            }
            row += ["at", f"{level.percent}%", *action.get(level.action, [level.action.value])]
        return row

    def escalation(self, escalation: Escalation) -> Row:
        source = [] if escalation.from_tier is None else ["from", self.name(escalation.from_tier)]
        target = ["next", "tier"] if escalation.to_tier is None else [self.name(escalation.to_tier)]
        cause = ["on", *listed(kind.value for kind in escalation.kinds)]
        if escalation.gate is not None:
            cause = ["when", "gate", f'"{escalation.gate}"', "fails"]
        return ["escalate", *source, "to", *target, *cause]

    def fallback(self, fallback: Fallback) -> Row:
        entries = [
            f"next {entry.count} of tier" if isinstance(entry, Mates) else self.name(entry)
            for entry in fallback.entries
        ]
        row = [word for entry in listed(entries) for word in entry.split()]
        return ["fallback", "to", *row, *(["in", "parallel"] if maybe(self.rng, 0.2) else [])]

    def retries(self) -> list[Row]:
        rng = self.rng
        models = some(rng, self.keys, 0, 2)
        rows = [["retry", "3", "attempts", "wait", "1s", *self.doubling(), *self.on()]]
        rows = rows if maybe(rng, 0.5) else []
        if models:
            rows.append(["retry", "for", *self.names(models), "2", "attempts", "wait", "500ms", *self.on()])
        return rows

    def doubling(self) -> Row:
        return self.rng.choice(([], ["doubling"], ["doubling", "up", "to", "1m"]))

    def on(self) -> Row:
        kinds = [kind.value for kind in some(self.rng, tuple(FailureKind), 0, 4)]
        row: Row = []
        while kinds:
            count = self.rng.randint(1, len(kinds))
            then = self.rng.choice((["wait", "2.5s"], ["next", "model"], ["stop"]))
            row += ["on", *listed(kinds[:count]), *then]
            kinds = kinds[count:]
        return row

    def alerts(self) -> list[Row]:
        rng = self.rng
        metrics = [("daily_cost", "$1,500"), (rng.choice(RATES), "2.5%"), ("latency_p95", "30s")]
        channels = (["log"], ["email", '"a@b.example"'], ["slack", "env", "HOOK"], ["webhook", "env", "HOOK"])
        bounds = ("above", "below", "at least", "at most")
        rows = []
        for metric, value in metrics[: rng.randint(0, 3)]:
            bound = rng.choice(bounds).split()
            rows.append(["alert", f"on_{metric}", "when", metric, "is", *bound, value, *rng.choice(channels)])
        return rows

    def promises(self) -> list[Row]:
        rng = self.rng
        whens = [rule.when for rule in self.policy.rules]
        claims = (
            ["no", *self.names(some(rng, self.keys, 1, 2))],
            ["at", "least", "2", "providers"],
            ["at", "most", "$5", "in"],
            ["at", "most", "$0.05", "per", "request"],
        )
        count = rng.randint(0, 2)
        return [
            ["promise", f"promise{n}", *rng.choice(claims), *(self.when(rng.choice(whens)) if whens else [])]
            for n in range(count)
        ]


# --- layouts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Laid:
    """A text, and for each comment in it, in their order, the number of the statement it belongs to."""

    text: str
    owners: tuple[tuple[str, int], ...]


def plainly(rows: Iterable[Row]) -> str:
    """One line a statement."""
    return "".join(" ".join(row).replace(" ,", ",") + "\n" for row in rows)


def at_random(rng: random.Random, rows: Sequence[Row], comments: float = 0.0, blanks: bool = True) -> Laid:
    """
    Any white space between words, and comments at so many of the places where one may stand.

    Without `blanks` no blank line stands between two statements.
    """
    text, owners = "", []

    def comment(owner: int) -> str:
        word = f"# c{len(owners)}{rng.choice(COMMENTS)}"
        owners.append((word, owner))
        return word + rng.choice(("\n", " \n", "\t\n"))

    for number, row in enumerate(rows):
        while maybe(rng, comments):
            text += comment(number) + rng.choice(("", "", "\n"))
        for index, word in enumerate(row):
            text += word
            if index + 1 == len(row):
                break
            blank = rng.choice((" ", " ", " ", "  ", "\t", "\n", "\n  ", " \n\n\t"))
            if row[index + 1] == "," and maybe(rng, 0.7):
                blank = ""
            if maybe(rng, comments):
                blank += rng.choice(("", "\n", "\n    ")) + comment(number)
                while maybe(rng, comments):
                    blank += rng.choice(("", "    ")) + comment(number)
            text += blank
        text += (" " + comment(number)) if maybe(rng, comments) else "\n"
        while maybe(rng, comments / 2):
            text += "   " + comment(number)
        text += rng.choice(("", "", "\n", "\n\n")) if blanks else ""
    return Laid(text, tuple(owners))


# --- YAML ------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z$][A-Za-z0-9$./_ -]*[A-Za-z0-9]")
_NO_TEXT = ("true", "false", "null")


def yaml_at_random(
    rng: random.Random, data: Mapping[str, Any], comments: float = 0.0
) -> tuple[str, list[str]]:
    """
    A document in any style of YAML, with comments at so many of the places where one may stand.

    Keys inside a statement stand in any order, those of the document and of its sections in theirs.
    """
    return _Yaml(rng, comments).document(data)


class _Yaml:
    def __init__(self, rng: random.Random, comments: float) -> None:
        self.rng = rng
        self.chance = comments
        self.comments: list[str] = []

    def document(self, data: Mapping[str, Any]) -> tuple[str, list[str]]:
        lines = [line for key, value in data.items() for line in self.pair(key, value, 0)]
        return "\n".join(["---", *lines][self.rng.randint(0, 1) :]) + "\n", self.comments

    def comment(self) -> str:
        self.comments.append(f"# c{len(self.comments)}{self.rng.choice(COMMENTS)}".rstrip())
        return self.comments[-1]

    def behind(self) -> str:
        return self.rng.choice((" ", "   ")) + self.comment() if maybe(self.rng, self.chance) else ""

    def above(self, depth: int) -> list[str]:
        if not maybe(self.rng, self.chance):
            return [""] if maybe(self.rng, 0.1) else []
        return [self.rng.choice(("", "  " * depth)) + self.comment()]

    def pair(self, key: str, value: Any, depth: int) -> list[str]:
        rng, pad = self.rng, "  " * depth
        above, start = self.above(depth), f"{pad}{self.scalar(key, key=True)}:"
        if isinstance(value, dict) and depth == 1 and maybe(rng, 0.5):
            value = dict(rng.sample(list(value.items()), len(value)))
        if not isinstance(value, dict | list):
            text = self.scalar(value)
            if (
                isinstance(value, str)
                and len(value.split()) > 3
                and maybe(rng, 0.3)
                and value == value.strip()
            ):
                head = f"{start} {rng.choice(('>-', '|', '>', '|-'))}{self.behind()}"
                return [*above, head, pad + "    " + value]
            return [*above, f"{start} {text}{self.behind()}"]
        if depth and maybe(rng, 0.3):
            return [*above, f"{start} {self.flow(value, pad)}{self.behind()}"]
        lines = [*above, start + self.behind()]
        if isinstance(value, dict):
            return lines + [line for k, v in value.items() for line in self.pair(k, v, depth + 1)]
        for item in value:
            lines += [*self.above(depth + 1), *self.item(item, depth + 1)]
        return lines

    def item(self, item: Any, depth: int) -> list[str]:
        pad = "  " * depth
        if not isinstance(item, dict) or maybe(self.rng, 0.4):
            return [f"{pad}- {self.flow(item, pad)}{self.behind()}"]
        chance, self.chance = self.chance, 0.0  # nothing may stand before the dash
        first, *rest = item.items()
        lines = self.pair(*first, depth + 1)
        self.chance = chance
        lines = [line for line in lines if line]
        return [
            f"{pad}- {lines[0].lstrip()}",
            *lines[1:],
            *(x for kv in rest for x in self.pair(*kv, depth + 1)),
        ]

    def flow(self, value: Any, pad: str) -> str:
        if isinstance(value, dict):
            parts = [f"{self.scalar(k, key=True)}: {self.flow(v, pad)}" for k, v in value.items()]
            return "{" + self.joined(parts, pad) + "}"
        if isinstance(value, list):
            return "[" + self.joined([self.flow(v, pad) for v in value], pad) + "]"
        return self.scalar(value)

    def joined(self, parts: list[str], pad: str) -> str:
        text = ""
        for number, part in enumerate(parts):
            text += part + ("," if number < len(parts) - 1 else "")
            if maybe(self.rng, self.chance):
                text += f" {self.comment()}\n{pad}     "
            elif number < len(parts) - 1:
                text += " "
        return text

    def scalar(self, value: Any, *, key: bool = False) -> str:
        if value is None:
            return self.rng.choice(("", "null", "~")) if not key else "null"
        if not isinstance(value, str):
            return str(value).lower()
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXT
        if plain and maybe(self.rng, 0.7):
            return value
        if maybe(self.rng, 0.5):
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii="🙂" not in value and maybe(self.rng, 0.5))
