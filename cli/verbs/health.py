"""`policyctl health`: which models answer, which are slow, which are down, and what follows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ...engine.chain import fallback_chain
from ...providers.keys import CLI_PROGRAM
from ...router import Engine
from ...schemas.health import Breaker, Record
from ...schemas.policy import Model
from .. import config
from ..answering import Seconds
from ..exits import Exit
from ..ledgers import ledger_option, open_ledger
from ..options import color_option, load_engine, policy_option
from ..output import bad, columns, dim, good, named, note, out, paragraph, progress, safe, strong, warned

FORMAT_VERSION = "1.0"

HOUR_S = 3600.0
ENOUGH = 3
"""With fewer attempts a share says nothing."""

FEW = 0.95
"""A model that answers less often than this is degraded."""

SLOW_MS = 30_000
"""So is one of whose answers one in twenty takes longer."""

PROBE_TOKENS = 256
"""Models that think first need some room for that; the answer is a word."""

PROBE_S = 30.0


@dataclass(frozen=True, slots=True)
class Looked:
    """One model: its state, why, and the figures that led there."""

    model: Model
    state: str
    words: str
    record: Record
    cooldown_s: float


@click.command()
@policy_option
@ledger_option
@click.option("--since", type=Seconds(), metavar="TIME", help="How far back to look: 30m, 24h. Default: 1h.")
@click.option("--probe", is_flag=True, help="Ask each model something short first; that costs a little.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(
    policies: tuple[str, ...], ledger: str | None, since: float | None, probe: bool, as_json: bool
) -> int:
    """
    Say which models are healthy, degraded or down, and what follows.

    By what the ledger has of them. down: in cooldown, or none of at least 3 calls was answered. degraded:
    fewer than 95 % were, one answer in twenty took more than 30 s, or a cooldown has just passed. The exit
    code is 1 where a model is down.
    """
    engine = load_engine(policies)
    since_s = HOUR_S if since is None else since
    environ = config.environment(Path.cwd())
    if probe:
        _probe(engine, environ, ledger)
    looked = list(_looked(engine, environ, ledger, since_s))
    advice = list(_advice(engine, looked))
    if as_json:
        out(json.dumps(_as_document(engine, looked, advice, since_s, probe), indent=2))
    else:
        _show(looked, advice, since_s)
    return Exit.FINDINGS if any(each.state == "down" for each in looked) else Exit.OK


# --- looking ---------------------------------------------------------------------------------------------


def _looked(engine: Engine, environ: Mapping[str, str], said: str | None, since_s: float) -> Iterator[Looked]:
    from ...ledger.health import SharedHealth
    from ...providers.health import refused_s
    from ...providers.keys import available_models

    now_s = time.time()
    where = config.find_ledger(Path.cwd(), said)
    breakers: Mapping[str, Breaker] = {}
    records: Mapping[str, Record] = {}
    if where is not None:
        with open_ledger(where, engine.policy) as ledger:
            shared = SharedHealth(ledger)
            breakers, records = shared.breakers(), shared.records(now_s - since_s)
    else:
        note("note: there is no ledger yet, so nothing is known; policyctl ledger init makes one")
    models = [model for model in engine.policy.models.values() if model.enabled]
    with_key = available_models(models, environ)
    for model in models:
        record, breaker = records.get(model.key, Record()), breakers.get(model.key, Breaker())
        wait_s = refused_s(breaker, now_s)
        lacks = None if model.key in with_key else _lack(model)
        state, words = _state(record, breaker, wait_s, lacks)
        yield Looked(model, state, words, record, wait_s)


def _lack(model: Model) -> str:
    """What a model needs to be asked, and hasn't."""
    return f"set {' or '.join(model.key_names)}" if model.key_names else f"install {CLI_PROGRAM}"


def _state(record: Record, breaker: Breaker, wait_s: float, lacks: str | None) -> tuple[str, str]:
    """The state of a model, and why; docs/running.md has the bounds."""
    error = f" ({record.last_error})" if record.last_error else ""
    if lacks is not None:
        return "no key", f"to ask it, {lacks}"
    if wait_s > 0:
        return "down", f"set aside for another {wait_s:.0f} s{error}"
    if record.calls >= ENOUGH and record.answers == 0:
        return "down", f"none of {record.calls} calls was answered{error}"
    if breaker.until_s > 0:
        return "degraded", f"its cooldown has passed; the next call is a probe{error}"
    if record.calls == 0:
        return "unknown", "nobody has asked it"
    if record.calls >= ENOUGH and record.answers < FEW * record.calls:
        return "degraded", f"{record.calls - record.answers} of {record.calls} calls failed{error}"
    if record.p95_ms is not None and record.p95_ms > SLOW_MS:
        return "degraded", f"one answer in twenty takes more than {SLOW_MS // 1000} s"
    return "healthy", f"{record.answers} of {record.calls} calls answered"


def _advice(engine: Engine, looked: list[Looked]) -> Iterator[str]:
    """What follows, a sentence for each model that isn't as it should be."""
    well = {each.model.key for each in looked if each.state in ("healthy", "unknown", "degraded")}
    for each in looked:
        key = each.model.key
        after = next((k for k in fallback_chain(engine.table, key)[1:] if k in well), None)
        instead = f"; requests go on to {after}" if after else "; nothing in the fallback list can take over"
        if each.state == "down":
            yield f"{key} is down: {each.words}{instead}"
        elif each.state == "degraded":
            yield f"{key} is degraded: {each.words}{_consider(after)}"
    unasked: dict[str, list[str]] = {}
    for each in looked:
        if each.state == "no key":
            unasked.setdefault(_lack(each.model), []).append(each.model.key)
    for lack, keys in unasked.items():
        yield f"{lack} to ask {', '.join(keys)}"


def _consider(after: str | None) -> str:
    return f"; {after} is next in line" if after else ""


# --- probing ---------------------------------------------------------------------------------------------


def _probe(engine: Engine, environ: Mapping[str, str], said: str | None) -> None:
    """Ask each model that has a key something short; what comes of it is in the ledger then."""
    from concurrent.futures import ThreadPoolExecutor

    from ...providers.keys import available_models
    from ...running import Router
    from ...schemas.request import Request
    from ...schemas.run import Result

    where = config.find_ledger(Path.cwd(), said) or config.new_ledger(Path.cwd())
    models = [model for model in engine.policy.models.values() if model.enabled]
    asked = sorted(available_models(models, environ))
    with open_ledger(where, engine.policy, create=True) as ledger:
        router = Router(engine, ledger, environ=environ)

        def ask(key: str) -> Result:
            inputs = {f.name: f.values[0] for f in engine.policy.facts.values() if _must_be_given(f)}
            request = Request(complexity=0.0, inputs=inputs)
            job = router.job(
                "Answer with OK.",
                request=request,
                alone=key,
                max_output_tokens=PROBE_TOKENS,
                deadline_s=PROBE_S,
            )
            return router.run(job)

        try:
            with ThreadPoolExecutor(8) as pool:
                for number, (key, result) in enumerate(zip(asked, pool.map(ask, asked), strict=True), 1):
                    progress(f"probed {number} of {len(asked)}")
                    if not result.attempts:
                        note(f"note: {safe(key)} wasn't probed: {safe(result.words)}")
        finally:
            progress()
            router.close()


def _must_be_given(fact: Any) -> bool:
    return fact.default is None and not fact.built_in and bool(fact.values)


# --- showing ---------------------------------------------------------------------------------------------

_LOOKS = {
    "healthy": ("✓", good),
    "degraded": ("⚠", warned),
    "down": ("✗", bad),
    "unknown": ("·", dim),
    "no key": ("·", dim),
}


def _show(looked: list[Looked], advice: list[str], since_s: float) -> None:
    out(strong(f"Provider Health Status, the last {_span(since_s)}"))
    rows = []
    for each in looked:
        mark, style = _LOOKS[each.state]
        rows.append([named(safe(each.model.key)), style(f"{mark} {each.state}"), _latency(each), each.words])
    for line in columns(rows):
        out(line)
    if advice:
        out()
        out(strong("Recommendations"))
        for sentence in advice:
            first, *rest = paragraph(safe(sentence), indent=4)
            out(f"  - {first.lstrip()}")
            for line in rest:
                out(line)


def _latency(each: Looked) -> str:
    record = each.record
    return "" if record.p50_ms is None else f"{record.p50_ms} ms, p95 {record.p95_ms} ms"


def _span(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def _as_document(
    engine: Engine, looked: list[Looked], advice: list[str], since_s: float, probed: bool
) -> dict[str, object]:
    """The JSON; schemas/health.schema.json is its shape."""
    return {
        "format_version": FORMAT_VERSION,
        "policy": engine.policy.name,
        "since_s": since_s,
        "probed": probed,
        "models": [_model(each) for each in looked],
        "recommendations": advice,
    }


def _model(each: Looked) -> dict[str, object]:
    record = each.record
    when = None if record.last_error_s is None else datetime.fromtimestamp(record.last_error_s, UTC)
    return {
        "model": each.model.key,
        "provider": each.model.provider,
        "state": each.state,
        "words": each.words,
        "calls": record.calls,
        "answers": record.answers,
        "success_rate": record.answers / record.calls if record.calls else None,
        "p50_ms": record.p50_ms,
        "p95_ms": record.p95_ms,
        "last_error": record.last_error,
        "last_error_at": None if when is None else when.isoformat(),
        "cooldown_s": round(each.cooldown_s, 3),
    }
