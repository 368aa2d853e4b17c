"""What the tests of the ledger share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World, a_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """
    A ledger in a folder of its own.
    """
    with a_world(tmp_path / "ledger") as world:
        yield world
