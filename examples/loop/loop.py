#!/usr/bin/env python3
"""
A loop that works through a PRD: each story is routed, answered, checked, escalated and marked as done.

    python loop.py --enable-multi-provider --prd prd.json

docs/loop.md is its manual. Everything hard is policyctl's: what is left is the order of things, so that a
loop that is killed anywhere neither loses nor repeats a story, and pays no answer twice.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from dotenv import dotenv_values

from policyctl import (
    CommandGate,
    Ending,
    PolicyctlError,
    Router,
    in_order,
    prompt_of,
    read_prd,
    turns,
    with_passes,
)

OK, HOOK_FAILED, USAGE, NO_MODEL, PAUSED, FAILED, GATE_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130
ENDINGS = {
    Ending.SERVED: OK,
    Ending.FAILED: FAILED,
    Ending.GATE_FAILED: GATE_FAILED,
    Ending.REFUSED: NO_MODEL,
}


class Loop:
    """One run over a PRD; its state is in files, so another process can go on with it."""

    def __init__(self, options: argparse.Namespace, environ: Mapping[str, str]) -> None:
        self.options, self.environ = options, environ
        self.prd = Path(options.prd)
        self.folder = folder_of(options)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = (self.folder / "loop.lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # given back when this process ends, however
        state = self.folder / "run.json"
        if not state.exists():
            write(state, json.dumps({"run_id": f"run-{uuid4().hex[:12]}"}))
        self.run_id: str = json.loads(state.read_text(encoding="utf-8"))["run_id"]
        self.kept = self.folder / "kept" / self.run_id

    def work(self) -> int:
        """Work through the stories that are ready, until none is left; the exit code."""
        failed: dict[str, int] = {}
        prd = self.read()
        for problem in (*prd.problems, *in_order(prd).problems):
            tell(f"warning: {problem.where}: {problem.message}")
        with Router.load(
            self.options.policy,
            ledger=self.folder / "policyctl.db",
            environ=self.environ,
            offline=self.options.offline,
            observe=tell_event,
        ) as router:
            while (turn := self.next_turn(failed)) is not None:
                code = self.do(router, turn)
                if code == PAUSED:
                    return code
                if code != OK:
                    failed[turn.story.id] = code
        return self.ended(failed)

    def read(self) -> Any:
        return read_prd(self.prd.read_text(encoding="utf-8-sig"), str(self.prd))

    def next_turn(self, failed: Mapping[str, int]) -> Any:
        """The first story or sub-task that waits for nobody; each is tried once a run."""
        to_do = [turn for turn in turns(self.read()) if turn.story.id not in failed]
        self.left = len(to_do)
        return next((turn for turn in to_do if not turn.waits_for), None)

    def do(self, router: Router, turn: Any) -> int:
        """Do one story. What is done twice after a crash does the same again; the mark comes last."""
        story, engine, options = turn.story, router.engine, self.options
        tell(f"{turn.name}  {story.title}  ({self.left} to do)")
        if not self.hook(options.before, turn):
            return HOOK_FAILED
        request = engine.story_request(
            story,
            turn.by,
            environ=self.environ,
            tier=options.tier,
            preferred=options.preferred,
            skill=options.skill,
            requires=story.requires | {"tools"} if options.enable_mcp else None,
        )
        kept = self.kept / f"{safe_name(story.id)}.json"
        checks = dict(options.check) or story.checks
        result = router.run(
            router.job(
                prompt_of(story),
                request=request,
                alone=None if options.enable_multi_provider else engine.baseline,
                gates={n: CommandGate(command, self.environ, Path.cwd()) for n, command in checks.items()},
                story_id=turn.name,
                run_id=self.run_id,
                keep=kept,  # there before it is paid for, taken from there by whoever comes after a crash
            )
        )
        if result.ending is not Ending.SERVED:
            until = f" until {result.until:%Y-%m-%d %H:%M %Z}" if result.until else ""
            tell(f"  {result.ending.value}{until}: {result.words}")
            if result.ending is Ending.GATE_FAILED:
                kept.unlink(missing_ok=True)  # a wrong answer isn't worth keeping
            return PAUSED if result.by_budget else ENDINGS[result.ending]
        answer = self.folder / "answers" / f"{safe_name(story.id)}.md"
        write(answer, result.text + "\n")
        if not self.hook(options.after, turn, answer):
            return HOOK_FAILED
        self.learn(turn, result, tuple(checks))
        write(self.prd, with_passes(self.prd.read_bytes().decode(), str(self.prd), story.id))
        kept.unlink(missing_ok=True)
        level = (
            f", budget {result.decision.budget}: {result.decision.action}" if result.decision.action else ""
        )
        cost = f"${result.cost_nusd / 10**9:.4f}, attempts: {len(result.attempts)}"
        tell(f"  done by {result.model} in tier {result.decision.tier}{level}, {cost}")
        return OK

    def learn(self, turn: Any, result: Any, gates: tuple[str, ...]) -> None:
        """Note what a story took, once a run, behind what others have noted."""
        path = self.folder / "learnings.json"
        notes = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        if any((note.get("run"), note.get("story")) == (self.run_id, turn.name) for note in notes):
            return
        note = {
            "run": self.run_id,
            "story": turn.name,
            "title": turn.story.title,
            "complexity": turn.story.complexity.value,
            "model": result.model,
            "tier": result.decision.tier,
            "attempts": len(result.attempts),
            "failures": [f"{a.model}: {a.kind.value}" for a in result.attempts if a.kind is not None],
            "escalations": result.escalations,
            "gates_passed": list(gates),
            "cost_usd": result.cost_nusd / 10**9,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        lines = ",\n  ".join(map(json.dumps, [*notes, note]))
        write(path, f"[\n  {lines}\n]\n")

    def hook(self, command: str | None, turn: Any, answer: Path | None = None) -> bool:
        """Run a command without a shell; it finds in its environment what it is about."""
        if command is None:
            return True
        about = {"LOOP_RUN": self.run_id, "LOOP_STORY": turn.name, "LOOP_ANSWER": str(answer or "")}
        code = subprocess.run(shlex.split(command), env={**self.environ, **about}, check=False).returncode  # noqa: S603
        if code != 0:
            tell(f"  the hook `{command}` ended with {code}; the story isn't done")
        return code == 0

    def ended(self, failed: Mapping[str, int]) -> int:
        left = turns(self.read())
        for turn in left:
            if turn.story.id not in failed:
                tell(f"{turn.name} waits for {', '.join(turn.waits_for)}")
        if left:
            tell(f"{len(left)} stories are left; start the loop again to go on with {self.run_id}")
            return next(iter(failed.values()), NO_MODEL)
        (self.folder / "run.json").unlink()  # the next run has a name of its own
        shutil.rmtree(self.kept, ignore_errors=True)
        tell(f"all stories pass; {self.run_id} is complete")
        return OK


def report(options: argparse.Namespace) -> int:
    """What was spent, or how the models are: the command's own pages, of this loop's ledger."""
    words = ["--policy", options.policy, "--ledger", str(folder_of(options) / "policyctl.db")]
    if options.provider_health:
        return policyctl("health", *words)
    if options.since:
        words += ["--since", options.since]
    elif options.this_month or options.current_run:
        words += ["--this-month"] if options.this_month else []
    elif options.cost_report or "COST_REPORT_DAYS" not in os.environ:
        words += ["--days", str(options.cost_report or 7)]
    if options.current_run:
        words += ["--current-run"]
    if options.provider_breakdown:
        return policyctl("provider-breakdown", "--provider", options.provider_breakdown, *words)
    if options.provider_breakdown is not None:
        words += ["--verbose"]
    return policyctl("report", *words, *(["--detailed"] if options.detailed else []))


def policyctl(*words: str) -> int:
    return subprocess.run([sys.executable, "-m", "policyctl.cli", *words], check=False).returncode  # noqa: S603


def folder_of(options: argparse.Namespace) -> Path:
    """Where the loop keeps its files; what nobody paid for is kept apart."""
    return Path(".claude-loop", "offline") if options.offline else Path(".claude-loop")


def safe_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "." for c in name)


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all, even where the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        beside.chmod(path.stat().st_mode & 0o7777)
    beside.replace(path)


def tell(line: str) -> None:
    print("".join(c if c.isprintable() else "?" for c in line), file=sys.stderr, flush=True)


def tell_event(event: Any) -> None:
    """A line for each failure, skipped model and change of the chain."""
    if getattr(event, "kind", None) is not None:
        tell(f"  {event.model} failed: {event.kind.value}")
    elif hasattr(event, "why"):
        tell(f"  {getattr(event, 'model', 'now')}: {event.why}")


def a_check(text: str) -> tuple[str, str]:
    name, equals, command = text.partition("=")
    if not (name and equals and command):
        raise argparse.ArgumentTypeError('write NAME=COMMAND, as in tests="pytest -q"')
    return name, command


def read_options(words: list[str] | None) -> argparse.Namespace:
    policy = str(Path(__file__).resolve().parent / "loop.policy")
    on = os.environ.get("ENABLE_MULTI_PROVIDER", "").lower() in ("true", "yes", "on", "1")
    parser = argparse.ArgumentParser(description="Work through the stories of a PRD.")
    add, flag, gate = parser.add_argument, "store_true", "NAME=COMMAND"
    add("--enable-multi-provider", action=flag, default=on, help="route; else the baseline does everything")
    add("--prd", default="prd.json", help="the stories")
    add("--policy", default=policy, help="who answers them")
    add("--tier", help="use this tier for all stories")
    add("--preferred", metavar="MODEL", help="use this model wherever it can serve")
    add("--skill", metavar="NAME", help="the skill that is run, for rules that ask for it")
    add("--enable-mcp", action=flag, help="only models that can use tools")
    add(
        "--check",
        action="append",
        default=[],
        type=a_check,
        metavar=gate,
        help="in place of the PRD's checks",
    )
    add("--before", metavar="COMMAND", help="run before each story")
    add("--after", metavar="COMMAND", help="run with each answer, before its story is marked")
    add("--offline", nargs="?", const=True, default=False, metavar="SCRIPT", help="ask nobody")
    add("--cost-report", nargs="?", const=0, type=int, metavar="DAYS", help="what was spent, in 7 days")
    add("--since", metavar="TIME", help='for reports: from then on, as in "7 days ago"')
    add("--this-month", action=flag, help="for reports: this month")
    add("--current-run", action=flag, help="for reports: the latest run")
    add("--detailed", action=flag, help="for reports: also by model and tier")
    add("--provider-breakdown", nargs="?", const="", metavar="P", help="by provider, or one of them")
    add("--provider-health", action=flag, help="which models answer")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    options = read_options(words)
    environ = {k: v for k, v in {**dotenv_values(".env"), **os.environ}.items() if v is not None}
    if options.cost_report is not None or options.provider_breakdown is not None or options.provider_health:
        return report(options)
    try:
        return Loop(options, environ).work()
    except KeyboardInterrupt:
        tell("interrupted; start the loop again to go on")
        return INTERRUPTED
    except BlockingIOError:
        tell("another loop is at work here")
    except (PolicyctlError, OSError) as error:
        tell(f"error: {error}")
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
