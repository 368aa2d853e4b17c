"""
Texts, lists and maps -> lines of YAML.

A value has one line if it has room there, else one line an item or key. Texts are plain where nobody
can take them for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from textwrap import wrap

from ..schemas.records import dataclass
from .layout import WIDTH, Word, annotated
from .remarks import Comment

_NOT_PLAIN_AT_START = re.compile(r"[-\s?:,\[\]{}#&*!|>'\"%@`=<~]")
_NOT_PLAIN_INSIDE = re.compile(r":(\s|$)|\s#|\s$|\t")
_NOT_PLAIN_IN_FLOW = re.compile(r"[,\[\]{}:]")
_NUMBER = re.compile(r"[+.\d][\d_.:xoa-fA-F+-]*")
_CONSTANTS = frozenset("true false null yes no on off y n .inf .nan +.inf".split())


@dataclass(frozen=True, slots=True)
class Leaf(Word):
    """
    One scalar. `form` is text (a reader must not take it for anything else), value (it may be taken
    for a yes or no), quoted (it must stand in quotes) or literal (it stands as it is).
    """

    form: str = "text"


@dataclass(frozen=True, slots=True)
class Items:
    """A list; `block` says that each item has a line of its own."""

    leaves: tuple[Leaf, ...]
    block: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """A map; `block` says that each key has a line of its own."""

    pairs: tuple[tuple[Leaf, Tree], ...]
    block: bool = False


Tree = Leaf | Items | Fields


def entry_lines(
    tree: Tree, inside: Sequence[Comment], indent: int, *, item: bool = False
) -> tuple[list[str], tuple[str, ...]]:
    """The lines of a statement, as an item of a list or as keys, and the comments that stand behind it."""
    noted, trailing = _commented(tree, inside)
    if item:
        return _item(noted, indent), trailing
    assert isinstance(noted, Fields)  # only an item can be a mere text
    return [line for key, value in noted.pairs for line in _pair(key, value, indent)], trailing


def _item(tree: Tree, indent: int) -> list[str]:
    """A statement as an item of its section."""
    start = " " * indent + "- "
    if isinstance(tree, Leaf):
        return _text(start.rstrip(), tree, indent)
    flow = _flow(tree)
    if flow is not None and len(start + flow) <= WIDTH:
        return [f"{start}{flow}{_beside(_last(tree))}"]
    assert isinstance(tree, Fields)  # no statement is a list
    lines = [line for key, value in tree.pairs for line in _pair(key, value, len(start))]
    return [start + lines[0].lstrip(), *lines[1:]]


def _pair(key: Leaf, tree: Tree, indent: int) -> list[str]:
    """A key and its value, on one line if that has room for it."""
    pad = " " * indent
    start = f"{pad}{_scalar(key)}:"
    if isinstance(tree, Leaf):
        return [*_text(start, tree, indent), *(pad + line for line in tree.below)]
    flow = None if key.commented else _flow(tree)
    if flow is not None and len(f"{start} {flow}") <= WIDTH:
        last = _last(tree)
        return [f"{start} {flow}{_beside(last)}", *(pad + line for line in last.below)]
    lines = [start + _beside(key), *(f"{pad}  {line}" for line in key.below)]
    if isinstance(tree, Fields):
        return [*lines, *(line for name, value in tree.pairs for line in _pair(name, value, indent + 2))]
    for leaf in tree.leaves:
        lines += [*_text(f"{pad}  -", leaf, indent + 2), *(f"{pad}  {line}" for line in leaf.below)]
    return lines


def _text(start: str, leaf: Leaf, indent: int) -> list[str]:
    """A text behind its key or dash; what is longer than a line is folded, if that leaves it as it is."""
    line = f"{start} {_scalar(leaf)}".rstrip() + _beside(leaf)
    words = leaf.text.split()
    if len(line) <= WIDTH or leaf.commented or leaf.form != "text" or leaf.text != " ".join(words):
        return [line]
    pad = " " * (indent + 4)  # deeper than any comment behind it
    folded = wrap(leaf.text, WIDTH - len(pad), break_long_words=False, break_on_hyphens=False)
    return [f"{start} >-", *(pad + part for part in folded)] if len(folded) > 1 else [line]


def _flow(tree: Tree) -> str | None:
    """A value on one line; None where it has to have several."""
    if isinstance(tree, Leaf):
        return _scalar(tree, flow=True)
    if tree.block or any(leaf.commented for leaf in list(_leaves(tree))[:-1]):
        return None
    if isinstance(tree, Items):
        return f"[{', '.join(_scalar(leaf, flow=True) for leaf in tree.leaves)}]"
    parts = [(key, _flow(value)) for key, value in tree.pairs]
    if any(value is None for _, value in parts):
        return None
    return "{" + ", ".join(f"{_scalar(key, flow=True)}: {value}" for key, value in parts) + "}"


def _beside(leaf: Leaf) -> str:
    return "" if leaf.beside is None else f"  {leaf.beside}"


def _scalar(leaf: Leaf, *, flow: bool = False) -> str:
    """A text as YAML writes it: plain where nobody can take it for anything else."""
    text = leaf.text
    if leaf.form == "literal" or (leaf.form != "quoted" and _is_plain(leaf, flow)):
        return text
    single = '"' in text or "\\" in text
    return "'" + text.replace("'", "''") + "'" if single else f'"{text}"'


def _is_plain(leaf: Leaf, flow: bool) -> bool:
    text = leaf.text
    if not text or _NOT_PLAIN_AT_START.match(text) or _NOT_PLAIN_INSIDE.search(text):
        return False
    if flow and _NOT_PLAIN_IN_FLOW.search(text):
        return False
    return leaf.form == "value" or not (text.lower() in _CONSTANTS or _NUMBER.fullmatch(text))


# --- comments --------------------------------------------------------------------------------------


def _commented(tree: Tree, inside: Sequence[Comment]) -> tuple[Tree, tuple[str, ...]]:
    """A statement with its comments, but for those that stand behind the whole of it."""
    if not inside:
        return tree, ()
    *leaves, last = annotated(list(_leaves(tree)), inside)
    return _with(tree, iter([*leaves, replace(last, below=())])), last.below


def _leaves(tree: Tree) -> Iterator[Leaf]:
    """The scalars that comments stand behind: keys only where they open something."""
    if isinstance(tree, Leaf):
        yield tree
    elif isinstance(tree, Items):
        yield from tree.leaves
    else:
        for key, value in tree.pairs:
            yield from (*([] if isinstance(value, Leaf) else [key]), *_leaves(value))


def _with(tree: Tree, leaves: Iterator[Leaf]) -> Tree:
    """The tree with these scalars in place of its own."""
    if isinstance(tree, Leaf):
        return next(leaves)
    if isinstance(tree, Items):
        return replace(tree, leaves=tuple(islice(leaves, len(tree.leaves))))
    pairs = []
    for key, value in tree.pairs:
        noted = key if isinstance(value, Leaf) else next(leaves)
        pairs.append((noted, _with(value, leaves)))
    return replace(tree, pairs=tuple(pairs))


def _last(tree: Tree) -> Leaf:
    return list(_leaves(tree))[-1]
