"""What the tests of the ledger share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import a_database, a_server, drop_ledger
from .world import World, a_world


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """
    A PostgreSQL server.
    """
    with a_server() as address:
        if address is None:
            pytest.skip("no PostgreSQL answers at 127.0.0.1:5432, and none can be started here")
        yield address


@pytest.fixture(scope="session")
def database(server: str) -> Iterator[str]:
    """
    A PostgreSQL database of this run's own.
    """
    with a_database(server) as address:
        yield address


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """
    A ledger in a folder of its own.
    """
    with a_world(tmp_path / "ledger") as world:
        yield world


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """
    A ledger in each of the two databases.
    """
    if request.param == "sqlite":
        with a_world(tmp_path / "ledger") as world:
            yield world
        return
    address = request.getfixturevalue("database")
    drop_ledger(address)
    with a_world(tmp_path / "ledger", where=address) as world:
        yield world
