"""
Which price catalogue counts: the one that ships with policyctl, or a newer one of this machine.

A catalogue of one's own lies where POLICYCTL_PRICES says, else in the user's data folder. One that
POLICYCTL_PRICES names always counts; another only if it is newer than the shipped one. A file that
can't be used is passed over, and the reason kept for those who ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final
from zlib import crc32

from ..policy.files import Unreadable, read_bytes
from ..schemas.catalogue import Catalogue, Price
from ..schemas.records import dataclass
from .catalogue import SHIPPED, load_catalogue, read_catalogue, snapshot

VARIABLE: Final = "POLICYCTL_PRICES"

_MAX_BYTES: Final = 4 * 1024 * 1024
_MAX_MAP_BYTES: Final = 32 * 1024 * 1024
_HEAD_BYTES: Final = 1024
_HEAD: Final = re.compile(rb'"litellm_version": "([^"]*)",\s*"as_of": "(\d{4}-\d\d-\d\d)"')
_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)*")
_MAP_IN_LITELLM: Final = "model_prices_and_context_window_backup.json"


@dataclass(frozen=True, slots=True)
class InForce:
    """The catalogue that counts and where it lies; `problem` says why a file of one's own doesn't."""

    catalogue: Catalogue
    path: Path
    problem: str | None

    @property
    def shipped(self) -> bool:
        """Whether it is the one that ships with policyctl."""
        return self.path == SHIPPED


def catalogue_in_force(environ: Mapping[str, str]) -> InForce:
    """The price catalogue that counts in an environment; each file is read once, until it changes."""
    place = own_place(environ)
    if place is None:
        return InForce(load_catalogue(), SHIPPED, None)
    return _in_force(place, bool(environ.get(VARIABLE)), _stamp(place))


def problem_of_own(environ: Mapping[str, str]) -> str | None:
    """Why a catalogue of one's own doesn't count, where there is one; nothing is read where there is none."""
    place = own_place(environ)
    if place is None or not (environ.get(VARIABLE) or _stamp(place)):
        return None
    return catalogue_in_force(environ).problem


def mark_of_own(environ: Mapping[str, str]) -> str:
    """What changes with the catalogue of one's own, or with its place; empty where there is none."""
    place = own_place(environ)
    if place is None or not (environ.get(VARIABLE) or _stamp(place)):
        return ""
    data = read_bytes(place, _MAX_BYTES)
    return f"{place} {'unreadable' if isinstance(data, Unreadable) else f'{len(data)} {crc32(data)}'}"


def own_place(environ: Mapping[str, str]) -> Path | None:
    """Where a catalogue of one's own lies, or would; None for a user without a home."""
    named = environ.get(VARIABLE)
    if named:
        return Path(named)
    data = environ.get("XDG_DATA_HOME", "")
    try:
        folder = Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share"
    except RuntimeError:
        return None
    return folder / "policyctl" / "prices.json"


def _stamp(place: Path) -> tuple[int, int] | None:
    """What changes when a file is written; None where there is none."""
    try:
        found = place.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4)
def _in_force(place: Path, named: bool, stamp: tuple[int, int] | None) -> InForce:
    if stamp is None:
        problem = f"{VARIABLE} names {place}, but there is no such file" if named else None
        return InForce(load_catalogue(), SHIPPED, problem)
    data = read_bytes(place, _MAX_BYTES)
    if isinstance(data, Unreadable):
        return InForce(load_catalogue(), SHIPPED, f"{place} can't be read: {data.reason}")
    if not named and not _newer(data, SHIPPED.read_bytes()):
        return InForce(load_catalogue(), SHIPPED, None)
    try:
        return InForce(read_catalogue(data), place, None)
    except ValueError as error:
        return InForce(load_catalogue(), SHIPPED, f"{place} can't be used: {error}")


def _newer(own: bytes, shipped: bytes) -> bool:
    """
    Whether the facts of a catalogue are newer than those of the shipped one.

    The release of LiteLLM tells, else the day: the map of an old release may be taken on a late day.
    A file without a head counts as newer, so that what is wrong with it is told.
    """
    ours, theirs = _HEAD.search(own[:_HEAD_BYTES]), _HEAD.search(shipped[:_HEAD_BYTES])
    if ours is None or theirs is None:
        return True
    releases = [_numbers(head[1].decode("ascii", "replace")) for head in (ours, theirs)]
    if all(releases) and releases[0] != releases[1]:
        return releases[0] > releases[1]
    return ours[2] >= theirs[2]


def _numbers(release: str) -> tuple[int, ...]:
    found = _NUMBERS.match(release)
    return tuple(int(part) for part in found[0].split(".")) if found and len(found[0]) < 40 else ()


# -- making one --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PriceMap:
    """A price map of LiteLLM's: the file, and the release it is of (empty where nobody says)."""

    path: Path
    litellm_version: str


def installed_map() -> PriceMap | None:
    """The map of the LiteLLM that is installed here; LiteLLM itself isn't imported."""
    from importlib.metadata import PackageNotFoundError, version  # slow, and few ask
    from importlib.util import find_spec

    spec = find_spec("litellm")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        path = Path(folder) / _MAP_IN_LITELLM
        if path.is_file():
            try:
                return PriceMap(path, version("litellm"))
            except PackageNotFoundError:
                return PriceMap(path, "")
    return None


def is_older(release: str, than: str) -> bool:
    """Whether a release of LiteLLM is known to come before another."""
    one, other = _numbers(release), _numbers(than)
    return bool(one and other) and one < other


def make_catalogue(price_map: PriceMap, as_of: str) -> bytes:
    """
    Make a catalogue of a price map.

    Raises:
        ValueError: the file can't be read, or is no such map.
    """
    data = read_bytes(price_map.path, _MAX_MAP_BYTES)
    if isinstance(data, Unreadable):
        raise ValueError(data.reason)
    try:
        litellm_map = json.loads(data, parse_float=Decimal)
    except (RecursionError, ValueError) as error:
        raise ValueError("it isn't JSON") from error
    if not isinstance(litellm_map, dict):
        raise ValueError("it is no price map of LiteLLM's")
    made = snapshot(litellm_map, litellm_version=price_map.litellm_version, as_of=as_of)
    if len(made) > _MAX_BYTES or not read_catalogue(made).prices:
        raise ValueError("it is no price map of LiteLLM's")
    return made


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two catalogues, by the full ids of the models; `changed` in price or date."""

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def changes(old: Catalogue, new: Catalogue) -> Changes:
    """Compare two catalogues."""
    before, after = _by_id(old), _by_id(new)
    return Changes(
        new=tuple(sorted(after.keys() - before.keys())),
        gone=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(
            sorted(i for i in before.keys() & after.keys() if _terms(before[i]) != _terms(after[i]))
        ),
    )


def _by_id(catalogue: Catalogue) -> dict[str, Price]:
    return {price.id: price for price in catalogue.prices.values()}


def _terms(price: Price) -> tuple[int | None, int | None, str | None]:
    return price.price_in_nusd_per_mtok, price.price_out_nusd_per_mtok, price.deprecation_date
