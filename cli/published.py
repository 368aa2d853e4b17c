"""The published JSON Schemas, as they ship with policyctl."""

from __future__ import annotations

from pathlib import Path

import click

from .. import schemas
from ..policy.names import did_you_mean

_ENDING = ".schema.json"


def schema_names() -> list[str]:
    """The names of all published schemas, the policy's first."""
    names = (file.name.removesuffix(_ENDING) for file in _folder().glob(f"*{_ENDING}"))
    return sorted(names, key=lambda name: (name != "policy", name))


def schema_text(name: str) -> str:
    """
    The text of a published schema.

    Raises:
        click.UsageError: there is none of this name.
    """
    names = schema_names()
    if name not in names:
        help = did_you_mean(name, names) or "policyctl schema --list lists all"
        raise click.UsageError(f"there is no schema {name}; {help}")
    return (_folder() / f"{name}{_ENDING}").read_text(encoding="utf-8")


def _folder() -> Path:
    return Path(schemas.__path__[0])
