"""Which process holds money, and whether it still lives."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_SPACE = Path("/proc/self/ns/pid")


def this_process() -> str:
    """
    The name of this process, as `machine/space/pid/start`.

    The machine is named with its boot; the space tells containers apart, which count their processes
    anew; the start tells a process from an older one of its number.
    """
    return _name(os.getpid())  # a fork has a number of its own


@lru_cache(maxsize=4)
def _name(pid: int) -> str:
    return f"{_machine()}/{_space()}/{pid}/{_started(pid)}"


def has_ended(owner: str) -> bool:
    """
    Whether an owner is known to be dead.

    False where it lives or can't be seen from here, as on another machine or before this one's last
    start: then its leases decide.
    """
    machine, _, rest = owner.partition("/")
    space, _, rest = rest.partition("/")
    pid, _, started = rest.partition("/")
    if not pid.isdecimal():
        return False
    return (machine, space) == (_machine(), _space()) and not _lives(int(pid), started)


@lru_cache(maxsize=1)
def _machine() -> str:
    return f"{socket.gethostname()}:{_read(_BOOT_ID)[:8]}"


def _space() -> str:
    try:
        return str(_PID_SPACE.readlink()).strip("pid:[]")
    except OSError:
        return ""


def _lives(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's process
    return not started or not _started(pid) or _started(pid) == started


def _started(pid: int) -> str:
    """When a process started, in ticks since the machine did; empty where that isn't told."""
    # The name of the program stands in parentheses and may hold anything.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
