"""PRDs on disk."""

from __future__ import annotations

from pathlib import Path

import click

from ..schemas.story import Prd


def read_prd_file(path: Path) -> Prd:
    """
    Read a PRD from a file.

    Raises:
        click.UsageError: the file can't be read.
        StoryError: it holds no stories.
    """
    from ..engine.stories import MAX_BYTES, read_prd

    try:
        if not path.is_file():
            what = "that is a folder" if path.is_dir() else "there is no such file"
            raise click.UsageError(f"{path}: {what}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        return read_prd(data.decode("utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = "it isn't UTF-8 text" if isinstance(error, ValueError) else str(error)
        raise click.UsageError(f"{path} can't be read: {reason}") from error
