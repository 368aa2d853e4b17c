"""
The one object that answers requests: a policy's decisions, the models, and the ledger, put together.

    from policyctl import Router

    with Router.load("policyctl.policy") as router:
        result = router.complete("Name three rivers.", complexity=2)
        print(result.text, result.model, result.cost_nusd)
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .deciding import Engine, PolicyPath
from .engine.limits import spend_in, with_monthly_limit
from .engine.plain import request_from
from .engine.situation import Situation
from .ledger.address import is_address
from .ledger.health import SharedHealth
from .policy.words import nusd_of
from .providers.adapters.choose import Adapters
from .providers.health import Breakers
from .providers.kept import AnswerFile
from .providers.keys import available_models
from .providers.messages import Prompt, is_json, is_text, messages_of, tools_of
from .providers.sizes import likely_input_tokens
from .schemas.alerts import AlertWatch
from .schemas.calls import Message, Piece
from .schemas.decision import Decision, Outcome
from .schemas.errors import (
    ChainError,
    GateError,
    LedgerMisuse,
    PolicyctlError,
    Problem,
    RequestError,
    RouterError,
    RoutingError,
)
from .schemas.health import Health
from .schemas.job import Gate, Job, Plan
from .schemas.ledger import Purse
from .schemas.request import Failure, Request
from .schemas.run import Ending, Event, Observer, Result

if TYPE_CHECKING:
    from .ledger.ledger import Ledger
    from .providers.executor import Executor
    from .providers.loop import LoopThread

DEADLINE_S = 600.0
"""How long a request may take in all, where nobody says."""

MOST_DEADLINE_S = 86_400.0
MOST_OUTPUT_TOKENS = 10**7

LEDGER = Path(".claude-loop", "policyctl.db")
USAGE_LOG = Path(".claude-loop", "logs", "provider_usage.jsonl")


class Router:
    """
    Answers requests by a policy: decides, asks, falls back, escalates, and never overspends.

    It may be used by many threads and from any event loop. Close it, or use it as a context manager.

    Args:
        engine: the policy.
        ledger: where money is written down, opened with the policy. None only where it has no budgets.
        environ: where keys are looked for.
        adapters: who speaks to which model; None: the real providers, and models without a key are left out.
        health: which models may be tried; None: as all learn it who share the ledger.
        observe: told of everything that happens in every request.
        alerts: told of each call that is settled, and closed with the router; None: nobody tells alerts.
        clock: the time; it must know its zone.
    """

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        adapters: Adapters | None = None,
        health: Health | None = None,
        observe: Observer | None = None,
        alerts: AlertWatch | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._environ = os.environ if environ is None else environ
        counted = () if ledger is None else ledger.calendar.budgets
        uncounted = [name for name in engine.policy.budgets if name not in counted]
        if uncounted:
            text = f"nobody would count what budget {uncounted[0]} spends"
            help = "pass a ledger that was opened with this policy, or use Router.load"
            raise LedgerMisuse(Problem("ledger", text, help))
        self.engine, self.ledger = engine, ledger
        store = None if ledger is None else SharedHealth(ledger)
        self.health = Breakers(store) if health is None else health
        self._adapters, self._observe, self._clock = adapters, observe, clock
        self._alerts = alerts
        models = engine.policy.models.values()
        self._available = available_models(models, self._environ) if adapters is None else None
        self._scratch: TemporaryDirectory[str] | None = None
        self._starting = threading.Lock()
        self._closed, self._pid = False, os.getpid()
        self._loop: LoopThread | None = None
        self._executor: Executor | None = None

    @classmethod
    def load(
        cls,
        *paths: PolicyPath,
        ledger: Path | str | None = LEDGER,
        environ: Mapping[str, str] | None = None,
        offline: Path | bool = False,
        observe: Observer | None = None,
    ) -> Router:
        """
        Read a policy, and open or make its ledger. MONTHLY_COST_BUDGET sets the monthly limit. Alerts are
        told as this machine says.

        Args:
            paths: the policy, as for `Engine.load`.
            ledger: a file, or the address of a database; None: no ledger.
            environ: where keys are looked for; None: the process's environment.
            offline: True, or a script: no provider is asked, every model answers by the script. The
                money that is pretended goes into a ledger that is forgotten, unless `ledger` names one.

        Raises:
            PolicyError: the policy has errors.
            LedgerError: the ledger can't be used.
            SettingError: what this machine says of sending alerts can't be.
        """
        environ = os.environ if environ is None else environ
        engine = Engine.load(*paths)
        limit = environ.get("MONTHLY_COST_BUDGET")
        if limit:
            engine = engine.with_budgets(with_monthly_limit(engine.policy.budgets, _nano_usd(limit)))
        adapters, scratch = None, None
        if offline:
            script = None if offline is True else Path(offline)
            adapters = Adapters(environ, offline=True, script=script)
            if ledger is LEDGER:
                scratch = TemporaryDirectory()
                ledger = Path(scratch.name, LEDGER.name)
        opened = None
        try:
            opened = None if ledger is None else _open_ledger(engine, ledger)
            alerts = None if opened is None else alerts_of(engine, opened, environ)
        except PolicyctlError:
            if opened is not None:
                opened.close()
            if scratch is not None:
                scratch.cleanup()
            raise
        router = cls(engine, opened, environ=environ, adapters=adapters, observe=observe, alerts=alerts)
        router._scratch = scratch
        return router

    def __enter__(self) -> Router:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """
        End what is under way, let go of connections, and close the ledger.

        Raises:
            RouterError: who asks for it is an observer or gate on the router's own loop.
        """
        with self._starting:
            if self._loop is not None and self._loop.is_here():
                raise RouterError("a router can't be closed on its own loop")
            self._closed = True
            loop, self._loop = self._loop, None
            executor, self._executor = self._executor, None
        if loop is not None and executor is not None and self._pid == os.getpid():
            loop.close(executor.aclose)
        if self._alerts is not None:
            self._alerts.close()
        if self.ledger is not None:
            self.ledger.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    # --- answering ---------------------------------------------------------------------------------------

    def complete(self, prompt: Prompt, **asked: Any) -> Result:
        """
        Answer a request.

        Args:
            prompt: a text, or the messages of a conversation.
            asked: what else is asked, as for `job`; and `observe`, told of what happens meanwhile.

        Returns:
            The answer, with the decision, all attempts and their cost.

        Raises:
            RequestError: the request can't be decided.
            RoutingError: no model can serve it, or a rule or budget refuses it.
            ChainError: every step failed.
            GateError: a gate failed, and no tier is left to rise to.
            LedgerError: the ledger can't answer.
        """
        observe = asked.pop("observe", None)
        return _served(self.run(self.job(prompt, **asked), observe))

    async def acomplete(self, prompt: Prompt, **asked: Any) -> Result:
        """The same on the caller's event loop."""
        observe = asked.pop("observe", None)
        job = self.job(prompt, **asked)
        loop, executor = self._running()
        return _served(await loop.arun(executor.run(job, self._told(observe))))

    def stream(self, prompt: Prompt, **asked: Any) -> Generator[Piece | Result, None, None]:
        """
        Answer a request piece by piece; the Result comes last. Arguments and errors as for `complete`.

        Another model takes over only until the first piece. What is handed over can't be checked first, so
        `gates` and `keep` are for `complete`.
        """
        observe = asked.pop("observe", None)
        job = self.job(prompt, **asked)
        with closing(self.pieces(job, observe)) as pieces:
            for piece in pieces:
                yield _served(piece) if isinstance(piece, Result) else piece

    async def astream(self, prompt: Prompt, **asked: Any) -> AsyncGenerator[Piece | Result, None]:
        """The same on the caller's event loop."""
        observe = asked.pop("observe", None)
        job = self.job(prompt, **asked)
        _check_stream(job)
        loop, executor = self._running()
        async with aclosing(loop.aiterate(executor.stream(job, self._told(observe)))) as pieces:
            async for piece in pieces:
                yield _served(piece) if isinstance(piece, Result) else piece

    def run(self, job: Job, observe: Observer | None = None) -> Result:
        """Answer a job; whatever becomes of it is the result, and nothing is raised for a refusal."""
        loop, executor = self._running()
        return loop.run(executor.run(job, self._told(observe)))

    def pieces(self, job: Job, observe: Observer | None = None) -> Generator[Piece | Result, None, None]:
        """
        The same piece by piece; the Result comes last.

        Raises:
            RequestError: the job has gates or keeps its answer.
        """
        _check_stream(job)
        loop, executor = self._running()
        return loop.iterate(executor.stream(job, self._told(observe)))

    def job(
        self,
        prompt: Prompt,
        *,
        request: Request | None = None,
        alone: str | None = None,
        tools: Iterable[Mapping[str, Any]] = (),
        schema: Mapping[str, Any] | None = None,
        json_mode: bool = False,
        max_output_tokens: int | None = None,
        deadline_s: float = DEADLINE_S,
        gates: Mapping[str, Gate] | None = None,
        story_id: str | None = None,
        run_id: str | None = None,
        iteration: int | None = None,
        request_id: str | None = None,
        keep: Path | str | None = None,
        **facts: Any,
    ) -> Job:
        """
        One request, ready to be answered.

        Args:
            prompt: a text, or the messages of a conversation.
            request: what is decided by; or its fields, as for `Engine.decide`.
            alone: ask only this model: no fallback.
            tools: tools in OpenAI's form; the model must then be able to use tools.
            schema: a JSON Schema that the answer must follow.
            json_mode: the answer must be JSON.
            max_output_tokens: None: what suits the model.
            deadline_s: how long it may take in all, a day at most.
            gates: checks of the answer by name; a failed one raises the tier where the policy says so.
            story_id, run_id, iteration: whose budgets count, and what reports group by.
            request_id: names it for good, and no other request; None: a new name.
            keep: a file in which each answer lies from before it is paid for. Where the answer to the same
                prompt lies there, it is taken and nobody is asked; whoever has used it removes the file.
                Who is at work on it elsewhere is waited for.

        Raises:
            RequestError: it can't be decided, or isn't one.
        """
        messages, offered = messages_of(prompt), tools_of(tools)
        _check_terms(
            max_output_tokens=max_output_tokens,
            deadline_s=deadline_s,
            iteration=iteration,
            schema=schema,
            gates=gates,
            names={"story_id": story_id, "run_id": run_id, "request_id": request_id},
        )
        asked = request if request is not None else request_from(facts)
        asked = _completed(asked, messages, offered)
        if alone is not None:
            asked = replace(asked, preferred=alone)
        about = {
            "story_id": story_id,
            "run_id": run_id,
            "iteration": iteration,
            "complexity": asked.complexity,
            "domain": asked.domain,
        }
        return Job(
            request_id=request_id or uuid4().hex,
            plan=_Planner(self, asked, alone, run_id, story_id),
            messages=messages,
            deadline_s=deadline_s,
            max_output_tokens=max_output_tokens,
            tools=offered,
            schema=schema,
            json_mode=json_mode,
            gates=gates or {},
            keep=None if keep is None else AnswerFile(Path(keep), messages),
            about={name: value for name, value in about.items() if value is not None},
        )

    # --- inside ------------------------------------------------------------------------------------------

    def plan(
        self,
        request: Request,
        *,
        alone: str | None = None,
        run_id: str | None = None,
        story_id: str | None = None,
        explained: bool = False,
    ) -> Plan:
        """
        Decide for a request as things stand now: what is spent, whose key is there, who is in cooldown.

        Args:
            alone: the only model that may serve; None: the whole chain.
            explained: also say which models are left out for want of a key.

        Raises:
            RequestError: it can't be decided.
            LedgerError: the ledger can't tell what is spent.
        """
        windows = () if self.ledger is None else self.ledger.status(run_id=run_id, story_id=story_id)
        engine = self.engine.in_force(windows)
        situation = engine.situation(self._clock(), spend_in(windows), self.health.down(), self._available)
        decision = engine.decide(request, situation=situation)
        if alone is not None:
            return Plan(self._alone(decision, request, situation, alone))
        left_out = self._left_out(engine, decision, request, situation) if explained else ()
        together = frozenset[str]()
        fallback = engine.policy.fallback
        if fallback is not None and fallback.parallel and decision.chain:
            verdicts = engine.explain(request, situation=situation).verdicts
            together = frozenset(v.model for v in verdicts if v.kept and v.source == "fallback list")
        return Plan(decision, together, left_out)

    def _left_out(
        self, engine: Engine, decision: Decision, request: Request, situation: Situation
    ) -> tuple[tuple[str, str], ...]:
        """The models that would be in the chain if their keys were here, and why they aren't."""
        if self._available is None or all(key in self._available for key in engine.policy.models):
            return ()
        state = situation.state
        whole = engine.decide(request, now=state.now, spend=state.spend, down=state.down).chain
        missing = (key for key in whole if key not in decision.chain and key not in self._available)
        return tuple((key, situation.unusable[key]) for key in missing)

    def _alone(self, decision: Decision, request: Request, situation: Situation, name: str) -> Decision:
        """A decision for one model only; where it can't serve, the refusal says why."""
        key = self.engine.table.references[name]
        if key in decision.chain:
            return replace(decision, chain=(key,))
        if not decision.chain:
            return decision
        verdicts = self.engine.explain(request, situation=situation).verdicts
        why = next((v.reason for v in verdicts if v.model == key and not v.kept), "nothing names it")
        return replace(decision, outcome=Outcome.NO_MODEL, chain=(), refusal=f"{key} can't serve: {why}")

    def _running(self) -> tuple[LoopThread, Executor]:
        """The loop and the executor, started when they are first needed, in a fork anew."""
        with self._starting:
            if self._closed:
                raise RouterError("the router was closed")
            if self._loop is None or self._executor is None or self._pid != os.getpid():
                from .providers.executor import Executor
                from .providers.loop import LoopThread

                adapters = Adapters(self._environ) if self._adapters is None else self._adapters
                self._executor = Executor(
                    self.engine.policy, adapters, self.engine.attempt, self.health, self._purse()
                )
                self._loop, self._pid = LoopThread(), os.getpid()
            return self._loop, self._executor

    def _purse(self) -> Purse | None:
        """The ledger, which lets alerts know of what was settled."""
        if self.ledger is None or self._alerts is None:
            return self.ledger
        from .ledger.alerts.telling import Telling

        return Telling(self.ledger, self._alerts)

    def _told(self, observe: Observer | None) -> Observer | None:
        if observe is None or self._observe is None:
            return observe or self._observe
        always, this = self._observe, observe

        def both(event: Event) -> None:
            try:
                always(event)
            finally:  # one that raises doesn't keep it from the other
                this(event)

        return both


class _Planner:
    """Decides for one request again and again."""

    def __init__(
        self,
        router: Router,
        request: Request,
        alone: str | None,
        run_id: str | None,
        story_id: str | None,
    ) -> None:
        self._router, self._request, self._alone = router, request, alone
        self._run_id, self._story_id = run_id, story_id
        self._first = True

    def __call__(self, failures: tuple[Failure, ...]) -> Plan:
        request = replace(self._request, failures=(*self._request.failures, *failures))
        first, self._first = self._first, False
        return self._router.plan(
            request, alone=self._alone, run_id=self._run_id, story_id=self._story_id, explained=first
        )


def alerts_of(engine: Engine, ledger: Ledger, environ: Mapping[str, str]) -> AlertWatch | None:
    """
    Who tells the alerts and budget levels of a policy, as this machine says; None: it has none.

    Args:
        engine: the policy.
        ledger: what was spent.
        environ: has the addresses of webhooks.

    Raises:
        SettingError: what this machine says of sending them can't be.
    """
    policy = engine.policy
    if not policy.alerts and not any(budget.levels for budget in policy.budgets.values()):
        return None
    from .ledger.alerts.alerter import Alerter

    return Alerter(ledger, policy, environ=environ)


def _check_terms(
    *,
    max_output_tokens: object,
    deadline_s: object,
    iteration: object,
    schema: object,
    gates: object,
    names: Mapping[str, object],
) -> None:
    """
    See that a request can be held to what it says of itself.

    Raises:
        RequestError: it can't.
    """
    wrong = [
        Problem(name, f"`{name}` is a text that names something")
        for name, value in names.items()
        if not (value is None or is_text(value))
    ]
    if not (max_output_tokens is None or _is_between(max_output_tokens, 1, MOST_OUTPUT_TOKENS)):
        text = f"`max_output_tokens` is a whole number from 1 to {MOST_OUTPUT_TOKENS:,}"
        wrong.append(Problem("max_output_tokens", text))
    if isinstance(deadline_s, bool) or not isinstance(deadline_s, int | float):
        wrong.append(Problem("deadline_s", "`deadline_s` is a number of seconds"))
    elif not 0 < deadline_s <= MOST_DEADLINE_S:  # NaN isn't either
        wrong.append(Problem("deadline_s", "`deadline_s` is more than 0 and at most a day"))
    if not (iteration is None or _is_between(iteration, 0, 2**31)):
        wrong.append(Problem("iteration", "`iteration` is a whole number, 0 or more"))
    if not (schema is None or (isinstance(schema, Mapping) and is_json(schema))):
        wrong.append(Problem("schema", "`schema` is a JSON Schema that is an object"))
    if not (gates is None or (isinstance(gates, Mapping) and all(callable(g) for g in gates.values()))):
        wrong.append(Problem("gates", "`gates` are functions by their names"))
    if wrong:
        raise RequestError(tuple(wrong))


def _is_between(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _check_stream(job: Job) -> None:
    if job.gates or job.keep is not None:
        text = "what is streamed is handed over before it could be checked or kept"
        raise RequestError((Problem("gates", text, "use `complete`, or leave `gates` and `keep` off"),))


def _completed(request: Request, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Request:
    """The request with what its messages show: how long they are, that they have pictures or bring tools."""
    needs = {"tools"} if tools else set()
    if any(part.get("type") == "image_url" for message in messages for part in message.parts):
        needs.add("vision")
    tokens = request.input_tokens
    return replace(
        request,
        requires=request.requires | needs,
        input_tokens=likely_input_tokens(messages) if tokens is None else tokens,
    )


def _served(result: Result) -> Result:
    """
    A result that answers.

    Raises:
        RunError: by how it ended.
    """
    if result.ending is Ending.SERVED:
        return result
    raise _ERRORS[result.ending](result)


_ERRORS = {
    Ending.REFUSED: RoutingError,
    Ending.FAILED: ChainError,
    Ending.GATE_FAILED: GateError,
}


def _open_ledger(engine: Engine, where: Path | str) -> Ledger:
    from .ledger.ledger import Ledger

    address = is_address(str(where))
    place = str(where) if address else Path(where)
    log = USAGE_LOG if address else Path(where).parent / "logs" / USAGE_LOG.name
    return Ledger(place, engine.policy, log=log, create=True)


def _nano_usd(text: str) -> int:
    """
    MONTHLY_COST_BUDGET in nano-USD.

    Raises:
        RequestError: it is no amount of money.
    """
    amount_nusd = nusd_of(text)
    if amount_nusd is None:
        where = "MONTHLY_COST_BUDGET"
        raise RequestError((Problem(where, f"{where}={text} is no amount of money", "write 25 or 0.50"),))
    return amount_nusd
