"""
What the Claude Code CLI says while it runs: one JSON object a line, as its `stream-json` output has it.

The events of the API tell the answer, the last line what it cost, by the program's own price list, and how
it ended. That line's `subtype` says success whatever happened, so it isn't looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ...schemas.calls import Answer, Call
from ...schemas.errors import ProviderError
from ...schemas.policy import NANO
from ...schemas.policy import FailureKind as Kind
from .anthropic_form import Gathering
from .checks import checked, finished, json_value
from .classify import NOT_REACHED, Said, failure, failure_said, unsent, unusable
from .wire import of

_NO_LOGIN: Final = "the Claude Code CLI isn't logged in, and has no key"
_UNKNOWN_OPTION: Final = "the Claude Code CLI doesn't know an option that it needs: a newer one does"
_SAID_NOTHING: Final = "the Claude Code CLI ended without an answer"

_DEAREST_USD: Final = Decimal(10**6)

# What the program calls its errors, where the provider gave no status.
_KINDS: Final[Mapping[str, Kind]] = {
    "authentication_failed": Kind.AUTH,
    "oauth_org_not_allowed": Kind.AUTH,
    "billing_error": Kind.QUOTA,
    "rate_limit": Kind.RATE_LIMIT,
    "overloaded": Kind.OVERLOADED,
    "model_not_found": Kind.NOT_FOUND,
    "invalid_request": Kind.INVALID_REQUEST,
}
_NEVER_LEFT: Final = re.compile(
    r"\((ConnectionRefused|FailedToOpenSocket|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|\w*CERT\w*)\)"
)
_PHRASES: Final = tuple(
    (re.compile(phrase, re.IGNORECASE), kind)
    for phrase, kind in (
        (r"timed out|timeout", Kind.TIMEOUT),
        (r"overloaded", Kind.OVERLOADED),
        (r"unable to connect|connection|socket|stream ended", Kind.CONNECTION),
    )
)
_LOGIN: Final = re.compile(r"not logged in|/login|invalid api key", re.IGNORECASE)


class Events:
    """What one run of the program has said so far; `over` once no more is wanted."""

    def __init__(self, call: Call) -> None:
        self.over = False
        self._call = call
        self._api = Gathering(replace(call, schema=None))  # which isn't asked for through a tool
        self._error: str | None = None
        self._result: Mapping[str, Any] | None = None

    def take(self, line: bytes) -> str:
        """
        Read a line; what is no event is passed over.

        Returns:
            The text of the answer that came with it.

        Raises:
            ProviderError: the answer is larger than any can be.
        """
        try:
            event = json_value(line)
        except ValueError:
            return ""
        kind = of(event, "type")
        if kind == "stream_event":
            return self._take_api(of(event, "event"))
        if kind == "assistant" and isinstance(error := of(event, "error"), str):
            self._error = error[:100]
        if kind == "result":
            self._result, self.over = event, True
        if _is_refusal(event):  # the API's own event isn't handed on
            self._api.finish = "content_filter"
        return ""

    def _take_api(self, event: object) -> str:
        if of(event, "type") == "message_start" and self._api.started:
            self.over = True  # a second request would be one more than the hold covers
            return ""
        return self._api.add(event)

    def answer(self, exit_code: int | None, errors: bytes) -> Answer:
        """
        The whole answer, once the program has no more to say.

        Args:
            exit_code: what it ended with, if it has ended.
            errors: what it wrote on stderr; only looked at.

        Raises:
            ProviderError: there is none, or it isn't one.
        """
        if self._api.finish is None:
            raise self._failure(exit_code, errors)
        whole = self._api.answer()
        if whole.tokens is not None:
            cost_nusd = _cost_nusd(of(self._result, "total_cost_usd"))
            whole = replace(whole, tokens=replace(whole.tokens, cost_nusd=cost_nusd))
        return checked(self._call, whole)

    def _failure(self, exit_code: int | None, errors: bytes) -> ProviderError:
        if self._result is None:
            return self._ended_early(exit_code, errors)
        text = of(self._result, "result")
        text = text if isinstance(text, str) else ""
        status = of(self._result, "api_error_status")
        if isinstance(status, int) and 300 <= status < 600:
            return failure_said(Said(status, (self._error or "",), text))
        if of(self._result, "is_error") is not True:
            # It took the prompt for something to do by itself, and asked nobody.
            by_itself = not self._api.started
            return unsent(Kind.BAD_RESPONSE, _SAID_NOTHING) if by_itself else unusable(_SAID_NOTHING)
        return self._without_status(text)

    def _without_status(self, text: str) -> ProviderError:
        """The program failed, and no provider said why."""
        if _LOGIN.search(text) or self._error == "authentication_failed":
            return unsent(Kind.AUTH, _NO_LOGIN)
        if self._error is not None and self._error in _KINDS:
            return failure(_KINDS[self._error])
        if not self._api.started and _NEVER_LEFT.search(text):
            return unsent(Kind.CONNECTION, NOT_REACHED)
        for phrase, kind in _PHRASES:
            if phrase.search(text):
                return failure(kind)
        return failure(Kind.SERVER_ERROR if self._error == "server_error" else Kind.BAD_RESPONSE)

    def _ended_early(self, exit_code: int | None, errors: bytes) -> ProviderError:
        if self._api.started:
            return failure(Kind.CONNECTION, "the Claude Code CLI ended before its answer did")
        if b"unknown option" in errors:
            return unsent(Kind.NOT_FOUND, _UNKNOWN_OPTION)
        if _LOGIN.search(errors.decode("utf-8", "replace")):
            return unsent(Kind.AUTH, _NO_LOGIN)
        # What it did before it ended so, nobody knows.
        return failure(Kind.BAD_RESPONSE, f"{_SAID_NOTHING} (exit code {exit_code})")


def _is_refusal(event: object) -> bool:
    subtype = of(event, "subtype")
    declined = isinstance(subtype, str) and subtype.startswith("model_refusal")
    return declined or finished(of(event, "stop_reason")) == "content_filter"


def _cost_nusd(usd: object) -> int | None:
    if isinstance(usd, bool) or not isinstance(usd, int | float):
        return None
    try:
        cost = Decimal(repr(usd))
        return int((cost * NANO).to_integral_value()) if 0 < cost < _DEAREST_USD else None
    except InvalidOperation:
        return None
