"""
The YAML twin of the language: nodes -> the statements they stand for.

Each statement is put together of the same words as in .policy text, in the same order, and goes
through the same grammar, so the two surfaces can't drift apart. docs/yaml.md shows them side by
side, schemas/policy.schema.json is the shape, which is checked first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ..schemas.text import Source, Span
from .parser import Parsed, Piece, parse_pieces
from .remarks import Place
from .yaml import Mapping, Node, Read, Scalar, Sequence
from .yaml_shape import check_shape

Statement = list[Piece]


YAML_ENDINGS = (".yaml", ".yml")

MODELINE = "# yaml-language-server:"
"""How the comment starts that tells an editor the schema of the file."""

OPENING = ":[{-|>+"
"""Signs behind which a comment is about what follows."""


DECLARING = {
    "models": "model",
    "tiers": "tier",
    "inputs": "input",
    "windows": "window",
    "domains": "domain",
    "budgets": "budget",
}
"""Keys whose entries have names that others refer to, and the kind of name."""


def parse_yaml(source: Source, read: Read) -> Parsed:
    """Parse one source whose YAML was read: its shape first, then each statement whose shape is right."""
    if read.root is None:
        return Parsed((), read.diagnostics, frozenset(), whole=not read.diagnostics)
    found = (*read.diagnostics, *check_shape(read.root))
    if not isinstance(read.root, Mapping):
        return Parsed((), found, frozenset(), whole=False)
    wrong = [d.span for d in found if d.span is not None]
    right = [pieces for span, pieces in statements(read.root) if not _holds_any(span, wrong)]
    parsed = parse_pieces(source, right)
    # A statement that is left out declares its name all the same: its uses aren't wrong too.
    broken = parsed.broken | frozenset(_declared(read.root))
    return replace(parsed, diagnostics=(*found, *parsed.diagnostics), broken=broken)


def _declared(root: Mapping) -> Iterator[tuple[str, str]]:
    for key, node in root.pairs:
        if key.text in DECLARING and isinstance(node, Mapping):
            yield from ((DECLARING[key.text], name.text) for name, _ in node.pairs)


def _holds_any(span: Span, spans: list[Span]) -> bool:
    return any(span.start <= s.start and s.end <= span.end for s in spans)


class Misshaped(Exception):
    """A node of another kind than belongs there; the schema has told so."""


Entry = tuple[Span, Statement]
"""A statement, and the whole of what stands for it in the text."""


def statements(root: Mapping) -> Iterator[Entry]:
    """The statements of a document, kind by kind in the order of its keys; misshaped ones are left out."""
    for key, node in root.pairs:
        for span, make in _makers(root, key, node):
            try:
                made = list(make)
            except Misshaped:
                continue
            yield span, made


def places(root: Mapping, text: str) -> Iterator[Place]:
    """Where each statement of a document stands, in the order of `statements`."""
    for key, node in root.pairs:
        for number, (span, _) in enumerate(_makers(root, key, node)):
            section = key.span.start if key.text not in _SINGLE and number == 0 else None
            end = len(text[: span.end].rstrip())
            yield Place(_dash(text, span.start), end, section)


def _dash(text: str, start: int) -> int:
    """The start of a list's item: its dash, if it has one on its line."""
    line = text.rfind("\n", 0, start) + 1
    before = text[line:start]
    indent = len(before) - len(before.lstrip())
    return line + indent if before.lstrip().startswith("-") else start


def _makers(root: Mapping, key: Scalar, node: Node) -> Iterator[tuple[Span, Iterable[Piece]]]:
    """The statements of one key of a document, each to be made when its turn comes."""
    if key.text in _NAMED:
        for name, body in _pairs_of(node):
            yield _over(name, body), _NAMED[key.text](name, body)
    elif key.text in _LISTED:
        for item in _items(node):
            yield _over(item, item), _LISTED[key.text](key, item)
    elif key.text in _SINGLE:
        yield _over(key, _with_version(key, node, root)), _SINGLE[key.text](key, node, root)


def _with_version(key: Scalar, node: Node, root: Mapping) -> Node:
    """The end of the policy's header: its version, if that follows at once."""
    after = root.pairs[root.pairs.index((key, node)) + 1 :][:1] if key.text == "policy" else ()
    return after[0][1] if after and after[0][0].text == "version" else node


def _over(first: Node, last: Node) -> Span:
    if isinstance(last, Scalar) and not last.text:
        last = first  # a value that isn't there has no place of its own
    return Span(first.span.source, first.span.start, last.span.end)


# --- pieces ----------------------------------------------------------------------------------------


def _word(text: str, at: Scalar | Node) -> Piece:
    """A word of the language that YAML says by a key, placed at that key."""
    return Piece("words", text, (*[at.span.start] * len(text), at.span.end))


def _scalar(node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        raise Misshaped
    return node


def _words(node: Node) -> Piece:
    scalar = _scalar(node)
    return Piece("words", scalar.text, scalar.places)


def _name(node: Node) -> Piece:
    scalar = _scalar(node)
    return Piece("name", scalar.text, scalar.places)


def _text(node: Node) -> Piece:
    scalar = _scalar(node)
    return Piece("text", scalar.text.rstrip("\n").replace("\n", " "), scalar.places)


def _value(node: Node) -> Piece:
    """A value: a text where the user quoted it, else what .policy text would make of it."""
    return _text(node) if _scalar(node).quoted else _words(node)


def _pairs(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    if isinstance(node, Scalar) and node.text in ("", "null", "~"):
        return ()
    if not isinstance(node, Mapping):
        raise Misshaped
    return node.pairs


def _pairs_of(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    return node.pairs if isinstance(node, Mapping) else ()


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else (node,)


def _list(node: Node, piece: Callable[[Node], Piece] = _name) -> Iterator[Piece]:
    """A list, or one text with commas in it, as a list of the language."""
    if isinstance(node, Scalar):
        yield _words(node)
        return
    for number, item in enumerate(_items(node)):
        if number:
            yield _word(",", item)
        yield piece(item)


def _is_true(node: Node) -> bool:
    return _scalar(node).text in ("true", "True", "TRUE", "yes")


def _when(node: Node | None) -> Iterator[Piece]:
    """Conditions: one text, or a list of alternatives."""
    for number, item in enumerate(_items(node) if node is not None else ()):
        yield _word("or when" if number else "when", item)
        yield _words(item)


def _because(body: Mapping) -> Iterator[Piece]:
    because = body.get("because")
    if because is not None:
        yield from (_word("because", because), _text(because))


def _body(node: Node) -> Mapping:
    if not isinstance(node, Mapping):
        raise Misshaped
    return node


# --- statements --------------------------------------------------------------------------------------


def _plain(word: str, piece: Callable[[Node], Piece]) -> Callable[[Scalar, Node], Iterator[Piece]]:
    """Statements of a word and what stands behind it."""

    def make(key: Scalar, item: Node) -> Iterator[Piece]:
        yield from (_word(word, key), piece(item))

    return make


def _policy(key: Scalar, node: Node, root: Mapping) -> Iterator[Piece]:
    version = root.get("version")
    yield from (_word("policy", key), _text(node))
    if version is not None:
        yield from (_word("version", version), _words(version))


def _end(key: Scalar, node: Node, root: Mapping) -> Iterator[Piece]:
    if not _is_true(node):
        raise Misshaped
    yield _word("end", key)


_ATTRIBUTES: dict[str, Callable[[Node], Iterable[Piece]]] = {
    "costs": lambda node: [_words(node)],
    "can": _list,
    "context": lambda node: [_words(node)],
    "output": lambda node: [_words(node)],
    "timeout": lambda node: [_words(node)],
    "alias": _list,
    "key": lambda node: [_name(node)],
    "server": lambda node: [_text(node)],
}


def _model(name: Scalar, node: Node) -> Iterator[Piece]:
    body = _body(node)
    target = body.get("is")
    if target is None:
        raise Misshaped
    yield from (_word("model", name), _name(name), _word("is", target), _name(target))
    for key, value in body.pairs:
        if key.text in _ATTRIBUTES:
            yield _word(key.text, key)
            yield from _ATTRIBUTES[key.text](value)
        elif key.text == "set":
            yield _word("set", key)
            for number, (setting, amount) in enumerate(_pairs(value)):
                if number:
                    yield _word(",", setting)
                yield from (_words(setting), _words(amount))
        elif key.text == "disabled" and _is_true(value):
            yield _word("disabled", key)


def _tier(name: Scalar, node: Node) -> Iterator[Piece]:
    body = _body(node)
    yield from (_word("tier", name), _name(name))
    for key in ("from", "above"):
        start = body.get(key)
        if start is not None:
            yield from (_word(f"{key} complexity", start), _words(start))
    models = body.get("has")
    if models is None:
        raise Misshaped
    yield _word("has", models)
    yield from _list(models)


def _input(name: Scalar, node: Node) -> Iterator[Piece]:
    body = _body(node)
    kind, default, env = body.get("is"), body.get("default"), body.get("env")
    if kind is None:
        raise Misshaped
    yield from (_word("input", name), _name(name), _word("is", kind), _words(kind))
    if default is not None:
        yield from (_word("default", default), _value(default))
    if env is not None:
        yield from (_word("from env", env), _words(env))


def _window(name: Scalar, node: Node) -> Iterator[Piece]:
    yield from (_word("window", name), _name(name), _word("is", node), _words(node))


def _rule(name: Scalar, node: Node) -> Iterator[Piece]:
    body = _body(node)
    use = body.get("use")
    yield from (_word("rule", name), _name(name))
    yield from _when(body.get("when"))
    if use is None:
        raise Misshaped
    yield _word("use", use)
    yield from _list(use)
    yield from _because(body)


def _limit(key: Scalar, item: Node) -> Iterator[Piece]:
    body = _body(item)
    for word, value in body.pairs:
        if word.text in ("never_use", "only_use"):
            yield _word(word.text.replace("_", " "), word)
            yield from _list(value)
        elif word.text == "refuse_when":
            yield _word("refuse", word)
            yield from _when(value)
    yield from _when(body.get("when"))
    yield from _because(body)


def _domain(name: Scalar, node: Node) -> Iterator[Piece]:
    yield from (_word("domain", name), _name(name))
    said = {key.text: value for key, value in _pairs(node)}
    if "prefers" in said:
        yield _word("prefers", said["prefers"])
        yield from _list(said["prefers"])
    if "at_any_tier" in said and _is_true(said["at_any_tier"]):
        yield _word("at any tier", said["at_any_tier"])


def _budget(name: Scalar, node: Node) -> Iterator[Piece]:
    body = _body(node)
    limit, scope, levels = body.get("is"), body.get("for"), body.get("levels")
    if limit is None:
        raise Misshaped
    yield from (_word("budget", name), _name(name), _word("is", limit), _words(limit))
    if scope is not None:
        yield from (_word("for", scope), _words(scope))
    for percent, action in _pairs(levels) if levels is not None else ():
        yield from (_word("at", percent), _words(percent), _words(action))


def _fallback(key: Scalar, node: Node, root: Mapping) -> Iterator[Piece]:
    parallel = None
    if isinstance(node, Mapping):
        to, parallel = node.get("to"), node.get("in_parallel")
        if to is None:
            raise Misshaped
        node = to
    yield _word("fallback to", key)
    yield from _list(node, _words)
    if parallel is not None and _is_true(parallel):
        yield _word("in parallel", parallel)


def _retry(key: Scalar, item: Node) -> Iterator[Piece]:
    body = _body(item)
    models, attempts, wait = body.get("for"), body.get("attempts"), body.get("wait")
    if attempts is None or wait is None:
        raise Misshaped
    yield _word("retry", key)
    if models is not None:
        yield _word("for", models)
        yield from _list(models)
    yield from (_words(attempts), _word("attempts wait", attempts), _words(wait))
    doubling, kinds = body.get("doubling"), body.get("on")
    if doubling is not None and not (isinstance(doubling, Scalar) and doubling.text == "false"):
        yield _word("doubling", doubling)
        if not _is_true(doubling):
            yield _words(doubling)
    for kind, then in _pairs(kinds) if kinds is not None else ():
        yield from (_word("on", kind), _words(kind), _words(then))


def _alert(name: Scalar, node: Node) -> Iterator[Piece]:
    body = _body(node)
    when = body.get("when")
    if when is None:
        raise Misshaped
    yield from (_word("alert", name), _name(name), _word("when", when), _words(when))
    for key, value in body.pairs:
        if key.text == "email":
            yield from (_word("email", key), _text(value))
        elif key.text in ("slack", "webhook"):
            yield from (_word(f"{key.text} env", key), _words(value))
        elif key.text == "log" and _is_true(value):
            yield _word("log", key)


def _promise(name: Scalar, node: Node) -> Iterator[Piece]:
    body = _body(node)
    claim = body.get("claim")
    if claim is None:
        raise Misshaped
    yield from (_word("promise", name), _name(name), _words(claim))
    yield from _when(body.get("when"))


def _example(key: Scalar, item: Node) -> Iterator[Piece]:
    body = _body(item)
    when, gives = body.get("when"), body.get("gives")
    if when is None or gives is None:
        raise Misshaped
    yield from (_word("example", key), _words(when), _word("gives", gives))
    yield from _list(gives)


_NAMED: dict[str, Callable[[Scalar, Node], Iterable[Piece]]] = {
    "models": _model,
    "tiers": _tier,
    "inputs": _input,
    "windows": _window,
    "rules": _rule,
    "domains": _domain,
    "budgets": _budget,
    "alerts": _alert,
    "promises": _promise,
}
"""Keys with one statement for each entry of a map, by its name."""

_LISTED: dict[str, Callable[[Scalar, Node], Iterable[Piece]]] = {
    "include": _plain("include", _text),
    "limits": _limit,
    "escalate": _plain("escalate", _words),
    "retry": _retry,
    "examples": _example,
}
"""Keys with one statement for each item of a list."""

_SINGLE: dict[str, Callable[[Scalar, Node, Mapping], Iterable[Piece]]] = {
    "policy": _policy,
    "timezone": lambda key, node, root: _plain("timezone", _name)(key, node),
    "baseline": lambda key, node, root: _plain("baseline", _name)(key, node),
    "estimate": lambda key, node, root: _plain("estimate", _words)(key, node),
    "fallback": _fallback,
    "hedge": lambda key, node, root: _plain("hedge after", _words)(key, node),
    "end": _end,
}
"""Keys that are one statement; they see the whole document, for what stands beside them."""
