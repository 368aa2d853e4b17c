"""Policies as a revision of git has them, read from its store: nothing is checked out, no shell is run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..policy.files import MAX_FILE_BYTES, POLICY_ENDINGS
from ..policy.load import MAX_FILES
from .problems import Impossible

MARK = "git:"
"""What a revision starts with where a file could stand."""

_SECONDS = 30


def texts_of(revision: str, files: list[Path]) -> dict[Path, str]:
    """
    The policy files below the folders of some files as a revision has them, by their real paths.

    Raises:
        Impossible: git isn't there, this is no checkout, or it has no such revision or file.
    """
    if not revision or revision.startswith("-"):
        raise Impossible(f"{MARK}{revision}: name a revision, such as {MARK}main or {MARK}HEAD~1")
    found: dict[Path, str] = {}
    for file in files:
        folder = file.resolve().parent
        texts = dict(_texts(revision, folder))
        if file.resolve() not in texts:
            raise Impossible(f"{revision} has no {file}", "name a revision in which the policy exists")
        found |= texts
    return found


def _texts(revision: str, folder: Path) -> Iterator[tuple[Path, str]]:
    tree = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}")
    if tree is None:
        raise Impossible(f"there is no revision {revision}", "git log lists those that there are")
    listed = _git(folder, "ls-tree", "-r", "-l", "-z", tree.strip()) or ""
    read = 0
    for entry in listed.split("\0"):
        about, _, path = entry.partition("\t")
        if not path.endswith(POLICY_ENDINGS):
            continue
        mode, _, blob, size = about.split()
        # Symbolic links are left out: what they lead to isn't known.
        if mode.startswith("100") and size.isdigit() and int(size) <= MAX_FILE_BYTES:
            read += 1
            if read > MAX_FILES:
                raise Impossible(f"{revision} has too many policy files below {folder}")
            text = _git(folder, "cat-file", "blob", blob)
            if text is not None:
                yield folder / path, text.removeprefix("\ufeff")


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None where it says no."""
    try:
        done = subprocess.run(  # noqa: S603  # a list of words, none of which git takes for an option
            ["git", "-C", str(folder), *words],  # noqa: S607  # the user's own git
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise Impossible("git isn't installed", "name two files") from None
    except subprocess.TimeoutExpired:
        raise Impossible("git doesn't answer") from None
    if done.returncode and b"not a git repository" in done.stderr:
        raise Impossible(f"{folder} is no checkout of git", "name two files")
    return None if done.returncode else done.stdout.decode("utf-8", "replace")
