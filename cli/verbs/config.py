"""`policyctl config`: each setting, and where it comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from ...policy.names import first_and_more
from ...providers.snapshots import VARIABLE, catalogue_in_force
from ...schemas.errors import PolicyctlError, SettingError
from ...schemas.policy import Policy
from ...schemas.records import dataclass
from .. import cache, completing, config
from ..config import Setting
from ..formats import FORMATS
from ..ledgers import ledger_option, shown
from ..options import COLOR, color_option, policy_option
from ..output import columns, dim, good, named, out, safe, strong

FORMAT_VERSION = "1.0"


@click.command()
@policy_option
@click.option("--prd", metavar="FILE", shell_complete=completing.files, help="The PRD.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
@click.pass_context
def command(
    ctx: click.Context, policies: tuple[str, ...], prd: str | None, ledger: str | None, as_json: bool
) -> None:
    """
    Show each setting, and where it comes from.

    A flag wins over a variable, that over policyctl.toml or [tool.policyctl] of pyproject.toml, that over
    what is found from here upward. Of the variables that the policy reads only whether they are set is
    shown, never what they hold.
    """
    here = Path.cwd()
    flags = {"policy": policies, "prd": (prd,) if prd else (), "color": _said(ctx)}
    flags["ledger"] = (shown(ledger),) if ledger else ()
    settings = [*(_setting(name, flags.get(name, ()), here) for name in _SETTINGS), *_of_machine()]
    dotenv, added = config.dotenv(here)
    variables = _variables(_policy(settings[0]), added)
    if as_json:
        out(json.dumps(_as_json(settings, dotenv, variables), indent=2))
    else:
        _show(settings, dotenv, variables)


def _said(ctx: click.Context) -> tuple[str, ...]:
    return (ctx.meta[COLOR],) if COLOR in ctx.meta else ()


# --- settings ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting by its name; without a value there is a problem."""

    name: str
    setting: Setting | None
    problem: str | None = None


def _output_format(here: Path) -> Setting:
    said = os.environ.get("POLICYCTL_OUTPUT_FORMAT")
    if said and said not in FORMATS:
        raise click.UsageError(f"`{said}` is none of {', '.join(FORMATS)}")
    if said:
        return Setting((said,), "environment", "POLICYCTL_OUTPUT_FORMAT")
    return Setting(("full",), "default", "")


def _prices(here: Path) -> Setting:
    there = catalogue_in_force(os.environ)
    if there.problem is not None:
        raise click.UsageError(there.problem)
    if there.shipped:
        return Setting(("shipped",), "default", "")
    if os.environ.get(VARIABLE):
        return Setting((str(there.path),), "environment", VARIABLE)
    return Setting((str(there.path),), "found", "newer than the shipped one")


def _ledger(here: Path) -> Setting:
    setting = config.ledger_setting(here)
    return replace(setting, values=(shown(setting.values[0]),))


_SETTINGS = {
    "policy": config.policy_setting,
    "prd": config.prd_setting,
    "ledger": _ledger,
    "color": config.color_setting,
    "output_format": _output_format,
    "prices": _prices,
}


def _setting(name: str, said: tuple[str, ...], here: Path) -> Shown:
    if said:
        return Shown(name, Setting(said, "flag", f"--{name}"))
    try:
        return Shown(name, _SETTINGS[name](here))
    except click.UsageError as error:
        return Shown(name, None, error.message)


def _of_machine() -> Iterator[Shown]:
    """How alerts are sent, as far as the machine says it."""
    from ...ledger.alerts.settings import VARIABLES, machine_settings, said_by

    try:
        machine_settings(os.environ)
        found = said_by(os.environ)
    except SettingError as error:
        yield Shown("alerts", None, error.problem.message)
        return
    for name, (value, origin) in found.items():
        kind = "environment" if origin in VARIABLES.values() else "file"
        yield Shown(f"alerts.{name}", Setting((value,), kind, origin))


# --- variables that the policy reads --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable, what reads it, and where it is set, if anywhere; never its value."""

    name: str
    use: str
    source: str | None


def _policy(shown: Shown) -> Policy | None:
    """The policy that these settings mean; one that can't be read reads no variables."""
    try:
        return None if shown.setting is None else cache.engine(shown.setting.values).policy
    except PolicyctlError:
        return None


def _variables(policy: Policy | None, dotenv: Mapping[str, str]) -> list[Variable]:
    uses: dict[str, list[str]] = {}
    for name, use in () if policy is None else _uses(policy):
        uses.setdefault(name, []).append(use)
    return [Variable(name, first_and_more(each), _source(name, dotenv)) for name, each in uses.items()]


def _uses(policy: Policy) -> Iterator[tuple[str, str]]:
    for fact in policy.facts.values():
        if fact.env is not None:
            yield fact.env, f"input {fact.name}"
    for model in policy.models.values():
        for name in model.key_names if model.enabled else ():
            yield name, f"key of {model.key}"
    for alert in policy.alerts:
        if alert.channel in ("slack", "webhook") and alert.target is not None:
            yield alert.target, f"alert {alert.name}"


def _source(name: str, dotenv: Mapping[str, str]) -> str | None:
    """Where a variable is set; one that is blank counts as not set."""
    for source, values in (("environment", os.environ), (".env", dotenv)):
        if name in values:
            return source if values[name].strip() else None
    return None


# --- pages ---------------------------------------------------------------------------------------------


def _show(settings: list[Shown], dotenv: Path | None, variables: list[Variable]) -> None:
    for line in columns([_row(each) for each in settings], indent=0):
        out(line)
    if not variables and dotenv is None:
        return
    out()
    out(strong("Environment") + (dim(f"  {safe(str(dotenv))} is read") if dotenv is not None else ""))
    rows = [[named(safe(v.name)), _state(v), dim(safe(v.use))] for v in variables]
    for line in columns(rows):
        out(line)


def _row(shown: Shown) -> list[str]:
    if shown.setting is None:
        return [named(shown.name), dim("none"), safe(shown.problem or "")]
    kind, origin = shown.setting.kind, safe(shown.setting.origin)
    source = f"found: {origin}" if kind == "found" else origin or kind
    return [named(shown.name), safe(", ".join(shown.setting.values)), source]


def _state(variable: Variable) -> str:
    return dim("not set") if variable.source is None else good(f"set in {variable.source}")


def _as_json(settings: list[Shown], dotenv: Path | None, variables: list[Variable]) -> dict[str, object]:
    return {
        "format_version": FORMAT_VERSION,
        "settings": [_setting_as_json(each) for each in settings],
        "dotenv": None if dotenv is None else str(dotenv),
        "variables": [
            {"name": v.name, "use": v.use, "set": v.source is not None, "source": v.source} for v in variables
        ],
    }


def _setting_as_json(shown: Shown) -> dict[str, object]:
    setting = shown.setting
    return {
        "name": shown.name,
        "values": [] if setting is None else list(setting.values),
        "kind": "none" if setting is None else setting.kind,
        "origin": None if setting is None else setting.origin or None,
        "problem": shown.problem,
    }
