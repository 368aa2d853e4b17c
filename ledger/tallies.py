"""
Calls added up by the hour, so that a report over a million of them reads some ten thousand rows.

Triggers keep the sums, in the transaction that changes a call: whoever writes an attempt can't forget them.
`tallies` has the sums of each UTC hour, `latencies` how many answers of each UTC day took how long, to two
digits. What lies in a part of an hour or day is added up from the calls themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..schemas.report import MEASURES

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

KEYS = ("provider", "model", "tier", "domain")
"""What tallies are told apart by, besides the hour; an empty text stands for none."""

_KEY = {
    "hour": f"{{row}}.reserved_ms / {HOUR_MS}",
    "provider": "{row}.provider",
    "model": "{row}.model",
    "tier": "coalesce({row}.model_tier, '')",
    "domain": "coalesce({row}.domain, '')",
    "story": "coalesce({row}.story_id, '')",
}
_IF_ONE = "CASE WHEN {0} THEN {1} ELSE 0 END"
_GOOD = "{row}.success = 1"
_RAISED = "{row}.escalation IS NOT NULL"
_AT_HOLD = "coalesce({row}.flag, '') IN ('usage missing', 'outcome unknown')"
_DOUBTED = "coalesce({row}.flag, '') IN ('usage invalid', 'usage absurd')"
_UNPRICED = (
    "{row}.cost_nusd = 0 AND {row}.price_in_nusd_per_mtok IS NULL"
    " AND coalesce({row}.input_tokens, 0) + coalesce({row}.output_tokens, 0) > 0"
)
_MEASURE = {
    "calls": "1",
    "succeeded": _IF_ONE.format(_GOOD, "1"),
    "fallbacks": "{row}.fallback_used",
    "escalated": _IF_ONE.format(_RAISED, "1"),
    "unpriced": _IF_ONE.format(_UNPRICED, "1"),
    "doubted": _IF_ONE.format(_DOUBTED, "1"),
    "at_hold": _IF_ONE.format(_AT_HOLD, "1"),
    "input_tokens": "coalesce({row}.input_tokens, 0)",
    "output_tokens": "coalesce({row}.output_tokens, 0)",
    "cost_nusd": "{row}.cost_nusd",
    "at_hold_nusd": _IF_ONE.format(_AT_HOLD, "{row}.cost_nusd"),
    "failed_nusd": _IF_ONE.format("{row}.success = 0", "{row}.cost_nusd"),
    "escalated_nusd": _IF_ONE.format(f"{_GOOD} AND {_RAISED}", "{row}.cost_nusd"),
    "work_input_tokens": _IF_ONE.format(
        f"{_GOOD} AND {{row}}.escalation IS NULL", "coalesce({row}.input_tokens, 0)"
    ),
    "work_output_tokens": _IF_ONE.format(
        f"{_GOOD} AND {{row}}.escalation IS NULL", "coalesce({row}.output_tokens, 0)"
    ),
}

_TIME = "{row}.latency_ms"
TWO_DIGITS = "CASE " + " ".join(
    f"WHEN {_TIME} < {unit * 100 - unit // 2} THEN ({_TIME} + {unit // 2}) / {unit} * {unit}"
    for unit in (1, 10, 100, 1000, 10_000, 100_000)
)
TWO_DIGITS += f" ELSE ({_TIME} + 500000) / 1000000 * 1000000 END"
"""A latency to two digits, up to some hours."""

_TIMED = f"{{row}}.logged = 1 AND {_GOOD} AND {_TIME} IS NOT NULL"


def key_of(name: str, row: str) -> str:
    """The expression of a key of a tally, of a row of `attempts`."""
    return _KEY[name].format(row=row)


def measure_of(name: str, row: str) -> str:
    """The expression of a sum of a tally, of a row of `attempts`."""
    return _MEASURE[name].format(row=row)


def latency_of(row: str) -> str:
    """The latency of a row of `attempts` to two digits."""
    return TWO_DIGITS.format(row=row)


def timed(row: str) -> str:
    """Whether a row of `attempts` has a latency that counts: that of a good answer."""
    return _TIMED.format(row=row)


# --- tables and triggers -----------------------------------------------------------------------------

_SUMS = ", ".join(f"{name} INTEGER NOT NULL" for name in MEASURES)
_KEY_COLUMNS = ", ".join(f"{name} TEXT NOT NULL" for name in KEYS)
_TABLES = (
    f"CREATE TABLE tallies (hour INTEGER NOT NULL, {_KEY_COLUMNS}, {_SUMS},"
    f" PRIMARY KEY (hour, {', '.join(KEYS)})) STRICT",
    "CREATE TABLE latencies (day INTEGER NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,"
    " latency_ms INTEGER NOT NULL, calls INTEGER NOT NULL,"
    " PRIMARY KEY (day, provider, model, latency_ms)) STRICT",
)


def _count(row: str, sign: str) -> str:
    """Statements of a trigger: add a call to the sums, or take it out."""
    keys = ", ".join(key_of(name, row) for name in ("hour", *KEYS))
    sums = ", ".join(f"{sign}{measure_of(name, row)}" for name in MEASURES)
    more = ", ".join(f"{name} = tallies.{name} + excluded.{name}" for name in MEASURES)
    tally = (
        f"INSERT INTO tallies (hour, {', '.join(KEYS)}, {', '.join(MEASURES)}) VALUES ({keys}, {sums})"  # noqa: S608
        f" ON CONFLICT (hour, {', '.join(KEYS)}) DO UPDATE SET {more}"
    )
    latency = (
        "INSERT INTO latencies (day, provider, model, latency_ms, calls)"
        f" SELECT {row}.reserved_ms / {DAY_MS}, {row}.provider, {row}.model, {latency_of(row)}, {sign}1"
        f" WHERE {timed(row)}"
        " ON CONFLICT (day, provider, model, latency_ms)"
        " DO UPDATE SET calls = latencies.calls + excluded.calls"
    )
    return f"{tally}; {latency};"


def _triggers() -> Iterator[str]:
    for name, event, row, sign in (
        ("tally_new", "INSERT", "NEW", ""),
        ("tally_gone", "DELETE", "OLD", "-"),
        ("tally_was", "UPDATE", "OLD", "-"),
        ("tally_is", "UPDATE", "NEW", ""),
    ):
        yield (
            f"CREATE TRIGGER {name} AFTER {event} ON attempts FOR EACH ROW WHEN ({row}.logged = 1)"
            f" BEGIN {_count(row, sign)} END"
        )


def _sum(expression: str) -> str:
    """A sum that is a whole number in both databases."""
    return f"CAST(coalesce(sum({expression}), 0) AS BIGINT)"


def sums(row: str | None) -> str:
    """The sums of a tally as columns of a query over `attempts`, or, where None, over `tallies`."""
    names = MEASURES if row is None else [measure_of(name, row) for name in MEASURES]
    return ", ".join(map(_sum, names))


_EVERY = ", ".join(key_of(name, "attempts") for name in ("hour", *KEYS))
_ROUNDED = f"reserved_ms / {DAY_MS}, provider, model, {latency_of('attempts')}"
_TALLIES = f"SELECT {_EVERY}, {sums('attempts')} FROM attempts WHERE logged = 1 GROUP BY {_EVERY}"  # noqa: S608
_LATENCIES = f"SELECT {_ROUNDED}, count(*) FROM attempts WHERE {timed('attempts')} GROUP BY {_ROUNDED}"  # noqa: S608
FILL = (
    "DELETE FROM tallies",
    "DELETE FROM latencies",
    f"INSERT INTO tallies (hour, {', '.join(KEYS)}, {', '.join(MEASURES)}) {_TALLIES}",
    f"INSERT INTO latencies (day, provider, model, latency_ms, calls) {_LATENCIES}",
)
"""Adds all calls up anew."""


_KEPT = f"SELECT hour, {', '.join((*KEYS, *MEASURES))} FROM tallies WHERE calls <> 0"  # noqa: S608
KEPT_AND_REAL = (
    (_KEPT, _TALLIES),
    ("SELECT day, provider, model, latency_ms, calls FROM latencies WHERE calls <> 0", _LATENCIES),
)
"""The sums as they are kept, and as the calls have them."""

CREATE: Sequence[str] = (*_TABLES, *FILL, *_triggers())
"""What leads from a ledger without tallies to one with them."""
