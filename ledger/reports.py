"""Reports: what was spent in a period, by whom, and what it would have cost on the baseline model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ..engine.periods import period_of
from ..engine.plan import baseline_of
from ..engine.situation import level_of
from ..engine.sums import spread
from ..policy.words import level_words
from ..schemas.policy import Policy
from ..schemas.records import dataclass
from ..schemas.report import Baseline, Latency, Month, Period, Report, ReportRow, Tally
from ..schemas.request import Spend
from .advice import advise
from .book import limit_of
from .figures import Scope, bounds, latencies, percentiles, stories, tallied, under_way
from .sheet import Sheet
from .tallies import KEYS
from .tx import Tx
from .windows import Claim, full_at, milliseconds, moment, projected

MTOK = 10**6
_PART_OF = re.compile(r"(?P<parent>.+)/[0-9]+")
"""The id of a sub-task that has none of its own: its story's, and a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    What a report is asked for.

    `by` are the groups besides those by provider, model, tier and domain, which every report has;
    `counts_stories`: the stories of each tier are counted, too, which takes a look at each call.
    """

    period: Period
    by: tuple[str, ...]
    run_id: str | None = None
    provider: str | None = None
    counts_stories: bool = False

    @property
    def scope(self) -> Scope:
        """The calls that it is about."""
        since, until = self.period.since, self.period.until
        found = Scope(run_id=self.run_id, provider=self.provider)
        return found.between(
            found.from_ms if since is None else milliseconds(since),
            found.to_ms if until is None else milliseconds(until),
        )


def report(
    sheet: Sheet, question: Question, policy: Policy | None, now: datetime, claims: Iterable[Claim]
) -> Report:
    """
    The report that answers a question.

    Args:
        policy: names the baseline and the tiers, and says in which zone days are days; None: UTC.
        claims: the budgets for the whole, in their current windows.
    """
    zone, scope = ZoneInfo("UTC" if policy is None else policy.timezone), question.scope
    times = latencies(sheet, scope)
    groups = _groups(sheet, question, zone, times)
    first, last = bounds(sheet, scope) or (None, None)
    open_calls, held = under_way(sheet)
    answer = Report(
        period=question.period,
        at=now,
        zone=zone.key,
        by=question.by[0],
        groups=groups,
        total=sum((row.tally for row in groups["provider"]), Tally()),
        latency=percentiles(_together(times.values())),
        first=None if first is None else moment(first),
        last=None if last is None else moment(last),
        run_id=question.run_id,
        provider=question.provider,
        open_calls=open_calls,
        held_nusd=held,
        month=_month(sheet, zone, now, claims),
    )
    if policy is not None:
        answer = _against_baseline(answer, policy)
    return replace(answer, advice=tuple(advise(answer, policy)))


# --- rows --------------------------------------------------------------------------------------------------

Times = Mapping[tuple[str, ...], Counter[int]]


def _groups(tx: Tx, question: Question, zone: ZoneInfo, times: Times) -> dict[str, tuple[ReportRow, ...]]:
    scope = question.scope
    cells = tallied(tx, scope, KEYS)
    counts = stories(tx, scope) if question.counts_stories else {}
    groups = {by: tuple(_rows(by, place, cells, times, counts)) for place, by in enumerate(KEYS)}
    if "story" in question.by:
        groups["story"] = tuple(
            _families({key[0]: tally for key, tally in tallied(tx, scope, ("story",)).items()})
        )
    if "day" in question.by:
        groups["day"] = tuple(_days(tx, scope, zone))
    return groups


def _rows(
    by: str, place: int, cells: Mapping[tuple[str, ...], Tally], times: Times, counts: Mapping[str, int]
) -> list[ReportRow]:
    """A row for each provider, model, tier or domain, the dearest first."""
    found: dict[str, Tally] = {}
    for key, tally in cells.items():
        found[key[place]] = found.get(key[place], Tally()) + tally
    rows = [
        ReportRow(
            name=name or None,
            tally=tally,
            latency=_latency(by, name, times),
            stories=counts.get(name) if by == "tier" else None,
        )
        for name, tally in found.items()
    ]
    return sorted(rows, key=_dearest_first)


def _dearest_first(row: ReportRow) -> tuple[bool, int, int, str]:
    return row.name is None, -row.tally.cost_nusd, -row.tally.calls, row.name or ""


def _latency(by: str, name: str, times: Times) -> Latency | None:
    """The latency of a provider or a model."""
    if by not in ("provider", "model"):
        return None
    place = ("provider", "model").index(by)
    return percentiles(_together(counts for key, counts in times.items() if key[place] == name))


def _together(times: Iterable[Counter[int]]) -> Counter[int]:
    whole = Counter[int]()
    for each in times:
        whole.update(each)
    return whole


def _days(tx: Tx, scope: Scope, zone: ZoneInfo) -> Iterator[ReportRow]:
    """A row for each day of a zone that has calls."""
    ends = bounds(tx, scope)
    if ends is None:
        return
    at_ms, last_ms = ends
    while at_ms <= last_ms:
        day = period_of("day", moment(at_ms).astimezone(zone))
        assert day is not None
        starts_ms, ends_ms = milliseconds(day[0]), milliseconds(day[1])
        for tally in tallied(tx, scope.between(starts_ms, ends_ms), ()).values():
            yield ReportRow(name=f"{day[0].astimezone(zone):%Y-%m-%d}", tally=tally)
        at_ms = ends_ms


def _families(found: Mapping[str, Tally]) -> Iterator[ReportRow]:
    """A row for each story, the dearest with its sub-tasks first; these come below it."""
    members: dict[str, list[str]] = {}
    for name in found:
        members.setdefault(_root(name), []).append(name)
    whole = {root: sum((found[name] for name in names), Tally()) for root, names in members.items()}
    for root in sorted(members, key=lambda r: _dearest_first(ReportRow(name=r or None, tally=whole[r]))):
        yield ReportRow(name=root or None, tally=found.get(root, Tally()))
        for name in sorted(set(members[root]) - {root}, key=_in_order):
            yield ReportRow(name=name, tally=found[name], parent=parent_of(name))


def parent_of(story: str) -> str | None:
    """The story of a sub-task, by the id that it gets where it has none of its own: `US-042/1`."""
    match = _PART_OF.fullmatch(story)
    return None if match is None else match["parent"]


def _root(story: str) -> str:
    while (parent := parent_of(story)) is not None:
        story = parent
    return story


def _in_order(story: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else -1, part) for part in story.split("/")]


# --- the baseline ------------------------------------------------------------------------------------------


def _against_baseline(answer: Report, policy: Policy) -> Report:
    """
    The report with what its work would have cost on the baseline model.

    Work counts once: failed attempts and answers of a raised tier aren't asked of the baseline again.
    """
    model = policy.models[baseline_of(policy)]

    def price(tally: Tally) -> int:
        return (
            tally.work_input_tokens * model.price_in_nusd_per_mtok
            + tally.work_output_tokens * model.price_out_nusd_per_mtok
        )

    def priced(rows: tuple[ReportRow, ...]) -> tuple[ReportRow, ...]:
        amounts = spread([price(row.tally) for row in rows], MTOK)
        return tuple(replace(row, baseline_nusd=n) for row, n in zip(rows, amounts, strict=True))

    whole = (price(answer.total) + MTOK // 2) // MTOK
    return replace(
        answer,
        groups={by: priced(rows) for by, rows in answer.groups.items()},
        baseline=Baseline(model.key, policy.baseline is not None),
        baseline_nusd=whole,
    )


# --- the month ---------------------------------------------------------------------------------------------


def _month(sheet: Sheet, zone: ZoneInfo, now: datetime, claims: Iterable[Claim]) -> Month:
    bounds_ = period_of("month", now.astimezone(zone))
    assert bounds_ is not None
    starts, ends = bounds_
    scope = Scope(milliseconds(starts), milliseconds(ends))
    spent = sum(tally.cost_nusd for tally in tallied(sheet, scope, ()).values())
    month = Month(starts, ends, spent, projected(spent, starts, ends, now))
    claim = next((claim for claim in claims if claim.budget.period == "month"), None)
    if claim is None:
        return month
    name = claim.budget.name
    limit, _ = limit_of(claim.budget, claim.window, sheet.acts().get(name))
    found = level_of(replace(claim.budget, limit_nusd=limit), Spend(spent))
    level = None if found is None else f"{name} {level_words(found)}"
    full = full_at(spent, limit, starts, ends, now)
    return replace(month, budget=name, limit_nusd=limit, full_at=full, level=level)
