"""
Statements -> YAML, in the one layout that `fmt` gives.

The statements of one kind stand together below one key, in their order; kinds stand in the order in
which each is met first. An entry has one line if it has room there, else one line a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import document as doc
from .checks.p111_unwritable import Unwritable, unwritable
from .document import Amount, Name
from .layout import Phrase, text_of
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
    name_text,
    scope_text,
    then_text,
    value_text,
    window_phrase,
)
from .remarks import Comment, Notes, Remarks, finished, grouped, header_lines
from .yaml_layout import Fields, Items, Leaf, Tree, entry_lines


def yaml_text(
    statements: Sequence[doc.Statement], remarks: Remarks | None = None, *, header: Iterable[str] = ()
) -> str:
    """
    The statements of one file as YAML.

    Args:
        remarks: the comments and blank lines around them; without them each group of statements is set
            off by a blank line.
        header: lines of a comment that goes in front, without their `#`.

    Raises:
        Unwritable: something that can't be said in YAML, such as a name that is declared twice.
    """
    remarks = grouped(statements) if remarks is None else remarks
    _check_includes(statements)
    sections: dict[str, list[Noted]] = {}
    for statement, notes in zip(statements, remarks.notes, strict=True):
        sections.setdefault(_key_of(statement), []).append((statement, notes))
    lines = header_lines(header)
    for key, members in sections.items():
        _check_names(key, [statement for statement, _ in members])
        lines += _single(*members[0]) if type(members[0][0]) in _SINGLE else _section(key, members)
    return finished([*lines, *remarks.below])


Noted = tuple[doc.Statement, Notes]


def _check_includes(statements: Sequence[doc.Statement]) -> None:
    """All includes of a file stand together, and so do the statements of each kind."""
    last: doc.Include | None = None
    seen: set[str] = set()
    before: set[str] = set()
    after = False
    for statement in statements:
        key = _key_of(statement)
        if isinstance(statement, doc.Include):
            if after:
                raise Unwritable(unwritable(statement.span, statement.path.text, _PARTED))
            last, before = statement, set(seen)
        elif type(statement) not in _SINGLE:
            after = last is not None
            if last is not None and key in before:
                raise Unwritable(unwritable(last.span, last.path.text, _PARTED))
            seen.add(key)


_PARTED = "YAML, with statements of one kind before it and behind it"


def _check_names(key: str, statements: Sequence[doc.Statement]) -> None:
    """Nothing stands twice below one key."""
    first: dict[str, doc.Statement] = {}
    for statement in statements:
        name = key if type(statement) in _SINGLE else _name_of(statement)
        if name is not None and name in first:
            raise Unwritable(unwritable(statement.span, name, "YAML a second time", first[name].span))
        if name is not None:
            first[name] = statement


def _key_of(statement: doc.Statement) -> str:
    """The key of the document that a statement stands at or below."""
    return _KEYS[type(statement)]


def _name_of(statement: Any) -> str | None:
    """The key of a statement among its kind."""
    if type(statement) not in _NAMED:
        return None
    name: Name = statement.key if isinstance(statement, doc.Model) else statement.name
    return name.text


# --- lines -----------------------------------------------------------------------------------------


def _single(statement: doc.Statement, notes: Notes) -> Iterator[str]:
    """A statement that is a key of the document itself."""
    yield from notes.above
    lines, trailing = entry_lines(Fields(_SINGLE[type(statement)][1](statement)), notes.inside, 0)
    yield from lines
    yield from (f"  {comment}" for comment in trailing)


def _section(key: str, members: Sequence[Noted]) -> Iterator[str]:
    """A key of the document with all statements of one kind below it."""
    over, own = _split(members[0][1].above)
    yield from (*over, f"{key}:")
    for number, (statement, notes) in enumerate(members):
        yield from (f"  {line}".rstrip() for line in (notes.above if number else own))
        written, trailing = _entry(statement, notes.inside)
        yield from written
        indent = "    " if number < len(members) - 1 else "  "
        yield from (indent + comment for comment in trailing)


def _split(above: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines above a section's key, and those below it, above its first statement."""
    if "" not in above:
        return (), above
    start = len(above) - above[::-1].index("")
    over = above[:start]
    return (over[:-1] if any(over) else over), above[start:]


def _entry(statement: doc.Statement, inside: Sequence[Comment]) -> tuple[list[str], tuple[str, ...]]:
    """One statement below its section's key, and the comments that stand behind it."""
    if type(statement) in _LISTED:
        return entry_lines(_LISTED[type(statement)][1](statement), inside, 2, item=True)
    name = Leaf(_name_of(statement) or "", statement.span.start, opener=True)
    return entry_lines(Fields(((name, _NAMED[type(statement)][1](statement)),)), inside, 2)


# --- statements ------------------------------------------------------------------------------------


def _key(text: str) -> Leaf:
    return Leaf(text, -1, opener=True, form="value")


def _leaf(phrase: Phrase, form: str = "text") -> Leaf:
    """A phrase of the language as one text."""
    return Leaf(text_of(phrase), phrase[0].at, form=form)


def _named(name: Name) -> Leaf:
    return Leaf(name.text, name.span.start)


def _names(names: Iterable[doc.Value]) -> Items:
    return Items(tuple(Leaf(name.text, name.span.start) for name in names))


def _amount(amount: Amount) -> Leaf:
    """An amount, which is a number for YAML too where it has no unit."""
    return Leaf(amount.text, amount.span.start, form="value")


def _fields(*pairs: tuple[str, Tree | None], block: bool = False) -> Fields:
    """A map of what is there."""
    return Fields(tuple((_key(key), tree) for key, tree in pairs if tree is not None), block)


def _true(at: doc.Statement | doc.Attribute | Amount) -> Leaf:
    """A word of the language that ends what it belongs to."""
    return Leaf("true", at.span.end - 1, form="literal")


def _model(statement: doc.Model) -> Fields:
    _check_once(statement, [attribute.kind for attribute in statement.attributes])
    attributes = ((attribute.kind, _attribute(attribute)) for attribute in statement.attributes)
    return _fields(("is", _named(statement.target)), *attributes)


def _check_once(statement: doc.Statement, keys: Sequence[str]) -> None:
    """Keys inside a statement, none of which may stand twice."""
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise Unwritable(unwritable(statement.span, key, "YAML twice in one statement"))


def _attribute(attribute: doc.Attribute) -> Tree:
    kind, values, at = attribute.kind, attribute.values, attribute.span.start
    if kind == "set":
        names = [value.text for value in values[::2]]
        pairs = zip(names, values[1::2], strict=True)
        return _fields(*((name, Leaf(value.text, value.span.start, form="value")) for name, value in pairs))
    if kind in ("can", "alias") and values:
        return _names(values)
    if kind == "disabled":
        return _true(attribute)
    if kind in ("key", "server"):
        return Leaf(values[0].text, at)
    return _leaf(attribute_phrase("", attribute), "value")


def _tier(statement: doc.Tier) -> Fields:
    start = "above" if statement.above else "from"
    return _fields((start, _amount(statement.start)), ("has", _names(statement.models)))


def _input(statement: doc.Input) -> Fields:
    default, env = statement.default, statement.env
    return _fields(
        ("is", _leaf(input_type("", statement))),
        ("default", None if default is None else _value(default)),
        ("env", None if env is None else _named(env)),
    )


def _value(value: doc.Value) -> Leaf:
    if isinstance(value, Amount):
        return _amount(value)
    quoted = value_text(value) != value.text or value.text in ("true", "false", "null")
    return Leaf(value.text, value.span.start, form="quoted" if quoted else "value")


def _when(alternatives: Sequence[doc.Alternative]) -> Tree | None:
    """One condition, or a list of alternatives."""
    for number, alternative in enumerate(alternatives):
        if alternative.joined != (number > 0):
            word = "or when" if alternative.joined else "when"
            raise Unwritable(unwritable(alternative.span, word, "YAML in this place"))
    leaves = tuple(_leaf(conditions_phrase("", a.conditions)) for a in alternatives)
    if len(leaves) < 2:
        return leaves[0] if leaves else None
    return Items(leaves, block=True)


def _because(because: Name | None) -> Leaf | None:
    return None if because is None else _named(because)


def _rule(statement: doc.Rule) -> Fields:
    tier = statement.tier
    return _fields(
        ("when", _when(statement.when)),
        ("use", _names(statement.models) if tier is None else _words(f"tier {name_text(tier)}", tier)),
        ("because", _because(statement.because)),
        block=True,
    )


def _words(text: str, at: Name | Amount) -> Leaf:
    return Leaf(text, at.span.start)


def _limit(statement: doc.Limit) -> Fields:
    when, because = _when(statement.when), _because(statement.because)
    if statement.kind == "refuse":
        return _fields(("refuse_when", when), ("because", because), block=True)
    models = (statement.kind.replace(" ", "_"), _names(statement.models))
    return _fields(models, ("when", when), ("because", because), block=True)


def _domain(statement: doc.Domain) -> Tree:
    if not statement.models:
        return Leaf("", statement.name.span.start, form="literal")
    any_tier = _true(statement) if statement.any_tier else None
    return _fields(("prefers", _names(statement.models)), ("at_any_tier", any_tier))


def _budget(statement: doc.Budget) -> Fields:
    _check_once(statement, [level.percent.text for level in statement.levels])
    scope = statement.scope_name
    levels = [(level.percent.text, _leaf(action_phrase(level))) for level in statement.levels]
    return _fields(
        ("is", _words(f"{statement.limit.text} per {statement.period.text}", statement.limit)),
        ("for", None if scope is None else _words(scope_text("", statement), scope)),
        ("levels", _fields(*levels, block=True) if levels else None),
        block=bool(levels),
    )


def _fallback(statement: doc.Fallback) -> tuple[tuple[Leaf, Tree], ...]:
    entries = Items(tuple(Leaf(entry_text(e), e.span.start) for e in statement.entries))
    tree: Tree = entries
    if statement.parallel:
        tree = _fields(("to", entries), ("in_parallel", _true(statement)))
    return _root(statement, "fallback", tree)


def _root(statement: doc.Statement, key: str, tree: Tree) -> tuple[tuple[Leaf, Tree], ...]:
    """A key of the document itself."""
    return ((Leaf(key, statement.span.start, opener=True), tree),)


def _header(statement: doc.Header) -> tuple[tuple[Leaf, Tree], ...]:
    name = _root(statement, "policy", _named(statement.name))
    if statement.version is None:
        return name
    at = max(statement.name.span.end, statement.span.end - 1)
    return (*name, (_key("version"), Leaf(statement.version, at, form="value")))


def _estimate(statement: doc.Estimate) -> tuple[tuple[Leaf, Tree], ...]:
    text = f"{statement.input_tokens.text} in, {statement.output_tokens.text} out"
    return _root(statement, "estimate", _words(text, statement.input_tokens))


def _retry(statement: doc.Retry) -> Fields:
    kinds = [", ".join(bare_text(kind) for kind in clause.kinds) for clause in statement.on]
    _check_once(statement, kinds)
    clauses = (
        (text, _words(then_text(clause), clause.kinds[0]))
        for text, clause in zip(kinds, statement.on, strict=True)
    )
    return _fields(
        ("for", _names(statement.models) if statement.models else None),
        ("attempts", _amount(statement.attempts)),
        ("wait", _amount(statement.wait)),
        ("doubling", _doubling(statement)),
        ("on", _fields(*clauses) if statement.on else None),
    )


def _doubling(statement: doc.Retry) -> Leaf | None:
    cap = statement.cap
    if cap is not None:
        return _words(f"up to {cap.text}", cap)
    return _true(statement.wait) if statement.doubling else None


def _alert(statement: doc.Alert) -> Fields:
    target = statement.target
    channel = _true(statement) if target is None else _named(target)
    return _fields(("when", _words(alert_text(statement), statement.metric)), (statement.channel, channel))


def _promise(statement: doc.Promise) -> Fields:
    return _fields(("claim", _leaf(claim_phrase(statement))), ("when", _when(statement.when)))


def _example(statement: doc.Example) -> Fields:
    when = _leaf(conditions_phrase("", statement.conditions))
    return _fields(("when", when), ("gives", _names(statement.gives)))


_NAMED: dict[type[doc.Statement], tuple[str, Callable[[Any], Tree]]] = {
    doc.Model: ("models", _model),
    doc.Tier: ("tiers", _tier),
    doc.Input: ("inputs", _input),
    doc.Window: ("windows", lambda statement: _leaf(window_phrase("", statement))),
    doc.Rule: ("rules", _rule),
    doc.Domain: ("domains", _domain),
    doc.Budget: ("budgets", _budget),
    doc.Alert: ("alerts", _alert),
    doc.Promise: ("promises", _promise),
}
"""Kinds whose statements are entries of a map, by name."""

_LISTED: dict[type[doc.Statement], tuple[str, Callable[[Any], Tree]]] = {
    doc.Include: ("include", lambda statement: _named(statement.path)),
    doc.Limit: ("limits", _limit),
    doc.Escalate: ("escalate", lambda statement: _leaf(escalate_phrase(statement))),
    doc.Retry: ("retry", _retry),
    doc.Example: ("examples", _example),
}
"""Kinds whose statements are items of a list."""

_SINGLE: dict[type[doc.Statement], tuple[str, Callable[[Any], tuple[tuple[Leaf, Tree], ...]]]] = {
    doc.Header: ("policy", _header),
    doc.Timezone: ("timezone", lambda s: _root(s, "timezone", _named(s.name))),
    doc.Baseline: ("baseline", lambda s: _root(s, "baseline", _named(s.model))),
    doc.Estimate: ("estimate", _estimate),
    doc.Fallback: ("fallback", _fallback),
    doc.Hedge: ("hedge", lambda s: _root(s, "hedge", _amount(s.after))),
    doc.End: ("end", lambda s: _root(s, "end", _true(s))),
}
"""Kinds that are keys of the document themselves."""

_KEYS = {kind: key for kinds in (_NAMED, _LISTED, _SINGLE) for kind, (key, _) in kinds.items()}
