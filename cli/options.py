"""The options that `select`, `explain` and `plan` share: requests, and the state of the world."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from ..deciding import Engine
from ..engine.facts import facts_of, option
from ..engine.reading import AMOUNTS, input_value, moment, spent_nusd
from ..policy.names import closest, did_you_mean
from ..schemas.errors import PolicyctlError, Problem, RequestError
from ..schemas.policy import CAPABILITIES, Fact, FactKind, FailureKind
from ..schemas.records import dataclass
from ..schemas.request import Failure, Request, Spend, State
from ..schemas.story import Prd, Story
from . import cache, completing, config
from .ledgers import ledger_option, run_option, shown, with_environment, with_ledger
from .output import set_color
from .prds import read_prd_file
from .problems import tell_prices

F = TypeVar("F", bound=Callable[..., Any])

FREE_FORM = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Context settings of verbs that take a policy's declared inputs as options."""

COLOR = "policyctl.color"
"""Where a context keeps what --color says."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Tokens(click.ParamType):  # type: ignore[type-arg]  # click before 8.5 takes no argument
    """A number of tokens, as the language writes it: 2000, 10k, 1M."""

    name = "tokens"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number, of at most nine digits."""
        match = re.fullmatch(r"(\d{1,9})([kM]?)", str(value))
        if match is None:
            self.fail(f"{value!r} is no number of tokens; write 2000, 10k or 1M", param, ctx)
        return int(match[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[match[2]]


def color_option(function: F) -> F:
    """`--color`, on every verb."""

    def apply(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta[COLOR] = value
        set_color(value if value is not None else config.color(Path.cwd()))

    return click.option(
        "--color",
        type=click.Choice(config.COLORS),
        callback=apply,
        expose_value=False,
        is_eager=True,
        help="When to use colour (auto: on a terminal).",
    )(function)


def policy_option(function: F) -> F:
    """`--policy`, once or more often, and `--no-cache`."""

    def switch(ctx: click.Context, param: click.Parameter, off: bool) -> None:
        if off:
            ctx.meta[cache.OFF] = True

    function = click.option(
        "--no-cache",
        is_flag=True,
        callback=switch,
        expose_value=False,
        help="Read and check the policy anew, and keep nothing.",
    )(function)
    return click.option(
        "--policy",
        "policies",
        multiple=True,
        metavar="FILE",
        is_eager=True,  # read first, so that completion of the other options knows the policy
        shell_complete=completing.files,
        help="The policy; several are merged in this order. Default: found from here upward.",
    )(function)


def request_options(function: F) -> F:
    """Everything that can be said of a request and of the world."""
    for decorate in reversed(_request_options().values()):
        function = decorate(function)
    return function


OF_ANOTHER_WORLD = {"at": None, "spend": (), "down": (), "failures": (), "available": False}
"""Options of `request_options` that a request which is really sent can't have, with what they then are."""


def work_options(function: F) -> F:
    """Everything that can be said of a request which is really sent: the world is as it is."""
    for name, decorate in reversed(_request_options().items()):
        if name not in OF_ANOTHER_WORLD:
            function = decorate(function)
    return function


def plan_options(function: F) -> F:
    """Everything that can be said of all stories of a PRD at once, and of the world."""
    for decorate in reversed(_shared_options().values()):
        function = decorate(function)
    return function


def _request_options() -> dict[str, Callable[[F], F]]:
    shared = _shared_options()
    flags = {
        n: click.option(
            f"--requires-{n}/--no-requires-{n}", f"requires_{n.replace('-', '_')}", default=None, help=h
        )
        for n, h in _capability_flags()
    }
    return {
        "story_id": click.option(
            "--story",
            "story_id",
            metavar="ID",
            shell_complete=completing.stories,
            help="Take the request from a story of a PRD.",
        ),
        "prd": shared["prd"],
        "complexity": click.option("--complexity", type=float, metavar="0-10", help="How hard the task is."),
        **flags,
        "domain": click.option(
            "--domain", metavar="NAME", shell_complete=completing.domains, help="The kind of work."
        ),
        "tier": shared["tier"],
        "story_tier": click.option(
            "--story-tier",
            metavar="NAME",
            shell_complete=completing.tiers,
            help="The tier that a story would ask for.",
        ),
        "preferred": click.option(
            "--preferred",
            metavar="MODEL",
            shell_complete=completing.models,
            help="Use this model, if it can serve.",
        ),
        "branch": shared["branch"],
        "kind": click.option("--kind", metavar="TEXT", help="The kind of story."),
        "skill": click.option("--skill", metavar="TEXT", help="The skill that runs."),
        "attempt": click.option("--attempt", type=int, metavar="N", help="Which attempt this is."),
        "input_tokens": click.option(
            "--input-tokens", type=Tokens(), metavar="N", help="Expected input tokens."
        ),
        "output_tokens": click.option(
            "--output-tokens", type=Tokens(), metavar="N", help="Expected output tokens."
        ),
        "input": shared["input"],
        "at": shared["at"],
        "spend": shared["spend"],
        "ledger": shared["ledger"],
        "run": shared["run"],
        "down": shared["down"],
        "failures": click.option(
            "--gate",
            "--failed",
            "failures",
            multiple=True,
            metavar="NAME=failed|KIND",
            shell_complete=completing.gates,
            help="What failed, in order: --gate tests=failed, --failed timeout; with :TIER behind, where.",
        ),
        "available": shared["available"],
    }


def _shared_options() -> dict[str, Callable[[F], F]]:
    """The options that are not of a single request; `plan` takes these and no others."""
    return {
        "prd": click.option(
            "--prd",
            metavar="FILE",
            shell_complete=completing.files,
            help="The PRD. Default: prd.json from here upward.",
        ),
        "tier": click.option(
            "--tier", metavar="NAME", shell_complete=completing.tiers, help="Use this tier."
        ),
        "branch": click.option("--branch", metavar="NAME", help="The branch; @git reads the checkout's."),
        "input": click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="NAME=VALUE",
            help="A declared input; --NAME VALUE does the same.",
        ),
        "at": click.option("--at", metavar="TIME", help='The clock: 2026-01-05T10:00, 10:00 or "Mon 10:00".'),
        "spend": click.option(
            "--spend",
            multiple=True,
            metavar="BUDGET=AMOUNT",
            shell_complete=completing.budgets,
            help="What a budget has spent: 80% or 400 (USD); 80%+5% with what is held.",
        ),
        "ledger": ledger_option,
        "run": run_option,
        "down": click.option(
            "--down",
            multiple=True,
            metavar="MODEL",
            shell_complete=completing.models,
            help="A model in cooldown.",
        ),
        "available": click.option("--available", is_flag=True, help="Only models whose key is set."),
    }


def _capability_flags() -> Iterator[tuple[str, str]]:
    for name in CAPABILITIES:
        word = name.replace("_", "-")
        yield word, f"Only models that can do {name.replace('json_mode', 'JSON mode').replace('_', ' ')}."


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request and a state, as the options say them, with where they came from.

    `ledger` is the one that says what is spent; None: none does.
    """

    engine: Engine
    request: Request
    state: State
    story: Story | None
    prd: Prd | None
    given: tuple[str, ...]
    ledger: str | None


def load_engine(policies: tuple[str, ...]) -> Engine:
    """The engine of the policy that is named or found; a price catalogue that is passed over is told."""
    tell_prices()
    return cache.engine(policies or tuple(map(str, config.find_policy(Path.cwd()))))


def ask(ctx: click.Context, options: Mapping[str, Any]) -> Asked:
    """What the options of `select` and `explain` ask for."""
    here = Path.cwd()
    engine = load_engine(options["policies"])
    environ = config.environment(here)
    said, found = _said_and_found(ctx, options, engine, environ)
    story, prd, delegating = _story(options, here)
    base = Request() if story is None else _story_request(engine, story, delegating)
    request = _request(options, _in_run(base, _of_run(options, here), said, found))
    _check_domain(engine, options["domain"])
    _check_gates(engine, request)
    if story is not None:
        _check_story(engine, request, story)
    engine, state, ledger = _world(engine, options, environ, options["story_id"])
    return Asked(engine, request, state, story, prd, ctx.meta[_TYPED], ledger)


@dataclass(frozen=True, slots=True)
class AskedAll:
    """
    All stories of a PRD and a state, as the options say them; `request` asks for one story.

    `ledger` is the one that says what is spent; None: none does.
    """

    engine: Engine
    prd: Prd
    request: Callable[[Story], Request]
    state: State
    ledger: str | None


def ask_all(ctx: click.Context, options: Mapping[str, Any]) -> AskedAll:
    """
    What the options of `plan` ask for; tier, branch and inputs stand in place of what stories say.

    Raises:
        RequestError: an option can't be what it is, whatever the story.
    """
    here = Path.cwd()
    engine = load_engine(options["policies"])
    environ = config.environment(here)
    said, found = _said_and_found(ctx, options, engine, environ)
    plain = _of_run(options, here)
    _check_said(engine, Request(complexity=0.0, inputs=said, **plain))
    prd = read_prd_file(Path(options["prd"]) if options["prd"] else config.find_prd(here))

    def request(story: Story) -> Request:
        return _in_run(_story_request(engine, story), plain, said, found)

    standing, state, ledger = _world(engine, options, environ, None)
    return AskedAll(standing, prd, request, state, ledger)


def _of_run(options: Mapping[str, Any], here: Path) -> dict[str, Any]:
    """The options that count for a whole run: for each story of a plan, for a sub-task and its story."""
    plain = {name: options[name] for name in ("tier", "branch") if options[name] is not None}
    if plain.get("branch") == "@git":
        plain["branch"] = config.git_branch(here)
    return plain


def _in_run(
    request: Request,
    plain: Mapping[str, Any],
    said: Mapping[str, str | float],
    found: Mapping[str, str | float],
) -> Request:
    """A request, and that of the story which delegates it, with what a person says for the whole run."""
    outer = request.delegated_by
    return replace(
        request,
        **plain,
        inputs={**found, **request.inputs, **said},
        delegated_by=None if outer is None else _in_run(outer, plain, said, found),
    )


def _check_said(engine: Engine, request: Request) -> None:
    """Find what no story can mend; inputs that aren't given may come from a story."""
    try:
        facts_of(engine.table, request)
    except RequestError as error:
        inputs = {name for name, fact in engine.policy.facts.items() if not fact.built_in}
        problems = tuple(p for p in error.problems if p.where not in inputs - request.inputs.keys())
        if problems:
            raise RequestError(problems) from None


def _said_and_found(
    ctx: click.Context, options: Mapping[str, Any], engine: Engine, environ: Mapping[str, str]
) -> tuple[dict[str, str | float], dict[str, str | float]]:
    """The inputs that options give, and those that the environment does."""
    said = _values(engine, {**_from_pairs(options["inputs"]), **_declared(ctx, engine)})
    return said, _values(engine, _from_environment(engine, environ))


def _check_domain(engine: Engine, name: str | None) -> None:
    """A domain that a person types must exist; a story may have any, which then counts as none."""
    if name is not None and name not in (*engine.policy.domains, "none"):
        help = did_you_mean(name, engine.policy.domains, else_list="the domains are")
        raise RequestError((Problem("domain", f"unknown domain `{name}`", help),))


def _check_gates(engine: Engine, request: Request) -> None:
    """A gate that no `escalate` names changes nothing: a person who types one means another."""
    gates = {f"gate {e.gate}" for e in engine.policy.escalations if e.gate is not None}
    for failure in request.failures:
        if failure.cause.startswith("gate ") and failure.cause not in gates:
            name = failure.cause.removeprefix("gate ")
            help = did_you_mean(failure.cause, gates) or "the policy escalates for no such gate"
            raise RequestError((Problem("gate", f"unknown gate `{name}`", help.replace("gate ", "", 1)),))


def _check_story(engine: Engine, request: Request, story: Story) -> None:
    """Say which story it is whose facts can't be."""
    try:
        facts_of(engine.table, request)
    except RequestError as error:
        where = f"story {story.id}"
        told = (Problem(where, f"{where}: {p.message}", p.help) for p in error.problems)
        raise RequestError(tuple(told)) from error


_TYPED = "policyctl.typed"


class RequestVerb(click.Command):
    """A verb that remembers how it was called, and whose help lists the policy's own inputs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words as typed, for the command lines that `explain` offers."""
        ctx.meta[_TYPED] = tuple(args)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The inputs that the policy found from here declares."""
        try:
            engine = load_engine(())
        except (click.UsageError, PolicyctlError):
            return
        inputs = [f for f in engine.policy.facts.values() if not f.built_in]
        if inputs:
            with formatter.section(f"Inputs of policy {engine.policy.name}"):
                formatter.write_dl([(option(f.name), _describe(f)) for f in inputs])


def _describe(fact: Fact) -> str:
    kind = " or ".join(fact.values) if fact.values else str(fact.kind)
    default = "required" if fact.default is None else f"default {fact.default}"
    return f"{kind}; {default}" + (f"; from {fact.env}" if fact.env else "")


# --- declared inputs -------------------------------------------------------------------------------


def _declared(ctx: click.Context, engine: Engine) -> dict[str, str]:
    """`--NAME VALUE`, `--NAME=VALUE`, and for yes or no also `--NAME` and `--no-NAME`."""
    inputs = {n: f for n, f in engine.policy.facts.items() if not f.built_in}
    by_option = {option(n): (n, None) for n in inputs}
    by_option |= {f"--{n}": (n, None) for n in inputs}
    yes_no = [n for n, f in inputs.items() if f.kind is FactKind.YES_NO]
    negated = {"--no-" + option(n)[2:]: n for n in yes_no}
    said: dict[str, str] = {}
    words = list(ctx.args)
    while words:
        word, equals, value = words.pop(0).partition("=")
        if word in negated:
            if equals:
                raise click.UsageError(f"Option '{word}' does not take a value.", ctx)
            said[negated[word]] = "no"
        elif word in by_option:
            name = by_option[word][0]
            if not equals:
                follows = bool(words) and not words[0].startswith("--")
                if not follows and name not in yes_no:
                    raise click.UsageError(f"Option '{word}' requires an argument.", ctx)
                value = words.pop(0) if follows else "yes"
            said[name] = value
        else:
            raise _no_such_option(ctx, word, [*by_option, *negated])
    return said


def _no_such_option(ctx: click.Context, word: str, declared: list[str]) -> click.UsageError:
    if not word.startswith("-"):
        return click.UsageError(f"Got unexpected extra argument ({word})", ctx)
    known = [name for p in ctx.command.params for name in (*p.opts, *p.secondary_opts)]
    near = closest(word, [*known, *declared])
    hint = f" Did you mean {near}?" if near else ""
    return click.UsageError(f"No such option: {word}.{hint}", ctx)


def _from_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    said = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--input {pair}: write NAME=VALUE")
        said[name] = value
    return said


def _from_environment(engine: Engine, environ: Mapping[str, str]) -> dict[str, str]:
    """The inputs whose variable, which the policy names, is set."""
    facts = engine.policy.facts.values()
    return {f.name: environ[f.env] for f in facts if f.env is not None and environ.get(f.env)}


def _values(engine: Engine, texts: Mapping[str, str]) -> dict[str, str | float]:
    """Texts as values of the declared inputs; an undeclared name stays, and is told later."""
    facts = engine.policy.facts
    return {name: input_value(facts[name], text) if name in facts else text for name, text in texts.items()}


# --- the request -------------------------------------------------------------------------------------


def _story(options: Mapping[str, Any], here: Path) -> tuple[Story | None, Prd | None, tuple[Story, ...]]:
    """The story that is named, its PRD, and the stories that delegate it."""
    if options["story_id"] is None:
        if options["prd"] is not None:
            raise click.UsageError("--prd needs --story: which story?")
        return None, None, ()
    from ..engine.stories import delegating, find_story

    prd = read_prd_file(Path(options["prd"]) if options["prd"] else config.find_prd(here))
    story = find_story(prd, options["story_id"])
    return story, prd, delegating(prd, story)


def _story_request(engine: Engine, story: Story, by: Sequence[Story] = ()) -> Request:
    from ..engine.stories import story_request

    return story_request(engine.policy, story, by)


def _request(options: Mapping[str, Any], base: Request) -> Request:
    """The request of the story, with what the options say in place of what it says."""
    said = {name: options[name] for name in _PLAIN_OPTIONS if options[name] is not None}
    wanted = {n for n in CAPABILITIES if options[f"requires_{n}"]}
    unwanted = {n for n in CAPABILITIES if options[f"requires_{n}"] is False}
    return replace(
        base,
        **said,
        requires=(base.requires | wanted) - unwanted,
        story_tier=_story_tier(options, base),
        failures=tuple(_failure(text) for text in options["failures"]),
    )


_PLAIN_OPTIONS = (
    "complexity",
    "domain",
    "preferred",
    "kind",
    "skill",
    "attempt",
    "input_tokens",
    "output_tokens",
)


def _story_tier(options: Mapping[str, Any], base: Request) -> str | None:
    """What a person says of the tier stands in place of the story's, even of one that doesn't exist."""
    if options["tier"] is not None:
        return None
    said: str | None = options["story_tier"]
    return base.story_tier if said is None else said


def _failure(text: str) -> Failure:
    """A gate, or a kind of failure."""
    name, equals, result = text.partition("=")
    cause, _, tier = (result if equals else text).partition(":")
    if equals and (not name or cause != "failed"):
        raise click.UsageError(f"--gate {text}: write NAME=failed, or NAME=failed:TIER")
    if not equals and cause not in tuple(FailureKind):
        hint = did_you_mean(cause, FailureKind, else_list="the kinds are")
        raise click.UsageError(f"--failed {text}: `{cause}` is no kind of failure; {hint}")
    return Failure(f"gate {name}" if equals else cause, tier or None)


# --- the state ----------------------------------------------------------------------------------------


def _world(
    engine: Engine, options: Mapping[str, Any], environ: Mapping[str, str], story_id: str | None
) -> tuple[Engine, State, str | None]:
    """The engine with the budgets as they are in force, the state, and the ledger that says what is spent."""
    engine = with_environment(engine, environ)
    said = _state(engine, options, environ)
    where = config.find_ledger(Path.cwd(), options["ledger"])
    if where is None or not engine.policy.budgets:
        return engine, said, None
    at = None if options["at"] is None else said.now
    engine, spend = with_ledger(engine, where, at, options["run_id"], story_id)
    # What a person says of a budget stands in place of what the ledger has.
    return engine, replace(said, spend={**spend, **said.spend}), shown(where)


def _state(engine: Engine, options: Mapping[str, Any], environ: Mapping[str, str]) -> State:
    available = None
    if options["available"]:
        from ..providers.keys import available_models

        available = available_models(engine.policy.models.values(), environ)
    return State(
        now=moment_of(options["at"], engine.table.zone),
        spend=dict(_spend(engine, text) for text in options["spend"]),
        down=frozenset(_model(engine, name) for name in options["down"]),
        available=available,
    )


def _model(engine: Engine, name: str) -> str:
    key = engine.table.references.get(name)
    if key is None:
        help = did_you_mean(name, engine.table.references, else_list="the models are")
        raise RequestError((Problem("down", f"unknown model `{name}`", help),))
    return key


def _spend(engine: Engine, text: str) -> tuple[str, Spend]:
    name, equals, amount = text.partition("=")
    budgets = engine.policy.budgets
    if not equals:
        raise click.UsageError(f"--spend {text}: write BUDGET=80% or BUDGET=400")
    if name not in budgets:
        help = did_you_mean(name, budgets, else_list="the budgets are")
        raise RequestError((Problem("spend", f"unknown budget `{name}`", help),))
    spent, plus, held = amount.partition("+")
    limits = [spent_nusd(part, budgets[name]) for part in ([spent, held] if plus else [spent])]
    if None in limits:
        raise click.UsageError(f"--spend {text}: `{amount}` is no amount; write {AMOUNTS}")
    return name, Spend(*(nusd for nusd in limits if nusd is not None))


_WEEKDAY_TIME = re.compile(r"(?:([A-Za-z]{3})[a-z]*\s+)?(\d{1,2}):(\d{2})")


def moment_of(text: str | None, zone: ZoneInfo) -> datetime:
    """The moment that --at names, in the policy's zone unless it says another; else the clock."""
    now = datetime.now(UTC)
    if text is None:
        return now
    match = _WEEKDAY_TIME.fullmatch(text.strip())
    found = moment(text, zone) if match is None else _next(now.astimezone(zone), match)
    if found is None:
        hint = 'write 2026-01-05T10:00, 10:00 or "Mon 10:00"'
        raise click.UsageError(f"--at {text}: that is no time; {hint}")
    return found


def _next(now: datetime, match: re.Match[str]) -> datetime | None:
    """Today at a time, or the next such weekday (today counts)."""
    day, hour, minute = match.groups()
    try:
        today = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0, fold=0)
        return (
            today if day is None else today + timedelta(days=(_DAYS.index(day.lower()) - now.weekday()) % 7)
        )
    except ValueError:
        return None
