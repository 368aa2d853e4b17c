"""
Where the command finds what it isn't told: flag > POLICYCTL_* > policyctl.toml or
[tool.policyctl] of pyproject.toml > the files that are found upward from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from io import StringIO
from pathlib import Path

import click

from ..ledger.address import is_address
from ..policy.names import did_you_mean
from ..schemas.records import dataclass

KNOWN = ("policy", "prd", "ledger", "color")
COLORS = ("auto", "always", "never")

MAX_BYTES = 64 * 1024
"""What a configuration file, a `.env` or a HEAD file may have at most."""

POLICY_NAMES = ("policyctl.policy", "policyctl.yaml", "policyctl.yml")
PRD_NAMES = ("prd.json",)
LEDGER = Path(".claude-loop/policyctl.db")
USAGE_LOG = "provider_usage.jsonl"


def upward(start: Path) -> Iterator[Path]:
    """A folder and those above it, up to the root of the checkout, the home folder or the disk."""
    home: Path | None = None
    with suppress(RuntimeError):  # a user without a home folder
        home = Path.home()
    for folder in (start, *start.parents):
        yield folder
        if (folder / ".git").exists() or folder == home:
            return


@dataclass(frozen=True, slots=True)
class Setting:
    """
    A setting, and where it comes from.

    `kind` is flag, environment, file, found or default; `origin` is the variable, the file and its key, or
    what was looked for.
    """

    values: tuple[str, ...]
    kind: str
    origin: str


def find_policy(here: Path) -> list[Path]:
    """
    The policy that applies here.

    Raises:
        click.UsageError: there is none, or more than one.
    """
    return [Path(value) for value in policy_setting(here).values]


def policy_setting(here: Path) -> Setting:
    """The policy that applies here, as `find_policy`, and why."""
    configured = _configured("policy", here)
    if configured is not None:
        return configured
    for folder in upward(here):
        for name in POLICY_NAMES:
            if (folder / name).is_file():
                return _found(folder / name, here, name)
        found = sorted(folder.glob("*.policy"))
        if len(found) == 1:
            return _found(found[0], here, "the only *.policy")
        if found:
            names = ", ".join(path.name for path in found[:5])
            raise click.UsageError(
                f"there are several policies here ({names}); say which: --policy {found[0].name}"
            )
    raise click.UsageError("no policy was found here or above; say which: --policy FILE")


def find_prd(here: Path) -> Path:
    """
    The PRD that applies here.

    Raises:
        click.UsageError: there is none.
    """
    return Path(prd_setting(here).values[0])


def prd_setting(here: Path) -> Setting:
    """The PRD that applies here, as `find_prd`, and why."""
    configured = _configured("prd", here)
    if configured is not None:
        return configured
    for folder in upward(here):
        for name in PRD_NAMES:
            if (folder / name).is_file():
                return _found(folder / name, here, name)
    raise click.UsageError("no prd.json was found here or above; say which: --prd FILE")


def find_ledger(here: Path, said: str | None = None) -> Path | str | None:
    """
    The ledger that applies here: a file, or the address of a database; None where there is none.

    `none` says that there is to be none.
    """
    name = said or ledger_setting(here).values[0]
    return None if name == "none" else name if is_address(name) else Path(name)


def ledger_setting(here: Path) -> Setting:
    """The ledger that applies here, as `find_ledger`, and why."""
    configured = _configured("ledger", here)
    if configured is not None:
        return configured
    for folder in upward(here):
        if (folder / LEDGER).exists():
            return _found(folder / LEDGER, here, str(LEDGER))
    return Setting(("none",), "default", "")


def new_ledger(here: Path) -> Path:
    """Where a ledger is made that nobody has named: beside the loop's other files, else in the checkout."""
    folders = list(upward(here))
    loops = [folder for folder in folders if (folder / LEDGER.parent).is_dir()]
    roots = [folder for folder in folders if (folder / ".git").exists()]
    return _short((loops or roots or [here])[0] / LEDGER, here)


def usage_log(where: Path | str, here: Path) -> Path:
    """The usage log of a ledger: beside its file; else where a loop has it."""
    beside = where if isinstance(where, Path) else new_ledger(here)
    return beside.parent / "logs" / USAGE_LOG


def color(here: Path) -> str:
    """
    When to use colour, where no flag says.

    Raises:
        click.UsageError: what the environment or a configuration file says is none of the choices.
    """
    return color_setting(here).values[0]


def color_setting(here: Path) -> Setting:
    """When to use colour, as `color`, and why."""
    setting = _configured("color", here) or Setting(("auto",), "default", "")
    when = setting.values[0]
    if when not in COLORS:
        help = did_you_mean(when, COLORS, else_list="it is one of")
        raise click.UsageError(f"the setting `color` can't be `{when}`; {help}")
    return setting


def _found(path: Path, here: Path, sought: str) -> Setting:
    return Setting((str(_short(path, here)),), "found", f"{sought} here or above")


def environment(here: Path) -> Mapping[str, str]:
    """The environment, with what a `.env` file of this project adds to it."""
    return {**dotenv(here)[1], **os.environ}


def dotenv(here: Path) -> tuple[Path | None, Mapping[str, str]]:
    """The nearest `.env`, as one would write it from here, and what it sets."""
    for folder in upward(here):
        if (folder / ".env").is_file():
            from dotenv import dotenv_values

            stream = StringIO(_text(folder / ".env"))
            values = dotenv_values(stream=stream, interpolate=False)
            return _short(folder / ".env", here), {k: v for k, v in values.items() if v is not None}
    return None, {}


def _configured(key: str, here: Path) -> Setting | None:
    """A setting from the environment, else from the nearest configuration file."""
    variable = f"POLICYCTL_{key.upper()}"
    said = os.environ.get(variable)
    if said:
        values = said.split(os.pathsep) if key == "policy" else [said]
        return Setting(tuple(values), "environment", variable)
    for folder in upward(here):
        table = _table(folder)
        if table is not None:
            return _of_table(table, key, here)
    return None


def _of_table(table: _Table, key: str, here: Path) -> Setting | None:
    value = table.settings.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not values:
        return None
    texts = [str(v) for v in values]
    named = key == "ledger" and (texts[0] == "none" or is_address(texts[0]))
    if key in ("policy", "prd", "ledger") and not named:  # from the file's own folder
        texts = [t if Path(t).is_absolute() else str(_short(table.path.parent / t, here)) for t in texts]
    return Setting(tuple(texts), "file", f"{table.prefix}{key} in {_short(table.path, here)}")


@dataclass(frozen=True, slots=True)
class _Table:
    """The settings of a configuration file; `prefix` stands before their keys in it."""

    path: Path
    prefix: str
    settings: Mapping[str, object]


def _table(folder: Path) -> _Table | None:
    """The settings of a folder's configuration file, if it has one."""
    own, project = folder / "policyctl.toml", folder / "pyproject.toml"
    if own.is_file():
        return _Table(own, "", _checked(_read(own), own))
    if project.is_file() and _may_have_settings(_text(project)):
        tool = _read(project).get("tool", {})
        table = tool.get("policyctl") if isinstance(tool, dict) else None
        if isinstance(table, dict):
            return _Table(project, "tool.policyctl.", _checked(table, project))
    return None


def _may_have_settings(project: str) -> bool:
    """Whether a pyproject.toml may have [tool.policyctl], in any spelling; few have, and TOML is slow."""
    plain = project.translate(_SPACES_AND_QUOTES)
    return any(start in plain for start in ("tool.policyctl", "[tool]", "tool={")) or "\\u" in project.lower()


_SPACES_AND_QUOTES = {ord(c): None for c in " \t\"'"}


def _read(path: Path) -> dict[str, object]:
    try:
        return _parsed(_text(path))
    except (RecursionError, ValueError) as error:
        raise click.UsageError(f"{path} can't be read: {error}") from error


@lru_cache(maxsize=16)
def _parsed(text: str) -> dict[str, object]:
    """A configuration file as TOML; each setting asks for it, and it takes a while."""
    import tomllib  # most policies have none

    return tomllib.loads(text)


def _text(path: Path) -> str:
    """
    The text of a small file beside the policy.

    Raises:
        click.UsageError: it can't be read, is too large, or is no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise click.UsageError(f"{path} is larger than {MAX_BYTES // 1024} KiB")
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8 text"
        raise click.UsageError(f"{path} can't be read: {reason}") from error


def _checked(table: dict[str, object], path: Path) -> dict[str, object]:
    for key in table:
        if key == "alerts":
            raise click.UsageError(
                f"{path}: how alerts are sent is said by the machine, not by a checkout;"
                " docs/alerts.md says where"
            )
        if key not in KNOWN:
            help = did_you_mean(key, KNOWN, else_list="the settings are")
            raise click.UsageError(f"{path}: unknown setting `{key}`; {help}")
    return table


def _short(path: Path, here: Path) -> Path:
    """A path as the user would write it from here."""
    return path.relative_to(here) if path.is_relative_to(here) else Path(os.path.relpath(path, here))


def git_branch(here: Path) -> str:
    """The branch that is checked out, from the HEAD file; git isn't run. Empty: no branch."""
    for folder in (here, *here.parents):
        git = folder / ".git"
        if git.is_file():  # a worktree: the file names the real folder
            git = folder / _text(git).removeprefix("gitdir:").strip()
        head = git / "HEAD"
        if head.is_file():
            text = _text(head).strip()
            return text.removeprefix("ref: refs/heads/") if text.startswith("ref: ") else ""
    raise click.UsageError("--branch @git: this is no git checkout")
