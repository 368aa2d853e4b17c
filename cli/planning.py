"""The page that `plan` prints: the stories or groups, the sums, then budgets, levels and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

from ..deciding import Engine
from ..engine.plan import flat, grouped
from ..engine.situation import Situation
from ..engine.sums import shares, spread
from ..policy.names import listed
from ..policy.words import level_words, listed_count, number, usd, usd_short
from ..schemas.plan import BudgetShare, Plan, PlanGroup, Planned
from ..schemas.policy import NANO
from ..schemas.records import dataclass
from .explaining import until
from .output import bad, cells, columns, dim, fits, good, named, pad, paragraph, safe, strong, width

_GAP, _INDENT = 2, 2
_NARROWEST_TITLE = 14
_WIDE = 100
_MOST_LISTED = 20


# --- money that adds up ---------------------------------------------------------------------------


def places_for(amounts: Sequence[int]) -> int:
    """The fewest decimals, from 2 to 6, that show each amount exactly; 4 where there are none."""
    exact = (p for p in range(2, 7) if all(amount % 10 ** (9 - p) == 0 for amount in amounts))
    return next(exact, 4)


def places_for_sums(total: int, others: Sequence[int], places: int) -> int:
    """
    How many decimals show sums: two from a dollar on, if that leaves something of each; else those of rows.

    Args:
        total: what the plan costs.
        others: the sums that are shown beside it.
        places: the decimals of the rows.
    """
    cent = NANO // 100
    return 2 if total >= NANO and all(amount == 0 or abs(amount) >= cent for amount in others) else places


@dataclass(frozen=True, slots=True)
class Money:
    """How a page shows amounts that stand below one another: all with as many decimals."""

    places: int

    @property
    def unit(self) -> int:
        """The last decimal, in nano-USD."""
        return int(10 ** (9 - self.places))

    def words(self, units: int) -> str:
        """An amount in units of the last decimal: `$0.0018`, `-$1.20`."""
        return f"{'-' if units < 0 else ''}{usd(abs(units) * self.unit, self.places)}"

    def spread(self, amounts: Sequence[int]) -> list[str]:
        """Amounts of nano-USD in words, which add up to what their rounded sum is."""
        return [self.words(units) for units in spread(amounts, self.unit)]


# --- the page -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlanPage:
    """
    Everything that the page shows.

    `groups` are shown in place of the stories, where there is a `by`. Stories are shown in `money`, groups
    and sums in `sums`.
    """

    engine: Engine
    plan: Plan
    situation: Situation
    prd: str
    by: str | None
    groups: tuple[PlanGroup, ...]
    money: Money
    sums: Money

    @classmethod
    def of(cls, engine: Engine, plan: Plan, situation: Situation, prd: str, by: str | None) -> PlanPage:
        """The page of a plan, with as many decimals as its costs need."""
        groups = grouped(plan, by, engine.table) if by is not None else ()
        places = places_for([row.cost_nusd for row in flat(plan.stories)])
        others = [
            plan.baseline_nusd,
            plan.baseline_nusd - plan.cost_nusd,
            plan.delegation_saving_nusd,
            *(group.cost_nusd for group in groups),
        ]
        sums = Money(places_for_sums(plan.cost_nusd, others, places))
        return cls(engine, plan, situation, prd, by, groups, Money(places), sums)

    def lines(self) -> Iterator[str]:
        """The page."""
        yield from self._title()
        if self.plan.stories:
            yield ""
            yield from self._stories() if self.by is None else self._groups()
        yield ""
        yield from self._sums()
        yield from self._budgets()
        yield from self._levels()
        yield from self._refused()

    def _title(self) -> Iterator[str]:
        stories, subtasks = counted(self.plan)
        what = "nothing to do" if not stories else f"{stories:,} stor{'y' if stories == 1 else 'ies'}"
        what += f" and {listed_count(subtasks, 'sub-task')}" if subtasks else ""
        yield f"{strong(one_line(self.prd))}  {what}"
        clock = f"{self.situation.local:%a %d %b %Y %H:%M %Z}"
        yield from map(dim, paragraph(f"by policy {one_line(self.engine.policy.name)}, {clock}"))
        finished = [one_line(name) for name in self.plan.finished]
        if finished:
            shown = listed(finished if len(finished) <= 5 else [*finished[:4], f"{len(finished) - 4} more"])
            verb, it = ("passes and is", "it") if len(finished) == 1 else ("pass and are", "them")
            yield from map(dim, paragraph(f"{shown} {verb} left out; --all plans {it} too"))

    # the stories

    def _stories(self) -> Iterator[str]:
        rows = list(_deep(self.plan.stories, 0))
        costs, baselines = self._costs([row for row, _ in rows])
        first = _Column("story", ["  " * depth + strong(one_line(row.story.id)) for row, depth in rows])
        sizes = _Column("complexity", [number(row.story.complexity.value) for row, _ in rows], right=True)
        rest = [
            _Column("tier", [_tier(row) for row, _ in rows]),
            _Column("model", [_model(row) for row, _ in rows]),
            _Column("cost", costs, right=True),
        ]
        if width() >= _WIDE:
            then = [str(len(row.decision.chain) - 1) if row.decision and row.model else "" for row, _ in rows]
            rest.insert(2, _Column("fallbacks", then, right=True))
            rest.append(_Column("baseline", baselines, right=True))
        titles = [_Title(one_line(row.story.title), row.story.passes) for row, _ in rows]
        head, *lines = _with_titles(first, sizes, rest, titles)
        yield head
        savings = self._savings_by_end(rows)
        for index, line in enumerate(lines):
            yield line
            yield from savings.get(index, ())

    def _costs(self, rows: list[Planned]) -> tuple[list[str], list[str]]:
        """What each row costs, and what it costs on the baseline; what nobody serves costs nothing."""
        both = [
            self.money.spread([r.cost_nusd for r in rows]),
            self.money.spread([r.baseline_nusd for r in rows]),
        ]
        costs, baselines = (
            ["-" if row.model is None else text for row, text in zip(rows, texts, strict=True)]
            for texts in both
        )
        return costs, baselines

    def _savings_by_end(self, rows: list[tuple[Planned, int]]) -> dict[int, list[str]]:
        """Below the last sub-task of a story: what delegating them saves. By that row's number."""
        parents = [(number_, row, depth) for number_, (row, depth) in enumerate(rows) if _delegates(row)]
        amounts = [sum(s.delegation_saving_nusd or 0 for s in row.subtasks) for _, row, _ in parents]
        found: dict[int, list[str]] = {}
        for (start, row, depth), units in zip(parents, spread(amounts, self.money.unit), strict=True):
            end = start + sum(1 for _ in flat((row,))) - 1
            text = "delegating saves" if units >= 0 else "delegating costs more:"
            line = f"{text} {self.money.words(abs(units))} against {safe(row.model or '')}"
            found.setdefault(end, []).insert(0, " " * (_INDENT + 2 + 2 * depth) + dim(line))
        return found

    # the groups

    def _groups(self) -> Iterator[str]:
        assert self.by is not None
        costs = self.sums.spread([group.cost_nusd for group in self.groups])
        parts = shares([group.cost_nusd for group in self.groups])
        head = [self.by, "requests", "cost", "share"]
        body = [
            [bad("refused") if g.name is None else named(safe(g.name)), f"{g.requests:,}", cost, share]
            for g, cost, share in zip(self.groups, costs, map(_tenths, parts), strict=True)
        ]
        widths = [max(cells(row[i]) for row in [head, *body]) for i in range(4)]
        for row in [[dim(text) for text in head], *body]:
            first, *rest = row
            right = [" " * (w - cells(text)) + text for text, w in zip(rest, widths[1:], strict=True)]
            yield " " * _INDENT + (" " * _GAP).join([pad(first, widths[0]), *right])

    # the sums

    def _sums(self) -> Iterator[str]:
        plan, unit = self.plan, self.sums.unit
        total, baseline = spread([plan.cost_nusd], unit)[0], spread([plan.baseline_nusd], unit)[0]
        tokens = f"{plan.input_tokens:,} tokens in, {plan.output_tokens:,} out"
        rows = [
            ("Total", total, f"{listed_count(plan.requests, 'request')}, {tokens}"),
            (f"On {safe(plan.baseline)}", baseline, baseline_words(self.engine, plan)),
            ("Saving", baseline - total, _percent_saved(plan)),
        ]
        savings = [row for row in flat(plan.stories) if _delegates(row)]
        if savings:
            units = spread([plan.delegation_saving_nusd], unit)[0]
            rows.append(("Delegating", units, "saved by sub-tasks, against their stories' models"))
        amounts = [self.sums.words(units) for _, units, _ in rows]
        room = max(map(len, amounts))
        yield from columns(
            [
                [strong(label), (good if label == "Total" else str)(amount.rjust(room)), text]
                for (label, _, text), amount in zip(rows, amounts, strict=True)
            ],
            indent=0,
        )

    # the budgets

    def _budgets(self) -> Iterator[str]:
        if self.plan.budgets:
            yield ""
            yield strong("Budgets")
            yield from columns([self._budget(share) for share in self.plan.budgets])

    def _budget(self, share: BudgetShare) -> list[str]:
        budget = share.budget
        scope = f" for {budget.scope} {safe(budget.scope_name or '')}" if budget.scope else ""
        limit = f"{usd_short(budget.limit_nusd)} per {budget.period}{scope}"
        if budget.limit_nusd == 0:
            text = "used up from the start"
        elif budget.period == "story":
            most = f", by {one_line(share.story)}" if share.story is not None else ""
            text = f"at most {_percent(share.planned_nusd, budget.limit_nusd)} of it{most}"
        else:
            before, after = share.spent_before_nusd, share.spent_before_nusd + share.planned_nusd
            text = f"{_percent(share.planned_nusd, budget.limit_nusd)} of it"
            if before:
                text += f", on top of {_percent(before, budget.limit_nusd)}:"
                text += f" then at {_percent(after, budget.limit_nusd)}"
        return [named(safe(budget.name)), limit, text]

    def _levels(self) -> Iterator[str]:
        where: dict[tuple[str, str], list[str | None]] = {}
        for reached in self.plan.levels:
            key = (reached.budget.name, level_words(reached.level))
            where.setdefault(key, []).append(reached.story)
        if where:
            yield ""
            yield strong("Levels that are reached")
            yield from columns(
                [named(safe(name)), safe(level), _reached_by(stories)]
                for (name, level), stories in where.items()
            )

    # the refusals

    def _refused(self) -> Iterator[str]:
        rows = [row for row in flat(self.plan.stories) if row.refusal is not None or row.blocked_by]
        if not rows:
            return
        yield ""
        yield strong("Refused")
        yield from columns([strong(one_line(row.story.id)), self._why(row)] for row in rows[:_MOST_LISTED])
        if len(rows) > _MOST_LISTED:
            yield dim(f"  and {len(rows) - _MOST_LISTED:,} more; --json and --csv have all")

    def _why(self, row: Planned) -> str:
        waits = f"waits for {listed([one_line(name) for name in row.blocked_by])}"
        if row.refusal is None:
            return f"{waits}, but is planned"
        when = until(self.engine, row.decision) if row.decision is not None else ""
        return f"{one_line(row.refusal)}{when}" + (f"; {waits}" if row.blocked_by else "")


# --- words ----------------------------------------------------------------------------------------


def counted(plan: Plan) -> tuple[int, int]:
    """How many stories of their own and how many sub-tasks a plan has."""
    return len(plan.stories), plan.requests + plan.refused - len(plan.stories)


def baseline_words(engine: Engine, plan: Plan) -> str:
    """Why the baseline is the baseline."""
    if plan.baseline_named:
        return "the policy's baseline"
    rank = engine.table.rank[plan.baseline]
    tier = safe(engine.policy.tiers[rank].name)
    return f"the dearest of tier {tier}, as the policy names no baseline"


def one_line(text: str) -> str:
    """A text of a PRD as one line of a table."""
    return " ".join(safe(" ".join(text.split())).split())


def _deep(rows: Sequence[Planned], depth: int) -> Iterator[tuple[Planned, int]]:
    for row in rows:
        yield row, depth
        yield from _deep(row.subtasks, depth + 1)


def _delegates(row: Planned) -> bool:
    return any(subtask.delegation_saving_nusd is not None for subtask in row.subtasks)


def _tier(row: Planned) -> str:
    return "-" if row.model is None or row.decision is None else safe(row.decision.tier or "-")


def _model(row: Planned) -> str:
    if row.model is not None:
        return named(safe(row.model))
    return bad("can't be asked" if row.decision is None else row.decision.outcome.value)


def _reached_by(stories: list[str | None]) -> str:
    first, *rest = stories
    if first is None:
        return "from the start"
    return f"by {one_line(first)}" + (f", and by {len(rest):,} more" if rest else "")


def _percent_saved(plan: Plan) -> str:
    if plan.baseline_nusd == 0:
        return "nothing to compare"
    tenths = (abs(plan.baseline_nusd - plan.cost_nusd) * 2000 + plan.baseline_nusd) // (
        2 * plan.baseline_nusd
    )
    return f"{_tenths(tenths)} {'less' if plan.cost_nusd <= plan.baseline_nusd else 'more'}"


def _percent(part: int, whole: int) -> str:
    """Rounded down: 99.96 % must not read as the 100 % that it isn't."""
    return _tenths(part * 1000 // whole)


def _tenths(tenths: int) -> str:
    return f"{tenths // 10}.{tenths % 10}%"


# --- the table ------------------------------------------------------------------------------------


class _Column:
    """A column of the table: its head, its cells, and whether they stand at its right edge."""

    def __init__(self, head: str, texts: list[str], *, right: bool = False) -> None:
        self.head, self.texts, self.right = head, texts, right
        self.width = max(map(cells, [head, *texts]))

    def lines(self) -> list[str]:
        """Head and cells, all of one width."""
        return [
            " " * (self.width - cells(text)) + text if self.right else pad(text, self.width)
            for text in [dim(self.head), *self.texts]
        ]


@dataclass(frozen=True, slots=True)
class _Title:
    """A title, and whether its story passes already."""

    text: str
    passes: bool


def _with_titles(first: _Column, sizes: _Column, rest: list[_Column], titles: list[_Title]) -> Iterator[str]:
    """The lines of a table whose second column, the titles, gets what room the others leave."""
    narrow = _Column("", sizes.texts)  # its head reaches into the column of the titles
    room = width() - _INDENT - sum(column.width + _GAP for column in (first, narrow, *rest))
    columns_ = [first, sizes, *rest]
    if room >= _NARROWEST_TITLE:
        texts = [cut(t.text, room - 8) + dim("  passes") if t.passes else cut(t.text, room) for t in titles]
        wide = max(_NARROWEST_TITLE, *map(cells, texts))
        head = "title" + sizes.head.rjust(wide + _GAP + narrow.width - 5)
        numbers = [text.rjust(narrow.width) for text in sizes.texts]
        both = [pad(t, wide + _GAP) + n for t, n in zip(texts, numbers, strict=True)]
        columns_ = [first, _Column(head, both), *rest]
    for line in zip(*(column.lines() for column in columns_), strict=True):
        yield (" " * _INDENT + (" " * _GAP).join(line)).rstrip()


def cut(text: str, room: int) -> str:
    """A text that takes no more columns than there is room; what is cut off shows as an ellipsis."""
    if cells(text) <= room:
        return text
    end = "…" if fits("…") else "..."
    left = room - len(end)
    kept = []
    for character in text:
        left -= 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + end
