"""
Providers of models to test with: OpenAI, DeepSeek, Anthropic and Gemini on the loopback, with every fault.

    def test_it(fakes: FakeProviders) -> None:         # the fixture of tests/conftest.py, reset for each test
        fakes.reply("gpt-*", "hello")                  # else the model echoes the last words of the user
        fakes.plan("gpt-*", "rate_limit:2", times=1)   # one 429, then all is well
        call(base_url=fakes.base("openai"))
        assert 2 == fakes.count("gpt-*")               # requests on the wire

Outside tests/conftest.py: `from ..servers.fake_providers import FakeProviders` in any folder of tests, and
`with FakeProviders() as fakes`. As a process of its own, for measurements: `with alone.apart() as url`, or
`python tests/servers --seconds 60 --text hello`, which prints its URL and ends when its stdin closes.

**Addresses.** `base(provider)`, provider being "openai", "deepseek", "anthropic" or "google", fits what each
client calls its base URL: openai and litellm `openai/` (…/v1), litellm `deepseek/` and an OpenAI client for
it (…/deepseek), anthropic and litellm `anthropic/`, google-genai (`HttpOptions(base_url=…)`) and litellm
`gemini/` (the bare address). `refusing` is an address where nobody listens. The Claude Code CLI takes that of
"anthropic".

**Faults.** `plan(glob, *faults, times=, skip=, share=, seed=)`: requests whose model (or `provider/model`)
matches take the next of the faults in turn, after the first `skip` of them, `times` requests at most, and
only the given share of them at random. Of several rules the first that has a fault for this request wins;
"ok" is no fault. `heal()` ends all rules. `base(provider, "rate_limit:2")` puts a fault into the address
instead, for clients that are processes. Faults that meet in one answer are joined by commas:
"delay:0.2,length".

    errors    rate_limit[:s]  rate_limit_date[:s]  rate_limit_bare  quota  server_error  bad_gateway
              unavailable  overloaded  gateway_timeout  auth  bad_key  permission  not_found  bad_request
              context_length  content_filter  status:N  redirect[:N]  leak[:N]
    said      empty_text  empty_choices  missing_usage  negative_usage  absurd_usage[:tokens]  nan_usage
              length[:share]  content_filter_finish  huge[:MB]
    happens   hang  delay[:s]  reset  eof  reset_mid[:k]  eof_mid[:k]  truncated_json  garbage[:k]  empty_body
              slow_drip[:gap_s[:drops]]  header_bomb[:kB]  gzip_bomb[:MB]  other_json  not_utf8
    streams   slow_stream[:gap_s]  stall_stream[:k]  stream_error[:k]  no_done  no_finish[:k]

`k` is the number of parts of the text (words, tool calls) that arrive before it happens, 1 unless said, 0 for
none; a plain body then ends in its middle. `rate_limit` tells 1 s unless said, by Retry-After, with Gemini by
RetryInfo in the body. `quota`, `content_filter`, `overloaded` and `bad_key` are in each provider's own form
(402 with DeepSeek, 529 with Anthropic, 400 for a wrong key with Gemini, whose blocked prompt is a 200 with
`promptFeedback`); 502 and 504 are HTML. `stream_error` on a plain call is a 200 whose body is an error.
`redirect` leads to another host name, whose requests are recorded with a path that starts with /elsewhere.
`leak` is an error that says the key and the prompt again.
`slow_drip` drips longer than any deadline unless `drops` says when it ends.

**Answers.** `reply(glob, text | Reply | function)`; the function gets the `Call`. A later rule goes before an
earlier one. The echo is "echo: " and the last text of the user; a tool that must be called is called, and a
schema is met, with the plainest values. `max_tokens` cuts the text, and `length` is told then.

**Tokens.** Four characters are one, rounded up, at least 1: of all texts of the conversation together, and of
the text and the arguments (compact JSON) that are answered, `tokens_of(text)`. Tools and schemas count
nothing. A `Reply` may set tokens, cached ones and those of reasoning.

**What was seen.** `requests` is a list of `Seen`, oldest first; `count(glob)` how many there were. `outcome`
says how each ended, after `ended_s` seconds: "client_closed" proves that a client closed its socket. An
answer can be read a moment before its outcome stands: `wait_idle()` first (in async code `await
asyncio.to_thread(fakes.wait_idle)`). Keys are redacted; `sent_key(key)` says whether one was sent.
`complaints` tells of requests that no provider would understand and of faults that don't exist; the fixture
wants none.

Formats and errors are modelled on the providers' published ones, not captured from them.
"""

from __future__ import annotations

import json
import random
import select
import socket
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

from . import anthropic_form, gemini_form, openai_form
from .answers import Say, echo, said
from .faults import read_faults, script_for
from .forms import Call, Event, Json, Reply, ToolCall, counts_of, encoded, tokens_of
from .records import Rule, Seen, digest, fits, keys_of, redacted
from .wire import ClientClosedError, Ending, Request, Script, ServerClosedError, play, read_request

__all__ = ["Call", "FakeProviders", "Reply", "Seen", "ToolCall", "tokens_of"]

BASES = {"openai": "/v1", "deepseek": "/deepseek", "anthropic": "", "google": ""}


@dataclass(slots=True)
class _Client:
    """
    A connection, and whether a request of it is being answered.
    """

    conn: socket.socket
    busy: bool = False
    cut: bool = field(default=False)


class FakeProviders:
    """
    A server on the loopback that speaks as the providers do, see the top of this file. Safe to use from any
    thread.

    Args:
        port: where to listen; 0 takes a free one.
        keep: how many requests are remembered; 0 counts them only.
    """

    def __init__(self, port: int = 0, keep: int = 20_000) -> None:
        self.complaints: list[str] = []
        self._seen: deque[Seen] = deque(maxlen=keep)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._rules: list[Rule] = []
        self._replies: list[tuple[str, Say]] = []
        self._clients: dict[threading.Thread, _Client] = {}
        self._change = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._closed, self._closing = socket.socketpair()  # the first is readable once the second is closed
        self._nobody = socket.socket()
        self._nobody.bind(("127.0.0.1", 0))  # bound but not listening: the port stays ours, and refuses
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.refusing = f"http://127.0.0.1:{self._nobody.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, name="fake-providers", daemon=True)
        self._accepting.start()

    # --- what a test says ------------------------------------------------------------------------------

    def base(self, provider: str, faults: str = "") -> str:
        """
        The base URL for a provider's clients; with faults, each request to it meets them.
        """
        read_faults(faults)
        return self.url + (f"/f/{quote(faults, safe=':,')}" if faults else "") + BASES[provider]

    def plan(
        self,
        glob: str,
        *faults: str,
        times: int | None = None,
        skip: int = 0,
        share: float = 1.0,
        seed: int = 0,
    ) -> None:
        """
        Let requests for some models meet faults.
        """
        for text in faults:
            read_faults(text)
        with self._change:
            self._rules.append(Rule(glob, faults or ("ok",), times, skip, share, random.Random(seed)))  # noqa: S311

    def heal(self) -> None:
        """
        End all rules of `plan`.
        """
        with self._change:
            self._rules.clear()

    def reply(self, glob: str, say: Say) -> None:
        """
        Say what some models answer.
        """
        with self._change:
            self._replies.insert(0, (glob, say))

    def reset(self) -> None:
        """
        Cut off what is still being answered, and forget rules, replies, requests and complaints.
        """
        with self._change:
            for client in self._clients.values():
                if client.busy:
                    client.cut = True
                    _shut(client.conn)
        self.wait_idle()
        with self._change:
            for kept in (self._rules, self._replies, self._seen, self._counts, self.complaints):
                kept.clear()

    # --- what a test asks ------------------------------------------------------------------------------

    @property
    def requests(self) -> list[Seen]:
        """
        The requests that came, oldest first.
        """
        with self._change:
            return list(self._seen)

    def count(self, glob: str = "*") -> int:
        """
        How many requests for answers of some models came.
        """
        with self._change:
            return sum(number for names, number in self._counts.items() if fits(glob, *names))

    def wait_idle(self, timeout_s: float = 5) -> None:
        """
        Wait until each request that came has ended.

        Raises:
            TimeoutError: some have not.
        """
        with self._change:
            if not self._change.wait_for(lambda: not any(c.busy for c in self._clients.values()), timeout_s):
                pending = [f"{seen.model} {seen.fault}" for seen in self._seen if seen.outcome == "pending"]
                raise TimeoutError(f"still being answered: {', '.join(pending)}")

    # --- its life --------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """
        End every wait and connection; nothing of the server is left then.
        """
        if not self._accepting.is_alive():
            return
        self._closing.close()
        self._accepting.join()
        with self._change:
            clients = dict(self._clients)
        for thread, client in clients.items():
            _shut(client.conn)
            thread.join()
        for kept in (self._listener, self._closed, self._nobody):
            kept.close()

    def _accept(self) -> None:
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        poller.register(self._closed, select.POLLIN)
        while self._closed.fileno() not in {number for number, _ in poller.poll()}:
            conn, _ = self._listener.accept()
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(conn)
            thread = threading.Thread(target=self._serve, args=[client], name="fake-provider", daemon=True)
            with self._change:
                self._clients[thread] = client
            thread.start()

    # --- one connection --------------------------------------------------------------------------------

    def _serve(self, client: _Client) -> None:
        try:
            with client.conn, client.conn.makefile("rb") as stream, suppress(OSError):
                while (request := read_request(stream)) and self._answer(client, request):
                    pass
        finally:
            with self._change:
                del self._clients[threading.current_thread()]

    def _answer(self, client: _Client, request: Request) -> bool:
        """
        Answer one request; return whether the connection goes on.
        """
        seen, call = self._arrived(client, request)
        script = self._script(seen, call, request)
        try:
            ending = play(client.conn, script, self._closed)
            outcome = {None: "answered", Ending.RESET: "reset", Ending.CLOSE: "closed"}[ending]
        except ClientClosedError:
            outcome = "server_closed" if client.cut else "client_closed"
        except ServerClosedError:
            outcome = "server_closed"
        with self._change:
            client.busy = False
            seen.status, seen.outcome, seen.ended_s = script.status, outcome, time.monotonic() - seen.at_s
            self._change.notify_all()
        return outcome == "answered"

    def _arrived(self, client: _Client, request: Request) -> tuple[Seen, Call | None]:
        """
        Read a request and write it down; None where no answer of a model is asked for.
        """
        faults, path = _fault_in(request.path)
        seen = Seen(request.path, "", "", False, faults, None, redacted(request), time.monotonic())
        seen.keys = frozenset(map(digest, keys_of(request)))
        call = None
        try:
            seen.body = json.loads(request.body) if request.body else None
            call = _read(path, request.query, seen.body) if request.method == "POST" else None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self._complain(seen, error)
        if call:
            seen.provider, seen.model, seen.stream = call.provider, call.model, call.stream
        with self._change:
            client.busy = True
            self._seen.append(seen)
            if call:
                self._counts[seen.provider, seen.model] += 1
        return seen, call

    def _script(self, seen: Seen, call: Call | None, request: Request) -> Script:
        """
        Write the script of an answer.
        """
        path = _fault_in(request.path)[1]
        try:
            if call is None:
                return _refused() if seen.complaint else _beside(request.method, path, seen.body)
            seen.fault = seen.fault or self._planned(call)
            faults = read_faults(seen.fault)
            return script_for(call, self._said(call), faults, self._elsewhere(path), keys_of(request))
        except Exception as error:  # by the function that a test gave to `reply`, for one
            self._complain(seen, error)
            return _refused()

    def _complain(self, seen: Seen, error: Exception) -> None:
        seen.complaint = f"{seen.path}: {type(error).__name__}: {error}"
        with self._change:
            self.complaints.append(seen.complaint)

    def _planned(self, call: Call) -> str:
        with self._change:
            for rule in self._rules:
                if fits(rule.glob, call.provider, call.model) and (found := rule.next()) is not None:
                    return found if found != "ok" else ""
        return ""

    def _said(self, call: Call) -> Reply:
        with self._change:
            say = next((say for glob, say in self._replies if fits(glob, call.provider, call.model)), echo)
        return said(call, say)

    def _elsewhere(self, path: str) -> str:
        return self.url.replace("127.0.0.1", "localhost") + "/elsewhere" + path


def _shut(conn: socket.socket) -> None:
    with suppress(OSError):
        conn.shutdown(socket.SHUT_RDWR)


# --- requests ------------------------------------------------------------------------------------------


def _fault_in(path: str) -> tuple[str, str]:
    """
    Part the faults of an address from the rest of it.
    """
    if not path.startswith("/f/"):
        return "", path
    faults, _, rest = path.removeprefix("/f/").partition("/")
    return unquote(faults), f"/{rest}"


def _read(path: str, query: str, body: Json) -> Call | None:
    if path.endswith("/chat/completions"):
        return openai_form.read(body, "deepseek" if "/deepseek/" in path else "openai")
    if path.endswith("/v1/messages"):
        return anthropic_form.read(body)
    if gemini_form.PATH.search(path):
        return gemini_form.read(body, path, query)
    return None


def _beside(method: str, path: str, body: Json) -> Script:
    """
    What is asked beside answers of models: whether somebody is there, and how many tokens a prompt has.
    """
    if path == "/" and method in ("GET", "HEAD"):
        return Script(200, "text/plain", [], 0)
    if path.endswith("/v1/messages/count_tokens"):
        call = anthropic_form.read({"max_tokens": 1, **body})
        return _json({"input_tokens": counts_of(call, Reply()).input})
    return _json({"error": {"message": f"no such address: {path}"}}, 404)


def _refused() -> Script:
    return _json(
        {"error": {"message": "no provider would understand this; see the server's complaints"}}, 400
    )


def _json(value: Json, status: int = 200) -> Script:
    body = encoded(value)
    return Script(status, "application/json", [Event(body)], len(body))
