"""
How many calls a second can be held and settled, each durably, and how long the slowest answer takes.

`make bench` prints it. What is timed: reserve and commit of one call after the other in every thread, against
one budget, with the usage log written. It depends on the disk, whose own speed is printed too: compare runs
of one machine that has nothing else to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HAMMER = Path(__file__).parents[1] / "ledger" / "hammer.py"


to_disk = getattr(os, "fdatasync", os.fsync)


def disk(folder: Path) -> float:
    """
    How often a second the disk makes 16 KiB durable, one after the other.
    """
    with (folder / "disk").open("wb", buffering=0) as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())
        start = time.perf_counter()
        for number in range(100):
            os.pwrite(file.fileno(), bytes(16384), number % 64 * 16384)
            to_disk(file.fileno())
    return 100 / (time.perf_counter() - start)


@pytest.mark.parametrize(("processes", "threads", "each"), [(1, 1, 300), (1, 32, 100), (8, 4, 100)])
def test_pairs_a_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], processes: int, threads: int, each: int
) -> None:
    """
    One process with one thread and with 32, and eight processes with four threads each.
    """
    job = {
        "where": str(tmp_path / "ledger" / "policyctl.db"),
        "log": str(tmp_path / "ledger" / "logs" / "usage.jsonl"),
        "results": str(tmp_path / "results"),
        "limit": 10**6,
        "processes": processes,
        "threads": threads,
        "each": each,
    }
    subprocess.run([sys.executable, HAMMER, "pairs", json.dumps(job)], check=True, timeout=300)
    results = [line.split() for line in (tmp_path / "results").read_text().splitlines()]
    worst, elapsed = (max(float(row[column]) for row in results) for column in range(2))
    rate = processes * threads * each / elapsed
    with capsys.disabled():
        print(
            f"\n{processes} x {threads:2}: {rate:6,.0f} pairs a second, slowest answer {worst * 1000:.0f} ms;"
            f" the disk: {disk(tmp_path):,.0f} syncs a second"
        )

    assert processes == len(results)
