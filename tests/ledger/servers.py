"""A PostgreSQL server to test with: the one that answers, else one of our own, else none."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

RUNNING = "postgresql://postgres@127.0.0.1:5432/postgres"


@contextmanager
def a_server() -> Iterator[str | None]:
    """
    The address of a server; None where there is none and none can be started.
    """
    if _answers(RUNNING):
        yield RUNNING
        return
    with _started() as address:
        yield address


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


@contextmanager
def _started() -> Iterator[str | None]:
    """
    A server that is started for the tests, reached by a socket in a folder of its own.
    """
    programs = [shutil.which(name, path=_path()) for name in ("initdb", "pg_ctl")]
    if None in programs or os.geteuid() == 0:  # PostgreSQL doesn't run as root
        yield None
        return
    initdb, pg_ctl = map(str, programs)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        subprocess.run([initdb, "-U", "postgres", "-A", "trust", "-D", data], check=True, capture_output=True)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run([pg_ctl, "-D", data, "-w", "-o", options, "start"], check=True, capture_output=True)
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            subprocess.run([pg_ctl, "-D", data, "-m", "immediate", "stop"], check=True, capture_output=True)


def _path() -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return os.pathsep.join([os.environ.get("PATH", ""), *map(str, installed)])


@contextmanager
def a_database(server: str) -> Iterator[str]:
    """
    A database of its own, dropped afterwards.
    """
    name = f"policyctl_test_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield server.replace("/postgres", f"/{name}", 1) if "?" in server else f"{server[:-8]}{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def drop_ledger(address: str) -> None:
    """
    Take the ledger of the last test away.
    """
    with psycopg.connect(address, autocommit=True, options="-c client_min_messages=error") as admin:
        admin.execute("DROP SCHEMA IF EXISTS policyctl CASCADE")
