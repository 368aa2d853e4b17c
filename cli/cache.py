"""
Checked policies that are kept between runs, so that an unchanged one needn't be read and proven anew.

What is kept counts only while everything that it was made from is the same: the text of every file and
where its name leads, policyctl itself, the price catalogue and, for what is said of dates, the day. What
is broken, foreign or out of date is passed over without a word and written anew. Policies with errors
aren't kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

import click

from .. import __version__
from ..deciding import Engine, check, validate
from ..policy.files import read_text, real_path
from ..policy.packing import Spoilt, pack, unpack
from ..providers.snapshots import mark_of_own, problem_of_own
from ..schemas.checked import Checked
from . import cache_folder

SWITCH = "POLICYCTL_NO_CACHE"
OFF = "policyctl.no_cache"
"""Where a context keeps that --no-cache was said."""

FORMAT = 1

_HEAD = '{"crc32": "%08x", "kept": '
_HEAD_BYTES = len(_HEAD % 0)
_TAIL = b"}\n"


def engine(paths: tuple[str, ...]) -> Engine:
    """
    The engine of a policy, as `Engine.load` gives it.

    Raises:
        PolicyError: the policy has errors.
    """
    return Engine(_kept(["check"], paths, lambda: check(*paths)))


def validated(paths: tuple[str, ...], today: date) -> Checked:
    """All that is to be said of a policy, as `deciding.validate` says it."""
    return _kept(["validate", today.isoformat()], paths, lambda: validate(paths, today))


def _kept(what: list[str], paths: tuple[str, ...], make: Callable[[], Checked]) -> Checked:
    """What is kept of a policy; else what is made now, and kept for the next run."""
    folder = None if _off() else cache_folder.place(os.environ)
    if folder is None:
        return make()
    key = _key(what, paths, os.environ)
    name = f"{crc32(json.dumps([what[0], *key[1:3]]).encode()):08x}"  # that for another day is written over
    data = cache_folder.read(folder, name)
    found = None if data is None else restored(data, key)
    if found is not None and _unchanged(found, paths):
        return found
    made = make()
    # A price catalogue of one's own that is passed over is told at each run, so there nothing is kept.
    if problem_of_own(os.environ) is None and key == _key(what, paths, os.environ):
        data = stored(made, key)
        if data is not None:
            cache_folder.write(folder, name, data)
    return made


def _off() -> bool:
    ctx = click.get_current_context(silent=True)
    return bool(os.environ.get(SWITCH)) or (ctx is not None and OFF in ctx.meta)


def _key(what: list[str], paths: tuple[str, ...], environ: Mapping[str, str]) -> list[Any]:
    """All that an answer depends on besides the policy's files."""
    return [what, str(Path.cwd()), list(paths), FORMAT, __version__, _program(), mark_of_own(environ)]


def _program() -> int:
    """
    A number that changes when policyctl does, in a checkout that is installed as it stands, too.

    What a wheel has installed has a list of its files beside it, which is written anew with them; else each
    file is looked at.
    """
    root = Path(__file__).parent.parent
    record = root.parent / f"policyctl-{__version__}.dist-info" / "RECORD"
    if record.is_file():
        return _mark(record.name, record.stat())
    mark = 0
    for room in ROOMS:
        with os.scandir(root / room) as entries:
            for entry in sorted((e for e in entries if "." in e.name), key=lambda e: e.name):
                mark = _mark(entry.name, entry.stat(), mark)
    return mark


ROOMS = ("", "engine", "engine/analysis", "policy", "policy/checks", "policy/legacy", "providers", "schemas")
"""The folders whose files say what is found in a policy."""


def _mark(name: str, about: os.stat_result, mark: int = 0) -> int:
    return crc32(f"{name} {about.st_mtime_ns} {about.st_size}".encode(), mark)


def stored(checked: Checked, key: list[Any]) -> bytes | None:
    """A checked policy as it is kept; None for one that can't be."""
    try:
        body = json.dumps({"key": key, **pack(checked)}, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        return None
    return (_HEAD % crc32(body)).encode() + body + _TAIL


def restored(data: bytes, key: list[Any]) -> Checked | None:
    """What was kept under a key; None where the data is anything else."""
    body = data[_HEAD_BYTES : -len(_TAIL)]
    if data[:_HEAD_BYTES] != (_HEAD % crc32(body)).encode() or not data.endswith(_TAIL):
        return None
    try:
        document = json.loads(body)
        return unpack(document) if document["key"] == key else None
    except (KeyError, RecursionError, Spoilt, TypeError, ValueError):
        return None


def _unchanged(checked: Checked, paths: tuple[str, ...]) -> bool:
    """Whether each file, of which those that are asked for come first, still stands there with its text."""
    return [file.name for file in checked.files[:1]] == [str(Path(path)) for path in paths[:1]] and all(
        (file.place, file.folder, file.text)
        == (str(real_path(path)), str(real_path(path.parent)), read_text(path))
        for file in checked.files
        for path in [Path(file.name)]
    )
