"""What `policyctl doctor` looks at: each check is a function, and tells what it found and what mends it."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from shlex import quote
from zoneinfo import ZoneInfo

import click

from .. import __version__
from ..deciding import validate
from ..policy.names import first_and_more, listed
from ..policy.words import listed_count
from ..providers.keys import CLI_PROGRAM, CLI_PROVIDER, has_key
from ..providers.snapshots import catalogue_in_force, is_older
from ..schemas.checked import Checked
from ..schemas.errors import PolicyctlError
from ..schemas.policy import Model
from ..schemas.records import dataclass
from . import config
from .ledgers import shown

WITHOUT_CLIENT = (CLI_PROVIDER, "offline")
"""Providers whose models are called without the packages of policyctl[run]."""

OLD_DAYS = 90
"""From this age on a price catalogue is worth an update."""


class State(StrEnum):
    """Whether something is there, is worth a look, or is needed and isn't there."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """What one look found; `help` is the command or step that mends it."""

    name: str
    state: State
    detail: str
    help: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the doctor looks: a folder, its policy or why there is none, its environment, the moment."""

    here: Path
    policy_files: tuple[str, ...]
    no_policy: str
    checked: Checked | None
    environ: Mapping[str, str]
    now: datetime

    @property
    def models(self) -> list[Model]:
        """The models of the policy that may be called."""
        policy = None if self.checked is None else self.checked.policy
        return [] if policy is None else [m for m in policy.policy.models.values() if m.enabled]


def look_at(here: Path, policies: tuple[str, ...], now: datetime) -> Place:
    """Find out what the checks are about."""
    why = ""
    if not policies:
        try:
            policies = config.policy_setting(here).values
        except click.UsageError as error:
            why = error.message
    checked = validate(policies, now.date()) if policies else None
    return Place(here, policies, why, checked, config.environment(here), now)


def checkup(place: Place) -> list[Check]:
    """All checks, in the order in which one mends."""
    return [check for look in CHECKS for check in look(place)]


# --- what is installed -------------------------------------------------------------------------------


def _python(place: Place) -> Iterator[Check]:
    yield Check("python", State.OK, f"policyctl {__version__} on Python {platform.python_version()}")


_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*?>=([0-9.]+).*extra == ['\"]([a-z]+)['\"]")


def extras() -> dict[str, list[tuple[str, str]]]:
    """The extras of policyctl, each with the packages it adds and their lowest versions."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in requires("policyctl") or ():
        match = _REQUIREMENT.match(line)
        if match is not None and match[3] != "dev":
            found.setdefault(match[3], []).append((match[1], match[2]))
    return found


def _packages(place: Place) -> Iterator[Check]:
    lacking = {name: list(_lacking(packages)) for name, packages in extras().items()}
    needed = dict(_needed_extras(place))
    for name, purpose in needed.items():
        if lacking[name]:
            detail = f"{purpose}: {listed(lacking[name])}"
            yield Check("packages", State.MISSING, detail, f"pip install 'policyctl[{name}]'")
    there = [name for name, packages in lacking.items() if not packages]
    others = [name for name, packages in lacking.items() if packages and name not in needed]
    detail = f"extras that are installed: {listed(there) or 'none'}"
    help = None
    if others:
        detail += f"; not needed: {listed(others)}"
        help = f"pip install 'policyctl[{others[0]}]' adds one"
    yield Check("packages", State.OK, detail, help)


def _needed_extras(place: Place) -> Iterator[tuple[str, str]]:
    """The extras that are needed, and what for."""
    if any(model.provider not in WITHOUT_CLIENT for model in place.models):
        yield "run", "to call the models"
    if isinstance(config.find_ledger(place.here), str):
        yield "postgres", "for the ledger"


def _lacking(packages: list[tuple[str, str]]) -> Iterator[str]:
    """Those of some packages that aren't installed, or are too old."""
    for name, lowest in packages:
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield name
        else:
            if is_older(installed, lowest):
                yield f"{name} from {lowest} on (here is {installed})"


# --- the policy and what it needs -----------------------------------------------------------------------


def _policy(place: Place) -> Iterator[Check]:
    if place.checked is None:
        help = "policyctl init writes one to start from" if place.no_policy.startswith("no policy") else None
        yield Check("policy", State.MISSING, place.no_policy, help)
        return
    names = ", ".join(place.policy_files)
    found = place.checked.report
    errors = sum(d.severity == "error" for d in found.diagnostics)
    warnings = len(found.diagnostics) - errors
    if place.checked.policy is None or errors:
        detail = f"{names} has {listed_count(errors, 'error')}"
        yield Check("policy", State.MISSING, detail, "policyctl validate shows where")
    elif warnings:
        detail = f"{names} is valid, with {listed_count(warnings, 'warning')}"
        yield Check("policy", State.WARN, detail, "policyctl validate shows them")
    else:
        yield Check("policy", State.OK, f"{names} is valid")


def _prd(place: Place) -> Iterator[Check]:
    from .prds import read_prd_file

    try:
        path = config.find_prd(place.here)
    except click.UsageError:
        yield Check("prd", State.OK, "there is none here; `plan` and `--story` would read it")
        return
    try:
        yield Check("prd", State.OK, f"{path}, stories: {len(read_prd_file(path).stories)}")
    except (click.UsageError, PolicyctlError) as error:
        detail = error.message if isinstance(error, click.UsageError) else f"{path}: {error}"
        yield Check("prd", State.WARN, detail)


def _keys(place: Place) -> Iterator[Check]:
    users: dict[tuple[str, ...], list[str]] = {}
    for model in place.models:
        if model.key_names:
            users.setdefault(model.key_names, []).append(model.key)
    for names, keys in users.items():
        label, use = " or ".join(names), first_and_more(keys)
        if has_key(names, place.environ):
            yield Check("key", State.OK, f"{label} is set, for {use}")
        else:
            help = f"export {names[0]}=..., or put it into .env"
            yield Check("key", State.MISSING, f"{label} isn't set, for {use}", help)


def _claude(place: Place) -> Iterator[Check]:
    users = [model.key for model in place.models if model.provider == CLI_PROVIDER]
    if not users:
        return
    found = shutil.which(CLI_PROGRAM, path=place.environ.get("PATH", ""))
    if found is not None:
        yield Check("claude", State.OK, f"{found}, for {users[0]}")
    else:
        help = "npm install -g @anthropic-ai/claude-code"
        yield Check("claude", State.MISSING, f"the program `{CLI_PROGRAM}` isn't found, for {users[0]}", help)


# --- the machine -----------------------------------------------------------------------------------------


def _clock(place: Place) -> Iterator[Check]:
    policy = None if place.checked is None else place.checked.policy
    zone = "UTC" if policy is None else policy.policy.timezone
    there, here = place.now.astimezone(ZoneInfo(zone)), place.now.astimezone()
    of_policy = ", the policy's zone" if policy is not None else ""
    detail = f"{there:%a %d %b %Y %H:%M} in {zone}{of_policy}"
    if there.utcoffset() != here.utcoffset():
        detail += f"; {here:%a %H:%M} by the clock of this machine"
    if place.now.date() < date.fromisoformat(catalogue_in_force(os.environ).catalogue.as_of):
        yield Check(
            "clock", State.WARN, f"{detail}; that is before the price catalogue was made", "set the clock"
        )
    else:
        yield Check("clock", State.OK, detail)
    try:
        yield Check("zones", State.OK, f"time zones of tzdata {version('tzdata')}")
    except PackageNotFoundError:
        yield Check("zones", State.WARN, "time zones are those of this machine", "pip install tzdata")


def _ledger(place: Place) -> Iterator[Check]:
    """The ledger, or the place where one would be made."""
    setting = config.ledger_setting(place.here)
    where = config.find_ledger(place.here)
    if isinstance(where, str):
        yield Check("ledger", State.OK, f"{shown(where)}, not looked into")
    elif where is None and setting.kind != "default":
        yield Check("ledger", State.OK, f"there is to be none: {setting.origin}")
    else:
        yield _writable(where or config.new_ledger(place.here)) or _ledger_file(place, where)


def _writable(file: Path) -> Check | None:
    """What is wrong with the folder in which a ledger lies or would be made."""
    folder = next(f for f in file.parents if f.exists() or f == f.parent)
    if not folder.is_dir():
        return Check("ledger", State.MISSING, f"{folder} is no folder", f"mv {quote(str(folder))} elsewhere")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(
            "ledger", State.MISSING, f"{folder} can't be written", f"chmod u+wx {quote(str(folder))}"
        )
    return None


def _ledger_file(place: Place, where: Path | None) -> Check:
    if where is not None and where.exists():
        return Check("ledger", State.OK, f"{where}")
    policy = None if place.checked is None else place.checked.policy
    new = where or config.new_ledger(place.here)
    if policy is not None and policy.policy.budgets:
        detail = "there is none yet, so budgets count nothing"
        return Check("ledger", State.WARN, detail, f"policyctl ledger init makes {new}")
    return Check("ledger", State.OK, f"there is none yet; policyctl ledger init makes {new}")


def _prices(place: Place) -> Iterator[Check]:
    there = catalogue_in_force(os.environ)
    origin = "as policyctl ships it" if there.shipped else str(there.path)
    days = (place.now.date() - date.fromisoformat(there.catalogue.as_of)).days
    help = "policyctl prices update takes a newer one"
    detail = f"price catalogue of {there.catalogue.as_of}, {origin}"
    if there.problem is not None:
        yield Check("prices", State.WARN, there.problem, "policyctl prices update writes it anew")
    if days > OLD_DAYS:
        yield Check("prices", State.WARN, f"{detail}, is {days} days old", help)
    else:
        yield Check("prices", State.OK, detail)


CHECKS: tuple[Callable[[Place], Iterator[Check]], ...] = (
    _python,
    _policy,
    _prd,
    _packages,
    _keys,
    _claude,
    _ledger,
    _clock,
    _prices,
)
