"""
The finite space of requests: each fact, the clock and each budget as an axis of finitely many cells.

Conditions test one subject against bounds, so values between which no condition (and nothing else that
a decision looks at) can tell are one cell, and one of them stands for all. A space is made for one
policy or for several together; then a cell means the same to all of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from heapq import merge
from itertools import chain, combinations
from math import ceil, floor
from typing import Any

from ...schemas.policy import (
    CAPABILITIES,
    Action,
    Budget,
    BudgetIn,
    Condition,
    During,
    Fact,
    FactKind,
    Limit,
    NumberIn,
    Policy,
    Promise,
    Rule,
    StartsWith,
    ValueIs,
    Window,
)
from ...schemas.records import dataclass
from ...schemas.request import Request, Spend, State
from ..cases import Case, noon
from ..compile import alternatives
from ..conditions import budget_holds, fact_holds
from ..facts import tier_of
from ..flips import amounts_around, another, numbers_around, reaches, with_fact
from ..situation import level_of
from ..table import DecisionTable
from ..windows import HORIZON_DAYS, active, boundaries, moments_apart
from .diagram import TooLarge, cells_of

_FAR_DAYS = 40 * 366
"""How far ahead windows are looked at: a leap day may have to be a Sunday as well."""

MOST_AXES = 150
_MOST_WINDOW_TESTS = 200_000
_MOST_WINDOW_SETS = 1_000
_MOST_TESTS = 3_000_000
"""Values times conditions of one axis."""

Statement = Rule | Limit | Promise


@dataclass(frozen=True, slots=True)
class Box:
    """
    One alternative of a statement, which holds in a box of cells; it is one bit.

    `policy` and `number` say which policy of the space, and which statement of its kind there.
    """

    policy: int
    statement: Statement
    number: int
    alternative: int
    bit: int

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What must hold together."""
        return alternatives(self.statement.when)[self.alternative]


@dataclass(frozen=True, slots=True)
class Asked:
    """The tier that a person (`--tier`) or a story asks for; none where `tier` is None."""

    tier: str | None = None
    by_person: bool = False


class _Unsaid:
    """In place of a value: the request doesn't give one, so each policy's own default counts."""

    def __repr__(self) -> str:
        return "unsaid"


UNSAID = _Unsaid()


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, and for each policy the windows that hold then, of those that conditions read."""

    now: datetime
    windows: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """
    Values that nothing can tell apart: one of them, and the bits of the boxes that hold there.

    `also` is what a decision takes from the cell beside them; `weight` says how odd it is.
    """

    value: Any
    boxes: int
    also: Any
    weight: int


@dataclass(frozen=True, slots=True)
class Axis:
    """A subject of conditions and its cells, the plainest first."""

    subject: str
    cells: tuple[Cell, ...]


COMPLEXITY, DOMAIN, REQUIRES, TIER = "complexity", "domain", "requires", "tier"
TOKENS = ("input_tokens", "output_tokens")
CLOCK = "the clock"


def budget_subject(name: str) -> str:
    """The subject of what a budget has spent."""
    return f"budget {name}"


def subject_of(condition: Condition) -> str:
    """What a condition is about."""
    if isinstance(condition, During):
        return CLOCK
    return budget_subject(condition.budget) if isinstance(condition, BudgetIn) else condition.fact


class Space:
    """
    All cells of some policies.

    Raises:
        TooLarge: there are too many.
    """

    def __init__(self, *tables: DecisionTable) -> None:
        self.tables = tables
        self.policies: tuple[Policy, ...] = tuple(table.policy for table in tables)
        keys = dict.fromkeys(key for policy in self.policies for key in policy.models)
        self.model_bits = {key: 1 << number for number, key in enumerate(keys)}
        self.boxes: tuple[Box, ...] = tuple(_boxes(self.policies))
        self.all_boxes = (1 << len(self.boxes)) - 1
        self._tests = _tests(self.boxes)
        self._satisfying: dict[Hashable, int] = {}
        self._all_values: dict[str, int] = {}
        self._spread: dict[str, tuple[tuple[Any, int], ...]] = {}
        self.window_sets: set[tuple[frozenset[str], ...]] = set()
        axes = [self._axis(subject) for subject in self._subjects()]
        self.single: tuple[Axis, ...] = tuple(axis for axis in axes if len(axis.cells) == 1)
        self.axes: tuple[Axis, ...] = tuple(
            sorted((axis for axis in axes if len(axis.cells) > 1), key=self._place)
        )
        if len(self.axes) > MOST_AXES:
            raise TooLarge
        self.weights = [[cell.weight for cell in axis.cells] for axis in self.axes]
        self.axis_of: dict[str, int] = {axis.subject: n for n, axis in enumerate(self.axes)}

    def axis(self, subject: str) -> Axis:
        """The axis of a subject; of one cell where nothing tells its values apart."""
        number = self.axis_of.get(subject)
        if number is not None:
            return self.axes[number]
        return next(axis for axis in self.single if axis.subject == subject)

    def _place(self, axis: Axis) -> tuple[bool, int, int]:
        """What only decides later, and many boxes test, comes late: then diagrams stay small."""
        tested = sum(bits.bit_count() for _, bits in self._tests.get(axis.subject, ()))
        decides = axis.subject in _LATE or axis.subject.startswith("budget ")
        rank = _LATE.index(axis.subject) if axis.subject in _LATE else 3
        return decides, rank if decides else 0, -tested

    # subjects

    def _subjects(self) -> Iterator[str]:
        yield from dict.fromkeys(name for policy in self.policies for name in policy.facts)
        yield CLOCK
        yield from dict.fromkeys(budget_subject(name) for policy in self.policies for name in policy.budgets)

    def _axis(self, subject: str) -> Axis:
        tests = self._tests.get(subject, [])
        values = list(self._values(subject))
        if len(values) * len(tests) > _MOST_TESTS:
            raise TooLarge
        holding = [self.all_boxes] * len(values)
        for (policy, condition), bits in tests:
            satisfying = 0
            for place, value in enumerate(values):
                if self.holds(policy, condition, value):
                    satisfying |= 1 << place
                else:
                    holding[place] &= ~bits
            self._satisfying[policy, _content(condition)] = satisfying
        self._all_values[subject] = (1 << len(values)) - 1
        cells: dict[tuple[int, Hashable], Cell] = {}
        keys = []
        for value, boxes in zip(values, holding, strict=True):
            also = self._also(subject, value)
            weight = _weight(subject, value) if cells else 0
            cells.setdefault((boxes, also), Cell(value, boxes, also, weight))
            keys.append((boxes, also))
        number = {key: n for n, key in enumerate(cells)}
        self._spread[subject] = tuple((value, number[key]) for value, key in zip(values, keys, strict=True))
        return Axis(subject, tuple(cells.values()))

    def spread(self, subject: str) -> tuple[tuple[Any, int], ...]:
        """Each value of a subject that was looked at, with its cell."""
        return self._spread[subject]

    def values_in(self, policy: int, condition: Condition) -> int:
        """The values that satisfy a condition, as bits."""
        return self._satisfying[policy, _content(condition)]

    def all_values(self, subject: str) -> int:
        """All values of a subject that were looked at, as bits."""
        return self._all_values[subject]

    def conditions(self, subject: str) -> Iterator[Condition]:
        """The conditions on a subject, each once."""
        return (condition for (_, condition), _ in self._tests.get(subject, ()))

    def holds(self, number: int, condition: Condition, value: Any) -> bool:
        """Whether a condition of a policy holds for a value of its subject."""
        policy = self.policies[number]
        if isinstance(condition, During):
            return (condition.window in value.windows[number]) != condition.negated
        if isinstance(condition, BudgetIn):
            return budget_holds(condition, policy.budgets[condition.budget], value)
        if condition.fact == TIER:
            return fact_holds(condition, value.tier or "none")
        if value is UNSAID:
            value = policy.facts[condition.fact].default
        if condition.fact == DOMAIN and value not in policy.domains:
            return fact_holds(condition, "none")
        return fact_holds(condition, value)

    def _values(self, subject: str) -> Iterable[Any]:
        """Values of a subject, the plainest first: at least one for each cell."""
        if subject == CLOCK:
            return self._moments()
        if subject.startswith("budget "):
            return self.spends(subject.removeprefix("budget "))
        if subject == REQUIRES:
            return self._sets()
        if subject == TIER:
            return self._tiers()
        facts = [policy.facts[subject] for policy in self.policies if subject in policy.facts]
        if facts[0].kind is FactKind.NUMBER:
            return self._numbers(subject, facts)
        if facts[0].kind is FactKind.TEXT:
            return self._texts(subject, _default(facts))
        if subject == DOMAIN:
            return dict.fromkeys(["none", *(name for fact in facts for name in fact.values)])
        shared = [v for v in facts[0].values if all(v in fact.values for fact in facts)]
        return _default_first(shared, _default(facts))

    def _numbers(self, subject: str, facts: Sequence[Fact]) -> Iterable[float]:
        fact = replace(
            facts[0],
            low=max(fact.low for fact in facts),
            high=min((fact.high for fact in facts if fact.high is not None), default=None),
            whole=any(fact.whole for fact in facts),
        )
        points = {
            bound
            for c in self.conditions(subject)
            if isinstance(c, NumberIn)
            for bound in (c.low, c.high)
            if bound is not None
        }
        if subject == COMPLEXITY:
            points |= {tier.start for policy in self.policies for tier in policy.tiers}
        points |= {f.default for f in facts if isinstance(f.default, float | int) and len(facts) > 1}
        default = _default(facts)
        known: list[Any] = (
            [default] if default is UNSAID or (default is not None and _in_range(fact, default)) else []
        )
        return dict.fromkeys([*known, *_numbers_apart(points, fact)])

    def _texts(self, subject: str, default: Any) -> Iterable[Any]:
        conditions = list(self.conditions(subject))
        prefixes = [c.prefix for c in conditions if isinstance(c, StartsWith)]
        literals = [v for c in conditions if isinstance(c, ValueIs) for v in c.values]
        named = dict.fromkeys(["", *literals, *prefixes])
        others = [another(stem, named) for stem in dict.fromkeys([*prefixes, ""])]
        return dict.fromkeys([*([] if default is None else [default]), *named, *others])

    def _sets(self) -> Iterable[frozenset[str]]:
        """Sets of capabilities that some enabled model has together; no other request can be served."""
        having = {m.capabilities for policy in self.policies for m in policy.models.values() if m.enabled}
        for size in range(len(CAPABILITIES) + 1):
            for names in combinations(CAPABILITIES, size):
                wanted = frozenset(names)
                if not wanted or any(wanted <= capabilities for capabilities in having):
                    yield wanted

    def _tiers(self) -> Iterable[Asked]:
        """Nobody asks, a person does, a story does; for tiers that all policies have."""
        shared = [
            t.name for t in self.policies[0].tiers if all(t.name in table.tiers for table in self.tables)
        ]
        yield Asked()
        yield from (Asked(name, True) for name in shared)
        yield from (Asked(name, False) for name in shared)

    def _moments(self) -> Iterable[Moment]:
        read = [
            {
                c.window
                for (owner, c), _ in self._tests.get(CLOCK, ())
                if owner == number and isinstance(c, During)
            }
            for number in range(len(self.tables))
        ]
        windows = [
            {name: policy.windows[name] for name in _with_inner(policy, names)}
            for policy, names in zip(self.policies, read, strict=True)
        ]
        seen = self.window_sets
        left = _MOST_WINDOW_TESTS
        for moment in self._times(windows):
            left -= 1 + sum(map(len, windows))
            holding = tuple(
                active(some, moment.astimezone(table.zone))
                for some, table in zip(windows, self.tables, strict=True)
            )
            if holding not in seen:
                seen.add(holding)
                yield Moment(moment, holding)
            if left < 0 or len(seen) > _MOST_WINDOW_SETS:
                raise TooLarge

    def _times(self, windows: Sequence[Mapping[str, Window]]) -> Iterator[datetime]:
        """
        Moments at which all sets of windows that hold together are seen.

        Where the policies are in different zones these are all that a year has, and no others.
        """
        table = self.tables[0]
        if any(other.zone.key != table.zone.key for other in self.tables):
            start = noon(table)
            each = (
                boundaries(some, other.zone, start, HORIZON_DAYS)
                for some, other in zip(windows, self.tables, strict=True)
            )
            return chain([start], merge(*each))
        named = {
            f"{number}:{name}": _renamed(window, number)
            for number, some in enumerate(windows)
            for name, window in some.items()
        }
        return moments_apart(named, table.zone, noon(table), _FAR_DAYS)

    def spends(self, name: str) -> Iterable[Spend]:
        """What may be spent of a budget and held, at least one of each kind, the least spent first."""
        budgets = [policy.budgets[name] for policy in self.policies if name in policy.budgets]
        points = self.amounts(name)
        amounts = sorted({a for budget in budgets for a in amounts_around(points, budget)})
        yield from map(Spend, amounts)
        pauses = [
            reaches(level.percent, budget)
            for budget in budgets
            for level in budget.levels
            if level.action is Action.PAUSE
        ]
        for spent in amounts:
            yield from (Spend(spent, pause - spent) for pause in sorted(pauses) if pause > spent)

    def amounts(self, name: str) -> set[int]:
        """The amounts of a budget at which a level is reached or a condition turns."""
        budgets = [policy.budgets.get(name) for policy in self.policies]
        found = {reaches(level.percent, b) for b in budgets if b is not None for level in b.levels}
        for (number, c), _ in self._tests.get(budget_subject(name), ()):
            budget = budgets[number]
            if isinstance(c, BudgetIn) and budget is not None:
                bounds = [bound for bound in (c.low, c.high) if bound is not None]
                found |= {ceil(bound) if c.in_money else reaches(bound, budget) for bound in bounds}
        return found

    # what decisions take from a cell

    def _also(self, subject: str, value: Any) -> Hashable:
        if subject == COMPLEXITY:
            return tuple(tier_of(policy, value) for policy in self.policies)
        if subject == DOMAIN:
            return tuple(domain_key(table, value) for table in self.tables)
        if subject == REQUIRES:
            able = (able_for(policy, self.model_bits, value) for policy in self.policies)
            return (*able, *self._truths(subject, value))
        if subject == TIER:
            asked: Asked = value
            return asked
        if subject in TOKENS:  # costs and context windows make a difference even where boxes don't
            return (value is UNSAID, *self._truths(subject, value))
        if subject.startswith("budget "):
            return tuple(
                standing_key(policy, policy.budgets.get(subject.removeprefix("budget ")), value)
                for policy in self.policies
            )
        return None

    def _truths(self, subject: str, value: Any) -> tuple[bool, ...]:
        """Which conditions a value satisfies, whether or not a box as a whole can tell."""
        return tuple(self.holds(*test, value) for test, _ in self._tests.get(subject, ()))

    # cases

    @cached_property
    def _plain(self) -> Case:
        """The case in which each axis has its plainest cell."""
        case = Case(Request(), State(now=noon(self.tables[0])))
        for axis in (*self.single, *self.axes):
            case = self._with(case, axis.subject, axis.cells[0].value)
        return case

    def case(self, path: Any, policy: int = 0) -> Case:
        """
        The request and state of the cells on a path, as one policy takes them.

        What the path doesn't choose is as plain as can be; inputs that the policy lacks are left out.
        """
        case = self._plain
        for axis, cell in sorted(cells_of(path).items()):
            case = self._with(case, self.axes[axis].subject, self.axes[axis].cells[cell].value)
        return self._for(case, policy)

    def _with(self, case: Case, subject: str, value: Any) -> Case:
        request, state = case.request, case.state
        if subject == CLOCK:
            local = value.now.astimezone(self.tables[0].zone)
            return replace(case, state=replace(state, now=local))
        if subject.startswith("budget "):
            spend = {**state.spend, subject.removeprefix("budget "): value}
            return replace(case, state=replace(state, spend=spend))
        if subject == REQUIRES:
            return replace(case, request=replace(request, requires=value))
        if subject == TIER:
            person, story = (value.tier, None) if value.by_person else (None, value.tier)
            return replace(case, request=replace(request, tier=person, story_tier=story))
        if value is UNSAID:
            return case
        return replace(case, request=with_fact(request, subject, value))

    def _for(self, case: Case, number: int) -> Case:
        """A case without what a policy's defaults say anyway, and without what it doesn't have."""
        policy, request = self.policies[number], case.request
        plain: dict[str, Any] = {
            name: None
            for name in ("domain", "kind", "skill", "branch", "attempt", "input_tokens", "output_tokens")
            if getattr(request, name) == policy.facts[name].default
        }
        inputs = {
            name: value
            for name, value in request.inputs.items()
            if name in policy.facts and value != policy.facts[name].default
        }
        if request.domain is not None and request.domain not in policy.domains:
            plain["domain"] = None
        spend = {n: s for n, s in case.state.spend.items() if n in policy.budgets and s != Spend()}
        return Case(replace(request, inputs=inputs, **plain), replace(case.state, spend=spend))


_LATE = (COMPLEXITY, DOMAIN, REQUIRES, TIER)
"""What decides beside the rules, in this order; budgets stand before the tier that somebody asks for."""


# --- boxes ---------------------------------------------------------------------------------------


def _boxes(policies: Sequence[Policy]) -> Iterator[Box]:
    """Each alternative of each statement; rules first, so that a lower bit is an earlier rule."""
    bit = 1
    for number, policy in enumerate(policies):
        groups: tuple[tuple[Statement, ...], ...] = (policy.rules, policy.limits, policy.promises)
        for group in groups:
            for place, statement in enumerate(group):
                for alternative in range(len(alternatives(statement.when))):
                    yield Box(number, statement, place, alternative, bit)
                    bit <<= 1


def _tests(boxes: Iterable[Box]) -> dict[str, list[tuple[tuple[int, Condition], int]]]:
    """By subject: each condition once, whose policy's it is, and the bits of the boxes that have it."""
    found: dict[str, dict[Hashable, tuple[tuple[int, Condition], int]]] = {}
    for box in boxes:
        for condition in box.conditions:
            key = (box.policy, _content(condition))
            of_subject = found.setdefault(subject_of(condition), {})
            test, bits = of_subject.get(key, ((box.policy, condition), 0))
            of_subject[key] = (test, bits | box.bit)
    return {subject: list(tests.values()) for subject, tests in found.items()}


def _content(condition: Condition) -> Hashable:
    """A condition without its place in the text."""
    return (type(condition), *(getattr(condition, name) for name in condition.__slots__ if name != "span"))


def _weight(subject: str, value: Any) -> int:
    """How odd it is that a request or state has a value that isn't the plainest."""
    if subject == COMPLEXITY:
        return 0
    if subject in TOKENS or (isinstance(value, Asked) and value.by_person):
        return 2
    odd = isinstance(value, Asked) or (isinstance(value, Spend) and value.held_nusd > 0)
    return 3 if odd else 1 + len(value) if isinstance(value, frozenset) else 1


# --- values --------------------------------------------------------------------------------------


def _default(facts: Sequence[Fact]) -> Any:
    """The default of a fact; UNSAID where all policies have one, but different ones."""
    found = dict.fromkeys(fact.default for fact in facts)
    if len(found) > 1 and None not in found:
        return UNSAID
    return next((default for default in found if default is not None), None)


def _default_first(values: Iterable[Any], default: object) -> Iterable[Any]:
    known = dict.fromkeys(values)
    return dict.fromkeys([default, *known]) if default is UNSAID or default in known else known


def _numbers_apart(points: Iterable[float], fact: Fact) -> Iterable[float]:
    """Numbers of each kind that some points tell apart: whole ones first, then the others, rising."""
    whole = {floor(fact.low) + n for n in range(12)}
    for point in points:
        whole |= {floor(point) - 1, floor(point), ceil(point), floor(point) + 1}
    if fact.high is not None:
        whole |= {floor(fact.high) - n for n in range(2)}
    # Nothing at all is a number like others for tokens, and an odd one elsewhere.
    odd = None if fact.name in TOKENS else 0
    plain = sorted({float(n) for n in whole if _in_range(fact, n)}, key=lambda n: (n == odd, n))
    return plain if fact.whole else [*plain, *sorted(numbers_around(points, fact))]


def _in_range(fact: Fact, value: float) -> bool:
    return fact.low <= value and (fact.high is None or value <= fact.high)


def _with_inner(policy: Policy, names: Iterable[str]) -> set[str]:
    """Windows, and those that they are outside of."""
    found: set[str] = set()
    for name in names:
        at: str | None = name
        while at is not None and at not in found:
            found.add(at)
            at = policy.windows[at].outside
    return found


def _renamed(window: Window, number: int) -> Window:
    outside = None if window.outside is None else f"{number}:{window.outside}"
    return replace(window, outside=outside)


# --- what decisions take from a value ------------------------------------------------------------


def domain_key(table: DecisionTable, name: str) -> Hashable:
    """All that a decision takes from a domain beside the conditions on it."""
    domain = table.policy.domains.get(name)
    models = () if domain is None else tuple(key for key in domain.models if key in table.rank)
    free = domain is not None and domain.any_tier and bool(models)
    return models, free, name if name in table.scoped_domains else None


def able_for(policy: Policy, bits: Mapping[str, int], requires: frozenset[str]) -> int:
    """The enabled models that have some capabilities, as bits."""
    able = 0
    for key, model in policy.models.items():
        if model.enabled and requires <= model.capabilities:
            able |= bits[key]
    return able


def standing_key(policy: Policy, budget: Budget | None, spend: Spend) -> Hashable:
    """What the level of a budget does to decisions; None where nothing."""
    level = None if budget is None else level_of(budget, spend)
    if level is None or level.action is Action.WARN:
        return None
    return level.action, min(level.tiers, len(policy.tiers)), level.models
