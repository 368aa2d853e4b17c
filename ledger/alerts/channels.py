"""The ways in which a message is told: a line of a log, a mail, Slack, a webhook."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...schemas.alerts import Outcome
from ...schemas.errors import LedgerError
from ..usage_log import append_line
from .settings import MailServer, Settings

LOG_NAME = "alerts.jsonl"

Post = Callable[[str, bytes, str], Outcome]
"""Sends a JSON text to an address; last comes the message's id."""


@dataclass(frozen=True, slots=True)
class Channels:
    """
    Sends messages.

    Args:
        log: the file of the channel `log`; None: messages for it are in the ledger alone.
        environ: has the variables that hold the addresses of webhooks.
        post: sends a JSON text to an address, as `Web.post` does.
        mail: the machine's mail server; None: it has none.
        ca_file: certificates that the mail server may have besides those of the system.
    """

    log: Path | None
    environ: Mapping[str, str] = field(repr=False)
    post: Post
    mail: MailServer | None = None
    ca_file: Path | None = None

    def send(self, channel: str, target: str | None, body: str) -> Outcome:
        """Tell a message once. What came of it never tells an address."""
        message: dict[str, Any] = json.loads(body)
        if channel == "log":
            return self._log(body)
        if channel == "email":
            return self._mail(target or "", message)
        return self._post(channel, target or "", message, body)

    def _log(self, body: str) -> Outcome:
        if self.log is None:
            return Outcome(True, "it is in the ledger; there is no folder of logs")
        try:
            append_line(self.log, body)
        except OSError as error:
            return Outcome(False, f"{self.log} can't be written: {error.strerror}", True)
        except LedgerError as error:
            return Outcome(False, str(error), True)
        return Outcome(True, f"it is in {self.log}")

    def _mail(self, to: str, message: Mapping[str, Any]) -> Outcome:
        from .mail import send  # TLS and HTTP are imported where there is something to send

        text = "\n".join(_lines(message))
        return send(self.mail, to, f"[policyctl] {message['text']}", text, message["id"], self.ca_file)

    def _post(self, channel: str, variable: str, message: Mapping[str, Any], body: str) -> Outcome:
        address = self.environ.get(variable, "").strip()
        if not address:
            return Outcome(False, f"{variable} isn't set", True)
        if channel == "slack":
            body = json.dumps({"text": _for_slack(message["text"])})
        return self.post(address, body.encode("ascii"), message["id"])


def checked_post(settings: Settings) -> Post:
    """The checked client for webhooks, as a machine has it."""

    def post(address: str, body: bytes, message_id: str) -> Outcome:
        from .web import Web

        return Web(settings.allow, settings.ca_file).post(address, body, message_id)

    return post


def _lines(message: Mapping[str, Any]) -> list[str]:
    named = ("condition", "window", "policy", "at", "id")
    return [message["text"], "", *(f"{name}: {message[name]}" for name in named if message[name] is not None)]


def _for_slack(text: str) -> str:
    """A text in which Slack finds no link and nobody to call."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
