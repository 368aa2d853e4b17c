"""`policyctl monitor`: a run, watched while it goes on."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import click

from ...ledger.ledger import Ledger, utc_now
from ...schemas.policy import Policy
from .. import completing, config
from ..answering import Seconds, ending_by_term
from ..frames import Frame, look
from ..ledgers import ledger_option, open_ledger, run_option
from ..options import color_option, policy_option
from ..output import fitted, note, out, wants_color
from ..prds import read_prd_file
from ..reports import policy_here

EVERY_S = 5.0


@click.command()
@policy_option
@ledger_option
@run_option
@click.option(
    "--prd",
    metavar="FILE",
    shell_complete=completing.files,
    help="The PRD whose stories are counted. Default: prd.json from here upward.",
)
@click.option("--interval", type=Seconds(), metavar="SECONDS", help="How often to look. Default: 5.")
@click.option("--once", is_flag=True, help="Show one frame and end; so it is where stdout is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line a frame.")
@color_option
def command(
    policies: tuple[str, ...],
    ledger: str | None,
    run_id: str | None,
    prd: str | None,
    interval: float | None,
    once: bool,
    as_json: bool,
) -> None:
    """
    Watch a run: its cost, its stories, where it leads, what is left of the budgets, how models do.

    It is the run of --run or POLICYCTL_RUN, else that of the latest call. Nothing is changed, and no call
    waits for it. Ctrl-C ends it. Into a pipe it goes on only with --json and --interval.
    """
    once = once or not (_is_screen() or (as_json and interval is not None))
    every_s = EVERY_S if interval is None else interval
    prd_file = None if prd is None else Path(prd)
    if prd_file is not None:
        read_prd_file(prd_file)  # a mistake is told at once; later the loop may be writing it
    policy, why = policy_here(policies)
    if why is not None:
        note(f"note: {why}; so neither budgets nor models are shown")
    with closing(_frames(policy, ledger, run_id, prd_file)) as frames:
        if once:
            _print(next(frames), as_json)
            return
        with ending_by_term():
            if as_json:
                _stream(frames, every_s)
            else:
                _watch(frames, every_s)


def _is_screen() -> bool:
    """Whether stdout can be painted over."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _frames(
    policy: Policy | None, ledger: str | None, run_id: str | None, prd_file: Path | None
) -> Generator[Frame, None, None]:
    """Frames without end; a ledger that isn't there yet is looked for again for each."""
    with ExitStack() as stack:
        book: Ledger | None = None
        while True:
            where = config.find_ledger(Path.cwd(), ledger) if book is None else None
            if where is not None:
                book = stack.enter_context(open_ledger(where, policy))
            yield look(book, policy, utc_now(), run_id=run_id, prd_file=prd_file)


def _print(frame: Frame, as_json: bool) -> None:
    if as_json:
        out(json.dumps(frame.document()))
        return
    for line in frame.lines():
        out(line)


def _stream(frames: Iterator[Frame], every_s: float) -> None:
    for frame in frames:
        _print(frame, as_json=True)
        time.sleep(every_s)


def _watch(frames: Iterator[Frame], every_s: float) -> None:
    """Paint each frame over the one before; the last one stays."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=sys.stdout, no_color=not wants_color(sys.stdout), highlight=False)
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        for frame in frames:
            text = fitted("\n".join(frame.lines()), sys.stdout)
            live.update(Text.from_ansi(text, no_wrap=True, overflow="ellipsis"), refresh=True)
            time.sleep(every_s)
