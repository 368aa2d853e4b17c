"""
Statements -> .policy text, in the one layout that `fmt` gives.

What is written is read back as the same statements: names stand in quotes only where they must,
amounts and texts as they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from . import document as doc
from .checks.p111_unwritable import Unwritable, unwritable
from .document import Amount, Name
from .layout import Phrase, Shape, Word, run_lines, shape_with
from .parser import reads_as_name
from .remarks import Remarks, blank, spaced

_ANY_VALUE = ("yes", "no", "nothing")
_OWN_FACTS = ("complexity", "domain", "tier")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def policy_text(
    statements: Sequence[doc.Statement], remarks: Remarks | None = None, *, header: Iterable[str] = ()
) -> str:
    """
    The statements of one file as .policy text.

    Args:
        remarks: the comments and blank lines around them; without them each group of statements is set
            off by a blank line.
        header: lines of a comment that goes in front, without their `#`.

    Raises:
        Unwritable: something that can't be said in .policy text, which only YAML or code can give.
    """
    remarks = grouped(statements) if remarks is None else remarks
    lines = header_lines(header)
    noted = zip(statements, remarks.notes, strict=True)
    for _, run in groupby(noted, key=lambda pair: type(pair[0])):
        members = list(run)
        blocks: list[list[Shape]] = [[]]
        for statement, notes in members:
            blocks += [[]] if "" in notes.above else []
            blocks[-1].append(shape_with(shape_of(statement), notes.inside))
        for (_, notes), written in zip(members, run_lines(blocks), strict=True):
            lines += (*notes.above, *written)
    return finished([*lines, *remarks.below])


def header_lines(header: Iterable[str]) -> list[str]:
    """The lines of a comment, and a blank one behind them."""
    lines = [f"# {line}".rstrip() for line in header]
    return [*lines, ""] if lines else []


def finished(lines: Sequence[str]) -> str:
    """Lines as the text of a file: none of them blank at its start or end, and no two behind each other."""
    kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
    return "\n".join(kept).strip("\n") + "\n" if any(kept) else ""


def grouped(statements: Sequence[doc.Statement], remarks: Remarks | None = None) -> Remarks:
    """The remarks with a blank line wherever another group of statements starts."""
    groups = [_GROUPS.get(type(statement), type(statement).__name__) for statement in statements]
    starts = {i for i in range(1, len(groups)) if groups[i] != groups[i - 1]}
    return spaced(blank(len(statements)) if remarks is None else remarks, starts)


_GROUPS: dict[type[doc.Statement], str] = {
    **dict.fromkeys((doc.Header, doc.Timezone, doc.Baseline, doc.Estimate), "head"),
    **dict.fromkeys((doc.Escalate, doc.Fallback, doc.Hedge, doc.Retry), "failure"),
}
"""Kinds that stand together without a blank line where nobody has laid them out yet."""


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


def _listed(
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
    return _listed(before, names, after, name_text)


def _clause(word: str, name: Name | Amount) -> Word:
    return Word(f"{word} {name.text if isinstance(name, Amount) else name_text(name)}", name.span.start)


def _because(because: Name | None) -> tuple[Phrase, ...]:
    if because is None:
        return ()
    return ((Word(f"because {quoted_text(because)}", because.span.start),),)


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
        first, *rest = _listed(f"{subject} is {form} ", values)
        return (Word(first.text, at), *rest)
    if form == "between":
        return (Word(f"{subject} is {values[0].text} to {values[1].text}", at),)
    verb = {"is": "is", "is not": "is not", "starts with": "starts with"}.get(form, f"is {form}")
    value = values[0]
    text = quoted_text(value) if form == "starts with" and isinstance(value, Name) else value_text(value)
    return (Word(f"{subject} {verb} {text}", at),)


# --- statements ------------------------------------------------------------------------------------


def shape_of(statement: doc.Statement) -> Shape:
    """A statement as phrases."""
    return _SHAPES[type(statement)](statement)


def _line(statement: doc.Statement, text: str) -> Shape:
    return Shape(((Word(text, statement.span.start),),))


def _named(word: str, name: Name, statement: doc.Statement) -> Word:
    """The start of a statement that has a name."""
    return Word(f"{word} {name_text(name)}", statement.span.start, opener=True)


def _header(statement: doc.Header) -> Shape:
    version = "" if statement.version is None else f" version {statement.version}"
    return _line(statement, f"policy {quoted_text(statement.name)}{version}")


def _timezone(statement: doc.Timezone) -> Shape:
    return _line(statement, f"timezone {name_text(statement.name)}")


def _include(statement: doc.Include) -> Shape:
    return _line(statement, f"include {quoted_text(statement.path)}")


def _baseline(statement: doc.Baseline) -> Shape:
    return _line(statement, f"baseline {name_text(statement.model)}")


def _estimate(statement: doc.Estimate) -> Shape:
    return _line(statement, f"estimate {statement.input_tokens.text} in, {statement.output_tokens.text} out")


def _model(statement: doc.Model) -> Shape:
    key = _named("model", statement.key, statement)
    clauses = tuple(attribute_phrase(f"{a.kind} ", a) for a in statement.attributes)
    costs_first = bool(statement.attributes) and statement.attributes[0].kind == "costs"
    tail = clauses if costs_first or not clauses else ((), *clauses)
    return Shape(((key,), (_clause("is", statement.target),)), tail, aligned=1)


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


def _tier(statement: doc.Tier) -> Shape:
    name = _named("tier", statement.name, statement)
    start = _clause(f"{'above' if statement.above else 'from'} complexity", statement.start)
    return Shape(((name,), (start,)), (names_phrase("has ", statement.models),))


def _input(statement: doc.Input) -> Shape:
    name = _named("input", statement.name, statement)
    default, env = statement.default, statement.env
    tail = (
        () if default is None else (Word(f"default {value_text(default)}", default.span.start),),
        () if env is None else (Word(f"from env {bare_text(env)}", env.span.start),),
    )
    return Shape(((name,), input_type("is ", statement)), tail if any(tail) else (), aligned=1)


def input_type(before: str, statement: doc.Input) -> Phrase:
    """What an input can be."""
    values = statement.values
    if statement.form == "one of":
        return _listed(f"{before}one of ", values)
    text = f"{values[0].text} to {values[1].text}" if statement.form == "interval" else statement.form
    return (Word(before + text, values[0].span.start if values else statement.span.start),)


def _window(statement: doc.Window) -> Shape:
    name = _named("window", statement.name, statement)
    return Shape(((name,), window_phrase("is ", statement)))


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


def _rule(statement: doc.Rule) -> Shape:
    name = _named("rule", statement.name, statement)
    if statement.tier is not None:
        use: Phrase = (_clause("use tier", statement.tier),)
    else:
        use = names_phrase("use ", statement.models)
    clauses = (*whens(statement.when), use, *_because(statement.because))
    return Shape(((name,),), clauses=clauses)


def _limit(statement: doc.Limit) -> Shape:
    at, because = statement.span.start, _because(statement.because)
    conditions = whens(statement.when)
    if statement.kind == "refuse":
        first, *more = conditions
        head = (Word(f"refuse {first[0].text}", at), *first[1:])
        return Shape((head,), clauses=(*more, *because), alone=True)
    head = _starting_at(at, names_phrase(f"{statement.kind} ", statement.models))
    return _conditional((head,), conditions, because)


def _starting_at(at: int, phrase: Phrase) -> Phrase:
    return (Word(phrase[0].text, at), *phrase[1:])


def _conditional(
    head: tuple[Phrase, ...], conditions: tuple[Phrase, ...], because: tuple[Phrase, ...] = ()
) -> Shape:
    """A statement with one `when` behind its head, or several below it."""
    if len(conditions) == 1:
        return Shape(head, conditions, because, alone=True)
    return Shape(head, clauses=(*conditions, *because), alone=True)


def _domain(statement: doc.Domain) -> Shape:
    name = _named("domain", statement.name, statement)
    after = " at any tier" if statement.any_tier else ""
    return Shape(((name,), names_phrase("prefers ", statement.models, after)))


def _budget(statement: doc.Budget) -> Shape:
    scope = "" if statement.scope is None else f" {scope_text('for ', statement)}"
    limit = f"{statement.limit.text} per {statement.period.text}"
    head = Word(f"budget {name_text(statement.name)} is {limit}{scope}", statement.span.start)
    width = max((len(level.percent.text) for level in statement.levels), default=0)
    clauses = tuple(_level(level, min(width, 8)) for level in statement.levels)
    return Shape(((head,),), clauses=clauses)


def scope_text(before: str, statement: doc.Budget) -> str:
    """What a budget is for."""
    assert statement.scope_name is not None
    return f"{before}{statement.scope} {name_text(statement.scope_name)}"


def _level(level: doc.Level, width: int) -> Phrase:
    at, *more = action_phrase(level)
    return (Word(f"at {level.percent.text:{width}} {at.text}", level.span.start), *more)


def action_phrase(level: doc.Level) -> Phrase:
    """What a level does."""
    at = level.percent.span.start
    if level.tiers is not None:
        return (Word(f"downgrade {level.tiers.text} tier", at),)
    return names_phrase("only ", level.models) if level.action == "only" else (Word(level.action, at),)


def _escalate(statement: doc.Escalate) -> Shape:
    first, *rest = escalate_phrase(statement)
    return Shape(((Word(f"escalate {first.text}", statement.span.start), *rest),))


def escalate_phrase(statement: doc.Escalate) -> Phrase:
    """What an escalation does, behind its first word."""
    source = "" if statement.from_tier is None else f"from {name_text(statement.from_tier)} "
    target = "next tier" if statement.to_tier is None else name_text(statement.to_tier)
    to = f"{source}to {target}"
    if statement.gate is not None:
        return (Word(f"{to} when gate {name_text(statement.gate)} fails", statement.span.start),)
    return (Word(to, statement.span.start), *_listed("on ", statement.kinds, "", bare_text))


def _fallback(statement: doc.Fallback) -> Shape:
    after = " in parallel" if statement.parallel else ""
    entries = _listed("fallback to ", statement.entries, after, entry_text)
    return Shape((_starting_at(statement.span.start, entries),))


def entry_text(entry: doc.Value) -> str:
    """An entry of the fallback list."""
    return f"next {entry.text} of tier" if isinstance(entry, Amount) else name_text(entry)


def _hedge(statement: doc.Hedge) -> Shape:
    return _line(statement, f"hedge after {statement.after.text}")


def _retry(statement: doc.Retry) -> Shape:
    cap = "" if statement.cap is None else f" up to {statement.cap.text}"
    doubling = f" doubling{cap}" if statement.doubling else ""
    attempts = f"{statement.attempts.text} attempts wait {statement.wait.text}{doubling}"
    at = statement.span.start
    if statement.models:
        models = _starting_at(at, names_phrase("retry for ", statement.models))
        head = (*models, Word(attempts, statement.attempts.span.start))
    else:
        head = (Word(f"retry {attempts}", at),)
    return Shape((head,), clauses=tuple(_on(clause) for clause in statement.on))


def _on(clause: doc.OnFailure) -> Phrase:
    return _listed("on ", clause.kinds, f" {then_text(clause)}", bare_text)


def then_text(clause: doc.OnFailure) -> str:
    """What is done on a kind of failure."""
    return clause.then if clause.wait is None else f"wait {clause.wait.text}"


def _alert(statement: doc.Alert) -> Shape:
    name = _named("alert", statement.name, statement)
    when = Word(f"when {alert_text(statement)}", statement.metric.span.start)
    target = statement.target
    if target is None:
        channel = Word(statement.channel, statement.span.end - 1)
    elif statement.channel == "email":
        channel = Word(f"email {quoted_text(target)}", target.span.start)
    else:
        channel = Word(f"{statement.channel} env {bare_text(target)}", target.span.start)
    return Shape(((name,), (when,), (channel,)))


def alert_text(statement: doc.Alert) -> str:
    """The metric of an alert and its bound."""
    return f"{bare_text(statement.metric)} is {statement.bound} {statement.value.text}"


def _promise(statement: doc.Promise) -> Shape:
    name = _named("promise", statement.name, statement)
    return _conditional(((name,), claim_phrase(statement)), whens(statement.when))


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


def _example(statement: doc.Example) -> Shape:
    conditions = _starting_at(statement.span.start, conditions_phrase("example ", statement.conditions))
    return Shape((conditions,), (names_phrase("gives ", statement.gives),), alone=True)


def _end(statement: doc.End) -> Shape:
    return _line(statement, "end")


_SHAPES: dict[type[doc.Statement], Callable[[Any], Shape]] = {
    doc.Header: _header,
    doc.Timezone: _timezone,
    doc.Include: _include,
    doc.Baseline: _baseline,
    doc.Estimate: _estimate,
    doc.Model: _model,
    doc.Tier: _tier,
    doc.Input: _input,
    doc.Window: _window,
    doc.Rule: _rule,
    doc.Limit: _limit,
    doc.Domain: _domain,
    doc.Budget: _budget,
    doc.Escalate: _escalate,
    doc.Fallback: _fallback,
    doc.Hedge: _hedge,
    doc.Retry: _retry,
    doc.Alert: _alert,
    doc.Promise: _promise,
    doc.Example: _example,
    doc.End: _end,
}
