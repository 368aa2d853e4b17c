"""What a failure is told by: status, codes, headers, and the exceptions of HTTP libraries."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import httpx
import httpx2
import pytest

from policyctl.providers.adapters.bounds import bounded
from policyctl.providers.adapters.checks import check_call, checked, counted, finished
from policyctl.providers.adapters.classify import (
    Said,
    failure_of,
    failure_said,
    kind_of,
    read_error,
    retry_after_s,
)
from policyctl.schemas.calls import Answer, Tokens
from policyctl.schemas.errors import Billed, ProviderError
from policyctl.schemas.policy import FailureKind as Kind

from .calls import a_call

SUN, MONDAY = "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT"
SUN_S = 784111777.0


@pytest.mark.parametrize(
    ("status", "kind", "billed"),
    [
        (307, Kind.BAD_RESPONSE, Billed.NO),
        (400, Kind.INVALID_REQUEST, Billed.NO),
        (401, Kind.AUTH, Billed.NO),
        (402, Kind.QUOTA, Billed.NO),
        (403, Kind.AUTH, Billed.NO),
        (404, Kind.NOT_FOUND, Billed.NO),
        (408, Kind.TIMEOUT, Billed.UNKNOWN),
        (413, Kind.CONTEXT_WINDOW, Billed.NO),
        (422, Kind.INVALID_REQUEST, Billed.NO),
        (429, Kind.RATE_LIMIT, Billed.NO),
        (500, Kind.SERVER_ERROR, Billed.NO),
        (502, Kind.SERVER_ERROR, Billed.UNKNOWN),
        (503, Kind.OVERLOADED, Billed.NO),
        (504, Kind.TIMEOUT, Billed.UNKNOWN),
        (520, Kind.SERVER_ERROR, Billed.UNKNOWN),
        (529, Kind.OVERLOADED, Billed.NO),
    ],
)
def test_a_status(status: int, kind: Kind, billed: Billed) -> None:
    """
    A status tells the kind, and whether anything is billed: a gateway's says nothing of that.
    """
    failed = failure_said(Said(status))

    assert (kind, billed, status) == (failed.kind, failed.billed, failed.status)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"error": {"code": "insufficient_quota"}}, Kind.QUOTA),
        (429, {"error": {"code": "rate_limit_exceeded"}}, Kind.RATE_LIMIT),
        (400, {"error": {"code": "context_length_exceeded"}}, Kind.CONTEXT_WINDOW),
        (
            400,
            {"error": {"type": "invalid_request_error", "message": "prompt is too long"}},
            Kind.CONTEXT_WINDOW,
        ),
        (400, {"error": {"message": "Your credit balance is too low"}}, Kind.QUOTA),
        (429, {"error": {"message": "Your credit balance is too low"}}, Kind.RATE_LIMIT),
        (400, {"error": {"details": [{"reason": "API_KEY_INVALID"}]}}, Kind.AUTH),
        (500, {"error": {"type": "overloaded_error"}}, Kind.OVERLOADED),
        (
            429,
            {"error": {"details": [{"violations": [{"quotaId": "RequestsPerDayPerProject"}]}]}},
            Kind.QUOTA,
        ),
        (None, {"type": "error", "error": {"type": "rate_limit_error"}}, Kind.RATE_LIMIT),
        (None, {"error": "what?"}, Kind.SERVER_ERROR),
        (400, "<html>400</html>", Kind.INVALID_REQUEST),
        (429, b"{'error': {'code': 'insufficient_quota'}}", Kind.QUOTA),
        (400, [[[["deep"]]]], Kind.INVALID_REQUEST),
        (500, None, Kind.SERVER_ERROR),
    ],
)
def test_a_code_says_more_than_a_status(status: int | None, body: object, kind: Kind) -> None:
    """
    Where a provider says why in its own code, or in words alone, that counts before the status.
    """
    assert kind == kind_of(read_error(status, body))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": MONDAY, "date": SUN}, 86_400.0),
        ({"retry-after": MONDAY}, 86_400.0),
        ({"retry-after": SUN, "date": MONDAY}, 0.0),
        ({"retry-after": "99999999999"}, 30 * 86_400.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 99 Foo 1994 08:49:37 GMT"}, None),
        ({}, None),
    ],
)
def test_how_long_a_provider_wants_to_be_left_alone(headers: dict[str, str], expected: float | None) -> None:
    """
    Seconds, milliseconds or a moment, which is compared with the provider's own clock where it tells it.
    """
    assert expected == retry_after_s(headers, now=SUN_S)


def test_google_says_it_in_the_body() -> None:
    """
    RetryInfo counts where no header does.
    """
    body = {"error": {"details": [{"@type": "RetryInfo", "retryDelay": "7.5s"}]}}

    assert 7.5 == read_error(429, body).retry_after_s
    assert 7.5 == read_error(429, str(body)).retry_after_s
    assert 2.0 == read_error(429, body, {"retry-after": "2"}).retry_after_s


def caused(error: Exception, *by: Exception) -> Exception:
    """
    An error with what caused it.
    """
    last = error
    for each in by:
        last.__cause__ = each
        last = each
    return error


@pytest.mark.parametrize(
    ("error", "kind", "billed"),
    [
        (TimeoutError(), Kind.TIMEOUT, Billed.UNKNOWN),
        (httpx.ReadTimeout("x"), Kind.TIMEOUT, Billed.UNKNOWN),
        (httpx2.ConnectTimeout("x"), Kind.TIMEOUT, Billed.NO),
        (httpx.ConnectError("x"), Kind.CONNECTION, Billed.NO),
        (ConnectionRefusedError(), Kind.CONNECTION, Billed.NO),
        (socket.gaierror(), Kind.CONNECTION, Billed.NO),
        (ssl.SSLCertVerificationError(), Kind.CONNECTION, Billed.NO),
        (httpx.ReadError("x"), Kind.CONNECTION, Billed.UNKNOWN),
        (httpx2.RemoteProtocolError("x"), Kind.CONNECTION, Billed.UNKNOWN),
        (ConnectionResetError(), Kind.CONNECTION, Billed.UNKNOWN),
        (ssl.SSLError(), Kind.CONNECTION, Billed.UNKNOWN),
        (
            caused(RuntimeError(), httpx.ConnectError("x"), ConnectionRefusedError()),
            Kind.CONNECTION,
            Billed.NO,
        ),
        # Something was sent before it was refused the second time.
        (caused(httpx.ConnectError("x"), httpx.ReadError("x")), Kind.CONNECTION, Billed.UNKNOWN),
        (ValueError(), Kind.BAD_RESPONSE, Billed.UNKNOWN),
        (KeyError("usage"), Kind.BAD_RESPONSE, Billed.UNKNOWN),
    ],
)
def test_an_exception(error: Exception, kind: Kind, billed: Billed) -> None:
    """
    The line and the clock are told apart, and a call that never left from one that may be billed.
    """
    failed = failure_of(error)

    assert (kind, billed) == (failed.kind, failed.billed)


def test_nothing_of_an_exception_goes_further() -> None:
    """
    What a library raised is neither cause nor context of the failure.
    """

    async def broken() -> None:
        raise ValueError("a secret")

    with pytest.raises(ProviderError) as caught:
        asyncio.run(bounded(a_call(), broken()))

    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


# --- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((10, 5), (10, 5, 0, 0)),
        ((10, 5, 4, 3), (10, 5, 4, 3)),
        ((10, 5, 12, 3), (10, 5, 10, 0)),
        ((10.0, 5), (10, 5, 0, 0)),
        ((0, 0), None),
        ((-1, 5), None),
        ((10, 10**10), None),
        ((float("nan"), 5), None),
        ((float("inf"), 5), None),
        (("10", 5), None),
        ((True, 5), None),
        ((None, None), None),
    ],
)
def test_counts(counts: tuple[Any, ...], expected: tuple[int, ...] | None) -> None:
    """
    Tokens that can't be are as good as none.
    """
    tokens = counted(*counts)

    assert expected == (
        None
        if tokens is None
        else (tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens, tokens.cache_write_tokens)
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [("end_turn", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("odd", "odd"), (3, None)],
)
def test_why_an_answer_ended(said: object, expected: str | None) -> None:
    """
    Every provider's word for it is OpenAI's.
    """
    assert expected == finished(said)


PAID = Tokens(input_tokens=1, output_tokens=1)


@pytest.mark.parametrize(
    ("schema", "text", "kind"),
    [
        ({"type": "nonsense"}, "1", Kind.INVALID_REQUEST),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "1", Kind.INVALID_REQUEST),
        ({"type": "string"}, "1", Kind.BAD_RESPONSE),
        ({}, "[" * 100_000, Kind.BAD_RESPONSE),
        ({}, "1e999 2", Kind.BAD_RESPONSE),
        ({}, "Infinity", Kind.BAD_RESPONSE),
    ],
)
def test_a_schema_is_checked_and_nothing_fetched(schema: dict[str, Any], text: str, kind: Kind) -> None:
    """
    A schema that is none, one that points elsewhere, and an answer that doesn't follow one.
    """
    call = a_call(schema=schema)

    with pytest.raises(ProviderError) as caught:
        check_call(call)
        checked(call, Answer(text=text, tokens=PAID, finish_reason="stop"))

    assert kind == caught.value.kind
