"""What can go wrong with an answer, by name; the manual is in fake_providers.py."""

from __future__ import annotations

import gzip
import json
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from email.utils import formatdate
from typing import Any

from . import anthropic_form, gemini_form, openai_form
from .forms import Call, Event, Form, Problem, Reply, counts_of, encoded
from .wire import SETTLE_S, Ending, Script, Step, Wait

JSON_KIND = "application/json"
EVENTS_KIND = "text/event-stream; charset=utf-8"
FORMS: dict[str, Form] = {
    "openai": openai_form,
    "deepseek": openai_form,
    "anthropic": anthropic_form,
    "google": gemini_form,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One fault with its numbers, such as `rate_limit:2`.
    """

    name: str
    numbers: tuple[float, ...] = ()


def read_faults(text: str) -> tuple[Fault, ...]:
    """
    Read faults that meet in one answer: `delay:0.2,rate_limit:1`. "ok" is none.

    Raises:
        ValueError: there is no such fault, or what follows it is no number.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, *numbers = part.split(":")
        if name not in NAMES:
            near = get_close_matches(name, NAMES, 1)
            raise ValueError(f"no fault is named `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""))
        found.append(Fault(name, tuple(float(number) for number in numbers)))
    return tuple(fault for fault in found if fault.name != "ok")


def script_for(
    call: Call, reply: Reply, faults: Sequence[Fault], elsewhere: str = "", keys: Sequence[str] = ()
) -> Script:
    """
    Write the script of an answer. `elsewhere` is the address that a redirect names, `keys` are what leaks.
    """
    for fault in faults:
        if fault.name in _SAYINGS:
            reply = _SAYINGS[fault.name](reply, *fault.numbers)
    script = whole(call, reply)
    for fault in faults:
        if fault.name in _PROBLEMS:
            script = _of_problem(call, _PROBLEMS[fault.name](call, fault), script.before)
        elif fault.name == "redirect":
            script = _of_problem(call, _redirect(elsewhere, *fault.numbers), script.before)
        elif fault.name == "leak":
            script = _of_problem(call, _leak(call, keys, *fault.numbers), script.before)
        elif fault.name in _HAPPENINGS:
            _HAPPENINGS[fault.name](script, call, *fault.numbers)
    return script


def whole(call: Call, reply: Reply) -> Script:
    """
    An answer as it should be.
    """
    form, counts = FORMS[call.provider], counts_of(call, reply)
    if call.stream:
        kind = EVENTS_KIND if call.as_events else JSON_KIND
        return Script(200, kind, [*form.events(call, reply, counts)])
    return _plain(encoded(form.answer(call, reply, counts)))


def _plain(body: bytes, status: int = 200, kind: str = JSON_KIND) -> Script:
    return Script(status, kind, [Event(body, text=True)], len(body))


# --- errors --------------------------------------------------------------------------------------------


def _of_problem(call: Call, problem: Problem, before: list[Step]) -> Script:
    if problem.status == 200 and call.stream:
        script = Script(200, EVENTS_KIND, [Event(b"data: " + problem.body + b"\r\n\r\n")])
    else:
        script = _plain(problem.body, problem.status, problem.kind)
    script.before, script.headers = before, list(problem.headers)
    return script


def _in_form(call: Call, fault: Fault) -> Problem:
    return FORMS[call.provider].problem(fault.name, call)


def _rate_limit(call: Call, fault: Fault) -> Problem:
    """
    When to try again: by a header, in seconds or as a date; with Google in the body.
    """
    wait_s = fault.numbers[0] if fault.numbers else 1.0
    bare = fault.name == "rate_limit_bare"
    if call.provider == "google":
        return gemini_form.problem("rate_limit", call, None if bare else wait_s)
    problem = FORMS[call.provider].problem("rate_limit", call)
    if bare:
        return problem
    when = f"{wait_s:g}"
    if fault.name == "rate_limit_date":
        when = formatdate(time.time() + wait_s, usegmt=True)
    return replace(problem, headers=(("Retry-After", when),))


def _gateway(call: Call, fault: Fault) -> Problem:
    """
    What stands before a provider answers in HTML, not in the provider's form.
    """
    status, words = (502, "Bad Gateway") if fault.name == "bad_gateway" else (504, "Gateway Time-out")
    page = f"<html><head><title>{status} {words}</title></head><body><h1>{status} {words}</h1></body></html>"
    return Problem(status, page.encode(), kind="text/html")


def _status(call: Call, fault: Fault) -> Problem:
    return Problem(int(fault.numbers[0]), encoded({"detail": "no provider's form"}))


def _leak(call: Call, keys: Sequence[str], status: float = 401) -> Problem:
    """
    An error whose message says again what nobody may see: the key and the prompt.
    """
    error = json.loads(FORMS[call.provider].problem("auth", call).body)
    error["error"]["message"] = f"refused: {' '.join((*keys, *call.texts))}"
    return Problem(int(status), encoded(error))


def _redirect(elsewhere: str, status: float = 302) -> Problem:
    return Problem(int(status), b"", (("Location", elsewhere),))


_PROBLEMS: dict[str, Callable[[Call, Fault], Problem]] = {
    **dict.fromkeys(
        "quota server_error unavailable overloaded auth bad_key permission not_found bad_request "
        "context_length content_filter".split(),
        _in_form,
    ),
    **dict.fromkeys(("rate_limit", "rate_limit_date", "rate_limit_bare"), _rate_limit),
    **dict.fromkeys(("bad_gateway", "gateway_timeout"), _gateway),
    "status": _status,
}

# --- what is said --------------------------------------------------------------------------------------


def _length(reply: Reply, share: float = 0.5) -> Reply:
    return replace(reply, text=reply.text[: int(len(reply.text) * share)], tools=(), finish="length")


def _huge(reply: Reply, megabytes: float = 32) -> Reply:
    word = "x" * 65_535 + " "
    return replace(reply, text=word * round(megabytes * 16))


def _usage(tokens: float) -> Callable[..., Reply]:
    def change(reply: Reply, number: float = tokens) -> Reply:
        told: Any = int(number) if math.isfinite(number) else number
        return replace(reply, input_tokens=told, output_tokens=told)

    return change


_SAYINGS: dict[str, Callable[..., Reply]] = {
    "empty_text": lambda reply: replace(reply, text="", tools=()),
    "empty_choices": lambda reply: replace(reply, choices=False),
    "missing_usage": lambda reply: replace(reply, usage=False),
    "negative_usage": _usage(-5),
    "absurd_usage": _usage(10**12),
    "nan_usage": _usage(math.nan),
    "length": _length,
    "content_filter_finish": lambda reply: replace(reply, text="", tools=(), finish="filter"),
    "huge": _huge,
}

# --- what happens to it on its way ---------------------------------------------------------------------


def _first(script: Script, texts: float) -> list[Step]:
    """
    The steps up to the part of the text of this number, 0 for those before the first; half of a plain body.
    """
    if script.length is not None:
        (event,) = script.steps
        assert isinstance(event, Event)
        return [Event(event.data[: len(event.data) // 2])]
    places = [n for n, step in enumerate(script.steps) if isinstance(step, Event) and step.text]
    if not places:
        return script.steps[:1]
    if not texts:
        return script.steps[: places[0]]
    return script.steps[: places[min(int(texts), len(places)) - 1] + 1]


def _hang(script: Script, call: Call) -> None:
    script.before.append(Wait())


def _delay(script: Script, call: Call, seconds: float = 1) -> None:
    script.before.append(Wait(seconds))


def _reset(script: Script, call: Call) -> None:
    script.before.append(Ending.RESET)


def _eof(script: Script, call: Call) -> None:
    script.before.append(Ending.CLOSE)


def _reset_mid(script: Script, call: Call, texts: float = 1) -> None:
    script.steps = [*_first(script, texts), Wait(SETTLE_S), Ending.RESET]


def _eof_mid(script: Script, call: Call, texts: float = 1) -> None:
    script.steps = [*_first(script, texts), Ending.CLOSE]


def _stall(script: Script, call: Call, texts: float = 1) -> None:
    script.steps = [*_first(script, texts), Wait()]


def _replace_body(script: Script, body: bytes) -> None:
    script.steps, script.length = [Event(body, text=True)], len(body)


def _truncated(script: Script, call: Call) -> None:
    """
    The body, or the last part of the text of a stream, ends in the middle of its JSON.
    """
    if script.length is not None:
        (half,) = _first(script, 1)
        assert isinstance(half, Event)
        _replace_body(script, half.data)
        return
    *rest, last = _first(script, 1e9)
    assert isinstance(last, Event)
    script.steps = [*rest, Event(re.sub(rb"\s+$", b"", last.data)[:-8] + b"\n\n")]


def _garbage(script: Script, call: Call, texts: float = 1) -> None:
    if script.length is not None:
        _replace_body(script, b'{"]<html>garbage')
        return
    start = _first(script, texts)
    script.steps = [*start, Event(b'data: {"]<html>garbage\n\n'), *script.steps[len(start) :]]


def _error_inside(script: Script, call: Call, texts: float = 1) -> None:
    """
    An error inside an answer that began as a success.
    """
    form = FORMS[call.provider]
    if script.length is not None:
        _replace_body(script, form.problem("server_error", call).body)
        return
    script.steps = [*_first(script, texts), Event(form.stream_error(call))]


def _no_done(script: Script, call: Call) -> None:
    """
    The mark at the end is missing: [DONE], message_stop, the bracket of an array.
    """
    last = script.steps[-1]
    if isinstance(last, Event) and re.search(rb"\[DONE\]|message_stop|^\]", last.data):
        script.steps.pop()


def _no_finish(script: Script, call: Call, texts: float = 1) -> None:
    """
    A stream ends early, in good HTTP, without a reason to finish, usage and mark.
    """
    if script.length is None:
        script.steps = _first(script, texts)


def _empty_body(script: Script, call: Call) -> None:
    script.steps = []
    if script.length is not None:
        script.length = 0


def _slow_drip(script: Script, call: Call, gap_s: float = 0.2, drops: float = 10_000) -> None:
    """
    Something always comes, but nothing that means anything: blanks before a body, comments before events;
    with Gemini, whose clients know no comments, empty lines.
    """
    drop = Event(b": still here\n\n")
    if script.length is not None or call.provider == "google":
        drop = Event(b"\n")
    script.length = None
    dripping: list[Step] = [drop, Wait(gap_s)]
    script.steps = [*dripping * int(drops), *script.steps]


def _slow_stream(script: Script, call: Call, gap_s: float = 0.2) -> None:
    slowed: list[Step] = []
    for step in script.steps:
        slowed += [Wait(gap_s), step] if isinstance(step, Event) and step.text else [step]
    script.steps = slowed


def _gzip_bomb(script: Script, call: Call, megabytes: float = 64) -> None:
    """
    Small on the wire, large when unpacked: blanks before what is said.
    """
    said = b"".join(step.data for step in script.steps if isinstance(step, Event))
    blanks = b" " * round(megabytes * 1024 * 1024)
    if script.length is None:
        blanks = b":" + blanks + b"\n\n"  # a comment among events
    _replace_body(script, gzip.compress(blanks + said, 1))
    script.headers.append(("Content-Encoding", "gzip"))


def _other_json(script: Script, call: Call) -> None:
    """
    JSON that is right, but nothing that was asked for.
    """
    if script.length is not None:
        _replace_body(script, b"[1, null]")
    else:
        script.steps = [*_first(script, 0), Event(b"data: [1, null]\n\n")]


def _not_utf8(script: Script, call: Call) -> None:
    """
    Each part of the text is no UTF-8.
    """
    script.steps = [
        replace(step, data=step.data.replace(b"e", b"\xff"))
        if isinstance(step, Event) and step.text
        else step
        for step in script.steps
    ]


def _header_bomb(script: Script, call: Call, kilobytes: float = 256) -> None:
    script.headers.append(("X-Bomb", "x" * int(kilobytes * 1024)))


_HAPPENINGS: dict[str, Callable[..., None]] = {
    "hang": _hang,
    "delay": _delay,
    "reset": _reset,
    "eof": _eof,
    "reset_mid": _reset_mid,
    "eof_mid": _eof_mid,
    "truncated_json": _truncated,
    "garbage": _garbage,
    "stream_error": _error_inside,
    "no_done": _no_done,
    "no_finish": _no_finish,
    "empty_body": _empty_body,
    "slow_drip": _slow_drip,
    "slow_stream": _slow_stream,
    "stall_stream": _stall,
    "header_bomb": _header_bomb,
    "gzip_bomb": _gzip_bomb,
    "other_json": _other_json,
    "not_utf8": _not_utf8,
}

NAMES = ("ok", "redirect", "leak", *_PROBLEMS, *_SAYINGS, *_HAPPENINGS)
