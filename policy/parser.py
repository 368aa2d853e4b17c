"""
Text -> statements, with every syntax error of a file in one run.

The only file that knows Lark. The grammar's tables are made once (`python -m
policyctl.policy.parser` writes them beside the grammar) and shipped; other tables than those of
the installed Lark and this grammar are not used.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import lark
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedToken
from lark.lexer import BasicLexer, LexerThread

from ..schemas.diagnostics import Diagnostic, Edit
from ..schemas.records import dataclass
from ..schemas.text import Source, Span
from . import document as doc
from .amounts import read_amount
from .checks.p101_syntax import CODE as SYNTAX
from .checks.p101_syntax import mends, second_statement, syntax_error
from .checks.p102_open_text import open_text, quote_inside
from .checks.p104_too_large import too_many_words
from .document import STARTERS, Amount, Name

GRAMMAR = Path(__file__).with_name("grammar.lark")
TABLES = Path(__file__).with_name("grammar.tables")

DECLARES = frozenset({"model", "tier", "input", "window", "budget", "domain"})
"""Statements whose name others refer to."""

MAX_WORDS = 40_000
"""Words, signs and texts of one file; a large policy has one for each six letters."""

MAX_ERRORS = 50
"""Syntax errors told per file; more of them help nobody."""

MAX_MENDS = 4
"""Further wrong words of a statement that are mended to see whether one of them can be."""

_TEXT_OR_COMMENT = re.compile(r'"[^"\n]*"?|#[^\n]*')

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    The statements of one file, what was wrong with it, and the names (kind, name) that broken
    statements would have declared, so that their uses aren't reported a second time. `whole` False
    says that it wasn't read to its end.
    """

    statements: tuple[doc.Statement, ...]
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[tuple[str, str]]
    whole: bool = True


def parse(source: Source) -> Parsed:
    """Parse one source; after a syntax error go on at the next statement."""
    tokens = _lex(source.text)
    if len(tokens) > MAX_WORDS:
        return Parsed((), (too_many_words(source.name, MAX_WORDS),), frozenset(), whole=False)
    if not tokens:
        return Parsed((), (), frozenset())
    reader = _Reader(source.name)
    statements: list[doc.Statement] = []
    errors: list[Diagnostic] = []
    broken: set[tuple[str, str]] = set()
    at = 0
    while at < len(tokens):
        run = _run(tokens, at)
        statements += [reader.statement(tree) for tree in run.trees]
        if run.failed_at is None:
            break
        following = _next_statement(tokens, run)
        errors.append(_with_fix(source, tokens[:following], at, run, _explain(source, tokens, run)))
        broken |= _would_declare(tokens[run.started_at : run.failed_at + 2])
        if len(errors) == MAX_ERRORS:
            break
        at = following
    found = (*reader.diagnostics, *errors)
    return Parsed(tuple(statements), found, frozenset(broken), whole=len(errors) < MAX_ERRORS)


@dataclass(frozen=True, slots=True)
class Piece:
    """
    A part of a statement that is written elsewhere than in .policy text.

    `kind` is "words" (to be read as .policy text is), "name" (one name as it is) or "text" (as if
    it stood in quotes). `places` has the offset in the source of each character, and of the end.
    """

    kind: str
    text: str
    places: range | tuple[int, ...]


def parse_pieces(source: Source, statements: Iterable[list[Piece]]) -> Parsed:
    """Parse statements that are put together of pieces of a source in another notation."""
    reader = _Reader(source.name)
    read: list[doc.Statement] = []
    errors: list[Diagnostic] = []
    broken: set[tuple[str, str]] = set()
    for pieces in statements:
        tokens = [token for piece in pieces for token in _tokens_of(piece)]
        run = _run(tokens, 0)
        problem = _outside_of_the_language(source, pieces) or _hidden_statement(source, tokens, run)
        if problem is None and run.failed_at is not None:
            problem = _with_fix(source, tokens, 0, run, _explain(source, tokens, run))
        if problem is None:
            read += [reader.statement(tree) for tree in run.trees]
        elif len(errors) < MAX_ERRORS:
            errors.append(problem)
            broken |= _would_declare(tokens[:2])
    return Parsed(tuple(read), (*reader.diagnostics, *errors), frozenset(broken))


def _outside_of_the_language(source: Source, pieces: Iterable[Piece]) -> Diagnostic | None:
    """A name or text with what .policy text can't write: a quote or a line end."""
    for piece in pieces:
        found = None if piece.kind == "words" else re.search('["\n]', piece.text)
        if found is not None:
            place = piece.places[found.start()]
            return quote_inside(
                Span(source.name, place, place + 1), "text" if piece.kind == "text" else "name"
            )
    return None


def _hidden_statement(source: Source, tokens: list[Token], run: _Run) -> Diagnostic | None:
    """Words that end the statement they stand in and start another one."""
    if len(run.trees) < 2:
        return None
    start = run.trees[1].meta.start_pos
    word = next(token for token in tokens if token.start_pos == start and str(token) in STARTERS)
    return second_statement(_token_span(source.name, word), str(word))


def _tokens_of(piece: Piece) -> Iterator[Token]:
    """The tokens of a piece, at their places in the source; all on one line, as it were."""
    if piece.kind == "words":
        found = [(t.type, str(t), t.start_pos or 0, t.end_pos or 0) for t in _lex(piece.text)]
    else:
        name = piece.kind == "name"
        found = [
            ("NAME" if name else "STRING", piece.text if name else f'"{piece.text}"', 0, len(piece.text))
        ]
    for kind, text, start, end in found:
        last = piece.places[max(end - 1, 0)] if end else piece.places[0]
        yield Token(kind, text, start_pos=piece.places[start], end_pos=last + 1, line=1, column=1)


@lru_cache(maxsize=4096)
def reads_as_name(text: str) -> bool:
    """Whether a name may stand without quotes: it has a name's letters and is no word of the language."""
    return [("NAME", text)] == [(token.type, str(token)) for token in _lex(text)]


def comments_in(text: str) -> Iterator[tuple[int, str]]:
    """The comments of a text, and where each starts."""
    for found in _TEXT_OR_COMMENT.finditer(text):
        if found.group().startswith("#"):
            yield found.start(), found.group().rstrip()


def grammar_text() -> str:
    """The grammar as it is shipped."""
    return GRAMMAR.read_text(encoding="utf-8")


def build_tables(*, strict: bool = False) -> bytes:
    """The parser's tables, with the fingerprint of what they were made from in front."""
    out = io.BytesIO()
    _build(strict=strict).save(out)
    data = out.getvalue()
    return _fingerprint() + hashlib.sha256(data).digest() + data


def _lex(text: str) -> list[Token]:
    """The tokens but white space and comments, in order; junk is a token too. One too many at most."""
    tokens = LexerThread.from_text(_lexer(), text).lex(None)  # type: ignore[no-untyped-call]
    return list(islice(tokens, MAX_WORDS + 1))


# --- one run of the parser ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """
    Whole statements, where the next one started and failed (None: all was parsed), what could have
    stood there, and the column in which its statement, or the one before it on the line, starts.
    """

    trees: list[Tree[Token]]
    started_at: int
    failed_at: int | None
    accepts: frozenset[str]
    depth: int


def _run(tokens: list[Token], start: int) -> _Run:
    parser = _lark().parse_interactive("")
    for index in range(start, len(tokens)):
        try:
            parser.feed_token(tokens[index])
        except UnexpectedToken:
            return _stopped(parser, tokens, start, index)
    try:
        tree = parser.feed_eof(tokens[-1])  # type: ignore[no-untyped-call]
    except UnexpectedToken:
        return _stopped(parser, tokens, start, len(tokens))
    return _Run(tree.children, len(tokens), None, frozenset(), 1)


def _stopped(parser: Any, tokens: list[Token], start: int, index: int) -> _Run:
    """What was parsed before the error, and where the statement starts that has it."""
    accepts = frozenset(parser.accepts())
    stack = parser.parser_state.value_stack
    partial = next((item for item in stack if isinstance(item, Token)), None)
    depth = (tokens[min(index, len(tokens) - 1)] if partial is None else partial).column or 1
    if "$END" in accepts and index > start:  # the statement before is whole; the error starts a new one
        return _Run(parser.feed_eof(tokens[index - 1]).children, index, index, accepts, depth)
    done = stack[0].children if stack and isinstance(stack[0], Tree) else []
    started = index if partial is None else _index_of(tokens, partial, start, index)
    return _Run(list(done), started, index, accepts, depth)


def _index_of(tokens: list[Token], token: Token, start: int, end: int) -> int:
    return next(i for i in range(start, end) if tokens[i].start_pos == token.start_pos)


def _next_statement(tokens: list[Token], run: _Run) -> int:
    """The next token that starts a line with a statement's word, no deeper than this one's."""
    assert run.failed_at is not None
    for index in range(max(run.failed_at, run.started_at + 1), len(tokens)):
        token = tokens[index]
        first = index == 0 or tokens[index - 1].line != token.line
        if first and str(token) in STARTERS and (token.column or 1) <= run.depth:
            return index
    return len(tokens)


def _would_declare(tokens: list[Token]) -> set[tuple[str, str]]:
    """The name that a broken statement declares; a misspelt first word may be any of them."""
    if len(tokens) < 2:
        return set()
    word, name = str(tokens[0]), str(tokens[1]).strip('"')
    kinds = DECLARES if word not in STARTERS else DECLARES & {word}
    return {(kind, name) for kind in kinds}


def _explain(source: Source, tokens: list[Token], run: _Run) -> Diagnostic:
    assert run.failed_at is not None
    before = tokens[run.failed_at - 1] if run.failed_at else None
    if run.failed_at >= len(tokens):
        end = tokens[-1].end_pos or len(source.text)
        return syntax_error(Span(source.name, end - 1, end), None, _words(run.accepts), str(before))
    token = tokens[run.failed_at]
    span = _token_span(source.name, token)
    if token.type == "OPEN_STRING":
        return open_text(span)
    expected = _words(run.accepts)
    new_line = before is not None and before.line != token.line
    return syntax_error(span, str(token), expected, None if before is None else str(before), new_line)


def _with_fix(source: Source, tokens: list[Token], start: int, run: _Run, found: Diagnostic) -> Diagnostic:
    """
    The finding with its mend, where it is sure: where the tokens from `start` on become whole statements by
    it, or by it and more of its kind.
    """
    at = run.failed_at
    if at is None or at >= len(tokens) or found.span is None or found.code != SYNTAX:
        return found
    for new in _mends(tokens, at, run):
        if _can_be_whole([*tokens[start:at], *_lex(new), *tokens[at + 1 :]], MAX_MENDS):
            return replace(found, fix=(_edit(source.text, found.span, new),))
    return found


def _mends(tokens: list[Token], at: int, run: _Run) -> Iterator[str]:
    return mends(str(tokens[at]), _words(run.accepts), str(tokens[at - 1]) if at else None)


def _can_be_whole(tokens: list[Token], most: int) -> bool:
    """Whether tokens are whole statements, once at most so many of them are mended."""
    run = _run(tokens, 0)
    at = run.failed_at
    if at is None:
        return True
    if most == 0 or at >= len(tokens):
        return False
    mended = ([*tokens[:at], *_lex(new), *tokens[at + 1 :]] for new in _mends(tokens, at, run))
    return any(_can_be_whole(tokens, most - 1) for tokens in mended)


def _edit(text: str, span: Span, new: str) -> Edit:
    """Put a text in a place: with blanks where it would run into others, and nothing without its blank."""
    left = text[max(span.start - 1, 0) : span.start]
    right = text[span.end : span.end + 1].strip(" \t\r\n,")
    if not new and left == " ":
        span = Span(span.source, span.start - 1, span.end)
    elif new:
        new = f"{' ' * bool(left.strip())}{new}{' ' * bool(right)}"
    return Edit(span, text[span.start : span.end], new)


def _words(terminals: frozenset[str]) -> frozenset[str]:
    """Lark's terminal names as what the user would write; kinds of token in capitals."""
    patterns = _patterns()
    return frozenset(patterns.get(name, name) for name in terminals if name != "$END")


def _token_span(name: str, token: Token) -> Span:
    start = token.start_pos or 0
    return Span(name, start, token.end_pos or start + len(token))


# --- trees to statements -----------------------------------------------------------------------


class _Reader:
    """Turns the tree of each statement into its Document value; one method a rule."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.diagnostics: list[Diagnostic] = []

    def statement(self, tree: Tree[Token]) -> doc.Statement:
        made: doc.Statement = getattr(self, "_" + str(tree.data))(tree)
        return made

    # small pieces

    def _span(self, tree: Tree[Token]) -> Span:
        return Span(self._source, tree.meta.start_pos, tree.meta.end_pos)

    def _word(self, token: Token) -> Name:
        text, quoted = str(token), token.type == "STRING"
        return Name(text[1:-1] if quoted else text, _token_span(self._source, token), quoted)

    def _name(self, tree: Tree[Token]) -> Name:
        return self._word(_token(tree.children[0]))

    def _names(self, tree: Tree[Token] | None) -> tuple[Name, ...]:
        return () if tree is None else tuple(self._name(child) for child in _trees(tree))

    def _amount(self, item: Tree[Token] | Token) -> Amount:
        token = item if isinstance(item, Token) else _token(item.children[0])
        amount, problem = read_amount(token.type, str(token), _token_span(self._source, token))
        if problem is not None:
            self.diagnostics.append(problem)
        return amount

    def _value(self, tree: Tree[Token]) -> doc.Value:
        child = tree.children[0]
        return self._amount(child) if isinstance(child, Tree) else self._word(child)

    def _optional_name(self, tree: Tree[Token], rule: str) -> Name | None:
        found = _child(tree, rule)
        return None if found is None else self._inner_name(found)

    def _inner_name(self, tree: Tree[Token]) -> Name:
        child = tree.children[0]
        return self._name(child) if isinstance(child, Tree) else self._word(child)

    # conditions

    def _whens(self, tree: Tree[Token]) -> tuple[doc.Alternative, ...]:
        return tuple(self._when(child) for child in _trees(tree) if child.data == "when")

    def _when(self, tree: Tree[Token]) -> doc.Alternative:
        conditions = tuple(self._condition(c) for c in _trees(tree) if c.data != "or")
        return doc.Alternative(conditions, _child(tree, "or") is not None, self._span(tree))

    def _condition(self, tree: Tree[Token]) -> doc.Condition:
        form = _FORMS[str(tree.data)]
        budget = form == "budget"
        subject = self._inner_name(_tree(tree.children[0]))
        rest = tree.children[1:]
        if form in ("bound", "budget"):
            bound = _tree(rest[0])
            form, values = _BOUNDS[str(bound.data)], [self._amount(bound.children[0])]
        elif form in ("one of", "not one of"):
            values = [self._value(v) for v in _trees(_tree(rest[0]))]  # type: ignore[misc]
        elif form == "between":
            values = [self._amount(v) for v in rest]
        elif form == "starts with":
            values = [self._word(_token(rest[0]))]  # type: ignore[list-item]
        else:
            values = [self._value(_tree(v)) for v in rest]  # type: ignore[misc]
        return doc.Condition(form, subject, tuple(values), budget, self._span(tree))

    # statements

    def _policy(self, tree: Tree[Token]) -> doc.Header:
        name, *version = (_token(c) for c in tree.children)
        return doc.Header(self._word(name), str(version[0]) if version else None, self._span(tree))

    def _timezone(self, tree: Tree[Token]) -> doc.Timezone:
        return doc.Timezone(self._inner_name(tree), self._span(tree))

    def _include(self, tree: Tree[Token]) -> doc.Include:
        return doc.Include(self._inner_name(tree), self._span(tree))

    def _baseline(self, tree: Tree[Token]) -> doc.Baseline:
        return doc.Baseline(self._inner_name(tree), self._span(tree))

    def _estimate(self, tree: Tree[Token]) -> doc.Estimate:
        tokens_in, tokens_out = (self._amount(c) for c in tree.children)
        return doc.Estimate(tokens_in, tokens_out, self._span(tree))

    def _model(self, tree: Tree[Token]) -> doc.Model:
        key, target, *attributes = _trees(tree)
        return doc.Model(
            self._name(key),
            self._name(target),
            tuple(self._attribute(a) for a in attributes),
            self._span(tree),
        )

    def _attribute(self, tree: Tree[Token]) -> doc.Attribute:
        values: list[doc.Value] = []
        for child in tree.children:
            if isinstance(child, Token):
                values.append(self._word(child))
            elif child.data == "names":
                values += self._names(child)
            elif child.data == "setting":
                name, number = child.children
                values += [self._word(_token(name)), self._amount(number)]
            else:
                values.append(self._amount(child) if child.data == "amount" else self._name(child))
        return doc.Attribute(str(tree.data), tuple(values), self._span(tree))

    def _tier(self, tree: Tree[Token]) -> doc.Tier:
        name, start, amount, names = _trees(tree)
        return doc.Tier(
            self._name(name),
            start.data == "above",
            self._amount(amount),
            self._names(names),
            self._span(tree),
        )

    def _input(self, tree: Tree[Token]) -> doc.Input:
        name, kind, *_ = _trees(tree)
        default = _child(tree, "default")
        return doc.Input(
            self._name(name),
            {"yes_no": "yes or no", "choice": "one of"}.get(str(kind.data), str(kind.data)),
            self._input_values(kind),
            None if default is None else self._value(_tree(default.children[0])),
            self._optional_name(tree, "env"),
            self._span(tree),
        )

    def _input_values(self, kind: Tree[Token]) -> tuple[doc.Value, ...]:
        if kind.data == "choice":
            return tuple(self._value(v) for v in _trees(_tree(kind.children[0])))
        return tuple(self._amount(v) for v in kind.children)

    def _window(self, tree: Tree[Token]) -> doc.Window:
        spans = _child(tree, "spans")
        return doc.Window(
            self._name(_tree(tree.children[0])),
            () if spans is None else tuple(self._stretch(s) for s in _trees(spans)),
            self._optional_name(tree, "cron"),
            self._optional_name(tree, "outside_window"),
            self._span(tree),
        )

    def _stretch(self, tree: Tree[Token]) -> doc.Stretch:
        span = self._span(tree)
        days = tuple(day for part in _trees(_tree(tree.children[0])) for day in _weekdays(part))
        if _child(tree, "all_day") is not None:
            return doc.Stretch(days, Name("00:00", span), Name("24:00", span), span)
        start, end = (self._word(_token(c)) for c in tree.children[1:])
        return doc.Stretch(days, start, end, span)

    def _rule(self, tree: Tree[Token]) -> doc.Rule:
        return doc.Rule(
            self._name(_tree(tree.children[0])),
            self._whens(tree),
            self._optional_name(tree, "use_tier"),
            self._names(_child(tree, "names")),
            self._optional_name(tree, "because"),
            self._span(tree),
        )

    def _limit(self, tree: Tree[Token]) -> doc.Limit:
        return doc.Limit(
            {"refuse": "refuse", "never": "never use", "only": "only use"}[str(tree.data)],
            self._names(_child(tree, "names")),
            self._whens(tree),
            self._optional_name(tree, "because"),
            self._span(tree),
        )

    _never = _only = _refuse = _limit

    def _domain(self, tree: Tree[Token]) -> doc.Domain:
        prefers = _child(tree, "prefers")
        return doc.Domain(
            self._name(_tree(tree.children[0])),
            () if prefers is None else self._names(_child(prefers, "names")),
            prefers is not None and _child(prefers, "any_tier") is not None,
            self._span(tree),
        )

    def _budget(self, tree: Tree[Token]) -> doc.Budget:
        name, amount, period = _trees(tree)[:3]
        scope = _child(tree, "scope")
        return doc.Budget(
            self._name(name),
            self._amount(amount),
            self._inner_name(period),
            None if scope is None else str(scope.children[0]),
            None if scope is None else self._name(_tree(scope.children[1])),
            tuple(self._level(c) for c in _trees(tree) if c.data == "level"),
            self._span(tree),
        )

    def _level(self, tree: Tree[Token]) -> doc.Level:
        percent, action = _trees(tree)
        name = str(action.data)
        return doc.Level(
            self._amount(percent),
            "only" if name == "only_models" else name,
            self._amount(action.children[0]) if name == "downgrade" else None,
            self._names(_child(action, "names")),
            self._span(tree),
        )

    def _escalate(self, tree: Tree[Token]) -> doc.Escalate:
        return doc.Escalate(
            self._optional_name(tree, "from_tier"),
            self._optional_name(tree, "to_tier"),
            self._optional_name(tree, "gate"),
            self._kinds(tree),
            self._span(tree),
        )

    def _kinds(self, tree: Tree[Token]) -> tuple[Name, ...]:
        kinds = _child(tree, "kinds")
        return () if kinds is None else tuple(self._inner_name(k) for k in _trees(kinds))

    def _fallback(self, tree: Tree[Token]) -> doc.Fallback:
        entries = [c for c in _trees(tree) if c.data != "parallel"]
        return doc.Fallback(
            tuple(self._amount(c.children[0]) if c.data == "mates" else self._name(c) for c in entries),
            _child(tree, "parallel") is not None,
            self._span(tree),
        )

    def _hedge(self, tree: Tree[Token]) -> doc.Hedge:
        return doc.Hedge(self._amount(tree.children[0]), self._span(tree))

    def _retry(self, tree: Tree[Token]) -> doc.Retry:
        models, doubling = _child(tree, "for_models"), _child(tree, "doubling")
        attempts, wait = (c for c in tree.children if isinstance(c, Token) or str(c.data) == "amount")
        return doc.Retry(
            () if models is None else self._names(_child(models, "names")),
            self._amount(attempts),
            self._amount(wait),
            doubling is not None,
            self._amount(doubling.children[0]) if doubling is not None and doubling.children else None,
            tuple(self._on(c) for c in _trees(tree) if c.data == "on"),
            self._span(tree),
        )

    def _on(self, tree: Tree[Token]) -> doc.OnFailure:
        then = _tree(tree.children[1])
        name = {"then_wait": "wait", "then_next": "next model", "then_stop": "stop"}[str(then.data)]
        wait = self._amount(then.children[0]) if name == "wait" else None
        return doc.OnFailure(self._kinds(tree), name, wait, self._span(tree))

    def _alert(self, tree: Tree[Token]) -> doc.Alert:
        name, metric, bound, channel = tree.children
        target = _tree(channel).children
        return doc.Alert(
            self._name(_tree(name)),
            self._word(_token(metric)),
            _BOUNDS[str(_tree(bound).data)],
            self._amount(_tree(bound).children[0]),
            str(_tree(channel).data),
            self._word(_token(target[0])) if target else None,
            self._span(tree),
        )

    def _promise(self, tree: Tree[Token]) -> doc.Promise:
        name, claim = _trees(tree)[:2]
        kind = _CLAIMS[str(claim.data)]
        return doc.Promise(
            self._name(name),
            kind,
            self._names(_tree(claim.children[0])) if kind == "no" else (),
            None if kind == "no" else self._amount(claim.children[0]),
            self._whens(tree),
            self._span(tree),
        )

    def _example(self, tree: Tree[Token]) -> doc.Example:
        *conditions, gives = _trees(tree)
        return doc.Example(
            tuple(self._condition(c) for c in conditions), self._names(gives), self._span(tree)
        )

    def _end(self, tree: Tree[Token]) -> doc.End:
        return doc.End(self._span(tree))


_FORMS = {
    "is_value": "is",
    "is_not_value": "is not",
    "is_one_of": "one of",
    "is_not_one_of": "not one of",
    "is_bound": "bound",
    "is_between": "between",
    "starts_with": "starts with",
    "during": "during",
    "outside": "outside",
    "budget_is": "budget",
}
_BOUNDS = {"is_above": "above", "is_below": "below", "at_least": "at least", "at_most": "at most"}
_CLAIMS = {
    "no_models": "no",
    "at_least_providers": "providers",
    "at_most_price": "price",
    "at_most_cost": "cost",
}


def _weekdays(tree: Tree[Token]) -> Iterator[int]:
    """`Wed to Fri` as 2, 3, 4; `Sat to Mon` goes over the week's end."""
    first, last = (_DAYS.index(str(c)) for c in (tree.children[0], tree.children[-1]))
    for offset in range((last - first) % 7 + 1):
        yield (first + offset) % 7


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _child(tree: Tree[Token], rule: str) -> Tree[Token] | None:
    return next((child for child in _trees(tree) if child.data == rule), None)


def _tree(item: Tree[Token] | Token) -> Tree[Token]:
    assert isinstance(item, Tree)
    return item


def _token(item: Tree[Token] | Token) -> Token:
    assert isinstance(item, Token)
    return item


# --- the grammar's tables ----------------------------------------------------------------------

_OPTIONS: dict[str, Any] = {
    "parser": "lalr",
    "lexer": "basic",
    "propagate_positions": True,
    "maybe_placeholders": False,
}


@lru_cache(maxsize=1)
def _lark() -> Lark:
    return _load_tables() or _build()


@lru_cache(maxsize=1)
def _lexer() -> BasicLexer:
    """The grammar's lexer, but one that leaves out white space and comments only."""
    conf = copy(_lark().lexer_conf)
    conf.ignore = ("WS", "COMMENT")
    return BasicLexer(conf)


@lru_cache(maxsize=1)
def _patterns() -> dict[str, str]:
    """Terminal name -> the one word it stands for, for terminals that are one word."""
    return {t.name: t.pattern.value for t in _lark().terminals if t.pattern.type == "str"}


def _build(*, strict: bool = False) -> Lark:
    return Lark(grammar_text(), strict=strict, **_OPTIONS)


def _load_tables() -> Lark | None:
    """The shipped tables, if they were made by this Lark from this grammar."""
    try:
        data = TABLES.read_bytes()
    except OSError:
        return None
    mark, data = data[:64], data[64:]
    if mark != _fingerprint() + hashlib.sha256(data).digest():
        return None  # of another grammar or Lark, or cut off
    return Lark.load(io.BytesIO(data))


def _fingerprint() -> bytes:
    """What the tables depend on: the grammar, its options and Lark's version."""
    parts = (grammar_text(), repr(sorted(_OPTIONS.items())), lark.__version__)
    return hashlib.sha256("\0".join(parts).encode()).digest()


if __name__ == "__main__":
    TABLES.write_bytes(build_tables())
