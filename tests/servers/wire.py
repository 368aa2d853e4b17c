"""HTTP/1.1 over one socket, with the ways in which a connection goes wrong."""

from __future__ import annotations

import math
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import BinaryIO, TypeAlias

from .forms import Event

MOST_BYTES = 64 * 1024 * 1024
SETTLE_S = 0.05
"""How long what was sent may travel before the connection is torn down."""


class ClientClosedError(Exception):
    """
    The client closed its end, or the server told this connection to end.
    """


class ServerClosedError(Exception):
    """
    The server is closing, so nothing is waited for any more.
    """


@dataclass(frozen=True, slots=True)
class Wait:
    """
    A pause of some seconds; for ever by default.
    """

    seconds: float = math.inf


class Ending(Enum):
    """
    How a connection ends before its time: by a TCP reset, or closed in good manners.
    """

    RESET = auto()
    CLOSE = auto()


Step: TypeAlias = Event | Wait | Ending


@dataclass(slots=True)
class Script:
    """
    An answer, step by step. `length` is the Content-Length that is told; None sends in chunks.
    """

    status: int
    kind: str
    steps: list[Step]
    length: int | None = None
    before: list[Step] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request as it came; the names of headers are in lower case.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def read_request(stream: BinaryIO) -> Request | None:
    """
    Read one request; None where the client has no more, or left in the middle of it.
    """
    line = stream.readline(65_536)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline(65_536)).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = b"".join(_body(stream, headers))
    if len(body) < int(headers.get("content-length", 0)):
        return None
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body)


def _body(stream: BinaryIO, headers: Mapping[str, str]) -> Iterator[bytes]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int(stream.readline(65_536).split(b";")[0], 16):
            yield stream.read(min(size, MOST_BYTES))
            stream.readline(65_536)
        stream.readline(65_536)
    elif length := int(headers.get("content-length", 0)):
        yield stream.read(min(length, MOST_BYTES))


def play(conn: socket.socket, script: Script, closing: socket.socket) -> Ending | None:
    """
    Send an answer, as few writes as its pauses allow; return how the connection ended, if it did.

    Raises:
        ClientClosedError: the client closed its end first.
        ServerClosedError: `closing` became readable during a pause.
    """
    pending = bytearray()
    for step in _steps(script):
        if isinstance(step, bytes):
            pending += step
        if pending and (not isinstance(step, bytes) or len(pending) > 65_536):
            _send(conn, pending)
            pending.clear()
        if isinstance(step, Wait):
            pause(conn, step.seconds, closing)
        elif isinstance(step, Ending):
            end(conn, step)
            return step
    _send(conn, pending)
    return None


def _steps(script: Script) -> Iterator[bytes | Wait | Ending]:
    for step in script.before:
        assert not isinstance(step, Event), "nothing is said before the head"
        yield step
    yield head(script)
    chunked = script.length is None
    for step in script.steps:
        if not isinstance(step, Event):
            yield step
        elif step.data:
            yield b"%x\r\n%s\r\n" % (len(step.data), step.data) if chunked else step.data
    if chunked:
        yield b"0\r\n\r\n"


def head(script: Script) -> bytes:
    try:
        phrase = HTTPStatus(script.status).phrase
    except ValueError:
        phrase = "Unknown"
    framing = ("Transfer-Encoding", "chunked")
    if script.length is not None:
        framing = ("Content-Length", str(script.length))
    lines = [
        f"HTTP/1.1 {script.status} {phrase}",
        *_lines([("Content-Type", script.kind), framing, *script.headers]),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _lines(headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"{name}: {value}" for name, value in headers)


def _send(conn: socket.socket, data: bytes | bytearray) -> None:
    try:
        conn.sendall(data)
    except OSError as error:
        raise ClientClosedError from error


def pause(conn: socket.socket, seconds: float, closing: socket.socket) -> None:
    """
    Wait, but no longer than both ends are there.
    """
    until = time.monotonic() + seconds
    poller = select.poll()
    poller.register(closing, select.POLLIN)
    poller.register(conn, select.POLLIN)
    while (left := until - time.monotonic()) > 0:
        ready = {number for number, _ in poller.poll(None if math.isinf(left) else left * 1000)}
        if closing.fileno() in ready:
            raise ServerClosedError
        if conn.fileno() in ready:
            if _gone(conn):
                raise ClientClosedError
            poller.unregister(conn)  # it sent more, which is read in its turn


def _gone(conn: socket.socket) -> bool:
    try:
        return not conn.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def end(conn: socket.socket, how: Ending) -> None:
    if how is Ending.RESET:  # closing with a linger of no time sends RST
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        conn.shutdown(socket.SHUT_RDWR)
