"""What the ledger says of a period: sums and latencies, from the tallies where they will do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ..schemas.records import dataclass
from ..schemas.report import Latency, Tally
from .tallies import DAY_MS, HOUR_MS, KEYS, key_of, latency_of, sums, timed
from .tx import Tx, Value
from .windows import milliseconds

_ALWAYS = 1 << 53
"""Later than any moment of a ledger."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls: from a moment up to another one, of a run and a provider where these are given."""

    from_ms: int = 0
    to_ms: int = _ALWAYS
    run_id: str | None = None
    provider: str | None = None

    @classmethod
    def of(cls, bounds: tuple[datetime, datetime] | None) -> Scope:
        """All calls from a moment up to another one; None: all at all."""
        return cls() if bounds is None else cls(milliseconds(bounds[0]), milliseconds(bounds[1]))

    def between(self, from_ms: int, to_ms: int) -> Scope:
        """The part of it in a stretch of time."""
        return replace(self, from_ms=max(self.from_ms, from_ms), to_ms=min(self.to_ms, to_ms))

    @property
    def is_empty(self) -> bool:
        """Whether no moment is in it."""
        return self.from_ms >= self.to_ms


def tallied(tx: Tx, scope: Scope, keys: Sequence[str]) -> dict[Key, Tally]:
    """The sums of all calls of a scope, by some of the keys of a tally, or by story."""
    if scope.run_id is not None or not set(keys) <= set(KEYS):
        return _added({}, of_calls(tx, scope, keys))
    found: dict[Key, Tally] = {}
    whole, edges = _split(scope, HOUR_MS)
    if whole is not None:
        _added(found, _of_tallies(tx, whole, keys))
    for edge in edges:
        _added(found, of_calls(tx, edge, keys))
    return found


def latencies(tx: Tx, scope: Scope) -> dict[Key, Counter[int]]:
    """How many good answers of each provider and model took how long, to two digits."""
    found: dict[Key, Counter[int]] = {}
    whole, edges = (None, [scope]) if scope.run_id is not None else _split(scope, DAY_MS)
    for provider, model, ms, calls in [
        *([] if whole is None else _days(tx, whole)),
        *(row for edge in edges for row in _timed_calls(tx, edge)),
    ]:
        found.setdefault((provider, model), Counter())[ms] += calls
    return found


def percentiles(times: Mapping[int, int]) -> Latency | None:
    """The latency that half of the answers, and 95 of 100, don't surpass; None: there are none."""
    count, seen = sum(times.values()), 0
    found: list[int] = []
    ranks = [-(-count * share // 100) for share in (50, 95)]
    for ms in sorted(times):
        seen += times[ms]
        found += [ms for rank in ranks if rank <= seen][len(found) :]
    return Latency(*found) if count else None


def stories(tx: Tx, scope: Scope) -> dict[str, int]:
    """How many stories have calls in each tier."""
    where, values = _where(scope)
    tier = key_of("tier", "attempts")
    sql = f"SELECT {tier}, count(DISTINCT story_id) FROM attempts WHERE {where} GROUP BY {tier}"  # noqa: S608
    return dict(tx.rows(sql, *values))


def bounds(tx: Tx, scope: Scope) -> tuple[int, int] | None:
    """The moments of the first and the last call."""
    where, values = _where(scope)
    by_time = f"SELECT reserved_ms FROM attempts WHERE {where} ORDER BY reserved_ms {{}} LIMIT 1"  # noqa: S608
    first, last = (tx.rows(by_time.format(way), *values) for way in ("ASC", "DESC"))
    return (first[0][0], last[0][0]) if first else None


def under_way(tx: Tx) -> tuple[int, int]:
    """How many calls are under way, and what is held for them."""
    sql = "SELECT count(*), CAST(coalesce(sum(hold_nusd), 0) AS BIGINT) FROM attempts"
    calls, held = tx.rows(f"{sql} WHERE state IN ('held', 'sent')")[0]
    return calls, held


def last_run(tx: Tx) -> str | None:
    """The run of the latest call that has one."""
    found = tx.rows("SELECT run_id FROM attempts WHERE run_id IS NOT NULL ORDER BY reserved_ms DESC LIMIT 1")
    return found[0][0] if found else None


def providers(tx: Tx) -> list[str]:
    """All providers that have calls."""
    return [name for (name,) in tx.rows("SELECT DISTINCT provider FROM tallies ORDER BY provider")]


# --- queries -----------------------------------------------------------------------------------------------


def _split(scope: Scope, unit_ms: int) -> tuple[Scope | None, list[Scope]]:
    """The whole hours or days of a scope, and what is left of it before and after them."""
    low, high = -(-scope.from_ms // unit_ms) * unit_ms, scope.to_ms // unit_ms * unit_ms
    if scope.to_ms == _ALWAYS:
        high = _ALWAYS
    if low >= high:
        return None, [scope]
    edges = [scope.between(0, low), scope.between(high, _ALWAYS)]
    return scope.between(low, high), [edge for edge in edges if not edge.is_empty]


def _of_tallies(tx: Tx, scope: Scope, keys: Sequence[str]) -> Iterator[tuple[Key, Tally]]:
    where, values = "hour >= ? AND hour < ?", [scope.from_ms // HOUR_MS, scope.to_ms // HOUR_MS]
    sql = f"SELECT {_columns(keys)}{sums(None)} FROM tallies WHERE {where}"  # noqa: S608
    return _read(tx, sql, values, scope, keys)


def of_calls(tx: Tx, scope: Scope, keys: Sequence[str]) -> Iterator[tuple[Key, Tally]]:
    where, values = _where(replace(scope, provider=None))
    names = [key_of(name, "attempts") for name in keys]
    sql = f"SELECT {_columns(names)}{sums('attempts')} FROM attempts WHERE {where}"  # noqa: S608
    return _read(tx, sql, values, scope, names)


def _read(
    tx: Tx, sql: str, values: Sequence[Value], scope: Scope, keys: Sequence[str]
) -> Iterator[tuple[Key, Tally]]:
    if scope.provider is not None:
        sql, values = f"{sql} AND provider = ?", [*values, scope.provider]
    if keys:
        sql += f" GROUP BY {', '.join(keys)}"
    for row in tx.rows(sql, *values):
        yield row[: len(keys)], Tally(*row[len(keys) :])


def _columns(names: Sequence[str]) -> str:
    return "".join(f"{name}, " for name in names)


def _where(scope: Scope) -> tuple[str, list[Value]]:
    """Which rows of `attempts` are the calls of a scope."""
    where, values = "logged = 1 AND reserved_ms >= ? AND reserved_ms < ?", [scope.from_ms, scope.to_ms]
    named: list[Value] = [*values]
    for column, name in (("run_id", scope.run_id), ("provider", scope.provider)):
        if name is not None:
            where += f" AND {column} = ?"
            named.append(name)
    return where, named


def _days(tx: Tx, scope: Scope) -> list[tuple[str, str, int, int]]:
    values: list[Value] = [scope.from_ms // DAY_MS, scope.to_ms // DAY_MS]
    where = "day >= ? AND day < ?"
    if scope.provider is not None:
        where, values = f"{where} AND provider = ?", [*values, scope.provider]
    calls = "CAST(sum(calls) AS BIGINT)"
    return tx.rows(
        f"SELECT provider, model, latency_ms, {calls} FROM latencies WHERE {where}"  # noqa: S608
        " GROUP BY provider, model, latency_ms",
        *values,
    )


def _timed_calls(tx: Tx, scope: Scope) -> list[tuple[str, str, int, int]]:
    where, values = _where(scope)
    ms = latency_of("attempts")
    return tx.rows(
        f"SELECT provider, model, {ms}, count(*) FROM attempts WHERE {where} AND {timed('attempts')}"  # noqa: S608
        f" GROUP BY provider, model, {ms}",
        *values,
    )


def _added(found: dict[Key, Tally], more: Iterator[tuple[Key, Tally]]) -> dict[Key, Tally]:
    for key, tally in more:
        if tally.calls:
            found[key] = found.get(key, Tally()) + tally
    return found
