"""
What a failure is: its kind, whether it is billed, how long the provider asks to be left alone.

Everything is told by what is structured: the HTTP status, the codes of the provider's error, headers,
the classes of a library's exceptions along their causes. Free text is looked at only where a provider says
the reason nowhere else, and is never handed on: the words of a ProviderError are our own.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Final

from ...schemas.calls import Tokens
from ...schemas.errors import Billed, ProviderError
from ...schemas.policy import FailureKind as Kind

WORDS: Final[Mapping[Kind, str]] = {
    Kind.RATE_LIMIT: "the provider's rate limit is reached",
    Kind.OVERLOADED: "the provider has no room at the moment",
    Kind.TIMEOUT: "no answer within the time allowed",
    Kind.CONNECTION: "the connection to the provider broke off",
    Kind.SERVER_ERROR: "the provider failed",
    Kind.AUTH: "the provider doesn't accept the key",
    Kind.QUOTA: "the account's money or quota is used up",
    Kind.NOT_FOUND: "the provider has no such model",
    Kind.INVALID_REQUEST: "the provider takes the request for wrong",
    Kind.CONTEXT_WINDOW: "the request is too long for the model",
    Kind.CONTENT_FILTER: "the provider declined the content",
    Kind.BAD_RESPONSE: "the answer can't be read",
    Kind.CANCELLED: "somebody stopped it",
}
NOT_REACHED: Final = "the provider can't be reached"
NO_KEY: Final = "its key isn't set, or is none"
REDIRECTED: Final = "the server sends the request elsewhere, which isn't followed"

_STATUS: Final[Mapping[int, Kind]] = {
    400: Kind.INVALID_REQUEST,
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    404: Kind.NOT_FOUND,
    407: Kind.CONNECTION,
    408: Kind.TIMEOUT,
    413: Kind.CONTEXT_WINDOW,
    425: Kind.OVERLOADED,
    429: Kind.RATE_LIMIT,
    498: Kind.OVERLOADED,
    503: Kind.OVERLOADED,
    504: Kind.TIMEOUT,
    524: Kind.TIMEOUT,
    529: Kind.OVERLOADED,
}

# These say more than the status they come with.
_CODES: Final[Mapping[str, Kind]] = {
    "context_length_exceeded": Kind.CONTEXT_WINDOW,
    "context_window_exceeded": Kind.CONTEXT_WINDOW,
    "model_context_window_exceeded": Kind.CONTEXT_WINDOW,
    "exceed_context_size_error": Kind.CONTEXT_WINDOW,
    "request_too_large": Kind.CONTEXT_WINDOW,
    "string_above_max_length": Kind.CONTEXT_WINDOW,
    "content_filter": Kind.CONTENT_FILTER,
    "content_policy_violation": Kind.CONTENT_FILTER,
    "responsibleaipolicyviolation": Kind.CONTENT_FILTER,
    "moderation_blocked": Kind.CONTENT_FILTER,
    "data_inspection_failed": Kind.CONTENT_FILTER,
    "insufficient_quota": Kind.QUOTA,
    "insufficient_balance": Kind.QUOTA,
    "insufficient_credits": Kind.QUOTA,
    "credit_balance_too_low": Kind.QUOTA,
    "billing_hard_limit_reached": Kind.QUOTA,
    "billing_not_active": Kind.QUOTA,
    "billing_error": Kind.QUOTA,
    "invalid_api_key": Kind.AUTH,
    "api_key_invalid": Kind.AUTH,
    "authentication_error": Kind.AUTH,
    "permission_error": Kind.AUTH,
    "model_not_found": Kind.NOT_FOUND,
    "rate_limit_exceeded": Kind.RATE_LIMIT,
    "overloaded_error": Kind.OVERLOADED,
    "engine_overloaded": Kind.OVERLOADED,
}

# These say no more than a status does, and count where there is none, as in the middle of a stream.
_PLAIN_CODES: Final[Mapping[str, Kind]] = {
    "rate_limit_error": Kind.RATE_LIMIT,
    "resource_exhausted": Kind.RATE_LIMIT,
    "unavailable": Kind.OVERLOADED,
    "deadline_exceeded": Kind.TIMEOUT,
    "timeout_error": Kind.TIMEOUT,
    "unauthenticated": Kind.AUTH,
    "permission_denied": Kind.AUTH,
    "not_found_error": Kind.NOT_FOUND,
    "not_found": Kind.NOT_FOUND,
    "invalid_request_error": Kind.INVALID_REQUEST,
    "invalid_argument": Kind.INVALID_REQUEST,
    "failed_precondition": Kind.INVALID_REQUEST,
    "server_error": Kind.SERVER_ERROR,
    "internal_server_error": Kind.SERVER_ERROR,
    "api_error": Kind.SERVER_ERROR,
    "internal": Kind.SERVER_ERROR,
}

# Anthropic, Google and DeepSeek say these reasons in words alone, and only with these statuses.
_WORDY: Final = frozenset({400, 413, 422})
_PHRASES: Final[tuple[tuple[re.Pattern[str], Kind], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (
            r"context (length|window|size)|prompt is too long|too many (input )?tokens"
            r"|token count.{0,60}exceeds|exceeds? the (maximum|max|limit).{0,40}tokens",
            Kind.CONTEXT_WINDOW,
        ),
        (r"credit balance|insufficient balance", Kind.QUOTA),
        (
            r"content (management )?policy|content[ _]filter|safety (system|policy)|content exists risk",
            Kind.CONTENT_FILTER,
        ),
        (r"api key not valid", Kind.AUTH),
    )
)

_LOOKED_AT: Final = 8_000  # characters of an error's text
_CODE_KEYS: Final = frozenset({"code", "type", "status", "reason", "quotaId"})
_CODE_IN_TEXT: Final = re.compile(
    r"""["'](?:code|type|status|reason|quotaId)["']\s*:\s*["']([\w./:-]{1,100})["']"""
)
_DELAY: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_DELAY_IN_TEXT: Final = re.compile(r"""["']retryDelay["']\s*:\s*["'](\d{1,9}(?:\.\d{1,9})?)s["']""")
_LONGEST_S: Final = 30 * 86_400.0

_UNSURE: Final = frozenset({408, 499})
_UNBILLED: Final = frozenset({500, 501, 503, 529})


def failure(
    kind: Kind,
    words: str | None = None,
    *,
    status: int | None = None,
    retry_after_s: float | None = None,
    billed: Billed | None = None,
    tokens: Tokens | None = None,
) -> ProviderError:
    """A failed attempt in words of our own; what isn't said about its bill is told by its status."""
    return ProviderError(
        kind,
        words or WORDS[kind],
        status=status,
        retry_after_s=retry_after_s,
        billed=_billed(status) if billed is None else billed,
        tokens=tokens,
    )


def unusable(words: str, tokens: Tokens | None = None, kind: Kind = Kind.BAD_RESPONSE) -> ProviderError:
    """An answer that came, and is paid for, but isn't one: empty, cut off, not what was asked for."""
    return failure(kind, words, billed=Billed.UNKNOWN if tokens is None else Billed.YES, tokens=tokens)


def unsent(kind: Kind, words: str) -> ProviderError:
    """A call that never left."""
    return failure(kind, words, billed=Billed.NO)


def _billed(status: int | None) -> Billed:
    """No provider bills an answer that is its own error; a gateway's says nothing of what lies behind it."""
    if status is None or status in _UNSURE or not (300 <= status < 500 or status in _UNBILLED):
        return Billed.UNKNOWN
    return Billed.NO


# --- from what was said to a kind ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What a provider said of its error. `text` is only looked at."""

    status: int | None = None
    codes: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    retry_after_s: float | None = None


def kind_of(said: Said) -> Kind:
    """The kind of an error by its codes and its status; by its text where nothing else tells."""
    codes = [code.lower() for code in said.codes]
    for code in codes:
        if code in _CODES:
            return _CODES[code]
    if any("perday" in code for code in codes):  # a limit of Google's that no wait within a run ends
        return Kind.QUOTA
    if said.status in _WORDY:
        for phrase, kind in _PHRASES:
            if phrase.search(said.text[:_LOOKED_AT]):
                return kind
    if said.status is not None:
        return _of_status(said.status)
    return next((_PLAIN_CODES[code] for code in codes if code in _PLAIN_CODES), Kind.SERVER_ERROR)


def _of_status(status: int) -> Kind:
    if status in _STATUS:
        return _STATUS[status]
    if status < 400:
        return Kind.BAD_RESPONSE
    return Kind.INVALID_REQUEST if status < 500 else Kind.SERVER_ERROR


def failure_said(said: Said) -> ProviderError:
    """The failure that a provider's own error is."""
    kind = kind_of(said)
    redirected = said.status is not None and 300 <= said.status < 400
    return failure(
        kind,
        REDIRECTED if redirected else None,
        status=said.status,
        retry_after_s=said.retry_after_s,
    )


def read_error(status: int | None, body: object, headers: Mapping[str, str] | None = None) -> Said:
    """
    Read a provider's error answer.

    Args:
        status: its HTTP status; None in the middle of a stream.
        body: its JSON as Python values, or its text.
        headers: names are looked up in lower case, as HTTP libraries allow.
    """
    codes: list[str] = []
    texts: list[str] = []
    delays: list[float] = []
    if isinstance(body, str | bytes):
        text = (body.decode("utf-8", "replace") if isinstance(body, bytes) else body)[:_LOOKED_AT]
        codes += _CODE_IN_TEXT.findall(text)
        delays += map(float, _DELAY_IN_TEXT.findall(text))
        texts.append(text)
    else:
        for key, value in _leaves(body):
            if key in _CODE_KEYS:
                codes.append(value[:100])
            elif key == "message":
                texts.append(value[:_LOOKED_AT])
            elif key == "retryDelay" and (delay := _DELAY.fullmatch(value)):
                delays.append(float(delay[1]))
    wait = retry_after_s(headers or {})
    if wait is None:
        wait = max(delays, default=None)
    return Said(status, tuple(codes), " ".join(texts), wait)


def _leaves(body: object) -> Iterator[tuple[str, str]]:
    """The texts of a JSON value with their keys; bounded, since it comes from outside."""
    left = [body]
    for _ in range(500):
        if not left:
            return
        value = left.pop()
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if isinstance(inner, str):
                    yield str(key), inner
                else:
                    left.append(inner)
        elif isinstance(value, list | tuple):
            left.extend(value[:50])


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """
    How long a provider asks to be left alone.

    It says so in seconds, in milliseconds, or as a moment, which is compared with the moment at which it
    says it, so that our clock may differ from its.
    """
    if (in_ms := _seconds(headers.get("retry-after-ms"))) is not None:
        return in_ms / 1000
    said = headers.get("retry-after")
    if (in_s := _seconds(said)) is not None:
        return in_s
    until = _moment(said)
    if until is None:
        return None
    since = _moment(headers.get("date"))
    base = since if since is not None else time.time() if now is None else now
    return min(max(0.0, until - base), _LONGEST_S)


def _seconds(text: object) -> float | None:
    try:
        number = float(str(text).strip()) if text is not None else math.nan
    except ValueError:
        return None
    return min(number, _LONGEST_S) if 0 <= number < math.inf else None


def _moment(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        return parsedate_to_datetime(text.strip()[:100]).timestamp()
    except (ValueError, OverflowError):
        return None


# --- from a library's exception to a failure --------------------------------------------------------------

# Names, since the HTTP libraries differ between the SDKs and their releases, and none is imported here.
_NEVER_SENT: Final = frozenset(
    """
    ConnectError ConnectTimeout PoolTimeout UnsupportedProtocol InvalidURL LocalProtocolError
    ClientConnectorError ClientConnectorDNSError ClientConnectorSSLError ClientConnectorCertificateError
    ConnectionTimeoutError ClientProxyConnectionError InvalidUrlClientError
    """.split()
)
_BROKE: Final = frozenset(
    """
    ReadError WriteError CloseError NetworkError ProtocolError RemoteProtocolError TransportError ProxyError
    ClientOSError ClientConnectionError ClientConnectionResetError ClientPayloadError ServerConnectionError
    ServerDisconnectedError ContentLengthError TransferEncodingError IncompleteRead
    """.split()
)
_NO_ANSWER: Final = frozenset({"APIConnectionError"})  # why it has none is told by what caused it
_LATE: Final = frozenset(
    """
    TimeoutException ReadTimeout WriteTimeout ConnectTimeout PoolTimeout APITimeoutError ServerTimeoutError
    SocketTimeoutError ConnectionTimeoutError
    """.split()
)
_HTTP_LIBRARIES: Final = frozenset(
    "aiohttp anthropic google h11 httpcore httpcore2 httpx httpx2 openai requests urllib3".split()
)


def failure_of(error: BaseException) -> ProviderError:
    """
    What an exception of an SDK or an HTTP library means.

    The first error along its causes that an HTTP library raised decides: an answer with a status, or a
    line that gave none. What nobody knows is an answer that can't be read, and may be billed.
    """
    return failure_along(list(causes(error))) or failure(Kind.BAD_RESPONSE, billed=Billed.UNKNOWN)


def failure_along(line: Sequence[BaseException]) -> ProviderError | None:
    """What the first that is known of some exceptions means, or None where none is; our own goes first."""
    own = next((each for each in line if isinstance(each, ProviderError)), None)
    if own is not None:
        return own
    for each in line:
        if (said := answered(each)) is not None:
            return failure_said(said)
        if is_late(each):
            return failure(Kind.TIMEOUT, billed=Billed.NO if never_sent(line) else Billed.UNKNOWN)
        if is_line(each):
            return broken_line(line)
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, what it wraps, what caused it: outermost first, each once."""
    seen: list[BaseException] = []
    waiting: list[BaseException] = [error]
    while waiting and len(seen) < 20:
        each = waiting.pop(0)
        if each not in seen:
            seen.append(each)
            yield each
            wrapped = getattr(each, "original_exception", None), each.__cause__, each.__context__
            waiting.extend(inner for inner in wrapped if isinstance(inner, BaseException))


def answered(error: BaseException) -> Said | None:
    """What an HTTP library's exception says of an answer that came, or None where it tells of none."""
    # aiohttp's errors with a status are of lines that it couldn't read: the status is its own.
    if not _of_http_library(error) or type(error).__module__.startswith("aiohttp"):
        return None
    response = getattr(error, "response", None)
    places = (error, "status_code"), (error, "code"), (error, "status"), (response, "status_code")
    status = next((found for place, name in places if _is(found := getattr(place, name, None))), None)
    body = getattr(error, "body", None) or getattr(error, "details", None)
    if status is None and body is None:
        return None
    headers = getattr(response, "headers", None)
    said = read_error(status, body or _text_of(error), headers if isinstance(headers, Mapping) else None)
    # In the middle of an answer its status was fine: what went wrong since is told by the body alone.
    return replace(said, status=None) if status is not None and status < 300 else said


def _is(status: object) -> bool:
    return isinstance(status, int) and not isinstance(status, bool) and 100 <= status < 600


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:_LOOKED_AT]
    except Exception:  # a library's own __str__
        return ""


def _of_http_library(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _HTTP_LIBRARIES


def _named(error: BaseException, names: frozenset[str]) -> bool:
    """Whether one of an exception's classes is a library's class of that name."""
    return any(
        cls.__name__ in names and cls.__module__.partition(".")[0] in _HTTP_LIBRARIES
        for cls in type(error).__mro__
    )


def is_late(error: BaseException) -> bool:
    """Whether time ran out."""
    return isinstance(error, TimeoutError) or _named(error, _LATE)


def is_line(error: BaseException) -> bool:
    """Whether the line failed, rather than who is at its end."""
    plain = isinstance(error, ConnectionError | ssl.SSLError | socket.gaierror)
    return plain or _named(error, _NEVER_SENT | _BROKE | _NO_ANSWER)


def never_sent(line: Iterable[BaseException]) -> bool:
    """Whether all that is known says that the request never left."""
    refused = False
    for each in line:
        if _named(each, _BROKE) and not _named(each, _NEVER_SENT):
            return False
        early = isinstance(each, ConnectionRefusedError | socket.gaierror | ssl.SSLCertVerificationError)
        refused = refused or early or _named(each, _NEVER_SENT)
    return refused


def broken_line(line: Iterable[BaseException]) -> ProviderError:
    """The failure of a line: never there, or broken in the middle."""
    if never_sent(line):
        return unsent(Kind.CONNECTION, NOT_REACHED)
    return failure(Kind.CONNECTION, billed=Billed.UNKNOWN)
