"""What `complete` and `run` share: a router as the options say it, and how a request is told."""

from __future__ import annotations

import json
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from ..deciding import Engine
from ..policy.words import usd_short
from ..router import Router, alerts_of
from ..schemas.errors import Problem, RequestError
from ..schemas.policy import NANO
from ..schemas.run import Changed, Ended, Ending, Event, Next, Result, Skipped, Started
from . import completing, config
from .exits import Exit
from .ledgers import open_ledger
from .options import OF_ANOTHER_WORLD, Asked, ask
from .output import bad, dim, good, named, note, out, safe, warned

F = TypeVar("F", bound=Callable[..., Any])

FORMAT_VERSION = "1.0"
TERMINATED = 143
MOST_SCHEMA_BYTES = 2**20


class Seconds(click.ParamType):  # type: ignore[type-arg]  # click before 8.5 takes no argument
    """A duration, as the language writes it: 500ms, 30s, 5m, or plain seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds, from a millisecond to a day."""
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)?", str(value))
        seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
        if not 0.001 <= seconds <= 86_400:
            self.fail(f"{value!r} is no duration; write 500ms, 30s, 5m or 2h", param, ctx)
        return seconds


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def answer_options(function: F) -> F:
    """How a request is sent, and how its answer is shown."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


_OPTIONS: list[Callable[[Any], Any]] = [
    click.option(
        "--model",
        "alone",
        metavar="MODEL",
        shell_complete=completing.models,
        help="Ask this model alone: no fallback.",
    ),
    click.option("--baseline", is_flag=True, help="Ask the policy's baseline model alone."),
    click.option("--system", metavar="TEXT", help="What the model is told before the prompt."),
    click.option(
        "--max-output-tokens",
        type=click.IntRange(1, 10**6),
        metavar="N",
        help="How long the answer may get; the hold goes by it.",
    ),
    click.option(
        "--deadline", type=Seconds(), metavar="TIME", help="When it must be over: 30s, 5m. Default: 10m."
    ),
    click.option(
        "--schema",
        "schema_file",
        metavar="FILE",
        shell_complete=completing.files,
        help="A JSON Schema that the answer must follow.",
    ),
    click.option("--json-mode", is_flag=True, help="The answer must be JSON."),
    click.option(
        "--check",
        "checks",
        multiple=True,
        metavar="NAME=COMMAND",
        help="A gate: the command reads the answer; another exit code than 0 fails it.",
    ),
    click.option(
        "--keep",
        metavar="FILE",
        shell_complete=completing.files,
        help="Where the answer lies from before it is paid for; one that lies there is taken.",
    ),
    click.option("--offline", is_flag=True, help="Ask nobody: every model answers by a script."),
    click.option(
        "--script", metavar="FILE", shell_complete=completing.files, help="The script for --offline."
    ),
    click.option(
        "--stream/--no-stream", default=None, help="Show the answer as it comes. Default: on a terminal."
    ),
    click.option("-q", "--quiet", is_flag=True, help="Don't tell of attempts."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
]


def asked_for(ctx: click.Context, options: Mapping[str, Any]) -> Asked:
    """The request and the engine; what is spent is for the router to look at, at every step."""
    return ask(ctx, {**options, **OF_ANOTHER_WORLD, "ledger": "none"})


def answer(ctx: click.Context, asked: Asked, prompt: str, options: Mapping[str, Any]) -> int:
    """
    Send a request, tell of it, and print what came.

    Returns:
        The exit code.
    """
    if options["baseline"] and options["alone"]:
        raise click.UsageError("--model and --baseline: say one of them")
    messages = [{"role": "user", "content": prompt}]
    if options["system"]:
        messages.insert(0, {"role": "system", "content": options["system"]})
    environ = config.environment(Path.cwd())
    said: dict[str, Any] = {
        "request": asked.request,
        "alone": asked.engine.baseline if options["baseline"] else options["alone"],
        "max_output_tokens": options["max_output_tokens"],
        "schema": _schema(options["schema_file"]),
        "json_mode": options["json_mode"],
        "gates": _gates(asked, options, environ),
        "keep": options["keep"],
        "story_id": _name(asked),
        "run_id": options["run_id"],
    }
    if options["deadline"] is not None:
        said["deadline_s"] = options["deadline"]
    streams = not (options["as_json"] or said["gates"] or said["keep"]) and _wants_stream(options["stream"])
    with ending_by_term(), _router(asked.engine, environ, options) as router:
        observe = None if options["quiet"] else Teller()
        job = router.job(messages, **said)
        result = _streamed(router.pieces(job, observe)) if streams else router.run(job, observe)
        where = None if router.ledger is None else str(router.ledger.where)
    if options["as_json"]:
        out(json.dumps(as_document(asked, result, where), indent=2))
    else:
        _print(result, streamed=streams, quiet=options["quiet"])
    return exit_of(result)


def _name(asked: Asked) -> str | None:
    """What reports call the story: a sub-task stands under the story that delegates it."""
    if asked.story is None or asked.prd is None:
        return None
    from ..engine.stories import delegating
    from ..engine.turns import name_under

    return name_under(asked.story, delegating(asked.prd, asked.story))


def exit_of(result: Result) -> Exit:
    """The exit code of a run."""
    if result.ending is Ending.REFUSED:
        return Exit.BUDGET_REFUSED if result.by_budget else Exit.NO_MODEL
    return {Ending.SERVED: Exit.OK, Ending.FAILED: Exit.FAILED, Ending.GATE_FAILED: Exit.GATE_FAILED}[
        result.ending
    ]


def _wants_stream(said: bool | None) -> bool:
    return sys.stdout is not None and (sys.stdout.isatty() if said is None else said)


def _streamed(pieces: Iterator[Any]) -> Result:
    """Print pieces as they come; the last one is the result."""
    for piece in pieces:
        if isinstance(piece, Result):
            return piece
        out(shown(piece.text), end="")
    raise AssertionError  # the result always comes


def shown(text: str) -> str:
    """An answer as a terminal may show it: what would move the cursor or hide text is made visible."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _print(result: Result, *, streamed: bool, quiet: bool) -> None:
    if result.answer is not None and result.ending is not Ending.FAILED:
        if not streamed:
            out(shown(result.text))
        elif not result.text.endswith("\n"):
            out()
        for call in result.answer.tool_calls:
            out(json.dumps({"tool": call.name, "arguments": shown(call.arguments)}))
    if result.ending is not Ending.SERVED:
        words = result.words.removeprefix(f"{result.ending.value}: ")  # which are meant to stand alone
        note(f"{bad(result.ending.value)}: {safe(words)}")
    elif not quiet:
        note(dim(f"{result.model} answered: {_cost(result)}"))


def _cost(result: Result) -> str:
    costs = [attempt.cost_nusd for attempt in result.attempts]
    least = "at least " if None in costs or any(a.estimated for a in result.attempts) else ""
    attempts = len(costs)
    return f"{least}{usd_short(result.cost_nusd)}, {attempts} attempt{'s' if attempts != 1 else ''}"


# --- the router ------------------------------------------------------------------------------------------


@contextmanager
def _router(engine: Engine, environ: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[Router]:
    from ..providers.adapters.choose import Adapters

    adapters = None
    if options["offline"] or options["script"]:
        script = Path(options["script"]) if options["script"] else None
        adapters = Adapters(environ, offline=True, script=script)
    with ExitStack() as stack:
        where = _ledger(options["ledger"], offline=adapters is not None)
        pretended = where is None  # of money that nobody spends nobody is told
        if where is None and engine.policy.budgets and adapters is not None:
            # Money that nobody spends is counted, so that levels act; but not in the real ledger.
            where = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "policyctl.db"
        ledger = None if where is None else open_ledger(where, engine.policy, create=True)
        alerts = None if ledger is None or pretended else alerts_of(engine, ledger, environ)
        router = Router(engine, ledger, environ=environ, adapters=adapters, alerts=alerts)
        yield stack.enter_context(router)


def _ledger(said: str | None, *, offline: bool) -> Path | str | None:
    if said is None and offline:
        return None
    where = config.find_ledger(Path.cwd(), said)
    return config.new_ledger(Path.cwd()) if where is None and said != "none" else where


@contextmanager
def ending_by_term() -> Iterator[None]:
    """End by SIGTERM as by Ctrl-C: what was begun is settled."""

    def end(number: int, frame: object) -> None:
        raise click.exceptions.Exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _gates(asked: Asked, options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The checks of the story, where these are asked for, and those of the command line, which come last."""
    gates: dict[str, Any] = {}
    if asked.story is not None and options.get("prd_checks"):
        gates |= (_gate(f"{name}={command}", environ) for name, command in asked.story.checks.items())
    own: dict[str, Any] = {}
    for text in options["checks"]:
        name, gate = _gate(text, environ)
        if name in own:
            raise click.UsageError(f"--check {name}= is there twice; give each gate a name of its own")
        own[name] = gate
    return gates | own


def _gate(text: str, environ: Mapping[str, str]) -> tuple[str, Any]:
    from ..providers.command_gate import CommandGate

    name, equals, command = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f'--check {text}: write NAME=COMMAND, as in tests="pytest -q"')
    return name, CommandGate(command, environ, Path.cwd())


def _schema(name: str | None) -> Mapping[str, Any] | None:
    """
    The JSON Schema in a file.

    Raises:
        click.UsageError: it can't be read.
        RequestError: it is none.
    """
    if name is None:
        return None
    try:
        with Path(name).open("rb") as file:
            data = file.read(MOST_SCHEMA_BYTES + 1)
        found = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't JSON"
        raise click.UsageError(f"--schema {name}: {why}") from None
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(found)
    except SchemaError as error:
        where = error.json_path
        raise RequestError((Problem("schema", f"{name} is no JSON Schema: {where} is wrong"),)) from None
    if not isinstance(found, dict):
        raise RequestError((Problem("schema", f"{name} is no JSON Schema: it isn't an object"),))
    return found


# --- telling ---------------------------------------------------------------------------------------------


class Teller:
    """
    Tells on stderr of each attempt as it happens.

    The first model of a chain is primary, also of the one that a raised tier brings; all others are fallback.
    """

    def __init__(self) -> None:
        self._primary: int | None = None
        self._tier: str | None = None

    def __call__(self, event: Event) -> None:
        """One event."""
        if isinstance(event, Started):
            self._primary = event.step if self._primary is None else self._primary
            word = good("[primary]") if event.step == self._primary else warned("[fallback]")
            note(f"{word} Attempting {named(safe(event.model))} (attempt {event.attempt})")
        elif isinstance(event, Ended):
            self._ended(event)
        elif isinstance(event, Skipped):
            note(f"{warned('[skipped]')} {named(safe(event.model))}: {safe(event.why)}")
        else:
            assert isinstance(event, Changed)
            if event.decision.tier != self._tier:
                self._primary, self._tier = None, event.decision.tier
            note(f"{warned('[changed]')} {safe(event.why)}: {safe(' -> '.join(event.decision.chain))}")

    def _ended(self, event: Ended) -> None:
        if event.kind is None:
            return
        what = f"{named(safe(event.model))} attempt {event.attempt} failed: {event.kind}: {safe(event.words)}"
        then = f"; again in {event.wait_s:.1f} s" if event.then is Next.RETRY else ""
        note(f"{bad('[failure]')} {what}{then}")


def as_document(asked: Asked, result: Result, ledger: str | None) -> dict[str, object]:
    """The JSON of a request that was sent; schemas/run.schema.json is its shape."""
    decision, answer = result.decision, result.answer
    return {
        "format_version": FORMAT_VERSION,
        "ending": result.ending.value,
        "text": None if answer is None else answer.text,
        "tool_calls": []
        if answer is None
        else [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in answer.tool_calls],
        "model": result.model,
        "provider": result.provider,
        "tier": decision.tier,
        "cost_usd": result.cost_nusd / NANO,
        "cost_nusd": result.cost_nusd,
        "cost_is_estimated": any(a.estimated or a.cost_nusd is None for a in result.attempts),
        "attempts": [_attempt(attempt) for attempt in result.attempts],
        "skipped": [{"model": e.model, "why": e.why} for e in result.events if isinstance(e, Skipped)],
        "escalations": result.escalations,
        "failed_gate": result.failed_gate,
        "words": result.words,
        "until": None if result.until is None else result.until.isoformat(),
        "chain": list(decision.chain),
        "rule": decision.rule,
        "request_id": result.request_id,
        "story": None if asked.story is None else asked.story.id,
        "policy": asked.engine.policy.name,
        "policy_digest": decision.policy_digest,
        "ledger": ledger is not None,
    }


def _attempt(attempt: Ended) -> dict[str, object]:
    tokens = attempt.tokens
    return {
        "model": attempt.model,
        "provider": attempt.provider,
        "step": attempt.step,
        "attempt": attempt.attempt,
        "success": attempt.kind is None,
        "kind": None if attempt.kind is None else attempt.kind.value,
        "words": attempt.words,
        "status": attempt.status,
        "latency_ms": round(attempt.took_s * 1000),
        "input_tokens": None if tokens is None else tokens.input_tokens,
        "output_tokens": None if tokens is None else tokens.output_tokens,
        "cost_nusd": attempt.cost_nusd,
        "estimated": attempt.estimated,
        "then": None if attempt.then is None else attempt.then.value,
        "wait_s": round(attempt.wait_s, 3),
    }
