"""
A checked policy as plain JSON and back, so that an unchanged one needn't be read anew.

How each value is written follows from the types of the fields, so there is nothing here to forget when
one is added. What is read back is held to the same types: a document that doesn't fit them in every place
is `Spoilt`, never half a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from itertools import product
from sys import modules
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from ..schemas.checked import Checked, PolicyFile
from ..schemas.diagnostics import Diagnostic, Report
from ..schemas.policy import CheckedPolicy, Policy
from ..schemas.text import Source

Json = Any


class Spoilt(ValueError):
    """A document that is no packed policy."""


class Form(NamedTuple):
    """
    How the values of a type are written, and how they are read.

    `plain` are the types that stay as they are, where it is only those: they are told by their types alone,
    many at a time.
    """

    pack: Callable[[Any], Json]
    unpack: Callable[[Json], Any]
    plain: tuple[type, ...] = ()


def pack(checked: Checked) -> dict[str, Json]:
    """
    What `unpack` reads: values that JSON can hold.

    Raises:
        ValueError: the policy has errors, or its sources aren't what stands in its files (a secret in
            one, say, is blotted out in the source).
    """
    texts = {source.name: source.text for source in checked.report.sources}
    if checked.policy is None or any(texts.get(file.name) != file.text for file in checked.files):
        raise ValueError("only a policy that stands in its files can be packed")
    return {
        "files": [[file.name, file.place, file.folder] for file in checked.files],
        "sources": _form(tuple[Source, ...]).pack(checked.report.sources),
        "findings": _form(tuple[Diagnostic, ...]).pack(checked.report.diagnostics),
        "policy": _form(Policy).pack(checked.policy.policy),
    }


def unpack(document: Json) -> Checked:
    """
    The policy that `pack` packed.

    Raises:
        Spoilt: the document isn't of that shape.
    """
    try:
        sources = _form(tuple[Source, ...]).unpack(document["sources"])
        texts = {source.name: source.text for source in sources}
        named = _form(tuple[tuple[str, str, str], ...]).unpack(document["files"])
        files = tuple(PolicyFile(name, place, folder, texts[name]) for name, place, folder in named)
        found = _form(tuple[Diagnostic, ...]).unpack(document["findings"])
        policy = _form(Policy).unpack(document["policy"])
    except (KeyError, TypeError) as error:
        raise Spoilt from error
    return Checked(Report(sources, found), CheckedPolicy(policy), files)


@cache
def _form(kind: Any) -> Form:
    """The form of a type."""
    if kind in _PLAIN:
        return _plain(*_PLAIN[kind])
    if kind is Decimal:
        return Form(str, _decimal)
    if get_origin(kind) in (Union, UnionType):
        return _either(get_args(kind))
    if get_origin(kind) is not None:
        return _CONTAINERS[get_origin(kind)](*get_args(kind))
    return _choice(kind) if issubclass(kind, Enum) else _record(kind)


_PLAIN: dict[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (float, int),  # a number may stand as it is written: 5 for 5.0
    NoneType: (NoneType,),
}


def _plain(*kinds: type) -> Form:
    """What JSON has, too. A type counts as it is: for Python True is an int, but not here."""

    def unpack(value: Json) -> Any:
        if type(value) not in kinds:
            raise Spoilt
        return value

    return Form(lambda value: value, unpack, kinds)


def _decimal(value: Json) -> Decimal:
    try:
        number = Decimal(_text(value))
    except InvalidOperation as error:
        raise Spoilt from error
    if not number.is_finite():
        raise Spoilt
    return number


def _text(value: Json) -> str:
    if type(value) is not str:
        raise Spoilt
    return value


def _list(value: Json) -> list[Json]:
    if type(value) is not list:
        raise Spoilt
    return value


def _choice(kind: type[Enum]) -> Form:
    """The value of an enumeration."""
    members = {member.value: member for member in kind}

    def unpack(value: Json) -> Enum:
        found = members.get(_text(value))
        if found is None:
            raise Spoilt
        return found

    return Form(lambda member: member.value, unpack)


def _tuple(*kinds: Any) -> Form:
    """A list: of so many values, or of any number of one kind."""
    if kinds[-1] is not Ellipsis:
        return _row([_form(kind) for kind in kinds], tuple, lambda values: values)
    form = _form(kinds[0])

    def unpack(values: Json) -> tuple[Any, ...]:
        if form.plain and set(map(type, _list(values))).issubset(form.plain):
            return tuple(values)
        return tuple([form.unpack(value) for value in _list(values)])

    return Form(lambda values: [form.pack(value) for value in values], unpack)


def _set(kind: Any) -> Form:
    """A list without repetitions, sorted, so that the same policy is always written the same way."""
    form = _form(kind)

    def unpack(values: Json) -> frozenset[Any]:
        found = frozenset([form.unpack(value) for value in _list(values)])
        if len(found) != len(values):
            raise Spoilt
        return found

    return Form(lambda values: sorted(form.pack(value) for value in values), unpack)


def _mapping(key: Any, kind: Any) -> Form:
    """An object; the order of its keys is kept."""
    form = _form(kind)

    def unpack(value: Json) -> dict[str, Any]:
        if type(value) is not dict:
            raise Spoilt
        return {name: form.unpack(item) for name, item in value.items()}

    return Form(lambda value: {name: form.pack(item) for name, item in value.items()}, unpack)


_CONTAINERS: dict[Any, Callable[..., Form]] = {tuple: _tuple, frozenset: _set, Mapping: _mapping}


def _record(kind: Any) -> Form:
    """The fields of a class, in their order, without their names."""
    names = [field.name for field in fields(kind)]
    forms = [_form(_type(str(field.type), kind.__module__)) for field in fields(kind)]
    return _row(forms, lambda values: kind(*values), lambda made: [getattr(made, name) for name in names])


@cache
def _type(annotation: str, module: str) -> Any:
    """What an annotation in one of our modules means; `get_type_hints` would read each of 200 anew."""
    return eval(annotation, vars(modules[module]))  # noqa: S307  # the text of our own source


def _row(forms: list[Form], make: Callable[[list[Any]], Any], parts: Callable[[Any], Any]) -> Form:
    """A list of so many values, each with its own form."""
    packs = [form.pack for form in forms]
    unpacks = [(index, form.unpack) for index, form in enumerate(forms) if not form.plain]
    plain = [index for index, form in enumerate(forms) if form.plain]
    types = set(product(*(forms[index].plain for index in plain)))

    def unpack(values: Json) -> Any:
        if len(_list(values)) != len(forms) or tuple([type(values[index]) for index in plain]) not in types:
            raise Spoilt
        values = [*values]
        for index, read in unpacks:
            values[index] = read(values[index])
        return make(values)

    return Form(
        lambda made: [write(part) for write, part in zip(packs, parts(made), strict=True)],
        unpack,
    )


def _either(kinds: tuple[Any, ...]) -> Form:
    """
    A value of one of several types.

    Numbers, texts and null tell themselves apart, and one type that is a list does from them; of several
    such types the name of the value's own stands first.
    """
    plain = tuple(word for kind in kinds if kind in _PLAIN for word in _PLAIN[kind])
    others = [kind for kind in kinds if kind not in _PLAIN]
    if not others:
        return _plain(*plain)
    form = _form(others[0]) if len(others) == 1 else _named({kind.__name__: _form(kind) for kind in others})
    return Form(
        lambda value: value if type(value) in plain else form.pack(value),
        lambda value: value if type(value) in plain else form.unpack(value),
    )


def _named(forms: Mapping[str, Form]) -> Form:
    def unpack(value: Json) -> Any:
        match value:
            case [str(name), packed] if name in forms:
                return forms[name].unpack(packed)
        raise Spoilt

    def pack(value: Any) -> Json:
        name = type(value).__name__
        return [name, forms[name].pack(value)]

    return Form(pack, unpack)
