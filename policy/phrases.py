"""
What both surfaces write in the same words: names and values, conditions, and the clauses of statements.

A phrase starts with the words of the language that it is given, if it stands behind any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import document as doc
from .checks.p111_unwritable import Unwritable, unwritable
from .document import Amount, Name
from .layout import Phrase, Word
from .parser import reads_as_name

_ANY_VALUE = ("yes", "no", "nothing")
_OWN_FACTS = ("complexity", "domain", "tier")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


# --- words -----------------------------------------------------------------------------------------


def name_text(name: Name) -> str:
    """A name, in quotes where the language needs them."""
    return name.text if reads_as_name(name.text) else quoted_text(name)


def quoted_text(name: Name) -> str:
    """A text in its quotes."""
    if '"' in name.text or "\n" in name.text:
        raise Unwritable(unwritable(name.span, name.text, ".policy text"))
    return f'"{name.text}"'


def bare_text(name: Name) -> str:
    """A name where the language takes no quotes."""
    if not reads_as_name(name.text) and name.text != "timeout":
        raise Unwritable(unwritable(name.span, name.text, ".policy text"))
    return name.text


def value_text(value: doc.Value) -> str:
    """A value of a condition: as it was written, in quotes or not."""
    if isinstance(value, Amount) or (value.text in _ANY_VALUE and not value.quoted):
        return value.text
    return quoted_text(value) if value.quoted else name_text(value)


def _fact_text(name: Name) -> str:
    return name.text if name.text in _OWN_FACTS else name_text(name)


def listed_phrase(
    before: str, items: Sequence[doc.Value], after: str = "", text: Callable[[Any], str] = value_text
) -> Phrase:
    """A list, one word an item; the words of the language around it belong to its ends."""
    last = len(items) - 1
    return tuple(
        Word(
            f"{before if i == 0 else ''}{text(item)}{',' if i < last else after}",
            item.span.start,
        )
        for i, item in enumerate(items)
    )


def names_phrase(before: str, names: Sequence[Name], after: str = "") -> Phrase:
    """A list of names."""
    return listed_phrase(before, names, after, name_text)


# --- conditions ------------------------------------------------------------------------------------


def whens(alternatives: Iterable[doc.Alternative]) -> tuple[Phrase, ...]:
    """Each `when` or `or when` as a phrase."""
    return tuple(conditions_phrase("or when " if a.joined else "when ", a.conditions) for a in alternatives)


def conditions_phrase(before: str, conditions: Iterable[doc.Condition]) -> Phrase:
    """Conditions that are joined by `and`."""
    words: list[Word] = []
    for number, condition in enumerate(conditions):
        words += _condition(before if number == 0 else "and ", condition)
    return tuple(words)


def _condition(before: str, condition: doc.Condition) -> Phrase:
    form, values = condition.form, condition.values
    at = condition.span.start
    if form in ("during", "outside"):
        return (Word(f"{before}{form} {name_text(condition.subject)}", at),)
    if condition.budget:
        subject = f"{before}budget {name_text(condition.subject)}"
    else:
        subject = before + _fact_text(condition.subject)
    if form in ("one of", "not one of"):
        first, *rest = listed_phrase(f"{subject} is {form} ", values)
        return (Word(first.text, at), *rest)
    if form == "between":
        return (Word(f"{subject} is {values[0].text} to {values[1].text}", at),)
    verb = {"is": "is", "is not": "is not", "starts with": "starts with"}.get(form, f"is {form}")
    value = values[0]
    text = quoted_text(value) if form == "starts with" and isinstance(value, Name) else value_text(value)
    return (Word(f"{subject} {verb} {text}", at),)


# --- clauses ---------------------------------------------------------------------------------------


def attribute_phrase(before: str, attribute: doc.Attribute) -> Phrase:
    """A clause of a model behind the word that names it."""
    kind, values, at = attribute.kind, attribute.values, attribute.span.start
    if kind == "set":
        last = len(values) - 2
        pairs = ((i, bare_text(_name(values[i])), values[i + 1].text) for i in range(0, len(values), 2))
        words = [(values[i].span.start, f"{name} {n}{',' if i < last else ''}") for i, name, n in pairs]
        return tuple(Word((before if i == 0 else "") + text, at) for i, (at, text) in enumerate(words))
    if kind in ("can", "alias") and values:
        return names_phrase(before, [_name(value) for value in values])
    if kind == "costs" and values:
        return (Word(f"{before}{values[0].text} in, {values[1].text} out", at),)
    if kind in ("costs", "can"):
        return (Word(f"{before}nothing", at),)
    if kind == "disabled":
        return (Word(before.strip(), at),)
    value = values[0]
    text = quoted_text(_name(value)) if kind == "server" else value_text(value)
    return (Word(before + text, at),)


def _name(value: doc.Value) -> Name:
    assert isinstance(value, Name)  # the grammar takes no amount here
    return value


def input_type(before: str, statement: doc.Input) -> Phrase:
    """What an input can be."""
    values = statement.values
    if statement.form == "one of":
        return listed_phrase(f"{before}one of ", values)
    text = f"{values[0].text} to {values[1].text}" if statement.form == "interval" else statement.form
    return (Word(before + text, values[0].span.start if values else statement.span.start),)


def window_phrase(before: str, statement: doc.Window) -> Phrase:
    """When a window holds."""
    if statement.cron is not None:
        return (Word(f"{before}cron {quoted_text(statement.cron)}", statement.cron.span.start),)
    if statement.outside is not None:
        return (Word(f"{before}outside {name_text(statement.outside)}", statement.outside.span.start),)
    last = len(statement.stretches) - 1
    return tuple(
        Word(f"{before if i == 0 else ''}{_stretch(stretch)}{',' if i < last else ''}", stretch.span.start)
        for i, stretch in enumerate(statement.stretches)
    )


def _stretch(stretch: doc.Stretch) -> str:
    times = (stretch.start.text, stretch.end.text)
    return f"{_days(stretch.days)} {'all day' if times == ('00:00', '24:00') else ' to '.join(times)}"


def _days(days: Sequence[int]) -> str:
    """Days in their order; those that follow each other as a range."""
    parts: list[list[int]] = []
    for day in days:
        if parts and day == (parts[-1][-1] + 1) % 7 and len(parts[-1]) < 7:
            parts[-1].append(day)
        else:
            parts.append([day])
    ends = ((_DAYS[part[0]], _DAYS[part[-1]]) for part in parts)
    return ", ".join(first if first == last else f"{first} to {last}" for first, last in ends)


def scope_text(before: str, statement: doc.Budget) -> str:
    """What a budget is for."""
    assert statement.scope_name is not None
    return f"{before}{statement.scope} {name_text(statement.scope_name)}"


def action_phrase(level: doc.Level) -> Phrase:
    """What a level does."""
    at = level.percent.span.start
    if level.tiers is not None:
        return (Word(f"downgrade {level.tiers.text} tier", at),)
    return names_phrase("only ", level.models) if level.action == "only" else (Word(level.action, at),)


def escalate_phrase(statement: doc.Escalate) -> Phrase:
    """What an escalation does, behind its first word."""
    source = "" if statement.from_tier is None else f"from {name_text(statement.from_tier)} "
    target = "next tier" if statement.to_tier is None else name_text(statement.to_tier)
    to = f"{source}to {target}"
    if statement.gate is not None:
        return (Word(f"{to} when gate {name_text(statement.gate)} fails", statement.span.start),)
    return (Word(to, statement.span.start), *listed_phrase("on ", statement.kinds, "", bare_text))


def entry_text(entry: doc.Value) -> str:
    """An entry of the fallback list."""
    return f"next {entry.text} of tier" if isinstance(entry, Amount) else name_text(entry)


def then_text(clause: doc.OnFailure) -> str:
    """What is done on a kind of failure."""
    return clause.then if clause.wait is None else f"wait {clause.wait.text}"


def alert_text(statement: doc.Alert) -> str:
    """The metric of an alert and its bound."""
    return f"{bare_text(statement.metric)} is {statement.bound} {statement.value.text}"


def claim_phrase(statement: doc.Promise) -> Phrase:
    """What a promise says."""
    amount = statement.amount
    if amount is None:
        return names_phrase("no ", statement.models)
    text = {
        "providers": f"at least {amount.text} providers",
        "price": f"at most {amount.text} in",
        "cost": f"at most {amount.text} per request",
    }[statement.claim]
    return (Word(text, amount.span.start),)
