"""
How quick policyctl is: `make bench` runs this, prints tables and writes .benchmarks/speed.json.

Decisions are timed one call at a time on requests that were never seen before, a thousand to a round.
docs/performance.md says what each figure is.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from timing import Rounds, machine, middle, table, write
from workload import HEAD, NOW, SIZES, files_of, requests, rules_of, text_of

from policyctl import Engine
from policyctl.deciding import validate_text
from policyctl.engine.compile import compile_policy
from policyctl.policy.parser import parse
from policyctl.schemas.policy import CheckedPolicy
from policyctl.schemas.text import Source

CHECKOUT = Path(__file__).resolve().parents[2]
LOOP = CHECKOUT / "examples" / "claude-loop"
STUDY = CHECKOUT / "examples" / "case-studies" / "data-pipeline"
SPENT = {"monthly": 300}
EACH = 1_000
WARM_UP = 5
FEW = ("complexity", "requires", "branch", "private")
"""What a request gives of the nine facts where it gives few."""


def decisions(folder: Path, rules: int, rounds: int) -> dict[str, Any]:
    """Each way to ask for a decision, its rounds taken in turns."""
    engine = Engine.load(*files_of(folder, rules))
    situation = engine.situation(NOW, SPENT)

    def decide(request: Any) -> object:
        return engine.decide(request, situation=situation)

    taken = {name: Rounds() for name in ("prepared", "mapping", "few", "own tokens", "explain")}
    for number in range(-WARM_UP, rounds):
        values = list(requests(f"speed/{rules}/{number}", EACH))
        few = [{name: v[name] for name in FEW} for v in requests(f"few/{rules}/{number}", EACH)]
        own = [engine.prepare(v) for v in requests(f"own/{rules}/{number}", EACH // 4, tokens=True)]
        fresh = [engine.prepare(v) for v in requests(f"prepared/{rules}/{number}", EACH)]
        if number < 0:
            for request in (*values, *few, *own, *fresh):
                decide(request)
            continue
        taken["prepared"].add(decide, fresh)
        taken["mapping"].add(decide, values)
        taken["few"].add(decide, few)
        taken["own tokens"].add(decide, own)
        if number % 10 == 0 and rules <= 1_000:
            taken["explain"].add(lambda v: engine.explain(v, situation=situation), values[:50])
    return {name: found.figures() for name, found in taken.items() if found.rounds}


LOADING = """
import sys
from time import process_time
from policyctl import Engine
engine = Engine.load(sys.argv[1])  # a small one, so that no import is timed
start = process_time()
engine = Engine.load(*sys.argv[2:])
taken = process_time() - start
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
print(taken, peak / 1024)
"""


def loading(folder: Path, rules: int) -> dict[str, float]:
    """A policy of so many rules, from files to table: CPU time of each part, and the memory's peak."""
    files = files_of(folder, rules)
    sources = [Source(str(path), path.read_text(encoding="utf-8")) for path in files]
    parsing = _seconds(lambda: [parse(source) for source in sources])
    ran = subprocess.run(
        [sys.executable, "-c", LOADING, LOOP / "claude-loop.policy", *files],
        check=True,
        capture_output=True,
        text=True,
    )
    whole, peak = map(float, ran.stdout.split())
    checked = CheckedPolicy(Engine.load(*files).policy)
    compiling = _seconds(lambda: compile_policy(checked))
    return {
        "bytes": sum(path.stat().st_size for path in files),
        "parse_s": parsing,
        "build_and_check_s": max(whole - parsing - compiling, 0.0),
        "compile_s": compiling,
        "whole_s": whole,
        "peak_mib": peak,
    }


def _seconds(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        start = process_time()
        call()
        taken.append(process_time() - start)
    return min(taken)


def by_file_size(kib: int) -> dict[str, float]:
    """One file of about so many KiB: parsed, and parsed and checked with its proofs, as `validate` does."""
    lines = [HEAD, *map(text_of, rules_of(4_000))]
    text = ""
    for line in lines:
        if len(text) + len(line) > kib * 1024 - 10:
            break
        text += line + "\n"
    return {
        "kib": len(text) / 1024,
        "parse_s": _seconds(lambda: parse(Source("size.policy", text))),
        "validate_s": _seconds(lambda: validate_text(text)),
    }


VERBS: dict[str, list[str]] = {
    "--version": ["--version"],
    "--help": ["--help"],
    "select": ["select", "--complexity", "4"],
    "explain": ["explain", "--complexity", "4"],
    "validate": ["validate"],
    "test": ["test"],
    "plan": ["plan"],
    "fmt --check": ["fmt", "--check"],
    "rule": ["rule", "P203"],
    "prices": ["prices", "show"],
}


def start_up(words: list[str], times: int = 9) -> dict[str, float]:
    """A whole process of the command on the example, whatever it answers, in milliseconds."""
    taken = []
    for _ in range(times):
        start = perf_counter()
        subprocess.run(
            [Path(sys.executable).parent / "policyctl", *words], cwd=LOOP, capture_output=True, check=False
        )
        taken.append((perf_counter() - start) * 1000)
    return {"median_ms": middle(taken[1:]), "lowest_ms": min(taken)}


def plan_of_a_thousand(folder: Path) -> float:
    """`policyctl plan` of a thousand stories, as a whole process, in seconds."""
    stories = json.loads((STUDY / "prd.json").read_text(encoding="utf-8"))["userStories"]
    many = [{**story, "id": f"{story['id']}-{n}", "dependencies": []} for n in range(10) for story in stories]
    prd = folder / "prd.json"
    prd.write_text(json.dumps({"userStories": many}), encoding="utf-8")
    command = [Path(sys.executable).parent / "policyctl", "plan", "--prd", prd]
    start = perf_counter()
    subprocess.run(command, cwd=STUDY, capture_output=True, check=True)
    return perf_counter() - start


def stream(folder: Path, rules: int, count: int) -> dict[str, float]:
    """`decide_many` over so many fresh requests as plain values: CPU time, without that of their making."""
    engine = Engine.load(*files_of(folder, rules))
    situation = engine.situation(NOW, SPENT)
    before, taken = 0.0, 0.0
    for number in range(0, count, EACH):
        values = list(requests(f"stream/{number}", EACH))
        start = process_time()
        for _ in engine.decide_many(values, situation=situation):
            pass
        taken += process_time() - start
        if number == 50 * EACH:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rules": rules, "requests": count, "us_each": taken / count * 1e6, "grown_mib": after - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=1_000_000, help="how many `decide_many` gets")
    parser.add_argument("--only", choices=("decisions", "rest"), help="one half")
    parser.add_argument("--json", type=Path, default=CHECKOUT / ".benchmarks" / "speed.json")
    chosen = parser.parse_args()
    found: dict[str, Any] = {"before": machine()}
    with tempfile.TemporaryDirectory() as name:
        if chosen.only != "rest":
            _decisions(Path(name), chosen, found)
        if chosen.only != "decisions":
            _rest(Path(name), chosen, found)
    found["after"] = machine()
    print(f"\n{found['before']}\n{found['after']}")
    write(chosen.json, found)


def _decisions(folder: Path, chosen: argparse.Namespace, found: dict[str, Any]) -> None:
    found["decide"] = {rules: decisions(folder, rules, chosen.rounds) for rules in chosen.sizes}
    heads = ("rules", "asked as", "p50", "p99", "p99.9", "lowest p50", "its p99")
    rows = [
        (f"{rules:,}", way, *(figure / 1000 for figure in figures.values()))
        for rules, by_way in found["decide"].items()
        for way, figures in by_way.items()
    ]
    table("One decision on a fresh request, in µs", heads, rows)


def _rest(folder: Path, chosen: argparse.Namespace, found: dict[str, Any]) -> None:
    found["load"] = {rules: loading(folder, rules) for rules in chosen.sizes}
    heads = ("rules", "bytes", "parse s", "build and check s", "compile s", "whole s", "peak MiB")
    rows = ((f"{rules:,}", *figures.values()) for rules, figures in found["load"].items())
    table("A policy from its files to its table, CPU time", heads, rows)

    found["size"] = [by_file_size(kib) for kib in (4, 16, 64, 250)]
    table("One file", ("KiB", "parse s", "validate s"), (figures.values() for figures in found["size"]))

    found["start_up"] = {verb: start_up(words) for verb, words in VERBS.items()}
    rows = ((verb, *figures.values()) for verb, figures in found["start_up"].items())
    table("A whole process of the command", ("verb", "ms", "lowest"), rows)

    found["plan_s"] = plan_of_a_thousand(folder)
    found["decide_many"] = stream(folder, 100, chosen.requests)
    table(
        "Many at once",
        ("what", "figure"),
        [
            ("plan of 1,000 stories, s", found["plan_s"]),
            (
                f"decide_many over {chosen.requests:,} mappings, µs each",
                found["decide_many"]["us_each"],
            ),
            ("memory grown meanwhile, MiB", found["decide_many"]["grown_mib"]),
        ],
    )


if __name__ == "__main__":
    main()
