"""The page that `report` prints. What stands below one another adds up to what stands below the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from ..engine.sums import shares, spread
from ..policy.words import listed_count, usd, usd_short
from ..schemas.policy import NANO
from ..schemas.records import dataclass
from ..schemas.report import AdviceKind, Latency, Report, ReportRow, Tally
from .output import cells, dim, fits, good, named, pad, paragraph, safe, strong, warned, width
from .planning import Money, cut, one_line, places_for, places_for_sums
from .reports import Answer

_INDENT, _GAP = 2, 2
_NARROWEST_NAME, _WIDE_ENOUGH = 12, 20
TITLES = {
    "provider": "Provider Usage",
    "model": "By Model",
    "tier": "By Tier",
    "story": "By Story",
    "day": "By Day",
    "domain": "By Domain",
}
MOST_ROWS = 50
"""Rows that are shown of stories and days; the rest is one row. --json and --csv have all."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of figures; of those that don't fit beside one another the least important goes first."""

    head: str
    texts: list[str]
    total: str
    rank: int = 0


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A report as a person reads it."""

    answer: Answer
    detailed: bool = False
    verbose: bool = False
    month: bool = False

    @property
    def report(self) -> Report:
        """The figures."""
        return self.answer.report

    @property
    def money(self) -> Money:
        """How amounts are shown."""
        return money_of(self.report)

    def lines(self) -> Iterator[str]:
        """The page."""
        yield from self._head()
        if self.answer.run is not None:
            yield ""
            yield from self.answer.run.lines()
        if not self.report.total.calls:
            yield ""
            yield "no calls in this period"
        else:
            yield from self._counts()
            for by in self._sections():
                yield ""
                yield from self._section(by)
            yield ""
            yield from self._comparison()
            yield ""
            yield from self._rates()
        yield from self._under_way()
        if self.month or self.detailed:
            yield ""
            yield from month_lines(self.report)
        yield from self._advice()

    # --- head and counts -------------------------------------------------------------------------------

    def _head(self) -> Iterator[str]:
        report = self.report
        title = (
            "Cost Analysis Report" if report.provider is None else f"Provider Breakdown: {report.provider}"
        )
        yield strong(one_line(title))
        yield f"Period: {one_line(self.answer.words)}"
        first, last = date_range(report)
        if first is not None and last is not None:
            yield f"Date range: {first} to {last} ({report.zone})"
        by = "" if self.answer.policy is None else f"by policy {safe(self.answer.policy.name)}, "
        yield from map(dim, paragraph(f"{by}ledger {self.answer.ledger}"))

    def _counts(self) -> Iterator[str]:
        total = self.report.total
        yield ""
        yield f"Total Requests: {total.calls:,}"
        yield f"Successful: {total.succeeded:,} ({percent(total.succeeded, total.calls)})"
        yield f"Failed: {total.failed:,}"

    def _sections(self) -> list[str]:
        return list(dict.fromkeys([self.report.by, *(("model", "tier") if self.detailed else ())]))

    # --- a table ---------------------------------------------------------------------------------------

    def _section(self, by: str) -> Iterator[str]:
        rows = fewer(self.report.groups[by])
        yield strong(f"{TITLES[by]}:")
        yield from _table(by, rows, self._columns(rows))
        if self.verbose:
            yield ""
            yield from _table(by, rows, self._details(rows))

    def _columns(self, rows: Sequence[ReportRow]) -> list[Column]:
        total, tallies = self.report.total, [row.tally for row in rows]
        costs = [tally.cost_nusd for tally in tallies]
        ins, outs = tokens([t.input_tokens for t in tallies]), tokens([t.output_tokens for t in tallies])
        found = [
            _counts_column("requests", rows, total, lambda t: t.calls),
            Column("tokens in", ins[:-1], ins[-1], 3),
            Column("tokens out", outs[:-1], outs[-1], 3),
        ]
        if total.fallbacks:
            found.insert(1, _counts_column("fallback", rows, total, lambda t: t.fallbacks, 2))
        if self.detailed and any(row.stories is not None for row in rows):
            texts = ["" if row.stories is None else f"{row.stories:,}" for row in rows]
            found.insert(1, Column("stories", texts, "", 1))
        more = [least(tally) for tally in tallies]
        words = [m + text for m, text in zip(more, self.money.spread(costs), strict=True)]
        whole = self.money.words(sum(spread(costs, self.money.unit)))
        found.append(Column("cost", words, least(total) + whole))
        parts = shares(costs)
        found.append(Column("share", [_tenths(n) for n in parts], _tenths(sum(parts)), 1))
        return found

    def _details(self, rows: Sequence[ReportRow]) -> list[Column]:
        total = self.report.total
        found = [
            _rate_column("success", rows, total, lambda t: t.succeeded),
            _counts_column("failed", rows, total, lambda t: t.failed),
            _rate_column("fallback", rows, total, lambda t: t.fallbacks),
            _rate_column("escalated", rows, total, lambda t: t.escalated),
            Column("a request", [_each(row.tally) for row in rows], _each(total), 1),
        ]
        if any(row.latency is not None for row in rows):
            for name in ("p50", "p95"):
                texts = [_time(row.latency, name) for row in rows]
                found.append(Column(name, texts, _time(self.report.latency, name)))
        if self.report.baseline is not None:
            baselines = self.money.spread([row.baseline_nusd or 0 for row in rows])
            whole = self.money.words(sum(spread([r.baseline_nusd or 0 for r in rows], self.money.unit)))
            found.append(Column("baseline", baselines, whole, 2))
        return found

    # --- sums ------------------------------------------------------------------------------------------

    def _comparison(self) -> Iterator[str]:
        report, unit = self.report, self.money.unit
        yield strong("Cost Comparison:")
        actual = spread([report.total.cost_nusd], unit)[0]
        rows = [("Actual total:", actual, least(report.total), "")]
        if report.baseline is None or report.baseline_nusd is None:
            yield from _amounts(self.money, rows)
            yield dim("  no baseline: there is no policy that says what it would be")
            return
        baseline = spread([report.baseline_nusd], unit)[0]
        saved = baseline - actual
        word = "Savings:" if saved >= 0 else "Extra cost:"
        rate = (
            f" ({percent(abs(saved), baseline)} {'reduction' if saved >= 0 else 'more'})" if baseline else ""
        )
        why = "" if report.baseline.named else "  the dearest of the top tier"
        rows.append((f"If all {safe(report.baseline.model)}:", baseline, "", why))
        rows.append((word, abs(saved), "<=" if report.total.is_least else "", rate))
        yield from _amounts(self.money, rows)
        yield from self._wasted()

    def _wasted(self) -> Iterator[str]:
        total = self.report.total
        parts = [
            f"{self.money.spread([nusd])[0]} for {what}"
            for nusd, what in ((total.failed_nusd, "failed attempts"), (total.escalated_nusd, "escalations"))
            if nusd
        ]
        if parts:
            text = f"net of {' and '.join(parts)}, which the baseline isn't asked for"
            yield from map(dim, paragraph(text, indent=_INDENT))

    def _rates(self) -> Iterator[str]:
        total, latency = self.report.total, self.report.latency
        if latency is not None:
            yield f"Latency: p50 {duration(latency.p50_ms)}, p95 {duration(latency.p95_ms)}"
        yield f"Success rate: {percent(total.succeeded, total.calls)}"
        yield f"Fallback rate: {percent(total.fallbacks, total.calls)} ({total.fallbacks:,})"
        yield f"Escalation rate: {percent(total.escalated, total.calls)} ({total.escalated:,})"

    def _under_way(self) -> Iterator[str]:
        report, total = self.report, self.report.total
        if total.is_least:
            calls = listed_count(total.unpriced + total.doubted, "call")
            text = f"at least: the cost of {calls} isn't known"
            yield from map(warned, paragraph(text))
        if total.at_hold:
            calls = listed_count(total.at_hold, "call")
            text = f"up to {usd_short(total.at_hold_nusd)} of it is held money: {calls} told no usage"
            yield from map(dim, paragraph(text))
        if report.open_calls:
            calls = listed_count(report.open_calls, "call")
            yield from map(dim, paragraph(f"{calls} under way, {usd_short(report.held_nusd)} held for them"))

    def _advice(self) -> Iterator[str]:
        if not self.report.advice:
            return
        yield ""
        yield strong("Recommendations:")
        tick, sign = ("✓", "⚠") if fits("✓⚠") else ("+", "!")
        for advice in self.report.advice:
            mark = good(tick) if advice.kind is AdviceKind.GOOD else warned(sign)
            text = f"{one_line(advice.figure)}: {one_line(advice.text)}"
            first, *rest = paragraph(text, indent=4) or [""]
            yield f"  {mark} {first[4:]}"
            yield from rest


def money_of(report: Report) -> Money:
    """How the amounts of a report are shown: to the cent where that leaves something of each."""
    amounts = [row.tally.cost_nusd for row in report.rows]
    others = [*amounts, report.baseline_nusd or 0, report.savings_nusd or 0]
    return Money(places_for_sums(report.total.cost_nusd, others, places_for(amounts)))


def month_lines(report: Report, *, plain: bool = False) -> Iterator[str]:
    """The month so far, and where it leads."""
    month = report.month
    if month is None:
        return
    spent = f"Month-to-date spend: {usd(month.spent_nusd, 2)}"
    if month.limit_nusd is not None:
        part = f" ({percent(month.spent_nusd, month.limit_nusd)})" if month.limit_nusd else ""
        spent += f" / {usd(month.limit_nusd, 2)}{part}"
    yield spent
    if month.level is not None:
        level = f"Level in force: {safe(month.level)}"
        yield level if plain else warned(level)
    if month.projected_nusd is None:
        yield "Estimated end-of-month: too early to say"
        return
    estimate = f"Estimated end-of-month: {usd(month.projected_nusd, 2)}"
    if month.limit_nusd is not None:
        over = month.projected_nusd > month.limit_nusd
        estimate += f" ({'overage projected' if over else 'within budget'})"
        estimate = warned(estimate) if over and not plain else estimate
    yield estimate
    if month.full_at is not None:
        when = month.full_at.astimezone(ZoneInfo(report.zone))
        yield f"At this rate the limit is reached {when:%a %d %b %Y %H:%M %Z}"


# --- tables ------------------------------------------------------------------------------------------------


def _table(by: str, rows: Sequence[ReportRow], figures: list[Column]) -> Iterator[str]:
    """A table whose figures stand right, and whose names get what room these leave."""
    names = [_name(row, by) for row in rows]
    widest = max(cells(text) for text in [by, "Total", *names])
    room = width() - _INDENT

    def left(columns_: list[Column]) -> int:
        return room - sum(_width(column) + _GAP for column in columns_)

    while left(figures) < min(widest, _WIDE_ENOUGH):
        worst = max(figures, key=lambda column: column.rank)
        if not worst.rank:
            break
        figures = [column for column in figures if column is not worst]
    wide = max(min(widest, left(figures)), _NARROWEST_NAME)
    yield _line(wide, dim(by), [dim(column.head) for column in figures], figures)
    for number, name in enumerate(names):
        shown = cut(name, wide)
        styled = shown if rows[number].name is None else named(shown)
        yield _line(wide, styled, [column.texts[number] for column in figures], figures)
    yield _line(wide, strong("Total"), [strong(column.total) for column in figures], figures)


def _width(column: Column) -> int:
    return max(map(cells, [column.head, column.total, *column.texts]))


def _line(wide: int, name: str, texts: list[str], figures: list[Column]) -> str:
    right = [" " * (_width(c) - cells(text)) + text for text, c in zip(texts, figures, strict=True)]
    return (" " * _INDENT + (" " * _GAP).join([pad(name, wide), *right])).rstrip()


def _name(row: ReportRow, by: str) -> str:
    if row.name is None:
        return f"(no {by})"
    return "  " * row.name.count("/") + one_line(row.name) if row.parent is not None else one_line(row.name)


def fewer(rows: Sequence[ReportRow]) -> Sequence[ReportRow]:
    """The rows that are shown; those after them are one, so that the sum stays that of the rows."""
    if len(rows) <= MOST_ROWS:
        return rows
    kept, rest = rows[: MOST_ROWS - 1], rows[MOST_ROWS - 1 :]
    baselines = [row.baseline_nusd for row in rest if row.baseline_nusd is not None]
    more = ReportRow(
        name=f"{len(rest):,} more",
        tally=sum((row.tally for row in rest), Tally()),
        baseline_nusd=sum(baselines) if baselines else None,
    )
    return [*kept, more]


def _counts_column(
    head: str, rows: Sequence[ReportRow], total: Tally, of: Callable[[Tally], int], rank: int = 0
) -> Column:
    return Column(head, [f"{of(row.tally):,}" for row in rows], f"{of(total):,}", rank)


def _rate_column(head: str, rows: Sequence[ReportRow], total: Tally, of: Callable[[Tally], int]) -> Column:
    texts = [percent(of(row.tally), row.tally.calls) for row in rows]
    return Column(head, texts, percent(of(total), total.calls))


def _amounts(money: Money, rows: list[tuple[str, int, str, str]]) -> Iterator[str]:
    words = [more + money.words(units) for _, units, more, _ in rows]
    room, wide = max(map(len, words)), max(cells(label) for label, *_ in rows)
    for (label, *_, rest), text in zip(rows, words, strict=True):
        yield f"  {pad(label, wide)}  {text.rjust(room)}{rest}"


# --- words -------------------------------------------------------------------------------------------------


def least(tally: Tally) -> str:
    """What stands before an amount that may be more."""
    return ">=" if tally.is_least else ""


def percent(part: int, whole: int) -> str:
    """A share to a tenth of a percent, rounded half up, but never up to a whole that it isn't."""
    if not whole:
        return "-"
    tenths = (2000 * part + whole) // (2 * whole)
    return _tenths(min(tenths, 999) if part < whole else tenths)


def _tenths(tenths: int) -> str:
    return f"{tenths // 10}.{tenths % 10}%"


def tokens(counts: Sequence[int]) -> list[str]:
    """Numbers of tokens and then their sum, in one unit in which they still add up."""
    total = sum(counts)
    unit, sign = next(
        (u, s) for u, s in ((1, ""), (1000, "k"), (10**6, "M")) if total < 10**7 * u or u > 1000
    )
    parts = spread(counts, unit)
    return [f"{part:,}{sign}" for part in [*parts, sum(parts)]]


def duration(ms: int) -> str:
    """A latency: `450ms`, `1.8s`, `12s`, `3m20s`."""
    if ms < 1000:
        return f"{ms}ms"
    if ms < 10_000:
        return f"{ms / 1000:.1f}s"
    if ms < 120_000:
        return f"{ms // 1000}s"
    return f"{ms // 60_000}m{ms // 1000 % 60:02}s"


def _time(latency: Latency | None, name: str) -> str:
    return "-" if latency is None else duration(latency.p50_ms if name == "p50" else latency.p95_ms)


def _each(tally: Tally) -> str:
    """What a request costs on average."""
    if not tally.calls:
        return "-"
    mean = tally.cost_nusd // tally.calls
    return usd(mean, 2 if mean >= NANO else 4)


def date_range(report: Report) -> tuple[str | None, str | None]:
    """The first and the last day of a report, in its zone: those of its period, else of its calls."""
    zone, period = ZoneInfo(report.zone), report.period

    def day(when: datetime | None) -> str | None:
        return None if when is None else f"{when.astimezone(zone):%Y-%m-%d}"

    last = report.last if period.since is None else report.at
    if period.until is not None and period.until <= report.at:
        last = datetime.fromtimestamp(period.until.timestamp() - 1, zone)
    return day(period.since or report.first), day(last)


def summary_line(answer: Answer) -> str:
    """A report in one line: `Last 7 days: 50 requests, $12.50 spent, $37.50 saved (75.0%)`."""
    report = answer.report
    total, cent = report.total, Money(2)
    spent = "at least " if total.is_least else ""
    text = f"{one_line(answer.words)}: {listed_count(total.calls, 'request')}, "
    text += f"{spent}{cent.spread([total.cost_nusd])[0]} spent"
    if report.baseline_nusd and report.savings_nusd is not None:
        saved = report.savings_nusd
        word = "saved" if saved >= 0 else "more than the baseline"
        rate = percent(abs(saved), report.baseline_nusd)
        text += f", {usd(abs(saved), 2)} {word} ({rate})"
    return text
