"""`policyctl health`: which models answer, which are slow, which are down, and what follows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ...deciding import Engine
from ...engine.chain import fallback_chain
from .. import config
from ..answering import Seconds
from ..exits import Exit
from ..ledgers import ledger_option, open_ledger
from ..model_health import HOUR_S, Looked, as_json, lack, looked_at, row, span
from ..options import color_option, load_engine, policy_option
from ..output import columns, note, out, paragraph, progress, safe, strong

FORMAT_VERSION = "1.0"

PROBE_TOKENS = 256
"""Models that think first need some room for that; the answer is a word."""

PROBE_S = 30.0


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
    looked = _looked(engine, environ, ledger, since_s)
    advice = list(_advice(engine, looked))
    if as_json:
        out(json.dumps(_as_document(engine, looked, advice, since_s, probe), indent=2))
    else:
        _show(looked, advice, since_s)
    return Exit.FINDINGS if any(each.state == "down" for each in looked) else Exit.OK


# --- looking ---------------------------------------------------------------------------------------------


def _looked(engine: Engine, environ: Mapping[str, str], said: str | None, since_s: float) -> list[Looked]:
    where = config.find_ledger(Path.cwd(), said)
    models, now_s = engine.policy.models.values(), time.time()
    if where is None:
        note("note: there is no ledger yet, so nothing is known; policyctl ledger init makes one")
        return list(looked_at(models, environ, None, since_s, now_s))
    with open_ledger(where, engine.policy) as ledger:
        return list(looked_at(models, environ, ledger, since_s, now_s))


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
            unasked.setdefault(lack(each.model), []).append(each.model.key)
    for lacking, keys in unasked.items():
        yield f"{lacking} to ask {', '.join(keys)}"


def _consider(after: str | None) -> str:
    return f"; {after} is next in line" if after else ""


# --- probing ---------------------------------------------------------------------------------------------


def _probe(engine: Engine, environ: Mapping[str, str], said: str | None) -> None:
    """Ask each model that has a key something short; what comes of it is in the ledger then."""
    from concurrent.futures import ThreadPoolExecutor

    from ...providers.keys import available_models
    from ...router import Router
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


def _show(looked: list[Looked], advice: list[str], since_s: float) -> None:
    out(strong(f"Provider Health Status, the last {span(since_s)}"))
    for line in columns(map(row, looked)):
        out(line)
    if advice:
        out()
        out(strong("Recommendations"))
        for sentence in advice:
            first, *rest = paragraph(safe(sentence), indent=4)
            out(f"  - {first.lstrip()}")
            for line in rest:
                out(line)


def _as_document(
    engine: Engine, looked: list[Looked], advice: list[str], since_s: float, probed: bool
) -> dict[str, object]:
    """The JSON; schemas/health.schema.json is its shape."""
    return {
        "format_version": FORMAT_VERSION,
        "policy": engine.policy.name,
        "since_s": since_s,
        "probed": probed,
        "models": [as_json(each) for each in looked],
        "recommendations": advice,
    }
