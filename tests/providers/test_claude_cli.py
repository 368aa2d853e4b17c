"""The Claude Code CLI as a model, with programs that stand in for it; test_real_cli.py has the real one."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policyctl.providers.adapters.choose import Adapters
from policyctl.providers.adapters.claude_cli import ClaudeCli
from policyctl.schemas.calls import Answer, Call, Message, Piece, Tokens
from policyctl.schemas.errors import Billed, ProviderError
from policyctl.schemas.policy import FailureKind

from .calls import a_call, a_model
from .stand_in import HELLO, StandIn, failed, result, shell_stand_in, stand_in, started, stopped, text

KEY = "sk-ant-not-for-others"
PROMPT = "the prompt is for nobody else"
MODEL = a_model("claude-code-cli/sonnet")
WITH_KEY = a_model("claude-code-cli/sonnet", key_names=("TEAM_KEY",))
OWN_SERVER = a_model("claude-code-cli/sonnet", server="http://127.0.0.1:9")
OWN_SERVER_AND_KEY = a_model("claude-code-cli/sonnet", server="http://127.0.0.1:9", key_names=("TEAM_KEY",))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """
    Where the stand-in lies; no process of it may be left when the test is over.
    """
    yield tmp_path
    assert [] == StandIn(tmp_path).left_over()


def saying(folder: Path, *events: dict[str, Any]) -> StandIn:
    return stand_in(folder, f"say(*{list(events)!r})")


def complete(program: StandIn, call: Call, **environ: str) -> Answer:
    async def ask() -> Answer:
        adapter = ClaudeCli({**program.environ, **environ})
        try:
            return await adapter.complete(call)
        finally:
            await adapter.close()

    return asyncio.run(ask())


def stream(program: StandIn, call: Call) -> list[Piece]:
    async def ask() -> list[Piece]:
        return [piece async for piece in ClaudeCli(program.environ).stream(call)]

    return asyncio.run(ask())


def failure(program: StandIn, call: Call | None = None, **environ: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        complete(program, call or a_call(MODEL, PROMPT), **environ)
    return caught.value


# --- an answer -----------------------------------------------------------------------------------------


def test_the_answer_is_what_the_events_say(folder: Path) -> None:
    """
    Text, model and tokens come from the API's events, cached input counted with the rest; the cost from the
    last line.
    """
    answer = complete(saying(folder, *HELLO), a_call(MODEL))

    assert "hello there" == answer.text
    assert ("stop", "claude-sonnet-5-5") == (answer.finish_reason, answer.response_model)
    expected = Tokens(
        input_tokens=18, output_tokens=7, cache_read_tokens=5, cache_write_tokens=3, cost_nusd=147_750
    )
    assert expected == answer.tokens


def test_a_streamed_answer_comes_in_pieces(folder: Path) -> None:
    """
    Each text is handed over as it comes, and the last piece holds the whole.
    """
    *pieces, last = stream(saying(folder, *HELLO), a_call(MODEL))

    assert ["hello ", "there"] == [piece.text for piece in pieces]
    assert last.answer is not None
    assert "hello there" == last.answer.text


def test_usage_that_is_missing_or_absurd_is_none(folder: Path) -> None:
    """
    Counts that can't be are as good as none.
    """
    for usage in ({"input_tokens": None}, {"input_tokens": -4}, {"cache_read_input_tokens": "9"}):
        said = [started(**usage), text("hello"), stopped(), result()]
        assert complete(shell_stand_in(folder, *said), a_call(MODEL)).tokens is None


@pytest.mark.parametrize("cost", [None, "1", True, -1, 1e300, 0])
def test_a_cost_that_can_not_be_is_none(folder: Path, cost: object) -> None:
    """
    A cost that is no amount of money isn't taken; the tokens still count.
    """
    answer = complete(shell_stand_in(folder, *HELLO[:-1], result(total_cost_usd=cost)), a_call(MODEL))

    assert answer.tokens is not None
    assert answer.tokens.cost_nusd is None


def test_lines_that_mean_nothing_are_passed_over(folder: Path) -> None:
    """
    Notes of the program between the events, and JSON of other shapes, change nothing.
    """
    noise = "print('a note', '{', sep='\\n'); print('[1, null]'); print(b'\\xff\\xfe'.decode('latin-1'))\n"
    program = stand_in(folder, f"{noise}say(7, None, {{'type': 5}}, *{HELLO!r})\n{noise}")

    assert "hello there" == complete(program, a_call(MODEL)).text


def test_many_calls_at_once(folder: Path) -> None:
    """
    A hundred calls on one loop are all answered, and leave nothing behind.
    """

    async def ask() -> list[Answer]:
        adapter = ClaudeCli(shell_stand_in(folder, *HELLO).environ)
        return await asyncio.gather(*(adapter.complete(a_call(MODEL, timeout_s=60)) for _ in range(100)))

    assert ["hello there"] * 100 == [answer.text for answer in asyncio.run(ask())]


def test_the_provider_is_served_by_the_program(folder: Path) -> None:
    """
    A model `claude-code-cli/…` is asked through the program, one with a server of its own too.
    """
    adapters = Adapters(StandIn(folder).environ)

    assert {ClaudeCli} == {type(adapters.for_model(model)) for model in (MODEL, WITH_KEY, OWN_SERVER)}


# --- what the program is given -------------------------------------------------------------------------


def test_the_prompt_goes_in_on_stdin_alone(folder: Path) -> None:
    """
    Neither prompt, system prompt nor key is on the command line, which everybody on the machine can read.
    """
    program = saying(folder, *HELLO)
    messages = (Message("system", "SECRET SYSTEM"), Message("user", PROMPT))

    complete(program, a_call(WITH_KEY, messages=messages), TEAM_KEY=KEY)

    (given,) = program.given
    argv = " ".join(given["argv"])
    assert f"\n{PROMPT}" == given["stdin"]
    assert "SECRET SYSTEM" == given["system"]
    assert [] == [secret for secret in (PROMPT, "SECRET SYSTEM", KEY) if secret in argv]
    assert "--model=sonnet" in given["argv"]


def test_a_prompt_is_no_command_to_the_program(folder: Path) -> None:
    """
    A prompt that starts with a slash would be a command; a new line before it makes it a text.
    """
    program = saying(folder, *HELLO)

    complete(program, a_call(MODEL, "/clear"))

    assert "\n/clear" == program.given[0]["stdin"]


def test_a_large_prompt_arrives_whole(folder: Path) -> None:
    """
    A prompt may be larger than a pipe holds.
    """
    program = saying(folder, *HELLO)

    complete(program, a_call(MODEL, "x" * 300_000))

    assert 300_001 == len(program.given[0]["stdin"])


def test_a_program_that_does_not_read_gets_no_chance_to_hang(folder: Path) -> None:
    """
    What it doesn't read of a large prompt doesn't matter, if it answers.
    """
    program = stand_in(folder, f"say(*{HELLO!r})", reads=False)

    assert "hello there" == complete(program, a_call(MODEL, "x" * 300_000)).text


def test_a_conversation_is_told_as_one_text(folder: Path) -> None:
    """
    Of several messages each is told with its role.
    """
    program = saying(folder, *HELLO)
    parts = ({"type": "text", "text": "And now?"},)
    messages = (Message("user", "Hi."), Message("assistant", "Hello."), Message("user", parts=parts))

    complete(program, a_call(MODEL, messages=messages))

    assert "\nUser:\nHi.\n\nAssistant:\nHello.\n\nUser:\nAnd now?\n" == program.given[0]["stdin"]


def test_a_schema_is_asked_for_in_the_system_prompt_and_checked(folder: Path) -> None:
    """
    The program is told the schema; an answer that follows it is one, JSON in a fence too.
    """
    schema = {"type": "object", "required": ["done"]}
    program = saying(folder, started(), text('```json\n{"done": true}\n```'), stopped(), result())

    answer = complete(program, a_call(MODEL, schema=schema))

    assert '{"done": true}' == answer.text
    assert '"required": ["done"]' in program.given[0]["system"]


def test_the_environment_is_made_anew(folder: Path) -> None:
    """
    The program sees a short list of variables, whatever else there is: no key that it isn't given, and
    nothing that sends it to another address.
    """
    program = saying(folder, *HELLO)
    others = {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": "http://example.com",
        "ANTHROPIC_MODEL": "other",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "CLAUDECODE": "1",
        "LD_PRELOAD": "",
        "NODE_OPTIONS": "--inspect",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
    }

    complete(program, a_call(MODEL, max_output_tokens=77, timeout_s=9.0), **others)

    assert {
        "PATH": program.environ["PATH"],
        "HOME": program.environ["HOME"],
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "API_TIMEOUT_MS": "10000",
        "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
        "CLAUDE_CODE_DISABLE_THINKING": "1",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "77",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_PROMPT_CACHING": "1",
        "DISABLE_TELEMETRY": "1",
    } == program.given[0]["environ"]


@pytest.mark.parametrize(
    ("model", "key", "login", "mode"),
    [
        (MODEL, None, "the login", "--safe-mode"),
        (WITH_KEY, KEY, None, "--bare"),
        (OWN_SERVER, "none", None, "--bare"),
        (OWN_SERVER_AND_KEY, KEY, None, "--bare"),
    ],
)
def test_who_pays_is_what_the_policy_says(
    folder: Path, model: Any, key: str | None, login: str | None, mode: str
) -> None:
    """
    Without a key clause the program's login counts, with one that key alone; a server of one's own never
    sees the login.
    """
    program = saying(folder, *HELLO)
    environ = {"TEAM_KEY": KEY, "CLAUDE_CODE_OAUTH_TOKEN": "the login", "ANTHROPIC_API_KEY": "somebody's"}

    complete(program, a_call(model), **environ)

    (given,) = program.given
    assert key == given["environ"].get("ANTHROPIC_API_KEY")
    assert login == given["environ"].get("CLAUDE_CODE_OAUTH_TOKEN")
    assert model.server == given["environ"].get("ANTHROPIC_BASE_URL")
    assert mode in given["argv"]


def test_the_program_can_do_nothing_but_answer(folder: Path) -> None:
    """
    It has no tools and no commands, keeps no session, and sits where no settings of a project lie.
    """
    program = saying(folder, *HELLO)

    complete(program, a_call(MODEL))

    (given,) = program.given
    flags = {"--tools=", "--disable-slash-commands", "--strict-mcp-config", "--no-session-persistence"}
    assert set() == flags - set(given["argv"])
    assert "/" == given["cwd"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are looked up in /proc")
def test_no_open_file_is_inherited(folder: Path) -> None:
    """
    The program has its three pipes, and what it opens itself.
    """
    program = saying(folder, *HELLO)
    with (folder / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        complete(program, a_call(MODEL))

        assert ours.fileno() not in program.given[0]["files"]
    assert {0, 1, 2} <= set(program.given[0]["files"])
    assert len(program.given[0]["files"]) <= 5


# --- what never gets as far ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["-p", "--dangerously-skip-permissions", "a b", "a;b", "$(id)", "", "x" * 129, "ä"]
)
def test_a_model_of_an_odd_name_is_not_asked_for(folder: Path, name: str) -> None:
    """
    A name that could be anything but a model's never reaches a command line.
    """
    program = saying(folder, *HELLO)
    failed = failure(program, a_call(a_model(f"claude-code-cli/{name}")))

    assert (FailureKind.NOT_FOUND, Billed.NO) == (failed.kind, failed.billed)
    assert [] == program.given


def test_a_program_that_is_not_there(folder: Path) -> None:
    """
    Without the program the next step is tried, and nothing is billed.
    """
    failed = failure(StandIn(folder), PATH=str(folder))

    assert (FailureKind.NOT_FOUND, Billed.NO) == (failed.kind, failed.billed)
    assert "the program `claude` isn't on PATH" == failed.words


def test_a_program_that_can_not_be_run(folder: Path) -> None:
    """
    A file that is no program is told without a word of the system's, and nothing is billed.
    """
    program = saying(folder, *HELLO)
    (folder / "claude").write_bytes(b"\x7fELF nonsense")

    failed = failure(program)

    assert Billed.NO == failed.billed or FailureKind.BAD_RESPONSE == failed.kind
    assert str(folder) not in str(failed)


def test_without_the_key_nothing_is_started(folder: Path) -> None:
    """
    A model with a key clause needs that key.
    """
    program = saying(folder, *HELLO)
    failed = failure(program, a_call(WITH_KEY), TEAM_KEY=" ", ANTHROPIC_API_KEY=KEY)

    assert (FailureKind.AUTH, Billed.NO) == (failed.kind, failed.billed)
    assert [] == program.given


IMAGE = Message("user", parts=({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},))


@pytest.mark.parametrize(
    "more",
    [
        {"tools": ({"type": "function", "function": {"name": "f"}},)},
        {"messages": (Message("user", "hi"), Message("tool", "42", tool_call_id="1"))},
        {"messages": (IMAGE,)},
    ],
)
def test_what_the_program_has_no_way_to_take(folder: Path, more: dict[str, Any]) -> None:
    """
    Tools of others and images go to the next step, without a start.
    """
    program = saying(folder, *HELLO)
    failed = failure(program, a_call(MODEL, **more))

    assert (FailureKind.NOT_FOUND, Billed.NO) == (failed.kind, failed.billed)
    assert [] == program.given


# --- what goes wrong -----------------------------------------------------------------------------------

K, B = FailureKind, Billed
CANARY = "a word of the provider's"

FAILURES: list[tuple[str, list[dict[str, Any]], FailureKind, Billed]] = [
    ("400", failed(f"API Error: 400 {CANARY}", 400), K.INVALID_REQUEST, B.NO),
    ("too long", failed("API Error: 400 prompt is too long: 9 tokens > 8", 400), K.CONTEXT_WINDOW, B.NO),
    ("no credit", failed("Credit balance is too low", 400, "billing_error"), K.QUOTA, B.NO),
    ("401", failed("Invalid API key", 401, "authentication_failed"), K.AUTH, B.NO),
    ("403", failed(CANARY, 403, "authentication_failed"), K.AUTH, B.NO),
    ("404", failed(CANARY, 404, "model_not_found"), K.NOT_FOUND, B.NO),
    ("413", failed(CANARY, 413), K.CONTEXT_WINDOW, B.NO),
    ("429", failed(CANARY, 429, "rate_limit"), K.RATE_LIMIT, B.NO),
    ("500", failed(CANARY, 500, "server_error"), K.SERVER_ERROR, B.NO),
    ("502", failed(CANARY, 502, "server_error"), K.SERVER_ERROR, B.UNKNOWN),
    ("503", failed(CANARY, 503, "server_error"), K.OVERLOADED, B.NO),
    ("504", failed(CANARY, 504, "server_error"), K.TIMEOUT, B.UNKNOWN),
    ("529", failed(CANARY, 529, "overloaded"), K.OVERLOADED, B.NO),
    ("no login", failed("Not logged in · Please run /login", None, "authentication_failed"), K.AUTH, B.NO),
    ("limit", failed(CANARY, None, "rate_limit"), K.RATE_LIMIT, B.UNKNOWN),
    (
        "refused",
        failed("API Error: Unable to connect to API (ConnectionRefused)", None, "server_error"),
        K.CONNECTION,
        B.NO,
    ),
    (
        "reset",
        failed("API Error: Unable to connect to API (ECONNRESET)", None, "server_error"),
        K.CONNECTION,
        B.UNKNOWN,
    ),
    ("late", failed("Request timed out", None, "server_error"), K.TIMEOUT, B.UNKNOWN),
    ("other", failed(CANARY, None, "server_error"), K.SERVER_ERROR, B.UNKNOWN),
    ("unknown", failed(CANARY, None), K.BAD_RESPONSE, B.UNKNOWN),
    ("broke off", [started(), text("hel"), *failed("Stream ended", None)], K.CONNECTION, B.UNKNOWN),
    ("killed in the middle", [started(), text("hel")], K.CONNECTION, B.UNKNOWN),
    ("by itself", [result(subtype="success", is_error=False, result=CANARY)], K.BAD_RESPONSE, B.NO),
    ("empty", [started(), stopped(), result()], K.BAD_RESPONSE, B.YES),
    ("cut off", [started(), text("hel"), stopped("max_tokens"), result()], K.BAD_RESPONSE, B.YES),
    ("declined", [started(), text("hel"), stopped("refusal"), result()], K.CONTENT_FILTER, B.YES),
    (
        "declined, by the last line",
        [started(), text("hel"), result(stop_reason="refusal")],
        K.CONTENT_FILTER,
        B.YES,
    ),
    ("nothing", [], K.BAD_RESPONSE, B.UNKNOWN),
    ("no usage", [{**started(), "event": {"type": "message_start"}}, stopped()], K.BAD_RESPONSE, B.UNKNOWN),
]


@pytest.mark.parametrize(("said", "kind", "billed"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
def test_what_it_says_becomes_a_kind(
    folder: Path, said: list[dict[str, Any]], kind: FailureKind, billed: Billed
) -> None:
    """
    The status that the provider gave counts first, then what the program calls its error, then how it ended;
    the words are our own.
    """
    failed = failure(shell_stand_in(folder, *said))

    assert (kind, billed) == (failed.kind, failed.billed)
    assert CANARY not in str(failed)


@pytest.mark.parametrize(
    ("body", "kind", "billed"),
    [
        ("sys.exit('error: unknown option --safe-mode')", K.NOT_FOUND, B.NO),
        ("sys.exit('Not logged in')", K.AUTH, B.NO),
        (
            "sys.exit('--dangerously-skip-permissions cannot be used with root, ' + said['stdin'])",
            K.BAD_RESPONSE,
            B.UNKNOWN,
        ),
        ("sys.exit(7)", K.BAD_RESPONSE, B.UNKNOWN),
        ("os.kill(os.getpid(), 9)", K.BAD_RESPONSE, B.UNKNOWN),
        ("print('<html>no JSON</html>')", K.BAD_RESPONSE, B.UNKNOWN),
        ('print(\'{"type": "result"\' * 3)', K.BAD_RESPONSE, B.UNKNOWN),
        ("print('[' * 200_000)", K.BAD_RESPONSE, B.UNKNOWN),
        ("sys.stderr.write('x' * 300_000)", K.BAD_RESPONSE, B.UNKNOWN),
    ],
)
def test_an_end_without_an_answer(folder: Path, body: str, kind: FailureKind, billed: Billed) -> None:
    """
    Where it says nothing on stdout, what it writes on stderr is looked at, and not repeated.
    """
    failed = failure(stand_in(folder, body))

    assert (kind, billed) == (failed.kind, failed.billed)
    assert PROMPT not in str(failed)


def test_the_exit_code_is_told_where_nothing_else_is(folder: Path) -> None:
    """
    An end without a word is told with its exit code.
    """
    failed = failure(stand_in(folder, "sys.exit(7)"))

    assert "the Claude Code CLI ended without an answer (exit code 7)" == failed.words


def test_endless_output_is_cut_off(folder: Path) -> None:
    """
    A program that writes without end is ended, and nothing of it is kept.
    """
    program = stand_in(folder, "while True: sys.stdout.write('x' * 65_536)")
    failed = failure(program, a_call(MODEL, timeout_s=30))

    assert FailureKind.BAD_RESPONSE == failed.kind
    assert "the Claude Code CLI wrote more than any answer can hold" == failed.words


def test_a_second_request_is_not_waited_for(folder: Path) -> None:
    """
    One attempt is one request: a program that begins another is ended there.
    """
    late = f"time.sleep(0.5); open({str(folder / 'late')!r}, 'w')"
    said = [started(), text("hel"), stopped("max_tokens"), started()]
    failed = failure(stand_in(folder, f"say(*{said!r}); {late}"))

    assert FailureKind.BAD_RESPONSE == failed.kind
    assert [] == StandIn(folder).left_over()
    assert not (folder / "late").exists()


# --- its life ------------------------------------------------------------------------------------------

SLEEP = "time.sleep(60)"
GRANDCHILD = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
DRIP = "\nwhile True:\n    print('{}', flush=True); time.sleep(0.05)"


@pytest.mark.parametrize(
    "body",
    [
        SLEEP,
        GRANDCHILD + SLEEP,
        DEAF + SLEEP,
        DEAF + GRANDCHILD + SLEEP,
        DRIP,
        f"say(*{HELLO[:-2]!r}); {SLEEP}",
    ],
    ids=["hangs", "with a grandchild", "deaf", "deaf with a grandchild", "drips", "hangs in the middle"],
)
def test_no_run_outlives_its_deadline(folder: Path, body: str) -> None:
    """
    At the deadline the program and all that it started are ended, deaf to TERM or not.
    """
    began = time.monotonic()
    failed = failure(stand_in(folder, body), a_call(MODEL, timeout_s=0.4))

    assert (FailureKind.TIMEOUT, Billed.UNKNOWN) == (failed.kind, failed.billed)
    assert time.monotonic() - began < 0.4 + 0.5


def test_what_it_leaves_behind_is_ended(folder: Path) -> None:
    """
    A grandchild that holds on to the pipes after the program's end neither delays the answer nor lives on.
    """
    began = time.monotonic()
    program = stand_in(folder, f"{GRANDCHILD}say(*{HELLO!r})")

    assert "hello there" == complete(program, a_call(MODEL, timeout_s=30)).text
    assert time.monotonic() - began < 5


def test_a_cancelled_call_ends_its_program(folder: Path) -> None:
    """
    Being cancelled passes through within half a second, and nothing runs on.
    """
    program = stand_in(folder, f"{DEAF}{GRANDCHILD}say(*{HELLO[:3]!r}); {SLEEP}")

    async def cancel() -> float:
        task = asyncio.create_task(ClaudeCli(program.environ).complete(a_call(MODEL, timeout_s=30)))
        while not program.given:
            await asyncio.sleep(0.02)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    assert asyncio.run(cancel()) < 0.5


def test_a_stream_that_is_closed_early_ends_its_program(folder: Path) -> None:
    """
    Whoever has enough closes the iterator, and the program is gone.
    """
    program = stand_in(folder, f"say(*{HELLO[:3]!r}); {SLEEP}")

    async def first() -> str:
        pieces = ClaudeCli(program.environ).stream(a_call(MODEL, timeout_s=30))
        piece = await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
        return piece.text

    assert "hello " == asyncio.run(first())
    assert [] == program.left_over()


def test_closing_the_adapter_ends_all_programs(folder: Path) -> None:
    """
    Calls that are still under way when the adapter is closed fail, and their programs are gone.
    """
    program = stand_in(folder, SLEEP)

    async def close() -> list[object]:
        adapter = ClaudeCli(program.environ)
        calls = [asyncio.create_task(adapter.complete(a_call(MODEL, timeout_s=30))) for _ in range(3)]
        while len(program.given) < 3:
            await asyncio.sleep(0.02)
        await adapter.close()
        return list(await asyncio.gather(*calls, return_exceptions=True))

    assert [ProviderError] * 3 == [type(ended) for ended in asyncio.run(close())]


OUTLIVED = """
import asyncio, sys
from policyctl.providers.adapters.claude_cli import ClaudeCli
sys.path.insert(0, {tests!r})
from calls import a_call, a_model

call = a_call(a_model("claude-code-cli/sonnet"), timeout_s=60)
asyncio.run(ClaudeCli({environ!r}).complete(call))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("setpriv") is None,
    reason="only Linux, with setpriv, ends a child with its parent",
)
def test_the_program_ends_with_us(folder: Path) -> None:
    """
    Where policyctl is killed so that it can't do anything, the program doesn't live on.
    """
    program = stand_in(folder, SLEEP)
    code = OUTLIVED.format(tests=str(Path(__file__).parent), environ=program.environ)
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        while not program.given and parent.poll() is None:
            time.sleep(0.02)
        parent.send_signal(signal.SIGKILL)

    assert 1 == len(program.given)
    assert [] == program.left_over()


# --- nothing is told -----------------------------------------------------------------------------------


def test_neither_key_nor_prompt_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Whatever goes wrong, neither logs at DEBUG nor exceptions nor the terminal have the key or the prompt.
    """
    caplog.set_level(logging.DEBUG)
    told = []
    for _, said, _, _ in FAILURES[::4]:
        body = f"sys.stderr.write(said['stdin'] + repr(os.environ)); say(*{said!r})"
        caught = failure(stand_in(folder, body), a_call(WITH_KEY, PROMPT), TEAM_KEY=KEY)
        told.append(
            f"{caught!r} {vars(ProviderError)} {caught.words} {caught.__cause__} {caught.__context__}"
        )
    out, err = capfd.readouterr()
    everything = "\n".join([*told, caplog.text, out, err])

    assert [] == [secret for secret in (KEY, PROMPT, "TEAM_KEY") if secret in everything]
