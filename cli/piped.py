"""A policy that comes from standard input."""

from __future__ import annotations

import sys

import click

from ..policy.files import MAX_FILE_BYTES
from .problems import Impossible

STDIN = "<stdin>"
"""What findings call it."""


def standard_input() -> bytes:
    """
    All of standard input.

    Raises:
        click.UsageError: it is larger than a policy may be.
    """
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise click.UsageError("standard input is larger than a policy may be")
    return data


def as_text(data: bytes) -> str:
    """
    What came from standard input as text, without its byte order mark.

    Raises:
        Impossible: it is no text.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Impossible("standard input isn't UTF-8 text") from None
