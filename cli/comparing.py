"""The page that `diff` prints: whether two policies decide alike, else where they don't."""

from __future__ import annotations

from collections.abc import Iterator

from ..deciding import Engine
from ..engine.analysis.diff import Difference, Region
from ..engine.analysis.places import place_words
from ..engine.cases import command, words_of
from ..policy.words import listed_count, usd
from ..schemas.decision import Decision
from ..schemas.plan import Plan, Planned
from ..schemas.records import dataclass
from .output import bad, columns, dim, good, hang, named, paragraph, safe, strong, warned

MOST_SHOWN = 8
"""Kinds of change that the page shows; --json has all."""

_MOST_MODELS = 4
_MOST_STORIES = 20


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two policies: how it was named, its files as options name them, and its engine."""

    name: str
    files: tuple[str, ...]
    engine: Engine


@dataclass(frozen=True, slots=True)
class Stories:
    """What a PRD's stories get from each policy."""

    prd: str
    rows: tuple[tuple[Planned, Planned], ...]
    plans: tuple[Plan, Plan]

    @property
    def changed(self) -> list[tuple[Planned, Planned]]:
        """The stories that another decision is made for."""
        return [(old, new) for old, new in self.rows if answer_of(old) != answer_of(new)]


def answer_of(row: Planned) -> object:
    """What counts as the same decision for a story."""
    decision = row.decision
    return None if decision is None else (decision.outcome, decision.chain, decision.tier)


@dataclass(frozen=True, slots=True)
class DiffPage:
    """Everything that the page shows."""

    old: Side
    new: Side
    found: Difference
    stories: Stories | None

    def lines(self) -> Iterator[str]:
        """The page."""
        yield from self._verdict()
        groups = self.grouped()
        for group in groups[:MOST_SHOWN]:
            yield ""
            yield from self._group(group)
        if len(groups) > MOST_SHOWN:
            yield ""
            yield f"{listed_count(len(groups) - MOST_SHOWN, 'more kind')} of change; --json has all"
        yield from self._sentences("Beside the decisions", self.found.beside)
        yield from self._sentences("Only one of them takes", self.found.apart)
        if self.stories is not None:
            yield from self._stories(self.stories)

    def _verdict(self) -> Iterator[str]:
        if self.found.equivalent:
            yield f"{good('equivalent')}  every request gets the same decision, which is proven"
        elif not self.found.proven:
            yield from hang(f"{warned('unproved')}  ", "not all requests could be compared")
        elif not self.found.regions:
            yield f"{warned('apart')}  every request that both take gets the same decision"
        else:
            kinds = listed_count(len(self.grouped()), "kind")
            yield f"{bad('different')}  {kinds} of change, each with its plainest request"
        common = self.where(self.found.cells)
        if common and self.found.regions:
            yield from hang(dim("  all where "), safe(common))

    def where(self, cells: object) -> str:
        """The values of each subject in words."""
        space = self.found.space
        if space is None or not isinstance(cells, dict):
            return ""
        return ", ".join(place_words(space, subject, some) for subject, some in cells.items())

    def grouped(self) -> list[list[Region]]:
        """The regions by what changes: the outcome, the tier, and the models that go and come."""
        groups: dict[object, list[Region]] = {}
        for region in self.found.regions:
            groups.setdefault(_edit(region), []).append(region)
        return list(groups.values())

    def _group(self, group: list[Region]) -> Iterator[str]:
        region = group[0]
        alike = f", and {len(group) - 1} like it" if len(group) > 1 else ""
        yield from hang("", strong(safe(words_of(self.old.engine.table, region.case[0]))) + alike)
        yield from columns([["old", *_answer(region.old)], ["new", *_answer(region.new)]])
        # What all regions have in common stands above.
        own = {s: cells for s, cells in region.cells.items() if self.found.cells.get(s) != cells}
        if own:
            word = "all" if region.whole else "some"
            yield from hang(f"  {dim(word)} with ", safe(self.where(own)))
        if self.new.files:
            yield dim(f"  {safe(command(self.new.engine.table, region.case[1], self.new.files))}")

    def _sentences(self, heading: str, sentences: tuple[str, ...]) -> Iterator[str]:
        if sentences:
            yield ""
            yield strong(heading)
            for sentence in sentences:
                yield from paragraph(safe(sentence), indent=2)

    # stories

    def _stories(self, stories: Stories) -> Iterator[str]:
        changed = stories.changed
        costs = [planned.cost_nusd for planned in stories.plans]
        total = f"{len(changed)} of {listed_count(len(stories.rows), 'request')} in {stories.prd} change"
        sum_ = f"{_signed(costs[1] - costs[0])} ({usd(costs[0], 4)} to {usd(costs[1], 4)})"
        yield ""
        yield from hang(
            "", f"{strong(safe(total))}, {sum_ if costs[0] != costs[1] else 'and the cost stays'}"
        )
        yield from columns(
            [
                [named(safe(old.story.id)), *_row(old), "->", *_row(new)]
                for old, new in changed[:_MOST_STORIES]
            ]
        )
        if len(changed) > _MOST_STORIES:
            yield f"  {len(changed) - _MOST_STORIES} more; --json has all"


def _edit(region: Region) -> object:
    """What changes, whatever else is in the chains."""
    old, new = region.old, region.new
    moved = (old.tier, new.tier) if old.tier != new.tier else None
    gone = tuple(sorted(set(old.chain) - set(new.chain)))
    come = tuple(sorted(set(new.chain) - set(old.chain)))
    return old.outcome, new.outcome, moved, gone, come, region.later


def _answer(decision: Decision) -> list[str]:
    """A decision in cells: its tier, what its first model costs, and its chain."""
    if not decision.chain:
        return ["", "", safe(f"{decision.outcome}: {decision.refusal}")]
    models = list(decision.chain)
    rest = len(models) - _MOST_MODELS
    shown = models if rest <= 0 else [*models[:_MOST_MODELS], f"{rest} more"]
    return [safe(decision.tier or ""), usd(decision.cost_estimate_nusd or 0, 4), safe(", ".join(shown))]


def _row(row: Planned) -> list[str]:
    if row.model is None:
        return [safe(row.refusal or "refused"), ""]
    return [safe(row.model), usd(row.cost_nusd, 4)]


def _signed(nusd: int) -> str:
    """A change of cost: `+$3.1000`, `-$0.2000`."""
    return f"{'-' if nusd < 0 else '+'}{usd(abs(nusd), 4)}"
