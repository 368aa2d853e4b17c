"""
The tables, in SQL that SQLite and PostgreSQL both speak.

`attempts` is the truth, one row a call. `windows`, `tallies` and `latencies` are sums of it that are kept up
to date in the same transactions, `outbox` are lines for the usage log that aren't in it yet, `acts` what
a person changed of a budget, `counters` single numbers. `alerts` are the bounds that were crossed, one
row for each window, and `messages` what was told of them, or is still to be.
"""

from __future__ import annotations

import secrets

from .tallies import CREATE
from .tx import Tx, trouble

VERSION = 4

_ATTEMPTS = """
CREATE TABLE attempts (
    key TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'sent', 'unknown', 'released', 'committed')),
    hold_nusd INTEGER NOT NULL CHECK (hold_nusd >= 0),
    cost_nusd INTEGER NOT NULL CHECK (cost_nusd >= 0),
    flag TEXT,
    owner TEXT NOT NULL,
    lease_ms INTEGER NOT NULL,
    reserved_ms INTEGER NOT NULL CHECK (reserved_ms >= 0),
    settled_ms INTEGER,
    was_sent INTEGER NOT NULL CHECK (was_sent IN (0, 1)),
    logged INTEGER NOT NULL CHECK (logged IN (0, 1)),
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    tier TEXT,
    model_tier TEXT,
    domain TEXT,
    story_id TEXT,
    run_id TEXT,
    iteration INTEGER,
    complexity REAL,
    attempt INTEGER NOT NULL,
    fallback_used INTEGER NOT NULL CHECK (fallback_used IN (0, 1)),
    escalation TEXT,
    decision_id TEXT,
    policy_digest TEXT,
    price_in_nusd_per_mtok INTEGER,
    price_out_nusd_per_mtok INTEGER,
    max_input_tokens INTEGER NOT NULL CHECK (max_input_tokens >= 0),
    max_output_tokens INTEGER NOT NULL CHECK (max_output_tokens >= 0),
    input_tokens INTEGER CHECK (input_tokens >= 0),
    output_tokens INTEGER CHECK (output_tokens >= 0),
    cache_read_tokens INTEGER CHECK (cache_read_tokens >= 0),
    cache_write_tokens INTEGER CHECK (cache_write_tokens >= 0),
    latency_ms INTEGER CHECK (latency_ms >= 0),
    success INTEGER CHECK (success IN (0, 1)),
    error TEXT,
    reported TEXT,
    CHECK (state NOT IN ('held', 'sent', 'released') OR cost_nusd = 0),
    CHECK (state != 'unknown' OR cost_nusd = hold_nusd)
) STRICT
"""

_WINDOWS = """
CREATE TABLE windows (
    period TEXT NOT NULL CHECK (period IN ('day', 'week', 'month', 'run', 'story')),
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    zone TEXT NOT NULL,
    starts_ms INTEGER,
    ends_ms INTEGER,
    spent_nusd INTEGER NOT NULL CHECK (spent_nusd >= 0),
    held_nusd INTEGER NOT NULL CHECK (held_nusd >= 0),
    PRIMARY KEY (period, name, scope, zone)
) STRICT
"""

_FIRST = (
    _ATTEMPTS,
    "CREATE INDEX attempts_by_time ON attempts (reserved_ms)",
    "CREATE INDEX attempts_by_story ON attempts (story_id) WHERE story_id IS NOT NULL",
    "CREATE INDEX attempts_by_run ON attempts (run_id) WHERE run_id IS NOT NULL",
    "CREATE INDEX attempts_open ON attempts (lease_ms) WHERE state IN ('held', 'sent')",
    _WINDOWS,
    "CREATE INDEX windows_by_end ON windows (ends_ms) WHERE ends_ms IS NOT NULL",
    """
    CREATE TABLE outbox (
        log TEXT NOT NULL,
        seq INTEGER NOT NULL,
        line TEXT NOT NULL,
        PRIMARY KEY (log, seq)
    ) STRICT
    """,
    """
    CREATE TABLE acts (
        budget TEXT NOT NULL PRIMARY KEY,
        limit_nusd INTEGER CHECK (limit_nusd >= 0),
        window_name TEXT,
        paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
        made_ms INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT",
)

_ALERTS = (
    """
    CREATE TABLE alerts (
        alert TEXT NOT NULL,
        condition TEXT NOT NULL,
        window_name TEXT NOT NULL,
        ends_ms INTEGER,
        fired_ms INTEGER NOT NULL,
        recovered_ms INTEGER,
        PRIMARY KEY (alert, condition, window_name)
    ) STRICT
    """,
    """
    CREATE TABLE messages (
        id TEXT NOT NULL PRIMARY KEY,
        number INTEGER NOT NULL,
        alert TEXT NOT NULL,
        condition TEXT NOT NULL,
        window_name TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('fired', 'recovered')),
        made_ms INTEGER NOT NULL,
        channel TEXT NOT NULL,
        target TEXT,
        body TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
        tries INTEGER NOT NULL CHECK (tries >= 0),
        next_ms INTEGER NOT NULL,
        problem TEXT,
        UNIQUE (alert, condition, window_name, kind)
    ) STRICT
    """,
    "CREATE INDEX messages_waiting ON messages (next_ms) WHERE state = 'waiting'",
    "CREATE INDEX messages_by_alert ON messages (alert, number)",
)

_HEALTH = """
CREATE TABLE health (
    model TEXT NOT NULL PRIMARY KEY,
    in_a_row INTEGER NOT NULL CHECK (in_a_row >= 0),
    until_ms INTEGER NOT NULL CHECK (until_ms >= 0),
    cooldowns INTEGER NOT NULL CHECK (cooldowns >= 0),
    probe_until_ms INTEGER NOT NULL CHECK (probe_until_ms >= 0)
) STRICT
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, tuple(CREATE), _ALERTS, (_HEALTH,))
"""What leads from each version to the next; the first makes a ledger out of nothing."""


def upgrade(tx: Tx, found: int, where: str) -> None:
    """
    Bring the tables from a version to this one, inside a transaction.

    Raises:
        LedgerError: the ledger is of a newer version.
    """
    if found > VERSION:
        raise trouble(f"{where} was written by a newer policyctl", "update policyctl on this machine")
    for statements in MIGRATIONS[found:]:
        for statement in statements:
            tx.run(statement)
    if found == 0:
        tx.run("INSERT INTO counters (name, value) VALUES ('id', ?)", secrets.randbits(47))
