"""
Dataclasses that are quickly made: a command defines a hundred before it says its first word.

`dataclasses` compiles six methods for each frozen class. Here just the first instance of a class has one
compiled, `__init__`; all other methods are shared. That takes a tenth of the time, and such a class does all
that a frozen, slotted dataclass does: `fields`, `replace`, `copy`, `pickle` and `match` included.

Only the import differs: `from .records import dataclass`. Type checkers see the one of `dataclasses`.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, *, frozen=False, slots=False, kw_only=False):
        """As `dataclasses.dataclass`; quick for classes that are frozen and have slots."""
        if not (frozen and slots):
            return dataclasses.dataclass(cls, frozen=frozen, slots=slots, kw_only=kw_only)
        return lambda cls: _finished(
            dataclasses.dataclass(cls, init=False, repr=False, eq=False, slots=True, kw_only=kw_only)
        )


def _finished(cls: Any) -> Any:
    """A class with slots and fields, with the methods of a frozen one."""
    fields = dataclasses.fields(cls)
    key = _values([field.name for field in fields if field.compare])

    def __init__(self: Any, *args: Any, **named: Any) -> None:
        cls.__init__ = _compiled_init(cls, fields)
        self.__init__(*args, **named)

    def __eq__(self: Any, other: Any) -> bool:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(key(self))

    for own in (__init__, __eq__, __hash__):
        own.__qualname__ = f"{cls.__qualname__}.{own.__name__}"
    for method in (__init__, __eq__, __hash__, *_SHARED):
        setattr(cls, method.__name__, method)
    return cls


def _values(names: list[str]) -> Any:
    """What gives some attributes as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda self: (getattr(self, names[0]),)) if names else lambda self: ()


@recursive_repr()
def __repr__(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def __setattr__(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def __getstate__(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def __setstate__(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED = (__repr__, __setattr__, __delattr__, __getstate__, __setstate__)


def _compiled_init(cls: Any, fields: tuple[dataclasses.Field[Any], ...]) -> Any:
    """`__init__`, with the defaults in its signature; it sets each slot by its descriptor, which is quick."""
    known: dict[str, Any] = {"_MISSING": dataclasses.MISSING}
    signature, body = ["self"], []
    for field in sorted(fields, key=lambda field: field.kw_only is True):
        name = field.name
        if field.kw_only and "*" not in signature:
            signature.append("*")
        known[f"_set_{name}"] = getattr(cls, name).__set__
        value = name
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            signature.append(f"{name}=_default_{name}")
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            signature.append(f"{name}=_MISSING")
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        else:
            signature.append(name)
        body.append(f"    _set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    text = f"def __init__({', '.join(signature)}):\n" + "\n".join(body or ["    pass"])
    exec(text, known)  # noqa: S102  # the text is made of the names of fields alone
    init = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    init.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    return init
