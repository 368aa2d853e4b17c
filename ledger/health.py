"""The health of models, shared by all who use a ledger, and what its attempts say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..schemas.health import Breaker, Record
from .ledger import Ledger
from .sheet import Sheet
from .tx import Row

MOST_LOOKED_AT = 20_000
"""Attempts that a record goes by, the latest ones."""

_OF_THE_REQUEST = ("cancelled", "content_filter", "context_window", "invalid_request")
"""Failures that tell nothing of a model."""

_PAST = (
    "SELECT model, success, latency_ms, error, settled_ms FROM attempts"
    " WHERE reserved_ms >= ? AND success IS NOT NULL AND was_sent = 1"
    " AND (error IS NULL OR error NOT IN (?, ?, ?, ?)) ORDER BY reserved_ms DESC LIMIT ?"
)
_READ = "SELECT model, in_a_row, until_ms, cooldowns, probe_until_ms FROM health"
_WRITE = (
    "INSERT INTO health (model, in_a_row, until_ms, cooldowns, probe_until_ms) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (model) DO UPDATE SET in_a_row = excluded.in_a_row, until_ms = excluded.until_ms,"
    " cooldowns = excluded.cooldowns, probe_until_ms = excluded.probe_until_ms"
)


class SharedHealth:
    """Keeps breakers in a ledger; see HealthStore."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def breakers(self) -> Mapping[str, Breaker]:
        """Of each model that isn't fine."""
        return self._ledger.do(lambda sheet: {row[0]: _breaker(row) for row in sheet.direct.rows(_READ)})

    def change(self, model: str, work: Callable[[Breaker], Breaker]) -> tuple[Breaker, Breaker]:
        """Change one, alone; the breaker before and after."""

        def change(sheet: Sheet) -> tuple[Breaker, Breaker]:
            found = sheet.direct.rows(f"{_READ} WHERE model = ?", model)
            before = _breaker(found[0]) if found else Breaker()
            after = work(before)
            if after == Breaker():
                sheet.direct.run("DELETE FROM health WHERE model = ?", model)
            elif after != before:
                until_ms, probe_ms = round(after.until_s * 1000), round(after.probe_until_s * 1000)
                sheet.direct.run(_WRITE, model, after.in_a_row, until_ms, after.cooldowns, probe_ms)
            return before, after

        return self._ledger.do(change)

    def seen(self, since_s: float) -> tuple[Mapping[str, Breaker], Mapping[str, Record]]:
        """
        The breakers, and what each model did since a moment, in seconds since 1970, by the latest attempts.

        Both are of one moment, and no call waits for them.
        """

        def read(sheet: Sheet) -> tuple[list[Row], list[Row]]:
            past = sheet.rows(_PAST, round(since_s * 1000), *_OF_THE_REQUEST, MOST_LOOKED_AT)
            return sheet.rows(_READ), past

        found, past = self._ledger.look(read)
        by_model: dict[str, list[Row]] = {}
        for row in past:
            by_model.setdefault(row[0], []).append(row)
        return (
            {row[0]: _breaker(row) for row in found},
            {model: _record(rows) for model, rows in by_model.items()},
        )


def _breaker(row: Row) -> Breaker:
    return Breaker(row[1], row[2] / 1000, row[3], row[4] / 1000)


def _record(rows: list[Row]) -> Record:
    latencies = sorted(row[2] for row in rows if row[1] and row[2] is not None)
    failures = [row for row in rows if not row[1]]
    last = max(failures, key=lambda row: row[4] or 0, default=None)
    return Record(
        calls=len(rows),
        answers=len(rows) - len(failures),
        p50_ms=_percentile(latencies, 50),
        p95_ms=_percentile(latencies, 95),
        last_error=None if last is None else last[3],
        last_error_s=None if last is None or last[4] is None else last[4] / 1000,
    )


def _percentile(ordered: list[int], percent: int) -> int | None:
    """The smallest value that so many percent of all don't exceed (nearest rank)."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
