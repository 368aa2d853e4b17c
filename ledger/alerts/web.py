"""
The one way in which an alert reaches the web: a checked POST.

A webhook's address may come from whoever wrote the checkout's `.env`, so it isn't trusted to lead outside.
Its host is resolved once, every address that comes back must be a public one, and the connection goes to
an address that was checked, under the host's own name. No redirect is followed, no proxy of the
environment is used, the whole takes five seconds at most, and of the answer only its status is read.

The usual clients connect by name themselves, so what they connect to isn't what was checked; hence a
socket of our own, and http.client to write the request.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

from ...schemas.alerts import Outcome
from .limits import within

WHOLE_S = 5.0
MOST_ANSWER = 4 * 1024
LONGEST = 2000
"""Characters of an address."""

_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # shared by the customers of a carrier
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "240.0.0.0/4",
        "::/96",  # an IPv4 address inside
        "::ffff:0:0/96",  # the same, mapped
        "64:ff9b::/96",  # the same, NAT64
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo and others
        "2002::/16",  # 6to4
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_TARGET = re.compile(r"[!-~]*")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r?\n)")
_AGAIN = (408, 425, 429)

Resolve = Callable[..., list[tuple[Any, ...]]]


class _Failed(Exception):
    """Why nothing was sent, without the address."""

    def __init__(self, what: str, *, again: bool = True) -> None:
        super().__init__(what)
        self.outcome = Outcome(False, what, again)


@dataclass(frozen=True, slots=True)
class Web:
    """
    A client for webhooks.

    Args:
        allow: origins that may be called though they are no public https, as `http://127.0.0.1:8080`.
        ca_file: certificates that are trusted besides the system's.
        resolve: finds a host's addresses, as `socket.getaddrinfo` does.
        whole_s: how long all of it may take.
    """

    allow: frozenset[str] = frozenset()
    ca_file: Path | None = None
    resolve: Resolve = socket.getaddrinfo
    whole_s: float = WHOLE_S

    def post(self, address: str, body: bytes, message_id: str) -> Outcome:
        """Send a JSON text to an address, which is told to nobody."""
        clock = _Deadline(time.monotonic() + self.whole_s, self.whole_s)
        try:
            place = _place(address)
            return _judged(self._exchange(place, body, message_id, clock), clock)
        except _Failed as failed:
            return failed.outcome
        except (OSError, HTTPException, ValueError) as error:
            return _words(error, clock)

    def _exchange(self, place: _Place, body: bytes, message_id: str, clock: _Deadline) -> bytes:
        trusted = place.origin in self.allow
        if place.scheme != "https" and not trusted:
            raise _Failed("its address isn't https", again=False)
        with self._connected(place, trusted, clock) as sock:
            headers = {
                "Host": place.host_header,
                "Content-Type": "application/json",
                "User-Agent": "policyctl",
                "Idempotency-Key": message_id,
                "Connection": "close",
            }
            connection = HTTPConnection(place.host)
            connection.auto_open = 0  # never a connection but this one
            connection.sock = sock
            connection.request("POST", place.target, body, headers)
            return _start_of_answer(sock)

    @contextmanager
    def _connected(self, place: _Place, trusted: bool, clock: _Deadline) -> Iterator[socket.socket]:
        """A connection to an address that was checked; whatever goes on in it ends in time."""
        sock = self._connect(self._addresses(place, trusted, clock), clock)
        try:
            if place.scheme == "https":
                context = ssl.create_default_context()
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                if self.ca_file is not None:
                    context.load_verify_locations(self.ca_file)
                sock = context.wrap_socket(sock, server_hostname=place.host, do_handshake_on_connect=False)
            with clock.ending(sock):
                if isinstance(sock, ssl.SSLSocket):
                    sock.do_handshake()
                yield sock
        finally:
            sock.close()

    def _addresses(self, place: _Place, trusted: bool, clock: _Deadline) -> list[tuple[Any, ...]]:
        try:
            look_up = partial(self.resolve, place.host, place.port, type=socket.SOCK_STREAM)
            found = within(clock.left(), look_up)
        except (socket.gaierror, UnicodeError):
            raise _Failed("its host can't be resolved") from None
        if not found:
            raise _Failed("its host has no address")
        if not trusted and not all(is_public(str(each[4][0])) for each in found):
            raise _Failed("its host isn't a public one", again=False)
        return found

    def _connect(self, found: list[tuple[Any, ...]], clock: _Deadline) -> socket.socket:
        problem: OSError = OSError()
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(clock.left())
                sock.connect(address)
                return sock
            except OSError as error:
                sock.close()
                problem = error
        raise problem


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, and no other one in disguise."""
    found: IPv4Address | IPv6Address
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if not found.is_global or found.is_multicast or found.is_reserved:
        return False
    return not any(found in network for network in _NOT_PUBLIC)


# --- the address -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


_PORTS = {"https": 443, "http": 80}


def _place(address: str) -> _Place:
    """The parts of an address, which is refused where any reader could take them for others."""
    wrong = _Failed("its address isn't one of a webhook", again=False)
    if len(address) > LONGEST or not _TARGET.fullmatch(address) or "\\" in address:
        raise wrong
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise wrong from None
    if not _HOST.fullmatch(host) or parts.username is not None or parts.password is not None:
        raise wrong
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Place(parts.scheme, host, port, target)


# --- time ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Deadline:
    """When all must be over."""

    end: float
    whole_s: float

    def left(self) -> float:
        """Seconds until then; at its end that is a failure."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @contextmanager
    def ending(self, sock: socket.socket) -> Iterator[None]:
        """
        Ends a connection at the deadline. A server that sends a byte now and then never meets the timeout
        of a single read.
        """
        # At the level of the descriptor: a TLS socket's own `shutdown` pulls its state away from a reader.
        timer = Timer(self.left(), _shut, (sock,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


# --- the answer ------------------------------------------------------------------------------------------


def _start_of_answer(sock: socket.socket) -> bytes:
    """The answer up to the end of its first line; the rest is dropped with the connection."""
    data = b""
    while b"\n" not in data and len(data) < MOST_ANSWER:
        piece = sock.recv(MOST_ANSWER - len(data))
        if not piece:
            break
        data += piece
    return data


def _judged(answer: bytes, clock: _Deadline) -> Outcome:
    match = _STATUS.match(answer)
    if match is None:
        clock.left()  # what was cut off at the deadline is no answer
        return Outcome(False, "it answered with no HTTP", True)
    status = int(match[1])
    if 200 <= status < 300:
        return Outcome(True, f"it answered {status}")
    if 300 <= status < 400:
        return Outcome(False, f"it answered {status}, a redirect, and none is followed", False)
    return Outcome(False, f"it answered {status}", status >= 500 or status in _AGAIN)


def _words(error: Exception, clock: _Deadline) -> Outcome:
    """An error in words of our own: those of others may tell the address."""
    if isinstance(error, TimeoutError) or time.monotonic() >= clock.end:
        return Outcome(False, f"it didn't answer within {clock.whole_s:g} s", True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Outcome(False, "its certificate can't be trusted", False)
    if isinstance(error, ssl.SSLError):
        return Outcome(False, "no TLS connection could be made", True)
    if isinstance(error, ConnectionRefusedError):
        return Outcome(False, "nobody answers there", True)
    if isinstance(error, OSError):
        return Outcome(False, "the connection failed", True)
    return Outcome(False, "its address isn't one of a webhook", False)
