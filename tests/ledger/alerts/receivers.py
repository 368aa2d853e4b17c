"""Servers on 127.0.0.1 that receive alerts, well and badly, and end by themselves."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from pathlib import Path
from typing import Any

import trustme


@dataclass
class Received:
    """
    A request as it came.
    """

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """
        What the body says.
        """
        return json.loads(self.body)


@dataclass
class Hook:
    """
    A webhook that keeps what it gets; `answers` are the statuses it gives, the last one for ever.
    """

    answers: list[int] = field(default_factory=lambda: [200])
    got: list[Received] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"

    @property
    def origin(self) -> str:
        """
        What the machine allows.
        """
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """
        The address with its secret.
        """
        return f"{self.origin}/services/{SECRET}?token={SECRET}"


SECRET = "c4n4ry-T00000000-B11111111"  # noqa: S105
"""Stands in each address, and may stand nowhere else."""


@contextmanager
def a_hook(*answers: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Hook]:
    """
    A webhook that answers.
    """
    hook = Hook(list(answers) or [200], scheme="http" if tls is None else "https", host=host)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append(Received(self.path, dict(self.headers), body))
            self.send_response(hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0])
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.port = server.server_port
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Raw:
    """
    A server that does to each connection what a test says; `met` counts them.
    """

    port: int
    met: list[bytes]

    @property
    def origin(self) -> str:
        """
        What the machine allows.
        """
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def a_raw_server(act: Callable[[socket.socket, threading.Event], None]) -> Iterator[Raw]:
    """
    A server in the raw: `act` gets each connection, and an event that says that the test is over.
    """
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    raw = Raw(listener.getsockname()[1], [])
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            raw.met.append(b"")
            act(connection, over)

    def accept() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield raw
    finally:
        over.set()
        acceptor.join()
        listener.close()
        for thread in threads:
            thread.join(10)


def hang(connection: socket.socket, over: threading.Event) -> None:
    """
    Take the request and never answer.
    """
    over.wait(60)


def drip(connection: socket.socket, over: threading.Event) -> None:
    """
    Answer a byte now and then, for ever.
    """
    while not over.wait(0.05):
        connection.sendall(b"H")


def flood(connection: socket.socket, over: threading.Event) -> None:
    """
    Answer without an end, all of it the first line.
    """
    while not over.is_set():
        connection.sendall(b"x" * 65536)


# --- TLS -------------------------------------------------------------------------------------------------


class Authority:
    """
    Makes certificates that nobody trusts but who is given its file.
    """

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def server(self, *names: str) -> ssl.SSLContext:
        """
        What a server of these names speaks TLS with.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(context)
        return context


# --- mail ------------------------------------------------------------------------------------------------


@dataclass
class MailBox:
    """
    A mail server that keeps what it gets.
    """

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


_ANSWERS = {"AUTH": b"235 welcome\r\n", "QUIT": b"221 bye\r\n"}


@contextmanager
def a_mail_server(
    tls: ssl.SSLContext | None = None, *, from_start: bool = False, refuses: str | None = None
) -> Iterator[MailBox]:
    """
    A mail server of a few words: with STARTTLS, with TLS from the start, or with neither.

    `refuses` is a command that it answers with 550.
    """
    box = MailBox()

    def act(connection: socket.socket, over: threading.Event) -> None:
        secure = tls is not None and from_start
        if secure and tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        with ExitStack() as left:
            stream = left.enter_context(left.enter_context(connection).makefile("rb"))
            connection.sendall(b"220 here\r\n")
            while line := stream.readline():
                word = line.split(maxsplit=1)[0].upper().decode()
                box.said.append(f"{word}{'' if secure else ' in the clear'}")
                if word == refuses:
                    connection.sendall(b"550 no, " + SECRET.encode() + b"\r\n")
                elif word == "EHLO":
                    more = b"" if tls is None or secure else b"250-STARTTLS\r\n"
                    connection.sendall(b"250-here\r\n" + more + b"250 AUTH PLAIN\r\n")
                elif word == "STARTTLS" and tls is not None:
                    connection.sendall(b"220 go on\r\n")
                    connection = left.enter_context(tls.wrap_socket(connection, server_side=True))
                    stream, secure = left.enter_context(connection.makefile("rb")), True
                elif word == "DATA":
                    connection.sendall(b"354 go on\r\n")
                    lines = iter(stream.readline, b".\r\n")
                    box.mails.append(b"".join(takewhile(bool, lines)))
                    connection.sendall(b"250 kept\r\n")
                else:
                    connection.sendall(_ANSWERS.get(word, b"250 fine\r\n"))

    with a_raw_server(act) as raw:
        box.port = raw.port
        yield box
