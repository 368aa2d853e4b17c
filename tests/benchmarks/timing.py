"""How a figure is taken: one call after the other on fresh values, in rounds, the clock's cost taken off."""

from __future__ import annotations

import gc
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

SHARES = (0.5, 0.99, 0.999)


def each_ns(call: Callable[[Any], object], values: Iterable[Any]) -> list[int]:
    """What each call takes; the clock's own time, as an empty call shows it, is taken off."""
    clock = _each(_nothing, range(1000))[500]
    return [taken - clock for taken in _each(call, values)]


def _each(call: Callable[[Any], object], values: Iterable[Any]) -> list[int]:
    now, taken = perf_counter_ns, []
    for value in values:
        start = now()
        call(value)
        taken.append(now() - start)
    return sorted(taken)


def _nothing(_: object) -> None:
    return None


def middle(numbers: Sequence[float]) -> float:
    return sorted(numbers)[len(numbers) // 2]


class Rounds:
    """
    Rounds of one measurement: of each the median, the 99th and the 99.9th percentile.

    What is shown is the median of the rounds, and the lowest round: on a machine that does other work the
    two are far apart, and the lowest is nearer to what an idle one would show.
    """

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []

    def add(self, call: Callable[[Any], object], values: Iterable[Any]) -> None:
        gc.collect()
        taken = each_ns(call, values)
        self.rounds.append([taken[int(len(taken) * share)] for share in SHARES])

    def figures(self) -> dict[str, float]:
        columns = list(zip(*self.rounds, strict=True))
        names = ("p50_ns", "p99_ns", "p99.9_ns")
        found = {name: middle(column) for name, column in zip(names, columns, strict=True)}
        return {**found, "lowest_p50_ns": min(columns[0]), "p99_of_lowest_ns": min(self.rounds)[1]}


def machine() -> dict[str, object]:
    """Where a run took place, and how busy it was."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def write(path: Path, found: dict[str, object]) -> None:
    """Keep the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: words to the left, numbers to the right."""
    lines = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    print(f"\n{title}")
    for line in lines:
        first, *rest = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ", "  ".join((line[0].ljust(len(first)), *rest)), flush=True)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
