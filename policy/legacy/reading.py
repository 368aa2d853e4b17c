"""
The older form of YAML (lib/llm_providers.yaml and its kin) -> the statements of a policy.

docs/legacy.md says what each key becomes. Everything behind this reads statements, and knows nothing
of the form they came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from ...schemas.catalogue import Prices
from ...schemas.records import dataclass
from ...schemas.text import Source, Span
from .. import document as doc
from ..checks.p123_legacy_value import misfit, not_legacy, not_understood, unknown_word
from ..checks.p124_two_forms import two_forms
from ..document import Name
from ..parser import Parsed
from ..scope import Enough
from ..yaml import Mapping, Node, Sequence
from .catalogue import known_models
from .detect import legacy_key, twin_key
from .fields import Body, Notes, short
from .models import read_models
from .money import ADDRESS, alerts, budgets, is_address
from .names import Keys
from .routing import domains, failures, time_rules
from .tiers import read_tiers
from .units import FACTORS

STRATEGY = "complexity_based"


@dataclass(frozen=True, slots=True)
class Legacy:
    """
    What a file of the older form says.

    `source` is the file without its addresses, `secrets` are the places where they stood; `below` is
    the source of the statements that it doesn't write itself, if there are any.
    """

    parsed: Parsed
    source: Source
    secrets: tuple[Span, ...]
    below: Source | None


def read_legacy(source: Source, root: Node, prices: Prices, price_unit: str | None = None) -> Legacy:
    """Read a file of the older form; `price_unit` is 1k or 1m where somebody says which it is."""
    secrets = tuple(_addresses(root))
    notes = Notes()
    statements: list[doc.Statement] = []
    broken: set[tuple[str, str]] = set()
    below = None
    whole = False
    try:
        if _is_legacy(notes, root):
            assert isinstance(root, Mapping)
            name = "policy" if source.name.startswith("<") else PurePath(source.name).stem.replace('"', "'")
            reading = _Reading(Body(notes, root, "a file of the older form"), name, prices, price_unit)
            statements += reading.statements()
            broken, whole = reading.broken(), True
            below = known_models().source if reading.models.overlay else None
            notes.tell_left_out()
    except Enough:
        whole = False
    parsed = Parsed(tuple(statements), tuple(notes.found), frozenset(broken), whole)
    return Legacy(parsed, _without(source, secrets), secrets, below)


def _is_legacy(notes: Notes, root: Node) -> bool:
    """Whether the document is a map of the older form and of no other; if not, that is told."""
    if not isinstance(root, Mapping):
        notes.found.append(misfit(short(root), "the file", "a map"))
        return False
    twin, legacy = twin_key(root), legacy_key(root)
    if twin is not None:
        other = None if legacy is None else (legacy.text, legacy.span)
        notes.found.append(two_forms((twin.text, twin.span), other))
    elif legacy is None:
        notes.found.append(not_legacy(short(root)))
    return twin is None and legacy is not None


class _Reading:
    """One file; each block is read where its statements stand in a policy."""

    def __init__(self, root: Body, name: str, prices: Prices, price_unit: str | None) -> None:
        known = known_models()
        self.root, self.name = root, name
        self.routing = root.body("routing", "`routing`")
        self.models = read_models(root, known, prices, price_unit or self._price_unit())
        self.keys = Keys(root.notes, self.models.keys, known)
        self.tiers = read_tiers(root, self.routing, self.models, self.keys, known)

    def _price_unit(self) -> str | None:
        unit = self.root.name("price_unit")
        if unit is not None and unit.text not in FACTORS:
            self.root.notes.found.append(unknown_word(unit.span, "`price_unit`", unit.text, list(FACTORS)))
        return None if unit is None or unit.text not in FACTORS else unit.text

    def broken(self) -> set[tuple[str, str]]:
        """Names that would have been declared by what couldn't be read."""
        models = {("model", key) for key in self.models.broken}
        return models | {("tier", name) for name in self.tiers.broken}

    def statements(self) -> Iterator[doc.Statement]:
        """All statements, in the order in which a policy is best read."""
        at = self.root.first()
        yield doc.Header(Name(self.name, at, quoted=True), None, at)
        zone = self.root.name("timezone")
        if zone is not None:
            yield doc.Timezone(zone, zone.span)
        baseline = self.keys.find("claude-opus")
        if baseline is not None:
            yield doc.Baseline(Name(baseline, at), at)
        yield from self.models.statements
        yield from self.tiers.statements
        yield from time_rules(self.root, self.tiers)
        yield from domains(self.root, self.keys)
        yield from budgets(self.root, self.keys)
        yield from alerts(self.root)
        yield from failures(self.root, self.routing, self.models, self.keys)
        self._strategy()
        self._end()

    def _strategy(self) -> None:
        """Only one strategy is what a policy does; the others would decide otherwise."""
        strategy = None if self.routing is None else self.routing.name("strategy")
        if strategy is not None and strategy.text != STRATEGY:
            help = f"write `{STRATEGY}`; for the cheapest model throughout, put all models into one tier"
            found = not_understood(strategy.span, "the strategy", strategy.text, help)
            self.root.notes.found.append(found)

    def _end(self) -> None:
        for entry in self.models.entries:
            if entry.key.text not in self.models.broken:  # of which not every key was asked for
                entry.body.end()
        if self.routing is not None:
            self.routing.end()
        self.root.end()


# --- addresses -------------------------------------------------------------------------------------


def _addresses(node: Node) -> Iterator[Span]:
    """Where addresses are written out, anywhere in a document."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _addresses(item)
    elif isinstance(node, Mapping):
        for key, value in node.pairs:
            if key.text == ADDRESS and is_address(value):
                yield value.span
            yield from _addresses(value)


def _without(source: Source, spans: tuple[Span, ...]) -> Source:
    """The source with some places blotted out at the same length."""
    text = list(source.text)
    for span in spans:
        text[span.start : span.end] = ["x" if c not in "\r\n" else c for c in text[span.start : span.end]]
    return replace(source, text="".join(text))
