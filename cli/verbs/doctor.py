"""`policyctl doctor`: what the policy needs and what is here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from ..checkup import Check, State, checkup, look_at
from ..exits import Exit
from ..options import color_option, policy_option
from ..output import bad, cells, good, hang, out, pad, safe, strong, warned

FORMAT_VERSION = "1.0"


@click.command()
@policy_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(policies: tuple[str, ...], as_json: bool) -> int:
    """
    Check whether all that the policy needs is here, and say what mends it.

    Looked at are the policy, packages, keys (only whether they are set), programs, the place of the ledger,
    the clock and the price catalogue; nothing is called. The exit code is 1 where something is missing.
    """
    checks = checkup(look_at(Path.cwd(), policies, datetime.now(UTC)))
    missing = any(check.state is State.MISSING for check in checks)
    if as_json:
        out(json.dumps(_as_json(checks, not missing), indent=2))
    else:
        _show(checks)
    return Exit.FINDINGS if missing else Exit.OK


_STYLES = {State.OK: good, State.WARN: warned, State.MISSING: bad}


def _show(checks: list[Check]) -> None:
    width = max(cells(check.name) for check in checks)
    for check in checks:
        head = f"{pad(_STYLES[check.state](check.state), 7)}  {pad(check.name, width)}  "
        for line in hang(head, safe(check.detail)):
            out(line)
        if check.help is not None:
            for line in hang(" " * cells(head) + strong("help: "), safe(check.help)):
                out(line)
    out()
    out(_summary(checks))


def _summary(checks: list[Check]) -> str:
    missing, warnings = (sum(c.state is state for c in checks) for state in (State.MISSING, State.WARN))
    text = f"{missing} missing" if missing else "Nothing is missing"
    return f"{text}, {warnings} to look at." if warnings else f"{text}."


def _as_json(checks: list[Check], ok: bool) -> dict[str, object]:
    return {
        "format_version": FORMAT_VERSION,
        "ok": ok,
        "checks": [
            {"name": c.name, "state": str(c.state), "detail": c.detail, "help": c.help} for c in checks
        ],
    }
