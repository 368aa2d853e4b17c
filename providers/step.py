"""
One step of a chain: one model, tried until it answers, gives up, or may not be tried.

Before each attempt the most that it can cost is set aside; after it, whatever happened, the hold is
settled: as the real cost, given back, or counted in full where nobody knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from ..schemas.calls import Adapter, Adapters, Answer, Call, Piece, Tokens
from ..schemas.decision import Decision
from ..schemas.errors import Billed, LedgerError, LedgerMisuse, PolicyctlError, Problem, ProviderError
from ..schemas.health import Health
from ..schemas.job import Job, Kept
from ..schemas.ledger import Attempt, Denied, Hold, Purse, Usage
from ..schemas.policy import FailureKind, Model, Policy
from ..schemas.run import Ended, Event, Next, Skipped, Started
from .behaviour import Allowance, Then, after, jittered, retry_for
from .ending import to_its_end
from .feed import Feed
from .purser import Purser
from .sizes import most_input_tokens, most_nusd, most_output_tokens

TIMEOUT_S = 120.0
"""How long one attempt may take where the model says nothing."""

GRACE_S = 0.25
"""An adapter ends by itself at its time; this much later it is ended."""

LEASE_MARGIN_S = 60.0

_ROOM_S = (0.02, 0.05, 0.1, 0.25)
"""Waits for calls under way to give back what they hold."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all runs of an executor share."""

    policy: Policy
    adapters: Adapters
    ready: dict[str, Adapter]
    loading: asyncio.Lock
    attempt_for: Callable[..., Attempt]
    health: Health
    purse: Purse | None
    purser: Purser
    allowance: Allowance
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]


@dataclass(slots=True)
class Course:
    """One run's own: what it is about, when it must end, whom it tells."""

    job: Job
    began_s: float
    tell: Callable[[Event], None]
    streaming: bool = False

    def left_s(self, now_s: float) -> float:
        """The time until the deadline."""
        return self.began_s + self.job.deadline_s - now_s


@dataclass(slots=True)
class Opened:
    """A stream whose first piece has come, and what settles it."""

    first: Piece
    feed: Feed
    settle: Callable[[Answer | None, ProviderError | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Won:
    """A model answered, or began to."""

    model: Model
    index: int
    decision: Decision
    answer: Answer | None = None
    opened: Opened | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """A model didn't answer: it failed (`kind`), or wasn't asked (`kind` None), as by a budget (`denied`)."""

    model: Model
    kind: FailureKind | None
    words: str
    stop: bool = False
    denied: Denied | None = None


class Step:
    """
    One model's turn.

    Args:
        decision: the decision that made it its turn.
        index: its place among the models of this run, from 0.
        fallback: whether others of the same tier's chain came before it.
        escalation: what raised the tier, for the ledger.
    """

    def __init__(
        self,
        services: Services,
        course: Course,
        decision: Decision,
        model: Model,
        index: int,
        *,
        fallback: bool = False,
        escalation: str | None = None,
    ) -> None:
        self.services, self.course, self.decision = services, course, decision
        self.model, self.index = model, index
        self._fallback, self._escalation = fallback, escalation
        self._adapter: Adapter
        self._retry = retry_for(services.policy.retries, model.key)
        job = course.job
        self._most_input_tokens = most_input_tokens(model, job.messages, job.tools, job.schema)

    async def go(self) -> Won | Lost:
        """Try until it answers or it is the next model's turn."""
        try:
            # Before anything is timed or set aside: the libraries of some take seconds to be imported.
            self._adapter = await self._loaded()
        except PolicyctlError as error:
            return self._skip(str(error))
        for number in count(1):
            wait_s = await self._health(lambda: self.services.health.refused_s(self.model.key))
            if wait_s > 0:
                return self._skip(f"it is in cooldown for another {wait_s:.0f} s")
            outcome = await self._attempt(number)
            if not isinstance(outcome, Then):
                return outcome
            await self.services.sleep(outcome.wait_s)
        raise AssertionError  # the count never ends

    # --- one attempt ---------------------------------------------------------------------------------

    async def _attempt(self, number: int) -> Won | Lost | Then:
        """Won, lost, or the wait after which to try again."""
        now_s = self.services.clock()
        call = self._call(now_s)
        key = f"{self.course.job.request_id}:{self.index}:{number}"
        try:
            hold = await self._reserved(key, call, number)
        except BaseException:
            await to_its_end(self._health(lambda: self.services.health.left(self.model.key)))
            raise
        if isinstance(hold, Denied):
            await self._health(lambda: self.services.health.left(self.model.key))
            return self._skip(hold.message, hold)
        if number == 1:
            self.services.allowance.step()
        began_s = self.services.clock()
        self._tell_start(number, began_s)
        try:
            answer = await self._asked(call)
            await self._keep(answer)
        except ProviderError as error:
            return await to_its_end(self._failed(key, number, began_s, error))
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            kind = FailureKind.CANCELLED if cancelled else FailureKind.BAD_RESPONSE
            await to_its_end(self._given_up(key, number, began_s, kind))
            raise
        if isinstance(answer, Answer):
            await to_its_end(self._answered(key, number, began_s, answer))
            return Won(self.model, self.index, self.decision, answer)
        first, feed = answer
        opened = Opened(first, feed, self._settler(key, number, began_s))
        return Won(self.model, self.index, self.decision, opened=opened)

    def _call(self, now_s: float) -> Call:
        job, model = self.course.job, self.model
        output = most_output_tokens(model, job.max_output_tokens)
        timeout_s = TIMEOUT_S if model.timeout_s is None else model.timeout_s
        return Call(
            model=model,
            messages=job.messages,
            max_output_tokens=output,
            timeout_s=max(0.001, min(timeout_s, self.course.left_s(now_s))),
            settings=dict(model.settings),
            most_nusd=most_nusd(model, self._most_input_tokens, output),
            tools=job.tools,
            schema=job.schema,
            json_mode=job.json_mode,
        )

    async def _asked(self, call: Call) -> Answer | tuple[Piece, Feed]:
        try:
            async with asyncio.timeout(call.timeout_s + GRACE_S):
                if self.course.streaming:
                    return await _opened(Feed(self._adapter.stream(call)))
                return await self._adapter.complete(call)
        except TimeoutError:
            words = f"no answer within {call.timeout_s:g} s"
            raise ProviderError(FailureKind.TIMEOUT, words) from None

    async def _keep(self, answer: Answer | tuple[Piece, Feed]) -> None:
        """Lay a whole answer aside before it is paid for, so that a death in between loses neither."""
        keep = self.course.job.keep
        if keep is not None and isinstance(answer, Answer):
            kept = Kept(self.model.key, self.decision.tier, answer)
            await self.services.purser.ask(lambda: keep.keep(kept))

    async def _loaded(self) -> Adapter:
        ready = self.services.ready
        if self.model.key in ready:
            return ready[self.model.key]
        async with self.services.loading:  # one adapter each, however many ask for the first time at once
            ready[self.model.key] = await self.services.purser.ask(
                lambda: self.services.adapters.for_model(self.model)
            )
            return ready[self.model.key]

    # --- money ---------------------------------------------------------------------------------------

    async def _reserved(self, key: str, call: Call, number: int) -> Hold | Denied | None:
        """The hold; None where no ledger counts. It waits where only calls under way are in the way."""
        purse, job = self.services.purse, self.course.job
        if purse is None:
            return None
        attempt = self._ledger_attempt(key, call, number)
        lease_s = call.timeout_s + LEASE_MARGIN_S

        def reserve() -> Hold | Denied:
            return purse.reserve(attempt, send=True, lease_s=lease_s)

        def undo(answer: Hold | Denied) -> None:
            if isinstance(answer, Hold) and not answer.again:
                purse.release(key)

        for turn in count():
            answer = await self.services.purser.ask_or_undo(reserve, undo)
            if isinstance(answer, Hold) and answer.again:
                text = f"request `{job.request_id}` was sent before, and one hold counts one call"
                raise LedgerMisuse(Problem("request_id", text, "give each request an id of its own"))
            pause_s = _ROOM_S[min(turn, len(_ROOM_S) - 1)]
            only_held = isinstance(answer, Denied) and answer.only_held
            if not only_held or self.course.left_s(self.services.clock()) <= pause_s:
                return answer
            await self.services.sleep(pause_s)
        raise AssertionError  # the count never ends

    def _ledger_attempt(self, key: str, call: Call, number: int) -> Attempt:
        job, decision = self.course.job, self.decision
        about: dict[str, object] = {
            "tier": decision.tier,
            "decision_id": job.request_id,
            "attempt": number,
            "fallback_used": self._fallback or decision.served_by_fallback,
            "escalation": self._escalation,
            **job.about,
        }
        return self.services.attempt_for(
            key,
            self.model.key,
            most_nusd=call.most_nusd,
            max_input_tokens=self._most_input_tokens,
            max_output_tokens=call.max_output_tokens,
            **about,
        )

    async def _settled(
        self, work: Callable[[Purse], Hold], tell_health: Callable[[], None]
    ) -> Hold | LedgerError | None:
        """
        What the ledger makes of it; health is told in the same thread. An answer that is paid for isn't lost
        because the ledger can't write: the hold then stays, and counts in full when its lease has passed.
        """
        purse = self.services.purse
        if purse is None:
            tell_health()
            return None

        def settle() -> Hold | LedgerError:
            try:
                return work(purse)
            except LedgerError as error:
                return error
            finally:
                tell_health()

        return await self.services.purser.ask(settle)

    async def _health(self, ask: Callable[[], float | None]) -> float:
        """What health says. It may be shared through the ledger, so where there is one, a thread asks."""
        said = ask() if self.services.purse is None else await self.services.purser.ask(ask)
        return said or 0.0

    # --- what came of it --------------------------------------------------------------------------------

    async def _answered(self, key: str, number: int, began_s: float, answer: Answer) -> None:
        took_s = self.services.clock() - began_s
        usage = _usage(answer.tokens, took_s)
        hold = await self._settled(
            lambda purse: purse.commit(key, usage),
            lambda: self.services.health.succeeded(self.model.key, took_s),
        )
        self._tell_end(number, began_s, tokens=answer.tokens, hold=hold)

    async def _failed(self, key: str, number: int, began_s: float, error: ProviderError) -> Lost | Then:
        """Settle a failed attempt, and say what follows."""
        hold = await self._settled_failure(key, began_s, error)
        then = self._then(error, number)
        self._tell_end(number, began_s, error=error, tokens=error.tokens, hold=hold, then=then)
        if then.next is Next.RETRY:
            return then
        return Lost(self.model, error.kind, error.words, stop=then.next is Next.STOP)

    def _then(self, error: ProviderError, number: int) -> Then:
        then = after(self._retry, error.kind, number, error.retry_after_s)
        if then.next is not Next.RETRY:
            return then
        wait_s = jittered(then, self.services.random())
        if wait_s >= self.course.left_s(self.services.clock()) or not self.services.allowance.draw():
            return Then(Next.NEXT_MODEL)
        return Then(Next.RETRY, wait_s)

    async def _given_up(self, key: str, number: int, began_s: float, kind: FailureKind) -> None:
        """Nobody waits for the answer any more; it may be billed all the same."""
        hold = await self._settled(
            lambda purse: purse.abandon(key, kind.value), lambda: self.services.health.left(self.model.key)
        )
        error = ProviderError(kind, "nobody waits for it any more")
        self._tell_end(number, began_s, error=error, hold=hold)

    def _settler(
        self, key: str, number: int, began_s: float
    ) -> Callable[[Answer | None, ProviderError | None], Awaitable[None]]:
        async def settle(answer: Answer | None, error: ProviderError | None) -> None:
            if answer is not None:
                await self._answered(key, number, began_s, answer)
            elif error is not None:
                # What was handed over can't be taken back, so nothing follows.
                await self._broke(key, number, began_s, error)
            else:
                await self._given_up(key, number, began_s, FailureKind.CANCELLED)

        return settle

    async def _broke(self, key: str, number: int, began_s: float, error: ProviderError) -> None:
        hold = await self._settled_failure(key, began_s, error)
        self._tell_end(number, began_s, error=error, tokens=error.tokens, hold=hold, then=Then(Next.STOP))

    async def _settled_failure(
        self, key: str, began_s: float, error: ProviderError
    ) -> Hold | LedgerError | None:
        took_s = self._since(began_s)
        return await self._settled(
            lambda purse: _settle_failure(purse, key, error, took_s),
            lambda: self.services.health.failed(self.model.key, error.kind, error.retry_after_s),
        )

    # --- telling ---------------------------------------------------------------------------------------

    def _since(self, began_s: float) -> float:
        return self.services.clock() - began_s

    def _at_s(self) -> float:
        return self.services.clock() - self.course.began_s

    def _skip(self, why: str, denied: Denied | None = None) -> Lost:
        self.course.tell(
            Skipped(
                model=self.model.key,
                provider=self.model.provider,
                step=self.index,
                at_s=self._at_s(),
                why=why,
            )
        )
        return Lost(self.model, None, why, denied=denied)

    def _tell_start(self, number: int, began_s: float) -> None:
        self.course.tell(
            Started(
                model=self.model.key,
                provider=self.model.provider,
                step=self.index,
                attempt=number,
                at_s=began_s - self.course.began_s,
            )
        )

    def _tell_end(
        self,
        number: int,
        began_s: float,
        *,
        error: ProviderError | None = None,
        tokens: Tokens | None = None,
        hold: Hold | LedgerError | None = None,
        then: Then | None = None,
    ) -> None:
        unwritten = isinstance(hold, LedgerError)
        words = f"the ledger couldn't write it down: {hold}" if unwritten else ""
        flagged = unwritten or (isinstance(hold, Hold) and hold.flag is not None)
        self.course.tell(
            Ended(
                model=self.model.key,
                provider=self.model.provider,
                step=self.index,
                attempt=number,
                at_s=self._at_s(),
                took_s=self._since(began_s),
                kind=None if error is None else error.kind,
                words=words if error is None else "; ".join(filter(None, (error.words, words))),
                status=None if error is None else error.status,
                tokens=tokens,
                estimated=flagged or (error is None and (tokens is None or tokens.estimated)),
                cost_nusd=_cost(self.model, tokens, hold),
                then=None if then is None else then.next,
                wait_s=0.0 if then is None else then.wait_s,
            )
        )


async def _opened(feed: Feed) -> tuple[Piece, Feed]:
    """A stream with its first piece."""
    try:
        first = await feed.next()
        if first is None:
            raise ProviderError(FailureKind.BAD_RESPONSE, "the stream was empty")
    except BaseException:
        await feed.close()
        raise
    return first, feed


def _usage(tokens: Tokens | None, took_s: float, error: FailureKind | None = None) -> Usage:
    known: Mapping[str, int | None] = (
        {}
        if tokens is None
        else {
            "input_tokens": tokens.input_tokens,
            "output_tokens": tokens.output_tokens,
            "cache_read_tokens": tokens.cache_read_tokens,
            "cache_write_tokens": tokens.cache_write_tokens,
            "cost_nusd": tokens.cost_nusd,
        }
    )
    return Usage(
        latency_ms=round(took_s * 1000),
        success=error is None,
        error=None if error is None else error.value,
        **known,  # type: ignore[arg-type]
    )


def _settle_failure(purse: Purse, key: str, error: ProviderError, took_s: float) -> Hold:
    """Give the hold back where the failure is known to cost nothing; else it counts, as told or in full."""
    if error.tokens is not None:
        return purse.commit(key, _usage(error.tokens, took_s, error.kind))
    if error.billed is Billed.NO:
        return purse.release(key, error.kind.value)
    return purse.abandon(key, error.kind.value)


def _cost(model: Model, tokens: Tokens | None, hold: Hold | LedgerError | None) -> int | None:
    """What an attempt cost: as the ledger counts it, else by its tokens."""
    if isinstance(hold, Hold):
        return hold.cost_nusd
    if tokens is None:
        return None
    if tokens.cost_nusd is not None:
        return tokens.cost_nusd
    return most_nusd(model, tokens.input_tokens, tokens.output_tokens)
