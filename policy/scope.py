"""The names of a policy: what is declared, and what a reference means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from ..schemas.diagnostics import Diagnostic
from ..schemas.policy import CAPABILITIES, Fact, FactKind
from ..schemas.text import Span
from . import document as doc
from .checks.p201_duplicate_name import duplicate
from .checks.p202_unknown_fact import unknown_fact
from .checks.p203_unknown_model import unknown_model
from .checks.p204_unknown_tier import unknown_tier
from .checks.p205_ambiguous_model import ambiguous
from .checks.p206_unknown_window import unknown_window
from .checks.p207_unknown_budget import unknown_budget
from .checks.p208_unknown_domain import unknown_domain
from .checks.p215_said_twice import said_twice
from .checks.p216_bad_name import bad_name, taken
from .checks.p308_bad_text import bad_text
from .document import Name
from .names import last_parts

MAX_NAME = 200
MAX_FOUND = 200
MAX_SUGGESTIONS = 20
"""Unknown names for which the nearest known one is looked up; a thousand of them would take minutes."""
NONE = "none"
NOTHING = "nothing"
BUILT_IN_FACTS = (
    "complexity requires domain tier kind skill branch attempt input_tokens output_tokens".split()
)
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.\/:@-]*[A-Za-z0-9_])?")

_Unknown = Callable[[Span, str, Iterable[str]], Diagnostic]


class Enough(Exception):
    """So much is wrong that looking further helps nobody."""


class Findings(list[Diagnostic]):
    """What was found to be wrong, up to MAX_FOUND: the one after that raises Enough."""

    def append(self, diagnostic: Diagnostic) -> None:
        """Add a finding."""
        if len(self) == MAX_FOUND:
            raise Enough
        super().append(diagnostic)


S = TypeVar("S", doc.Model, doc.Tier, doc.Input, doc.Window, doc.Domain, doc.Budget)


class Scope:
    """
    Resolves names and collects what is wrong with them.

    A name that a broken statement would have declared resolves to nothing, silently: that mistake
    has been reported already.
    """

    def __init__(
        self,
        document: doc.Document,
        broken: frozenset[tuple[str, str]],
        found: Findings,
        *,
        incomplete: bool = False,
    ) -> None:
        self._incomplete = incomplete
        self.found = found
        self._suggestions = 0
        self._values: dict[tuple[str, bool], frozenset[str]] = {}
        self._broken = set(broken)
        statements = document.statements
        self.models = self._declare("model", (s for s in statements if isinstance(s, doc.Model)))
        self.tiers = self._declare("tier", (s for s in statements if isinstance(s, doc.Tier)))
        self.inputs = self._declare("input", (s for s in statements if isinstance(s, doc.Input)))
        self.windows = self._declare("window", (s for s in statements if isinstance(s, doc.Window)))
        self.domains = self._declare("domain", (s for s in statements if isinstance(s, doc.Domain)))
        self.budgets = self._declare("budget", (s for s in statements if isinstance(s, doc.Budget)))
        self.facts: dict[str, Fact] = {}
        self._aliases = self._declare_aliases()
        self._tails = last_parts(self.models)
        self._reserve()

    # declarations

    def _declare(self, kind: str, statements: Iterable[S]) -> dict[str, S]:
        declared: dict[str, S] = {}
        for statement in statements:
            name = _head(statement)
            if not is_name(name.text):
                self.found.append(bad_name(name.span, name.text))
                self._broken.add((kind, name.text))
            elif name.text in declared:
                first = _head(declared[name.text])
                self.found.append(duplicate(name.span, kind, name.text, first.span))
            else:
                declared[name.text] = statement
        return declared

    def _declare_aliases(self) -> dict[str, str]:
        aliases: dict[str, str] = {}
        spans: dict[str, Span] = {}
        for key, model in self.models.items():
            for alias in (v for a in model.attributes if a.kind == "alias" for v in a.values):
                if not is_name(alias.text):
                    self.found.append(bad_name(alias.span, alias.text))
                elif alias.text in self.models:
                    self.found.append(taken(alias.span, alias.text, "a model"))
                elif alias.text in aliases:
                    self.found.append(duplicate(alias.span, "alias", alias.text, spans[alias.text]))
                else:
                    aliases[alias.text], spans[alias.text] = key, alias.span
        return aliases

    def _reserve(self) -> None:
        for name, declared in self.inputs.items():
            if name in BUILT_IN_FACTS:
                self.found.append(taken(declared.name.span, name, "a built-in fact"))
        named: list[doc.Tier | doc.Domain] = [*self.tiers.values(), *self.domains.values()]
        for statement in named:
            if statement.name.text == NONE:
                self.found.append(taken(statement.name.span, NONE, "the value for having none"))

    # references

    def model(self, name: Name) -> str | None:
        """The key that a name means: a key, an alias, or the one key whose last `/` part it is."""
        text = name.text
        if text in self.models:
            return text
        if text in self._aliases:
            return self._aliases[text]
        tails = self._tails.get(text, [])
        if len(tails) == 1:
            return tails[0]
        if len(tails) > 1:
            self.found.append(ambiguous(name.span, text, tails))
        elif self._is_unknown("model", text):
            known = self.candidates([*self.models, *self._aliases, *self._tails])
            shared = [tail for tail, keys in self._tails.items() if len(keys) > 1]
            tier = text in self.tiers
            self.found.append(unknown_model(name.span, text, known, shared=shared, is_tier=tier))
        return None

    def model_list(self, names: Iterable[Name]) -> tuple[str, ...]:
        """The keys of a list, without what is unknown; a model that stands twice is reported."""
        keys: dict[str, Span] = {}
        for name in names:
            key = self.model(name)
            if key is not None and key in keys:
                self.found.append(said_twice(name.span, key, keys[key]))
            elif key is not None:
                keys[key] = name.span
        return tuple(keys)

    def tier(self, name: Name) -> str | None:
        """The tier of this name, if there is one."""
        return self._known(name, "tier", self.tiers, unknown_tier)

    def window(self, name: Name) -> str | None:
        """The window of this name, if there is one."""
        return self._known(name, "window", self.windows, unknown_window)

    def budget(self, name: Name) -> str | None:
        """The budget of this name, if there is one."""
        return self._known(name, "budget", self.budgets, unknown_budget)

    def domain(self, name: Name) -> str | None:
        """The domain of this name, if there is one."""
        return self._known(name, "domain", self.domains, unknown_domain)

    def fact(self, name: Name) -> Fact | None:
        """The built-in fact or declared input of this name, if there is one."""
        known = self._known(name, "input", self.facts, unknown_fact)
        return None if known is None else self.facts[known]

    def _known(self, name: Name, kind: str, declared: Mapping[str, object], unknown: _Unknown) -> str | None:
        if name.text in declared:
            return name.text
        if self._is_unknown(kind, name.text):
            self.found.append(unknown(name.span, name.text, self.candidates(declared)))
        return None

    def candidates(self, known: Iterable[str]) -> Iterable[str]:
        """What an unknown name may have been meant to be: nothing, once many names were unknown."""
        return known if self.suggests() else ()

    def suggests(self) -> bool:
        """Whether there is time for one more suggestion; each question counts as one."""
        self._suggestions += 1
        return self._suggestions <= MAX_SUGGESTIONS

    def can_be(self, fact: Fact, text: str) -> bool:
        """Whether a fact has a value, in the same time however many it has."""
        key = (fact.name, fact.built_in)
        if key not in self._values:
            self._values[key] = frozenset(fact.values)
        return text in self._values[key]

    @cached_property
    def providers(self) -> frozenset[str]:
        """The providers that serve the declared models."""
        return frozenset(m.target.text.partition("/")[0] for m in self.models.values())

    def _is_unknown(self, kind: str, name: str) -> bool:
        """Whether a name that isn't declared is a mistake of its own, not one that follows from another."""
        return not self._incomplete and (kind, name) not in self._broken

    def declare_facts(self, estimate: tuple[int, int], inputs: Iterable[Fact]) -> None:
        """Make the built-in facts and the declared inputs known to conditions."""
        self.facts = {f.name: f for f in built_in_facts(self.tiers, self.domains, estimate)}
        self.facts |= {f.name: f for f in inputs if f.name not in self.facts}


def env_name(scope: Scope, name: Name) -> str:
    """The name of an environment variable; one that can't be is reported."""
    if not _ENV.fullmatch(name.text):
        scope.found.append(bad_text(name.span, name.text, "name of an environment variable"))
    return name.text


def is_name(text: str) -> bool:
    """Whether a text, perhaps quoted, has the form of a name."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def built_in_facts(tiers: Iterable[str], domains: Iterable[str], estimate: tuple[int, int]) -> list[Fact]:
    """The facts that every request has, whatever the policy declares."""
    return [
        Fact("complexity", FactKind.NUMBER, None, high=10.0, built_in=True),
        Fact("requires", FactKind.SET, NOTHING, (*CAPABILITIES, NOTHING), built_in=True),
        Fact("domain", FactKind.CHOICE, NONE, (*domains, NONE), built_in=True),
        Fact("tier", FactKind.CHOICE, NONE, (*tiers, NONE), built_in=True),
        Fact("kind", FactKind.TEXT, "", built_in=True),
        Fact("skill", FactKind.TEXT, "", built_in=True),
        Fact("branch", FactKind.TEXT, "", built_in=True),
        Fact("attempt", FactKind.NUMBER, 1.0, low=1.0, whole=True, built_in=True),
        Fact("input_tokens", FactKind.NUMBER, float(estimate[0]), whole=True, built_in=True),
        Fact("output_tokens", FactKind.NUMBER, float(estimate[1]), whole=True, built_in=True),
    ]


_Declaration = doc.Model | doc.Tier | doc.Input | doc.Window | doc.Domain | doc.Budget


def _head(statement: _Declaration) -> Name:
    return statement.key if isinstance(statement, doc.Model) else statement.name
