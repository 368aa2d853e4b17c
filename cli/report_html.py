"""
A report as one page of HTML: its charts, styles and figures are in it, and it asks for nothing else.

Names come from policies, stories and logs, so they are hostile: each is escaped, and the page forbids itself
scripts, pictures and connections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from html import escape
from zoneinfo import ZoneInfo

from ..engine.sums import shares, spread
from ..policy.words import listed_count, usd
from ..schemas.report import AdviceKind, Report, ReportRow, Tally
from .planning import Money, one_line
from .report_page import TITLES, date_range, duration, fewer, least, money_of, month_lines, percent, tokens
from .reports import Answer

SECTIONS = ("provider", "model", "tier", "domain", "story")
MOST_DAYS = 92
"""Days that are shown as bars of their own; of a longer time each bar is a month."""

_WIDE, _HIGH, _FOOT = 900, 180, 22


def as_html(answer: Answer) -> str:
    """The page; the report must have the groups by story and by day."""
    report = answer.report
    title = text(f"Cost Analysis Report: {answer.words}")
    body = "\n".join(_body(answer)) if report.total.calls else "<p>No calls in this period.</p>"
    first, last = date_range(report)
    days = f"{first} to {last}, {report.zone}" if first is not None else report.zone
    return _PAGE.format(
        title=title,
        style=_STYLE,
        days=text(days),
        notes="".join(f"<p class=note>{text(note)}</p>" for note in _notes(answer)),
        body=body,
        foot=text(_foot(answer)),
    )


def text(words: str) -> str:
    """Words as HTML shows them."""
    return escape(one_line(words))


def _foot(answer: Answer) -> str:
    report, policy = answer.report, answer.policy
    by = "" if policy is None else f" by policy {policy.name} ({policy.digest[:12]}),"
    local = report.at.astimezone(ZoneInfo(report.zone))
    return f"policyctl,{by} ledger {answer.ledger}, {local:%a %d %b %Y %H:%M %Z}"


def _notes(answer: Answer) -> Iterator[str]:
    report, total = answer.report, answer.report.total
    if answer.why_no_policy is not None:
        yield f"No baseline: {answer.why_no_policy}."
    if total.is_least:
        calls = listed_count(total.unpriced + total.doubted, "call")
        yield f"Totals are at least what is said: the cost of {calls} isn't known."
    if total.at_hold:
        calls = listed_count(total.at_hold, "call")
        yield f"Up to {usd(total.at_hold_nusd, 2)} of it is held money: {calls} told no usage."
    if report.open_calls:
        calls = listed_count(report.open_calls, "call")
        yield f"{calls} under way, {usd(report.held_nusd, 2)} held for them."


def _body(answer: Answer) -> Iterator[str]:
    report = answer.report
    yield from _tiles(report)
    yield from _month(report)
    yield from _advice(report)
    yield from _days(report)
    for by in SECTIONS:
        rows = report.groups[by]
        if rows and not (by in ("domain", "story") and all(row.name is None for row in rows)):
            yield from _table(report, by, fewer(rows))


# --- tiles, month, advice ------------------------------------------------------------------------------


def _tiles(report: Report) -> Iterator[str]:
    total, money = report.total, money_of(report)
    actual = spread([total.cost_nusd], money.unit)[0]
    tiles = [("Spent", least(total) + money.words(actual), f"{total.calls:,} requests")]
    if report.baseline is not None and report.baseline_nusd is not None:
        baseline = spread([report.baseline_nusd], money.unit)[0]
        saved = baseline - actual
        part = f"{percent(abs(saved), baseline)} {'less' if saved >= 0 else 'more'}" if baseline else ""
        tiles.append((f"If all {report.baseline.model}", money.words(baseline), "each piece of work once"))
        tiles.append(("Saved" if saved >= 0 else "Extra cost", money.words(abs(saved)), part))
    tiles.append(("Successful", percent(total.succeeded, total.calls), f"{total.failed:,} failed"))
    if report.latency is not None:
        p95 = f"p95 {duration(report.latency.p95_ms)}"
        tiles.append(("Latency", f"p50 {duration(report.latency.p50_ms)}", p95))
    rates = (("Fallback", total.fallbacks), ("Escalated", total.escalated))
    tiles += [(name, percent(part, total.calls), f"{part:,} requests") for name, part in rates]
    cells = (
        f"<div class=tile><span>{text(name)}</span><b>{text(value)}</b><small>{text(rest)}</small></div>"
        for name, value, rest in tiles
    )
    yield f"<section class=tiles>{''.join(cells)}</section>"


def _month(report: Report) -> Iterator[str]:
    month = report.month
    if month is None or not month.limit_nusd:
        return
    most = max(month.limit_nusd, month.projected_nusd or 0, month.spent_nusd)
    spent, end = (f"{100 * nusd / most:.2f}" for nusd in (month.spent_nusd, month.projected_nusd or 0))
    edge = f"{min(100 * month.limit_nusd / most, 99.7):.2f}"
    lines = "".join(f"<p>{text(line)}</p>" for line in month_lines(report, plain=True))
    yield (
        f"<section><h2>This month</h2>{lines}<svg class=meter viewBox='0 0 100 6' preserveAspectRatio=none>"
        f"<rect class=rail width=100 height=6 /><rect class=ahead width={end} height=6 />"
        f"<rect class=bar width={spent} height=6 /><rect class=mark x={edge} width=.3 height=6 />"
        f"</svg><small>spent, and ahead of it where the month leads; the line is the limit</small></section>"
    )


def _advice(report: Report) -> Iterator[str]:
    if not report.advice:
        return
    items = "".join(
        f"<li class={'good' if advice.kind is AdviceKind.GOOD else 'look'}>"
        f"<b>{text(advice.figure)}</b>: {text(advice.text)}</li>"
        for advice in report.advice
    )
    yield f"<section><h2>Recommendations</h2><ul>{items}</ul></section>"


# --- days ----------------------------------------------------------------------------------------------


def _days(report: Report) -> Iterator[str]:
    bars = _bars(report)
    if len(bars) < 2:
        return
    most = max(tally.cost_nusd for _, tally in bars)
    if not most:
        return
    unit = "day" if len(bars[0][0]) > len("2026-01") else "month"
    step, money = _WIDE / len(bars), money_of(report)
    words = money.spread([tally.cost_nusd for _, tally in bars])
    parts = []
    for number, ((name, tally), cost) in enumerate(zip(bars, words, strict=True)):
        high = _HIGH * tally.cost_nusd / most
        tip = f"{name}: {least(tally)}{cost}, {listed_count(tally.calls, 'request')}"
        parts.append(
            f"<g><title>{text(tip)}</title><rect class=hit x={number * step:.2f} width={step:.2f}"
            f" height={_HIGH} /><rect class=bar x={number * step + step * 0.1:.2f} y={_HIGH - high:.2f}"
            f" width={step * 0.8:.2f} height={high:.2f} /></g>"
        )
    ends = ((0, "start", bars[0][0]), (_WIDE, "end", bars[-1][0]))
    for x, anchor, name in ends:
        parts.append(f"<text x={x} y={_HIGH + 16} text-anchor={anchor}>{text(name)}</text>")
    top = f"<text class=top x=0 y=-6>{text(usd(most, 2))}, the dearest {unit}</text>"
    yield (
        f"<section><h2>Spend by {unit}</h2><svg class=days role=img aria-label='spend by {unit}'"
        f" viewBox='0 -20 {_WIDE} {_HIGH + _FOOT + 20}'>{top}"
        f"<line x1=0 x2={_WIDE} y1={_HIGH} y2={_HIGH} />{''.join(parts)}</svg></section>"
    )


def _bars(report: Report) -> list[tuple[str, Tally]]:
    """What was spent on each day of the period, on those without calls too, or in each month."""
    first, last = date_range(report)
    if first is None or last is None:
        return []
    there = {row.name or "": row.tally for row in report.groups["day"]}
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    count = max((end - start).days + 1, 1)
    names = [f"{start + timedelta(days=number)}" for number in range(count)]
    if count <= MOST_DAYS:
        return [(name, there.get(name, Tally())) for name in names]
    months: dict[str, Tally] = {}
    for name in names:
        months[name[:7]] = months.get(name[:7], Tally()) + there.get(name, Tally())
    return list(months.items())


# --- tables --------------------------------------------------------------------------------------------


def _table(report: Report, by: str, rows: Sequence[ReportRow]) -> Iterator[str]:
    money: Money = money_of(report)
    tallies = [row.tally for row in rows]
    costs = [tally.cost_nusd for tally in tallies]
    most = max(costs) or 1
    ins, outs = tokens([t.input_tokens for t in tallies]), tokens([t.output_tokens for t in tallies])
    words, parts = money.spread(costs), shares(costs)
    timed = by in ("provider", "model")
    head = _cells("th", [by, "cost", "share", "requests", "tokens in", "tokens out", "success"])
    head += _cells("th", ["p50", "p95"] if timed else [], first=False)
    lines = []
    for number, row in enumerate(rows):
        tally = row.tally
        figures = [least(tally) + words[number], f"{parts[number] / 10:.1f}%", f"{tally.calls:,}"]
        figures += [ins[number], outs[number], percent(tally.succeeded, tally.calls)]
        if timed:
            times = row.latency
            figures += ["-", "-"] if times is None else [duration(times.p50_ms), duration(times.p95_ms)]
        name = f"(no {by})" if row.name is None else row.name
        inner = " class=part" if row.parent is not None else ""
        width = f"{100 * tally.cost_nusd / most:.2f}"
        bar = f"<svg viewBox='0 0 100 4' preserveAspectRatio=none>{_BAR.format(width)}</svg>"
        lines.append(f"<tr><td{inner}>{text(name)}{bar}</td>{_cells('td', figures, first=False)}</tr>")
    total = report.total
    whole = least(total) + money.words(sum(spread(costs, money.unit)))
    sums = [whole, f"{sum(parts) / 10:.1f}%", f"{total.calls:,}", ins[-1], outs[-1]]
    sums += [percent(total.succeeded, total.calls)]
    if timed:
        times = report.latency
        sums += ["-", "-"] if times is None else [duration(times.p50_ms), duration(times.p95_ms)]
    foot = f"<tr><th>Total</th>{_cells('th', sums, first=False)}</tr>"
    yield (
        f"<section><h2>{text(TITLES[by])}</h2><div class=wide><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody><tfoot>{foot}</tfoot></table></div></section>"
    )


def _cells(tag: str, words: Iterable[str], *, first: bool = True) -> str:
    """Cells of a row; all but the first of a row stand right."""
    return "".join(
        f"<{tag}{'' if first and not number else ' class=n'}>{text(word)}</{tag}>"
        for number, word in enumerate(words)
    )


_BAR = "<rect class=bar width={} height=4 />"
_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1b2330; --soft: #5c6675;
  --line: #dfe3e8; --bar: #2f6fde; --ahead: #b9cff7; --good: #187a3c; --look: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --page: #12151b; --card: #1b2029; --ink: #e6e9ee;
  --soft: #9aa5b4; --line: #323a47; --bar: #6aa0ff; --ahead: #2f4a7c; --good: #5fd38a; --look: #f0b35a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 48px; max-width: 1000px; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 16px; margin: 0 0 10px; } p { margin: 4px 0; }
small, header p, footer, .note { color: var(--soft); } .note { margin-top: 8px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px;
  margin-top: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; }
.tile { min-width: 0; overflow-wrap: anywhere; } .tile span, .tile small { display: block; }
.tile span { color: var(--soft); } .tile b { font-size: 20px; }
ul { margin: 0; padding-left: 20px; } li { overflow-wrap: anywhere; }
.good::marker { color: var(--good); content: "\\2713  "; }
.look::marker { color: var(--look); content: "!  "; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; } tfoot th { border-bottom: 0; } .n { text-align: right; }
td:first-child { min-width: 170px; overflow-wrap: anywhere; }
.part { padding-left: 28px; } .n { white-space: nowrap; }
td svg { display: block; width: 100%; height: 4px; margin-top: 3px; }
.bar { fill: var(--bar); } .ahead { fill: var(--ahead); } .rail { fill: var(--line); }
.mark { fill: var(--ink); }
.hit { fill: transparent; } .hit:hover { fill: var(--line); }
.meter { width: 100%; height: 12px; margin-top: 8px; }
.days { width: 100%; display: block; } .days text { fill: var(--soft); font-size: 12px; }
@media (max-width: 600px) { .days text { font-size: 24px; } td:first-child { min-width: 130px; } }
.days line { stroke: var(--line); } footer { margin-top: 20px; font-size: 13px; overflow-wrap: anywhere; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p>{days}</p>{notes}</header>
{body}
<footer>{foot}</footer>
</body>
</html>
"""
