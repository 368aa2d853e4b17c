"""
What a machine says about sending alerts: its mail server, and the addresses that it trusts.

It is said in the environment itself or in a file of the person's own, never in a checkout: whoever writes
a checkout could otherwise have the mail password sent to a server of his, or the machine call into its
own network.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from ...policy.names import did_you_mean
from ...schemas.errors import Problem, SettingError

FILE_NAME = "policyctl.toml"
MAX_BYTES = 64 * 1024

KEYS = ("allow", "ca_file", "smtp_host", "smtp_port", "smtp_from", "smtp_user", "smtp_security")
"""The keys of the table `alerts` in the machine's file."""

VARIABLES = {
    "allow": "POLICYCTL_ALERTS_ALLOW",
    "ca_file": "POLICYCTL_ALERTS_CA_FILE",
    "smtp_host": "POLICYCTL_SMTP_HOST",
    "smtp_port": "POLICYCTL_SMTP_PORT",
    "smtp_from": "POLICYCTL_SMTP_FROM",
    "smtp_user": "POLICYCTL_SMTP_USER",
    "smtp_security": "POLICYCTL_SMTP_SECURITY",
}
PASSWORD = "POLICYCTL_SMTP_PASSWORD"  # noqa: S105  # the name of a variable
"""The password of the mail server stands in the environment only."""

_ADDRESS = re.compile(r"[^@\s<>,;\"()]{1,64}@[A-Za-z0-9.-]{1,255}")


class Security(StrEnum):
    """How a mail server is spoken to: TLS that must be asked for, TLS from the start, or in the clear."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    security: Security = Security.STARTTLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    The machine's settings.

    `allow` are origins, as `http://127.0.0.1:8080`, that may be called though they are no public https;
    `ca_file` holds certificates that are trusted besides the system's.
    """

    mail: MailServer | None = None
    allow: frozenset[str] = frozenset()
    ca_file: Path | None = None


def machine_file(environ: Mapping[str, str]) -> Path | None:
    """Where the machine's file lies, or would; None for a user without a home."""
    said = environ.get("XDG_CONFIG_HOME", "")
    try:
        folder = Path(said) if Path(said).is_absolute() else Path.home() / ".config"
    except RuntimeError:
        return None
    return folder / "policyctl" / FILE_NAME


def machine_settings(environ: Mapping[str, str]) -> Settings:
    """
    What this machine says.

    Raises:
        SettingError: a setting can't be what it is, or others may write the file.
    """
    said = {key: value for key, (value, _) in said_by(environ).items()}
    ca_file = said.get("ca_file")
    return Settings(
        mail=_mail(said, environ.get(PASSWORD)),
        allow=frozenset(origin_of(part) for part in said.get("allow", "").replace(",", " ").split()),
        ca_file=None if ca_file is None else Path(ca_file),
    )


def said_by(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """
    Each setting that is there, as text, and the variable or file that it comes from.

    Raises:
        SettingError: the file can't be read or isn't one of this machine alone.
    """
    path = machine_file(environ)
    table = {} if path is None else _table(path)
    found = {key: (value, str(path)) for key, value in table.items()}
    found |= {key: (environ[name], name) for key, name in VARIABLES.items() if environ.get(name)}
    return found


def _mail(said: Mapping[str, str], password: str | None) -> MailServer | None:
    if "smtp_host" not in said:
        return None
    text = said.get("smtp_security", Security.STARTTLS.value)
    if text not in tuple(Security):
        raise _wrong(
            "smtp_security", f"can't be `{text}`", did_you_mean(text, Security, else_list="it is one of")
        )
    security = Security(text)
    port = said.get("smtp_port", str(_PORTS[security]))
    if not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
        raise _wrong("smtp_port", f"can't be `{port}`", "a port is a number from 1 to 65535")
    sender = said.get("smtp_from")
    if sender is None or not _ADDRESS.fullmatch(sender):
        raise _wrong("smtp_from", "must be an e-mail address", 'such as "policyctl@example.com"')
    user = said.get("smtp_user")
    if user and password and security is Security.NONE:
        help = 'set smtp_security to "starttls" or "tls", or leave smtp_user out'
        raise _wrong("smtp_user", "can't be used without TLS: the password would be readable", help)
    return MailServer(
        host=said["smtp_host"], port=int(port), sender=sender, user=user, password=password, security=security
    )


def origin_of(text: str) -> str:
    """
    An origin in its one form: scheme, host and port.

    Raises:
        SettingError: it is none.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
        plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    except (KeyError, ValueError):
        plain = False
    if not plain or not parts.hostname:
        # Not repeated: whoever mistakes this for the place of a webhook has written a secret here.
        help = "an origin is a scheme, a host and perhaps a port, such as http://127.0.0.1:8080"
        raise _wrong("allow", "holds what is no origin", help)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _table(path: Path) -> dict[str, str]:
    """The settings of the machine's file, as texts."""
    data = _read(path)
    if data is None:
        return {}
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
    except (RecursionError, ValueError) as error:
        raise SettingError(Problem("alerts", f"{path} can't be read: it is no TOML")) from error
    table = document.get("alerts", {})
    if not isinstance(table, dict) or set(document) - {"alerts"}:
        raise SettingError(
            Problem("alerts", f"{path} holds what is no setting of a machine", "it has one table, [alerts]")
        )
    return {key: _text(path, key, value) for key, value in table.items()}


def _text(path: Path, key: str, value: object) -> str:
    if key not in KEYS:
        help = did_you_mean(key, KEYS, else_list="the settings are")
        raise SettingError(Problem("alerts", f"{path}: unknown setting `{key}`", help))
    if key == "allow" and isinstance(value, list):
        value = " ".join(str(each) for each in value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SettingError(Problem("alerts", f"{path}: `{key}` can't be what it is", "write it as a text"))
    return str(value)


def _read(path: Path) -> bytes | None:
    """The machine's file, if there is one and nobody else can write it."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_uid not in (os.geteuid(), 0) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise SettingError(Problem("alerts", f"others may write {path}", f"chmod go-w {path}"))
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingError(Problem("alerts", f"{path} can't be read: {error.strerror}")) from error
    if len(data) > MAX_BYTES:
        raise SettingError(Problem("alerts", f"{path} is larger than {MAX_BYTES // 1024} KiB"))
    return data


def _wrong(key: str, what: str, help: str | None = None) -> SettingError:
    return SettingError(Problem(key, f"the setting `{key}` {what}", help))
