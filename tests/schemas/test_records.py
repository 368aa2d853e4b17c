"""A quickly made dataclass does all that one of `dataclasses` does."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import field
from typing import Any

import pytest

from policyctl.schemas import records
from policyctl.schemas.request import Request
from policyctl.schemas.text import Span


def classes(dataclass: Callable[..., Any]) -> list[Any]:
    """
    A class of each kind that policyctl has.
    """

    @dataclass(frozen=True, slots=True)
    class Nothing:
        """No field."""

    @dataclass(frozen=True, slots=True)
    class One:
        """One field."""

        only: Any

    @dataclass(frozen=True, slots=True)
    class Defaults:
        """Fields with defaults, one of which is made anew each time."""

        a: int
        b: str = "b"
        c: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Hidden:
        """A field that doesn't count."""

        a: int
        unseen: int = field(default=0, compare=False, repr=False)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        """Fields that are given by name."""

        a: int
        b: int = 2

    @dataclass(frozen=True, slots=True)
    class Above:
        """A class that another one extends."""

        a: int

    @dataclass(frozen=True, slots=True)
    class Below(Above):
        """The class that extends it."""

        b: int = 3

    return [Nothing, One, Defaults, Hidden, Named, Below]


CALLS: list[tuple[int, tuple[Any, ...], dict[str, Any]]] = [
    (0, (), {}), (0, (1,), {}),
    (1, (1,), {}), (1, ("1",), {}), (1, ([],), {}), (1, (), {}), (1, (), {"only": None}),
    (2, (1,), {}), (2, (1, "c"), {}), (2, (1,), {"c": [1]}), (2, (1,), {"d": 1}), (2, (1, 2, 3, 4), {}),
    (3, (1,), {}), (3, (1, 2), {}),
    (4, (), {"a": 1}), (4, (), {"b": 1, "a": 2}), (4, (1,), {}),
    (5, (1,), {}), (5, (1, 2), {}), (5, (), {"b": 2}),
]  # fmt: skip


def made(dataclass: Callable[..., Any]) -> list[Any]:
    """
    The instances that the calls give, or the kind of error.
    """
    kinds = classes(dataclass)
    found = []
    for kind, args, named in CALLS:
        try:
            found.append(kinds[kind](*args, **named))
        except TypeError as error:
            found.append(str(error).rpartition("<locals>.")[2])
    return found


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (TypeError, AttributeError) as error:
        return type(error)


def test_it_behaves_as_one_of_dataclasses() -> None:
    """
    Instances are made, shown, compared, hashed, replaced and copied alike, and are as frozen.
    """
    quick, usual = made(records.dataclass), made(dataclasses.dataclass)

    assert [repr(each) for each in usual] == [repr(each) for each in quick]
    for a, x in zip(usual, quick, strict=True):
        assert [a == b for b in usual] == [x == y for y in quick]
        assert outcome(lambda one=a: hash(one)) == outcome(lambda one=x: hash(one))
        if isinstance(a, str):
            continue
        names = [f.name for f in dataclasses.fields(a)]
        assert names == [f.name for f in dataclasses.fields(x)]
        assert repr(dataclasses.replace(a)) == repr(dataclasses.replace(x))
        assert dataclasses.asdict(a) == dataclasses.asdict(x)
        assert type(a).__match_args__ == type(x).__match_args__
        assert list(inspect.signature(type(a)).parameters) == list(inspect.signature(type(x)).parameters)
        assert x == copy.copy(x) == copy.deepcopy(x)
        assert not hasattr(x, "__dict__")
        for name in [*names, "other"]:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(x, name, 1)
            with pytest.raises(dataclasses.FrozenInstanceError):
                delattr(x, name)


def test_defaults_are_not_shared() -> None:
    """
    A default that is made is made for each instance.
    """
    kind = classes(records.dataclass)[2]
    one, other = kind(1), kind(1)
    one.c.append(1)

    assert [] == other.c


def test_policyctls_own_are_pickled() -> None:
    """
    What a program sends to another process arrives.
    """
    for value in (Span("a.policy", 1, 2), Request(complexity=4.0, inputs={"private": "yes"})):
        assert value == pickle.loads(pickle.dumps(value))  # noqa: S301  # our own bytes


def test_other_dataclasses_are_left_to_the_library() -> None:
    """
    One that isn't frozen can be changed.
    """

    @records.dataclass(slots=True)
    class Loose:
        """A class whose fields change."""

        a: int

    loose = Loose(1)
    loose.a = 2

    assert 2 == loose.a
