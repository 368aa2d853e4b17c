"""What to do about the figures of a report. Each piece of advice names the figure that it follows from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..policy.words import level_words, listed_count, usd
from ..schemas.policy import Action, Policy
from ..schemas.report import Advice, AdviceKind, Report, ReportRow, Tally

FEWEST = 20
"""Of fewer calls no rate is a reason to do anything."""

ESCALATED = 0.30
FELL_BACK = 0.20
FAILED = 0.10
SAVED = 0.20
TOP_SHARE = 0.60
CHEAP_SHARE = 0.20
WASTED = 0.05
SLOWER = 3


def advise(report: Report, policy: Policy | None) -> Iterator[Advice]:
    """What follows from a report, by the tiers and budgets of a policy."""
    models = report.groups["model"]
    whole = report.provider is None and report.run_id is None
    if policy is not None and whole:
        yield from _over_budget(report, policy)
    yield from _unknown_costs(report, models)
    if report.total.calls < FEWEST:
        return
    yield from _rates(report)
    yield from _weak_models(report, models)
    if policy is not None and report.provider is None:
        yield from _distribution(report, policy)


def _look(figure: str, text: str) -> Advice:
    return Advice(AdviceKind.LOOK, figure, text)


def _over_budget(report: Report, policy: Policy) -> Iterator[Advice]:
    month = report.month
    if month is None or month.budget is None or month.limit_nusd is None:
        return
    estimate = month.projected_nusd
    if estimate is None or estimate <= month.limit_nusd:
        return
    figure = f"estimated end-of-month {usd(estimate, 2)} of {usd(month.limit_nusd, 2)}"
    budget = policy.budgets[month.budget]
    ahead = [
        level
        for level in budget.levels
        if level.action is not Action.WARN and level.percent * month.limit_nusd > 100 * month.spent_nusd
    ]
    if any(level.action is Action.DOWNGRADE for level in budget.levels):
        then = f"next is `{level_words(ahead[0])}`" if ahead else "its levels are all in force"
        yield _look(figure, f"budget {budget.name} will act: {then}; policyctl budget raise gives it more")
    else:
        yield _look(figure, f"enable tier downgrade: `at 75% downgrade 1 tier` in budget {budget.name}")


def _unknown_costs(report: Report, models: Sequence[ReportRow]) -> Iterator[Advice]:
    total = report.total
    if total.unpriced:
        names = _listed(row.name for row in models if row.tally.unpriced)
        figure = f"{listed_count(total.unpriced, 'call')} without a price"
        yield _look(figure, f"totals are lower bounds; give a price to {names}")
    if total.doubted:
        names = _listed(row.name for row in models if row.tally.doubted)
        figure = f"{listed_count(total.doubted, 'call')} with usage that can't be"
        yield _look(figure, f"totals are lower bounds; look at what {names} reports")
    if total.at_hold and total.at_hold_nusd * 10 >= total.cost_nusd > 0:
        figure = f"{usd(total.at_hold_nusd, 2)} for {listed_count(total.at_hold, 'call')} of unknown usage"
        yield _look(figure, "they count at the most that they can have cost; see policyctl ledger check")


def _rates(report: Report) -> Iterator[Advice]:
    total = report.total
    if total.escalated > ESCALATED * total.calls:
        yield _look(
            f"escalation rate {_percent(total.escalated, total.calls)}",
            "stories start in too low a tier: let the next tier start at a lower complexity",
        )
    if total.fallbacks > FELL_BACK * total.calls:
        yield _look(
            f"fallback rate {_percent(total.fallbacks, total.calls)}",
            "first choices fail too often: check their keys, rate limits and health (policyctl doctor)",
        )
    if total.failed_nusd > WASTED * total.cost_nusd:
        yield _look(
            f"failed attempts cost {_percent(total.failed_nusd, total.cost_nusd)} of the spend",
            "look at --by model --verbose for who fails",
        )


def _weak_models(report: Report, models: Sequence[ReportRow]) -> Iterator[Advice]:
    for row in models:
        tally = row.tally
        if tally.calls < FEWEST or row.name is None:
            continue
        if tally.failed > FAILED * tally.calls:
            rate = _percent(tally.succeeded, tally.calls)
            yield _look(f"{row.name} success rate {rate}", "give its work to another model, or `disabled`")
        if row.latency is not None and report.latency is not None and len(models) > 1:
            times = row.latency.p95_ms / report.latency.p95_ms if report.latency.p95_ms else 0
            if times >= SLOWER:
                yield _look(f"{row.name} p95 latency {times:.0f} times that of all", "consider alternatives")


def _distribution(report: Report, policy: Policy) -> Iterator[Advice]:
    tiers = {row.name: row.tally for row in report.groups["tier"]}
    calls = report.total.calls
    cheap, top = policy.tiers[0].name, policy.tiers[-1].name
    if cheap == top:
        return
    low, high = (tiers.get(name, Tally()).calls for name in (cheap, top))
    if high > TOP_SHARE * calls:
        yield _look(
            f"{top}: {_percent(high, calls)} of the calls",
            "review how stories are scored: complexity may be overestimated",
        )
    if low < CHEAP_SHARE * calls:
        yield _look(
            f"{cheap}: {_percent(low, calls)} of the calls",
            f"consider increasing the use of {cheap} models for simple tasks",
        )
    if low >= CHEAP_SHARE * calls and high <= TOP_SHARE * calls:
        parts = (
            f"{tier.name}: {_percent(tiers.get(tier.name, Tally()).calls, calls)}" for tier in policy.tiers
        )
        yield Advice(AdviceKind.GOOD, ", ".join(parts), "good tier distribution")
    saved = report.savings_percent
    if saved is not None and saved < 100 * SAVED and report.baseline is not None:
        yield _look(
            f"savings {saved:.1f}% against {report.baseline.model}",
            "less than expected: see which tiers and models the spend goes to (--by model)",
        )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%"


def _listed(names: Iterator[str | None]) -> str:
    found = [name for name in names if name is not None]
    return ", ".join(found[:3]) + (f" and {len(found) - 3:,} more" if len(found) > 3 else "")
