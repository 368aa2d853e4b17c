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
from .document import Amount, Name
from .layout import Phrase, Shape, Word, run_lines, shape_with
from .phrases import (
    action_phrase,
    alert_text,
    attribute_phrase,
    bare_text,
    claim_phrase,
    conditions_phrase,
    entry_text,
    escalate_phrase,
    input_type,
    listed_phrase,
    name_text,
    names_phrase,
    quoted_text,
    scope_text,
    then_text,
    value_text,
    whens,
    window_phrase,
)
from .remarks import Remarks, finished, grouped, header_lines


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


def _clause(word: str, name: Name | Amount) -> Word:
    return Word(f"{word} {name.text if isinstance(name, Amount) else name_text(name)}", name.span.start)


def _because(because: Name | None) -> tuple[Phrase, ...]:
    if because is None:
        return ()
    return ((Word(f"because {quoted_text(because)}", because.span.start),),)


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


def _window(statement: doc.Window) -> Shape:
    name = _named("window", statement.name, statement)
    return Shape(((name,), window_phrase("is ", statement)))


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


def _level(level: doc.Level, width: int) -> Phrase:
    at, *more = action_phrase(level)
    return (Word(f"at {level.percent.text:{width}} {at.text}", level.span.start), *more)


def _escalate(statement: doc.Escalate) -> Shape:
    first, *rest = escalate_phrase(statement)
    return Shape(((Word(f"escalate {first.text}", statement.span.start), *rest),))


def _fallback(statement: doc.Fallback) -> Shape:
    after = " in parallel" if statement.parallel else ""
    entries = listed_phrase("fallback to ", statement.entries, after, entry_text)
    return Shape((_starting_at(statement.span.start, entries),))


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
    return listed_phrase("on ", clause.kinds, f" {then_text(clause)}", bare_text)


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


def _promise(statement: doc.Promise) -> Shape:
    name = _named("promise", statement.name, statement)
    return _conditional(((name,), claim_phrase(statement)), whens(statement.when))


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
