"""Every fault, by every way to a provider: its kind, one request, in time, what it costs; no secret shown."""

from __future__ import annotations

import logging
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from policyctl.schemas.errors import Billed, ProviderError
from policyctl.schemas.policy import FailureKind as Kind

from ..servers.fake_providers import FakeProviders
from .routes import KEY, ROUTES, Caller, Route, calling

SOON_S = 0.25
"""The time that calls may take which are never answered."""

LATE_S = 0.5
"""How much later than its time a call may end at most."""


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    yield from calling()


@dataclass(frozen=True, slots=True)
class Means:
    """
    What a fault means: how it fails, or (kind None) that it is answered, and then whether tokens are told.
    """

    kind: Kind | None = None
    billed: Billed = Billed.NO
    status: int | None = None
    wait_s: tuple[float, float] | None = None
    counted: bool | None = None
    timeout_s: float = 5.0
    but: dict[str, Means] = field(default_factory=dict)

    def at(self, route: Route, streamed: bool) -> Means:
        """
        What it means on a way: by its whole name, the end or the start of it.
        """
        how = "streamed" if streamed else "plain"
        start, _, end = route.name.partition("-")
        names = (f"{route.name} {how}", route.name, f"{start} {how}", f"{end} {how}", end, how)
        return next((self.but[name] for name in names if name in self.but), self)


def on(kind: Kind, billed: Billed, **fields: object) -> Means:
    return replace(Means(kind, billed), **fields)  # type: ignore[arg-type]


UNREADABLE = on(Kind.BAD_RESPONSE, Billed.UNKNOWN)
EMPTY = on(Kind.BAD_RESPONSE, Billed.YES, counted=True)
LATE = on(Kind.TIMEOUT, Billed.UNKNOWN, timeout_s=SOON_S)
BROKEN = on(Kind.CONNECTION, Billed.UNKNOWN)
UNCOUNTED = Means(counted=False)
ESTIMATED = {"litellm streamed": UNCOUNTED}

FAULTS: dict[str, Means] = {
    # --- the provider says no
    "rate_limit:2": on(Kind.RATE_LIMIT, Billed.NO, status=429, wait_s=(2, 2)),
    "rate_limit_date:5": on(Kind.RATE_LIMIT, Billed.NO, status=429, wait_s=(3, 5)),
    "rate_limit_bare": on(Kind.RATE_LIMIT, Billed.NO, status=429),
    "quota": on(Kind.QUOTA, Billed.NO),
    "server_error": on(Kind.SERVER_ERROR, Billed.NO, status=500),
    "bad_gateway": on(Kind.SERVER_ERROR, Billed.UNKNOWN, status=502),
    "unavailable": on(Kind.OVERLOADED, Billed.NO, status=503),
    "overloaded": on(Kind.OVERLOADED, Billed.NO),
    "gateway_timeout": on(Kind.TIMEOUT, Billed.UNKNOWN, status=504),
    "auth": on(Kind.AUTH, Billed.NO, status=401),
    "bad_key": on(Kind.AUTH, Billed.NO),
    "permission": on(Kind.AUTH, Billed.NO, status=403),
    "not_found": on(Kind.NOT_FOUND, Billed.NO, status=404),
    "bad_request": on(Kind.INVALID_REQUEST, Billed.NO, status=400),
    "context_length": on(Kind.CONTEXT_WINDOW, Billed.NO, status=400),
    "content_filter": on(
        Kind.CONTENT_FILTER, Billed.NO, but={"gemini": on(Kind.CONTENT_FILTER, Billed.YES, counted=True)}
    ),
    "status:413": on(Kind.CONTEXT_WINDOW, Billed.NO, status=413),
    "status:418": on(Kind.INVALID_REQUEST, Billed.NO, status=418),
    "status:501": on(Kind.SERVER_ERROR, Billed.NO, status=501),
    "status:520": on(Kind.SERVER_ERROR, Billed.UNKNOWN, status=520),
    "redirect:302": on(Kind.BAD_RESPONSE, Billed.NO, status=302),
    "redirect:307": on(Kind.BAD_RESPONSE, Billed.NO, status=307),
    # --- it answers, and it isn't one
    "empty_text": EMPTY,
    "empty_choices": replace(
        EMPTY, but={"litellm-openai streamed": UNREADABLE, "litellm-gemini streamed": UNREADABLE}
    ),
    "length": EMPTY,
    "content_filter_finish": on(Kind.CONTENT_FILTER, Billed.YES, counted=True),
    # --- it answers, and doesn't say what it counted, or says what can't be
    "missing_usage": replace(
        UNCOUNTED, but={"litellm-anthropic plain": UNREADABLE, "litellm-gemini plain": UNREADABLE}
    ),
    "negative_usage": UNCOUNTED,
    "absurd_usage": UNCOUNTED,
    # --- it doesn't answer, or not whole
    "hang": LATE,
    "slow_drip": LATE,
    "stall_stream": LATE,
    "slow_stream:0.2": replace(LATE, but={"plain": Means(counted=True)}),
    "delay:0.6": LATE,
    "reset": BROKEN,
    "eof": BROKEN,
    "reset_mid": BROKEN,
    "eof_mid": BROKEN,
    "truncated_json": replace(UNREADABLE, but={}),
    # LiteLLM with DeepSeek, and Anthropic's SDK, drop an event that they can't read, and go on.
    "garbage": replace(
        UNREADABLE,
        but=dict.fromkeys(("litellm-deepseek streamed", "sdk-anthropic streamed"), Means(counted=True)),
    ),
    "empty_body": UNREADABLE,
    "header_bomb:200": replace(
        BROKEN, but=dict.fromkeys(("litellm-anthropic", "litellm-gemini", "litellm-deepseek"), UNREADABLE)
    ),
    "stream_error": on(
        Kind.SERVER_ERROR,
        Billed.UNKNOWN,
        but={
            "litellm plain": UNREADABLE,
            "sdk-gemini plain": UNREADABLE,
            "gemini streamed": on(Kind.OVERLOADED, Billed.UNKNOWN),
            "sdk-anthropic streamed": on(Kind.OVERLOADED, Billed.UNKNOWN),
        },
    ),
    "no_finish": replace(UNREADABLE, but={"plain": Means(counted=True)}),
    # --- it answers
    "no_done": Means(counted=True),
    "slow_drip:0.01:3": Means(counted=True),
}


# --- nothing gets out -----------------------------------------------------------------------------------

PROMPT = "canary-prompt-77d1"
MODEL = "canary-model-5b19"
"""Providers name the model in their errors: where it is, a provider's text is."""


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """
    What a test saw of failures, to which logs at their finest, warnings and output are added; none of it
    holds a key, a prompt, an answer or a word of a provider.
    """
    seen: list[str] = []
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield seen
    records = caplog.records
    seen += [f"{record.getMessage()} {record.exc_text} {record.args!r}" for record in records]
    seen += [str(warning.message) for warning in warned]
    seen += capfd.readouterr()

    told = "\n".join(seen)
    assert [] == [secret for secret in (KEY, PROMPT, MODEL) if secret in told]


def all_shown_by(failed: ProviderError) -> str:
    """
    All that a log or a report may show of a failure.
    """
    plain = [str(failed), repr(failed), repr(failed.args), repr(vars(failed))]
    return "\n".join([*plain, *traceback.format_exception(failed)])


# --- every fault, every way -------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault(
    fakes: FakeProviders, caller: Caller, shown: list[str], fault: str, route: Route, streamed: bool
) -> None:
    """
    One request, whatever comes; a failure of the kind that the fault is, or an answer; never much later
    than the call allows.
    """
    means = FAULTS[fault].at(route, streamed)
    fakes.plan("*", fault)
    call = replace(route, id=f"{route.id}-{MODEL}").call(fakes, means.timeout_s, text=f"{PROMPT} once more")
    began_s = time.monotonic()

    if means.kind is None:
        answer = caller.answer(call, streamed)
        tokens = answer.tokens
        assert f"echo: {PROMPT} once more" == answer.text
        assert means.counted == (tokens is not None and not tokens.estimated)
    else:
        failed = caller.failure(call, streamed)
        shown.append(all_shown_by(failed))
        assert (means.kind, means.billed) == (failed.kind, failed.billed)
        assert means.status is None or means.status == failed.status
        assert (means.counted is True) == (failed.tokens is not None)
        low, high = means.wait_s or (-1, -1)
        assert low <= (-1 if failed.retry_after_s is None else failed.retry_after_s) <= high
        assert (None, None) == (failed.__cause__, failed.__context__)

    assert time.monotonic() - began_s < means.timeout_s + LATE_S
    assert 1 == fakes.count()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_calls_and_answers_can_be_shown(fakes: FakeProviders, caller: Caller, route: Route) -> None:
    """
    Neither what was asked nor what was answered nor the key is in the `repr` of what holds it.
    """
    call = route.call(fakes, text=PROMPT)
    answer = caller.answer(call, streamed=False)
    adapter = caller.adapters.for_model(call.model)

    assert f"echo: {PROMPT}" == answer.text
    assert [] == [s for s in (KEY, PROMPT) if s in repr((call, answer, caller.adapters, adapter))]
