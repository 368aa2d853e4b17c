"""
Walks a chain: one step after the other, or side by side, until one answers.

Everything clever was decided before. Here are only the order of things, the clock, and who has to be
told. It runs on one event loop; `loop.py` gives it to the rest of the world.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from ..schemas.calls import Adapters, Answer, Piece
from ..schemas.decision import Decision
from ..schemas.errors import Problem, ProviderError, RequestError
from ..schemas.health import Health
from ..schemas.job import Job, Plan
from ..schemas.ledger import Attempt, Purse
from ..schemas.policy import FailureKind, Model, Policy
from ..schemas.request import Failure
from ..schemas.run import Changed, Ended, Ending, Event, Observer, Result, Skipped
from .behaviour import Allowance
from .ending import to_its_end
from .purser import Purser
from .step import Course, Lost, Opened, Services, Step, Won

_TURN_S = 0.1
"""How often to look whether another process is done with the same request."""


class Executor:
    """
    Answers requests along the chains of one policy.

    Args:
        policy: whose models, retries and hedging count.
        adapters: who speaks to a model.
        attempt_for: what the ledger is told of a call: `attempt_for(key, model, **about)`.
        health: which models may be tried.
        purse: the ledger; None: nothing is set aside, and no budget is looked at.
        clock, sleep, random: seconds that only rise, waiting on the loop, numbers from 0 up to 1.
    """

    def __init__(
        self,
        policy: Policy,
        adapters: Adapters,
        attempt_for: Callable[..., Attempt],
        health: Health,
        purse: Purse | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._services = Services(
            policy=policy,
            adapters=adapters,
            ready={},
            loading=asyncio.Lock(),
            attempt_for=attempt_for,
            health=health,
            purse=purse,
            purser=Purser(),
            allowance=Allowance(),
            clock=clock,
            sleep=sleep,
            random=random,
        )

    async def run(self, job: Job, observe: Observer | None = None) -> Result:
        """
        Answer a request.

        Returns:
            What became of it; a refusal or a failure is a result too.

        Raises:
            RequestError, LedgerError: it can't be decided.
        """
        walk = _Walk(self._services, job, observe)
        return await walk.to_the_end()

    async def stream(self, job: Job, observe: Observer | None = None) -> AsyncGenerator[Piece | Result, None]:
        """
        Answer a request piece by piece; the last one is the Result.

        Another model takes over only until the first piece has been handed over. Whoever stops
        listening closes the iterator.
        """
        walk = _Walk(self._services, job, observe, streaming=True)
        async with aclosing(walk.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def aclose(self) -> None:
        """Let go of connections, children and threads; nothing may be under way any more."""
        await self._services.adapters.close()
        self._services.purser.close()


class _Walk:
    """One request on its way."""

    def __init__(
        self, services: Services, job: Job, observe: Observer | None, *, streaming: bool = False
    ) -> None:
        self.services, self.job = services, job
        self.events: list[Event] = []
        self._observe = observe
        self.course = Course(job, services.clock(), self._tell, streaming)
        self.legs: dict[asyncio.Task[Won | Lost], int] = {}
        self.tried: list[str] = []
        self.too_small: int = 0
        self.failures: list[Failure] = []
        self.lost: list[Lost] = []
        self.escalations = 0
        self.before_tier = 0
        self.plan: Plan

    # --- the two faces ---------------------------------------------------------------------------------

    async def to_the_end(self) -> Result:
        """Walk until a model's answer passes, or nobody is left."""
        try:
            await self._begin()
            kept = await self._kept()
            while True:
                won = kept or await self._first_answer()
                kept = None
                if not isinstance(won, Won):
                    return won
                gate = await self._failed_gate(won)
                if gate is None:
                    return self._result(Ending.SERVED, won=won)
                if not await self._risen(gate, won):
                    words = f"gate {gate} failed, and no tier is left to rise to"
                    return self._result(Ending.GATE_FAILED, won=won, gate=gate, words=words)
        finally:
            await self._end_legs()
            if self.job.keep is not None:
                self.job.keep.leave()

    async def pieces(self) -> AsyncGenerator[Piece | Result, None]:
        """Walk until a model's first piece has come; then hand over all of them, and the result."""
        try:
            await self._begin()
            won = await self._first_answer()
        finally:
            await self._end_legs()
        if not isinstance(won, Won):
            yield won
            return
        assert won.opened is not None
        handed = _Handed(won.opened, self.course, self.services.clock)
        async with aclosing(handed.pieces()) as pieces:
            async for piece in pieces:
                yield piece
        if handed.error is None:
            yield self._result(Ending.SERVED, won=replace(won, answer=handed.answer))
        else:
            words = f"{won.model.key} broke off in the middle: {handed.error.words}"
            yield self._result(Ending.FAILED, won=won, words=words)

    async def _kept(self) -> Won | None:
        """The answer that an earlier run of this request was given and didn't use."""
        keep, policy = self.job.keep, self.services.policy
        if keep is None:
            return None
        while not await self.services.purser.ask(keep.enter):
            if self.course.left_s(self.services.clock()) <= _TURN_S:
                raise RequestError((Problem("keep", "another process is at work on this request"),))
            await self.services.sleep(_TURN_S)
        kept = await self.services.purser.ask(keep.load)
        tiers = {None, *(tier.name for tier in policy.tiers)}
        if kept is None or kept.model not in policy.models or kept.tier not in tiers:
            return None
        self.tried.append(kept.model)
        decision = replace(self.plan.decision, tier=kept.tier)
        return Won(policy.models[kept.model], 0, decision, kept.answer)

    # --- the walk --------------------------------------------------------------------------------------

    async def _first_answer(self) -> Won | Result:
        """The first answer that comes, or the result where none does."""
        if not self._start_next():
            return self._nobody()
        while True:
            done = await self._some_are_done()
            in_order = sorted(done, key=self.legs.__getitem__)
            winner = next((task for task in in_order if _won(task) is not None), None)
            if winner is not None:
                return await self._alone(winner)
            for task in in_order:
                leg = task.result()  # what a step raised by mistake ends the run, and `_end_legs` the others
                del self.legs[task]
                assert isinstance(leg, Lost)
                self._note_loss(leg)
            stopped = next((leg for leg in self.lost if leg.stop), None)
            if stopped is not None:
                await self._end_legs()  # first: what they may be billed belongs to the result
                return self._result(Ending.FAILED, words=self._words(f"{stopped.model.key}: {stopped.words}"))
            if self.course.left_s(self.services.clock()) <= 0:
                await self._end_legs()
                return self._result(Ending.FAILED, words=self._words("the deadline has passed"))
            if done and self.legs:
                continue
            await self._replan()
            if not self._start_next() and not self.legs:
                return self._nobody()

    async def _some_are_done(self) -> set[asyncio.Task[Won | Lost]]:
        """Wait until a leg ends, the next one may start beside it, or the deadline has come."""
        patience_s = self.course.left_s(self.services.clock())
        hedge_s = self.services.policy.hedge_after_s
        if hedge_s is not None and self._next_models():
            patience_s = min(patience_s, hedge_s)
        done, _ = await asyncio.wait(
            self.legs, timeout=max(0.0, patience_s), return_when=asyncio.FIRST_COMPLETED
        )
        return done

    def _next_models(self) -> list[Model]:
        """Whose turn it is: one model, or all that start together."""
        models = self.services.policy.models
        rest = [key for key in self.plan.decision.chain if key not in self.tried]
        fits = [key for key in rest if not _smaller(models[key], self.too_small)]
        if not fits:
            return []
        if fits[0] in self.plan.together:
            return [models[key] for key in fits if key in self.plan.together]
        return [models[fits[0]]]

    def _start_next(self) -> bool:
        started = self._next_models()
        for model in started:
            index = len(self.tried)
            self.tried.append(model.key)
            step = Step(
                self.services,
                self.course,
                self.plan.decision,
                model,
                index,
                fallback=index > self.before_tier,
                escalation=f"escalated to {self.plan.decision.tier}" if self.escalations else None,
            )
            self.legs[asyncio.create_task(step.go(), name=f"policyctl-step-{index}")] = index
        return bool(started)

    def _note_loss(self, leg: Lost) -> None:
        self.lost.append(leg)
        if leg.kind is None:
            return
        if leg.kind is FailureKind.CONTEXT_WINDOW and leg.model.context_tokens is not None:
            self.too_small = max(self.too_small, leg.model.context_tokens)
        if any(leg.kind in escalation.kinds for escalation in self.services.policy.escalations):
            self.failures.append(Failure(leg.kind.value, self.plan.decision.tier))

    async def _alone(self, winner: asyncio.Task[Won | Lost]) -> Won:
        """The winner, when the other legs have ended."""
        won = winner.result()
        assert isinstance(won, Won)
        del self.legs[winner]
        try:
            await self._end_legs()
        except BaseException:
            await to_its_end(_dropped(won))
            raise
        return won

    async def _end_legs(self) -> None:
        """Cancel what is still running, and hear it out, so that no hold and no task is left behind."""
        legs, self.legs = list(self.legs), {}
        if legs:
            await to_its_end(_ended(legs))

    async def _begin(self) -> None:
        self.plan = await self._planned()
        for key, why in self.plan.left_out:
            provider = self.services.policy.models[key].provider
            self._tell(Skipped(model=key, provider=provider, step=0, at_s=0.0, why=why))

    # --- deciding anew -----------------------------------------------------------------------------------

    async def _planned(self) -> Plan:
        failures = tuple(self.failures)
        if self.services.purse is None:
            return self.job.plan(failures)
        return await self.services.purser.ask(lambda: self.job.plan(failures))

    async def _replan(self) -> None:
        """What was spent or has failed meanwhile changes the rest of the chain."""
        before, self.plan = self.plan.decision, await self._planned()
        now = self.plan.decision
        why = _difference(before, now)
        if why:
            if now.tier != before.tier and now.action == before.action:
                self.escalations += 1
                self.before_tier = len(self.tried)
            at_s = self.services.clock() - self.course.began_s
            self._tell(Changed(at_s=at_s, decision=now, why=why))

    async def _failed_gate(self, won: Won) -> str | None:
        """The first gate that the answer doesn't pass in time."""
        answer = won.answer
        assert answer is not None
        for name, gate in self.job.gates.items():
            try:
                async with asyncio.timeout(max(0.0, self.course.left_s(self.services.clock()))):
                    if not await self.services.purser.judge(gate, answer):
                        return name
            except TimeoutError:
                return name
        return None

    async def _risen(self, gate: str, won: Won) -> bool:
        """Whether a failed gate raises the tier; then the walk goes on there."""
        self.failures.append(Failure(f"gate {gate}", won.decision.tier))
        tiers = [tier.name for tier in self.services.policy.tiers]
        await self._replan()
        now = self.plan.decision
        if now.no_way_up or now.tier is None or won.decision.tier is None:
            return False
        if now.chain and not self._next_models():
            return False  # all of the higher tier have been asked already
        return tiers.index(now.tier) > tiers.index(won.decision.tier)

    # --- how it ends -------------------------------------------------------------------------------------

    def _nobody(self) -> Result:
        decision = self.plan.decision
        if not decision.chain:
            words = decision.refusal or decision.outcome.value
            return self._result(Ending.REFUSED, words=words)
        if self.lost and all(leg.denied is not None for leg in self.lost):
            return self._result(Ending.REFUSED, words=self.lost[-1].words)
        if not self.lost and self.failures:  # they are gates alone: whoever is left was asked already
            gate = self.failures[-1].cause.removeprefix("gate ")
            words = f"gate {gate} failed, and no other model is left"
            return self._result(Ending.GATE_FAILED, gate=gate, words=words)
        return self._result(Ending.FAILED, words=self._words("every step failed"))

    def _words(self, how: str) -> str:
        each = [f"{leg.model.key} ({leg.words if leg.kind is None else leg.kind.value})" for leg in self.lost]
        return f"{how}: {', '.join(each)}" if each else how

    def _result(
        self, ending: Ending, *, won: Won | None = None, gate: str | None = None, words: str = ""
    ) -> Result:
        ended = [event for event in self.events if isinstance(event, Ended)]
        denied = [leg.denied for leg in self.lost if leg.denied is not None]
        return Result(
            ending=ending,
            decision=self.plan.decision if won is None else won.decision,
            request_id=self.job.request_id,
            events=tuple(self.events),
            answer=None if won is None else won.answer,
            model=None if won is None else won.model.key,
            provider=None if won is None else won.model.provider,
            cost_nusd=sum(event.cost_nusd or 0 for event in ended),
            escalations=self.escalations,
            failed_gate=gate,
            denied=denied[-1] if ending is Ending.REFUSED and denied else None,
            words=words,
        )

    def _tell(self, event: Event) -> None:
        self.events.append(event)
        if self._observe is None:
            return
        try:
            self._observe(event)
        except Exception as error:
            # Whoever looks on can't spoil what is paid for.
            said = {"message": "an observer of policyctl raised", "exception": error}
            asyncio.get_running_loop().call_exception_handler(said)


class _Handed:
    """The pieces of a stream on their way to the one who asked; what is left to settle is settled."""

    def __init__(self, opened: Opened, course: Course, clock: Callable[[], float]) -> None:
        self._opened, self._course, self._clock = opened, course, clock
        self.answer: Answer | None = None
        self.error: ProviderError | None = None

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Each piece as it comes."""
        try:
            piece: Piece | None = self._opened.first
            while piece is not None:
                self.answer = piece.answer
                yield piece
                piece = None if self.answer is not None else await self._next()
        finally:
            await self._close()

    async def _next(self) -> Piece | None:
        left_s = self._course.left_s(self._clock())
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                piece = await self._opened.feed.next()
                if piece is None:
                    raise ProviderError(FailureKind.BAD_RESPONSE, "the stream stopped before its end")
                return piece
        except TimeoutError:
            self.error = ProviderError(FailureKind.TIMEOUT, "the deadline has passed")
        except ProviderError as error:
            self.error = error
        return None

    async def _close(self) -> None:
        await to_its_end(_close_stream(self._opened, self.answer, self.error))


async def _ended(legs: Sequence[asyncio.Task[Won | Lost]]) -> None:
    for task in legs:
        task.cancel()
    await asyncio.wait(legs)
    for task in legs:
        won = _won(task)
        if won is not None:
            await _dropped(won)


def _won(task: asyncio.Task[Won | Lost]) -> Won | None:
    """What a leg that has ended won, if it did."""
    if task.cancelled() or task.exception() is not None:
        return None
    leg = task.result()
    return leg if isinstance(leg, Won) else None


async def _dropped(won: Won) -> None:
    """Settle a stream that began too late to be listened to. A whole answer is settled already."""
    if won.opened is not None:
        await _close_stream(won.opened, None, None)


async def _close_stream(opened: Opened, answer: Answer | None, error: ProviderError | None) -> None:
    await opened.feed.close()
    await opened.settle(answer, error)


def _smaller(model: Model, tokens: int) -> bool:
    """Whether a model's window is known to be no larger than one that was too small."""
    return model.context_tokens is not None and model.context_tokens <= tokens


def _difference(before: Decision, now: Decision) -> str:
    """What is new, in a phrase; empty where only the order of models may be."""
    if now.outcome is not before.outcome:
        return now.refusal or now.outcome.value
    if (now.budget, now.action) != (before.budget, before.action):
        return f"budget {now.budget}: {now.action}" if now.action else "no budget level is in force any more"
    if now.tier != before.tier:
        return f"the tier is {now.tier} now"
    return ""
