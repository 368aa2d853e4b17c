"""A report for programs: JSON, whose shape is published, and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from io import StringIO

from ..schemas.policy import NANO
from ..schemas.report import GROUPS, MEASURES, Advice, Latency, Month, Report, ReportRow, Tally
from .report_page import date_range
from .reports import Answer
from .sheets import exact, plain

FORMAT_VERSION = "1.0"

_COUNTS = tuple(name for name in MEASURES if not name.endswith("_nusd"))
_AMOUNTS = tuple(name.removesuffix("_nusd") for name in MEASURES if name.endswith("_nusd"))

COLUMNS = (
    *(
        "parent",
        "requests",
        "succeeded",
        "failed",
        "fallbacks",
        "escalated",
        "unpriced",
        "doubted",
        "at_hold",
    ),
    *("input_tokens", "output_tokens", "cost_usd", "share", "baseline_usd", "failed_usd", "escalated_usd"),
    *("p50_ms", "p95_ms"),
)
"""The columns of --csv behind the name, in their order."""


def as_json(answer: Answer) -> str:
    """The JSON of a report; schemas/report.schema.json is its shape."""
    return json.dumps(_document(answer), indent=2)


def _document(answer: Answer) -> dict[str, object]:
    report, policy = answer.report, answer.policy
    first, last = date_range(report)
    return {
        "format_version": FORMAT_VERSION,
        "policy": policy and policy.name,
        "policy_digest": policy and policy.digest,
        "ledger": answer.ledger,
        "at": report.at.isoformat(),
        "period": {
            "words": answer.words,
            "zone": report.zone,
            "since": _moment(report.period.since),
            "until": _moment(report.period.until),
            "first_day": first,
            "last_day": last,
        },
        "run": report.run_id,
        "provider": report.provider,
        "by": report.by,
        "groups": {by: _rows(report.groups.get(by)) for by in GROUPS},
        "total": {
            **_tally(report.total),
            "is_least": report.total.is_least,
            "latency": _latency(report.latency),
        },
        "first_call": _moment(report.first),
        "last_call": _moment(report.last),
        "baseline": report.baseline and {"model": report.baseline.model, "named": report.baseline.named},
        **_money("baseline", report.baseline_nusd),
        **_money("savings", report.savings_nusd),
        "savings_percent": report.savings_percent,
        "open_calls": report.open_calls,
        **_money("held", report.held_nusd),
        "month": _month(report.month),
        "recommendations": [_advice(each) for each in report.advice],
    }


def _rows(rows: Sequence[ReportRow] | None) -> list[dict[str, object]] | None:
    return None if rows is None else [_row(row) for row in rows]


def _row(row: ReportRow) -> dict[str, object]:
    return {
        "name": row.name,
        "parent": row.parent,
        **_tally(row.tally),
        **_money("baseline", row.baseline_nusd),
        "latency": _latency(row.latency),
        "stories": row.stories,
    }


def _tally(tally: Tally) -> dict[str, object]:
    counts: dict[str, object] = {name: getattr(tally, name) for name in _COUNTS}
    counts["failed"] = tally.failed
    for name in _AMOUNTS:
        counts |= _money(name, getattr(tally, f"{name}_nusd"))
    return counts


def _latency(latency: Latency | None) -> dict[str, object] | None:
    return None if latency is None else {"p50_ms": latency.p50_ms, "p95_ms": latency.p95_ms}


def _month(month: Month | None) -> dict[str, object] | None:
    if month is None:
        return None
    return {
        "starts": month.starts.isoformat(),
        "ends": month.ends.isoformat(),
        **_money("spent", month.spent_nusd),
        **_money("projected", month.projected_nusd),
        "budget": month.budget,
        **_money("limit", month.limit_nusd),
        "full_at": _moment(month.full_at),
    }


def _advice(advice: Advice) -> dict[str, object]:
    return {"kind": advice.kind.value, "figure": advice.figure, "text": advice.text}


def _moment(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


def _money(name: str, nusd: int | None) -> dict[str, object]:
    return {f"{name}_usd": None if nusd is None else nusd / NANO, f"{name}_nusd": nusd}


# --- CSV ---------------------------------------------------------------------------------------------------


def as_csv(answer: Answer) -> str:
    """A line for each row of a report; amounts in USD with all their digits."""
    report, text = answer.report, StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((report.by, *COLUMNS))
    writer.writerows(_cells(row, report) for row in report.rows)
    return text.getvalue().removesuffix("\n")


def _cells(row: ReportRow, report: Report) -> list[object]:
    tally, latency, whole = row.tally, row.latency, report.total.cost_nusd
    return [
        plain(row.name or ""),
        plain(row.parent or ""),
        tally.calls,
        tally.succeeded,
        tally.failed,
        tally.fallbacks,
        tally.escalated,
        tally.unpriced,
        tally.doubted,
        tally.at_hold,
        tally.input_tokens,
        tally.output_tokens,
        exact(tally.cost_nusd),
        f"{tally.cost_nusd / whole:.6f}" if whole else "",
        "" if row.baseline_nusd is None else exact(row.baseline_nusd),
        exact(tally.failed_nusd),
        exact(tally.escalated_nusd),
        *(("", "") if latency is None else (latency.p50_ms, latency.p95_ms)),
    ]
