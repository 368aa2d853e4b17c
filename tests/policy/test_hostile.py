"""
Hostile text is answered with a finding: never a traceback, never late, never with what a terminal obeys.

The bounds are the promise itself (2 s and 256 MB for a whole run of the command), so the runs below
assert the memory; for slow machines that build this, the time may be five times as long.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from policyctl.cli.formats import show
from policyctl.deciding import price_book, validate_text
from policyctl.policy import build, load, parser, scope
from policyctl.policy.check import check_files, check_text
from policyctl.policy.files import MAX_FILE_BYTES
from policyctl.schemas.checked import Checked

LOOP = Path(__file__).resolve().parents[2] / "examples" / "claude-loop" / "claude-loop.policy"
# Read before the tests run: they see no variable of policyctl.
MUTATIONS = int(os.environ.get("POLICYCTL_PAIRS", "100000")) // 1250

POLICY = LOOP.read_text(encoding="utf-8")

HEAD = "model haiku is anthropic/claude-haiku-5-5\ntier cheap from complexity 0 has haiku\n"

SECONDS = 10
MEGABYTES = 256
ADDRESS_SPACE = 512 << 20

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b31m\u202e\u200b"
"""A new window title, red twice, text that runs backwards, and a blank that nobody sees."""

ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


# --- whole runs of the command

CHILD = """
import contextlib, json, pathlib, resource, sys
with contextlib.suppress(ValueError, OSError):  # not every system has this limit
    resource.setrlimit(resource.RLIMIT_AS, ({space}, {space}))
from policyctl.cli.main import run
codes = []
for words in json.loads(pathlib.Path("runs.json").read_text()):
    sys.argv = ["policyctl", *words]
    try:
        run()
    except SystemExit as end:
        codes.append(end.code)
status = pathlib.Path("/proc/self/status")
if status.exists():  # the resource module counts what the parent had before it became this process
    peak = int(status.read_text().partition("VmHWM:")[2].split()[0])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
pathlib.Path("measured.json").write_text(json.dumps([codes, peak // 1024]))
"""


def commands(folder: Path, runs: Sequence[Sequence[str]], **environment: str) -> tuple[list[int], str]:
    """
    Run the command, once or more often, in a process of its own within its bounds.

    Returns:
        The exit codes, and all that was printed.
    """
    started = time.perf_counter()
    (folder / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(space=ADDRESS_SPACE)],
        cwd=folder,
        capture_output=True,
        timeout=SECONDS,
        env={**os.environ, **environment},
        check=False,
    )
    printed = (done.stdout + done.stderr).decode("utf-8")
    exits, megabytes = json.loads((folder / "measured.json").read_text(encoding="utf-8"))
    print(f"{time.perf_counter() - started:.2f} s, {megabytes} MB, {len(printed)} characters")

    assert megabytes < MEGABYTES
    assert "Traceback" not in printed
    assert "has a bug" not in printed
    assert not ACTED_ON.search(printed)
    return exits, printed


def command(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """
    Run the command once, and return its exit code and all that it printed.
    """
    (code,), printed = commands(folder, [words], **environment)
    return code, printed


def many(unit: str | Callable[[int], str], head: str = HEAD, tail: str = "\n") -> str:
    """
    Return a text with as many units as a file may have bytes and words.
    """
    words = parser.MAX_WORDS - len(parser._lex(head)) - len(parser._lex(tail))
    room = MAX_FILE_BYTES - len((head + tail).encode())
    parts = [head]
    for number in range(MAX_FILE_BYTES):
        part = unit if isinstance(unit, str) else unit(number)
        if not number:
            a_unit = len(parser._lex(part))
        room, words = room - len(part.encode()), words - a_unit
        if room < 0 or words < 0:
            break
        parts.append(part)
    return "".join(parts) + tail


LONG = MAX_FILE_BYTES - 400

HEAVY = {
    "and-chain",
    "or-when-chain",
    "list of values",
    "syntax errors",
    "ends",
    "rules",
    "unknown models that many are like",
    "unpriced models",
    "values of one input",
    "models with aliases",
    "ambiguous names",
    "tiers",
    "windows in a circle",
    "starts of addresses",
    "NUL bytes",
    "path of an include",
}
"""The texts for which the whole command is run; the others are cheap, or like one of these."""

# What each text is answered with: the code of a finding, or `ok`.
TEXTS: dict[str, tuple[str, Callable[[], str]]] = {
    "one line of [": ("P101", lambda: HEAD + "[" * LONG),
    "one line of (": ("P101", lambda: HEAD + "(" * LONG),
    "one line of quotes": ("P104", lambda: HEAD + '"' * LONG),
    "one line of commas": ("P104", lambda: HEAD + "," * LONG),
    "one line of blanks": ("ok", lambda: HEAD + " " * LONG),
    "when when when": ("P101", lambda: many("when ")),
    "and-chain": ("ok", lambda: many("and kind is a ", HEAD + "refuse when kind is b ")),
    "or-when-chain": ("ok", lambda: many("or when kind is a ", HEAD + "refuse when kind is b ")),
    "chain of when": ("P307", lambda: many("when kind is a ", HEAD + "refuse when kind is b ")),
    "list of values": ("ok", lambda: many("a,", HEAD + "refuse when kind is one of ", "b\n")),
    "name": ("P216", lambda: f"{HEAD}model {'x' * LONG} is anthropic/claude-haiku-5-5\n"),
    "unknown name": ("P203", lambda: f"{HEAD}fallback to {'x' * LONG}\n"),
    "text": ("ok", lambda: f'{HEAD}refuse when kind is "{"x" * LONG}"\n'),
    "open text": ("P102", lambda: f'{HEAD}refuse when kind is "{"x" * LONG}'),
    "digits": ("P304", lambda: f"{HEAD}refuse when complexity is {'9' * LONG}\n"),
    "decimals": ("P304", lambda: f"{HEAD}refuse when complexity is 1.{'9' * LONG}\n"),
    "money": ("P304", lambda: f"{HEAD}budget b is $1{',999' * (LONG // 4)} per day\n"),
    "too large an exponent": ("P101", lambda: f"{HEAD}hedge after 1e999s\n"),
    "path of an include": ("P106", lambda: f'{HEAD}include "{"a/" * (LONG // 2)}b"\n'),
    "cron line": ("P306", lambda: f'{HEAD}window w is cron "{"* " * (LONG // 2)}"\n'),
    "syntax errors": ("P101", lambda: many("model\n")),
    "statements": ("P215", lambda: many("baseline haiku\n")),
    "ends": ("P108", lambda: many("end\n")),
    "rules": ("ok", lambda: many(lambda n: f"rule r{n} use haiku\n")),
    "unknown models": ("P203", lambda: many(lambda n: f"rule r{n} use hiaku{n}\n")),
    "unknown models that many are like": (
        "P203",
        lambda: many(
            lambda n: f"rule r{n} use quite-a-long-name-{n}\n",
            HEAD + "".join(f"model quite-a-long-nome-{n} is offline/a costs nothing\n" for n in range(1900)),
        ),
    ),
    "unknown providers": ("P211", lambda: many(lambda n: f"model m{n} is anthropix{n}/a\n")),
    "unpriced models": ("P305", lambda: many(lambda n: f"model m{n} is openai/gpt-4o-{n}\n")),
    "providers without a model": (
        "P211",
        lambda: many(
            lambda n: f"budget b{n} is $1 per day for provider p{n}\n",
            HEAD + "".join(f"model m{n} is offline/m{n} costs nothing\n" for n in range(2000)),
        ),
    ),
    "values of one input": (
        "P209",
        lambda: many(
            lambda n: f"refuse when x is b{n}\n",
            f"{HEAD}input x is one of {','.join(f'a{n}' for n in range(12_000))}\n",
        ),
    ),
    "models with aliases": (
        "ok",
        lambda: many(lambda n: f"model m{n} is offline/m costs nothing alias a{n}\n"),
    ),
    "ambiguous names": (
        "P205",
        lambda: many(
            "x,",
            HEAD
            + "".join(f"model a{n}/x is offline/x costs nothing\n" for n in range(3000))
            + "fallback to ",
            "x\n",
        ),
    ),
    "tiers": ("ok", lambda: many(lambda n: f"tier t{n} from complexity {(n + 1) / 1000:g} has haiku\n")),
    "levels": ("P402", lambda: many("at 1% warn ", HEAD + "budget b is $1 per day ")),
    "windows in a chain": (
        "P104",
        lambda: many(lambda n: f"window w{n} is outside w{n + 1}\n", tail="window w0x is Mon all day\n"),
    ),
    "windows in a circle": (
        "P404",
        lambda: HEAD + "".join(f"window w{n} is outside w{(n + 1) % 200}\n" for n in range(200)),
    ),
    "cron windows": (
        "P104",
        lambda: many(lambda n: f'window w{n} is cron "{",".join(["*/1"] * 40)} * * * *"\n'),
    ),
    "starts of web tokens": ("ok", lambda: HEAD + "# " + "-eyJabcdefghijk" * (LONG // 15)),
    "rules by prefix": ("ok", lambda: many(lambda n: f'rule r{n} when kind starts with "b{n}" use haiku\n')),
    "spans": ("ok", lambda: many("Mon 09:00 to 10:00,", HEAD + "window w is ", "Tue all day\n")),
    "starts of keys": ("P101", lambda: HEAD + "sk-" * (LONG // 3)),
    "starts of addresses": ("ok", lambda: f"{HEAD}# {'a://a:a:a:' * (LONG // 10)}"),
    "starts of private keys": ("ok", lambda: f"{HEAD}# {'-----BEGIN A A ' * (LONG // 15)}"),
    "keys": ("P601", lambda: f"{HEAD}# {('sk-' + 'a' * 20 + ' ') * (LONG // 24)}"),
    "NUL bytes": ("P103", lambda: HEAD + "\0" * LONG),
    "escapes": ("P103", lambda: HEAD + "\x1b" * LONG),
    "combining marks": ("P101", lambda: HEAD + "\u0301" * (LONG // 2)),
    "no-break spaces": ("P101", lambda: HEAD + "\u00a0" * (LONG // 2)),
    "more than a file may have": ("P104", lambda: "x" * (1 << 20)),
}


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_the_worst_text_of_each_kind_is_answered_in_time(name: str, tmp_path: Path) -> None:
    """
    A whole run of `validate` on a file as large as may be stays within its bounds, and says what is
    wrong in a few pages at most.
    """
    expected, make = TEXTS[name]
    (tmp_path / "hostile.policy").write_text(make(), encoding="utf-8")
    code, printed = command(tmp_path, "validate", "hostile.policy")

    if expected == "ok":  # a policy, though there may be something to say of it
        assert (0, False) == (code, "error[" in printed)
    else:
        assert f"error[{expected}]" in printed
    assert len(printed) < 250_000


@pytest.mark.parametrize("name", sorted(TEXTS.keys() - HEAVY))
def test_each_text_is_answered(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Any other text as large as may be is a policy, or has the error that it should have, in a few pages.
    """
    expected, make = TEXTS[name]
    (tmp_path / "hostile.policy").write_text(make(), encoding="utf-8")
    checked = check_files([tmp_path / "hostile.policy"], price_book())
    show(checked.report, "full")
    printed = capsys.readouterr().out

    assert expected in [*codes(checked), "ok"]
    assert (expected == "ok") == (checked.policy is not None)
    assert len(printed) < 250_000
    assert not ACTED_ON.search(printed)


# --- files that are none


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """
    A folder, a pipe, a device, a link to itself or a name that can't be is unreadable: nothing waits for it.
    """
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere")
    names = [
        "pipe",
        "folder",
        "loop",
        "gone",
        "",
        "/",
        "/dev/zero",
        "/dev/stdin",
        "x" * 5000,
        "a/" * 5000 + "b",
    ]
    code, printed = command(tmp_path, "validate", *names)

    assert 2 == code
    # The empty name and the folder that it stands for are one, and so are a folder's names.
    assert len(names) == printed.count("error[P105]")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    """
    A file without permission is unreadable.
    """
    (tmp_path / "p.policy").touch(mode=0o000)

    assert "permission is denied" in command(tmp_path, "validate", "p.policy")[1]


def test_a_name_that_no_file_can_have_is_told() -> None:
    """
    A program may ask for a file with a NUL in its name; a command line can't.
    """
    assert ["P105"] == codes(check_files([Path("a\0b")], price_book()))


def codes(checked: Checked) -> list[str]:
    return [d.code for d in checked.report.diagnostics]


INCLUDES = {
    "../up.policy": "P106",
    "a/../../up.policy": "P106",
    "/etc/hostname": "P106",
    "/dev/zero": "P106",
    "a\\b.policy": "P106",
    "": "P106",
    "loop.policy": "P106",
    "out.policy": "P106",
    "out/hostname.policy": "P106",
    "self/out/hostname.policy": "P106",
    "x" * 2000: "P106",
    "%2e%2e/up.policy": "P105",
    "~/p.policy": "P105",
    "$HOME/p.policy": "P105",
    "*.policy": "P105",
    "x" * 1000 + ".policy": "P105",
    "pipe.policy": "P105",
    "folder.policy": "P105",
    ".": "P106",
    ".env": "P106",
    "prd.json": "P106",
    "gone.policy": "P105",
    "self/self/self/p.policy": "P107",
    "./././p.policy": "P107",
}


def test_an_include_stays_in_its_folder(tmp_path: Path) -> None:
    """
    A path that leaves the folder, in whatever spelling, is refused unread; one that leads to no file is told.
    """
    folder = tmp_path / "policy"
    (folder / "folder.policy").mkdir(parents=True)
    os.mkfifo(folder / "pipe.policy")
    links = {"loop.policy": "loop.policy", "out": "/etc", "out.policy": "/etc/hostname", "self": "."}
    for name, target in (links | {"gone.policy": "nowhere"}).items():
        (folder / name).symlink_to(target)
    (tmp_path / "up.policy").write_text("end", encoding="utf-8")
    for written, code in INCLUDES.items():
        (folder / "p.policy").write_text(f'{HEAD}include "{written}"\n', encoding="utf-8")

        assert [code] == codes(check_files([folder / "p.policy"], price_book())), written


def write_includes(folder: Path, included: dict[int, Iterator[int] | range]) -> Path:
    folder.mkdir()
    for number, others in included.items():
        text = "".join(f'include "{other}.policy"\n' for other in others)
        (folder / f"{number}.policy").write_text(text, encoding="utf-8")
    return folder / "0.policy"


def test_includes_end(tmp_path: Path) -> None:
    """
    A chain, a wide fan, diamonds of diamonds and files that all include each other are read once at most.
    """
    chain = write_includes(tmp_path / "chain", {n: range(n + 1, n + 2) for n in range(100)})
    fan = write_includes(tmp_path / "fan", {0: range(1, 5000)} | {n: range(0) for n in range(1, 300)})
    diamonds = write_includes(tmp_path / "diamonds", {n: range(n + 1, 30) for n in range(30)})
    clique = write_includes(tmp_path / "clique", {n: range(20) for n in range(20)})

    assert ["P104"] == codes(check_files([chain], price_book()))
    assert load.MAX_DEPTH == len(check_files([chain], price_book()).report.sources)
    assert {"P104"} == set(codes(check_files([fan], price_book())))
    assert load.MAX_FILES == len(check_files([fan], price_book()).report.sources)
    assert ["P403"] == codes(check_files([diamonds], price_book()))
    assert {"P107"} == set(codes(check_files([clique], price_book())))


# --- bytes that are no text, and text that isn't what it seems


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-32"])
def test_another_encoding_is_told(encoding: str, tmp_path: Path) -> None:
    """
    Text in another encoding than UTF-8 is no policy.
    """
    (tmp_path / "p.policy").write_bytes(HEAD.encode(encoding))

    assert check_files([tmp_path / "p.policy"], price_book()).policy is None


@pytest.mark.parametrize(
    "data", [b"\xff", b"# \xe9", b"# \xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"]
)
def test_bytes_that_are_no_text_are_told(data: bytes, tmp_path: Path) -> None:
    """
    Bytes that UTF-8 doesn't have, surrogates and overlong forms included, are told with their line.
    """
    (tmp_path / "p.policy").write_bytes(HEAD.encode() + data)
    checked = check_files([tmp_path / "p.policy"], price_book())

    assert ["`p.policy` can't be read: it isn't UTF-8 text (line 3)"] == [
        d.message.replace(f"{tmp_path}/", "") for d in checked.report.diagnostics
    ]


INVISIBLE = [
    *(n for n in range(0x20) if chr(n) not in "\t\n\r"),
    *range(0x7F, 0xA0),
    *(0xAD, 0x61C, 0xFEFF, 0xFFFE, 0xD800, 0xDFFF, 0xE0001, 0xE007F),
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
]


@pytest.mark.parametrize("place", ["{}", "# {}", 'refuse when kind is "a{}b"', "fallback to haiku{}"])
def test_what_cannot_be_seen_is_told(place: str) -> None:
    """
    Controls, bidirectional and zero-width characters are found wherever they stand, comments included.
    """
    for number in INVISIBLE:
        checked = check_text(HEAD + place.replace("{}", chr(number)), price_book())

        assert "P103" in codes(checked), hex(number)
        assert checked.policy is None


def test_a_statement_cannot_hide_behind_a_comment() -> None:
    """
    A carriage return alone ends a line in many editors, but no comment here: so it is told.
    """
    assert ["P103"] == codes(check_text(HEAD + "# private\rrefuse when kind is secret\n", price_book()))
    assert [] == codes(check_text(HEAD.replace("\n", "\r\n") + "# fine\r\n", price_book()))


def test_blanks_of_other_kinds_are_told() -> None:
    """
    A blank that isn't a plain one, as word processors write it, is a syntax error that names it.
    """
    for blank in "\u00a0\u1680\u2003\u202f\u205f\u3000":
        (found,) = check_text(HEAD + f"hedge{blank}after 5s", price_book()).report.diagnostics

        assert f"U+{ord(blank):04X}" in (found.help or "")


def test_only_one_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    """
    Editors put one byte order mark in front of a file; a second one is a character that can't be seen.
    """
    mark = b"\xef\xbb\xbf"
    (tmp_path / "one.policy").write_bytes(mark + HEAD.encode())
    (tmp_path / "two.policy").write_bytes(mark + mark + HEAD.encode())

    assert [] == codes(check_files([tmp_path / "one.policy"], price_book()))
    assert ["P103"] == codes(check_files([tmp_path / "two.policy"], price_book()))


# --- files that were torn or spoilt


def answered(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Check that a text gives a policy or an error, and that what is shown of it is fit for a terminal.
    """
    checked = check_text(text, price_book())
    show(replace(checked.report, diagnostics=checked.report.diagnostics[:2]), "full")

    assert (checked.policy is None) == checked.report.has_errors
    assert not ACTED_ON.search(capsys.readouterr().out)


@pytest.mark.parametrize("part", range(2))
def test_a_torn_policy_is_answered(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Ends of lines and words and any byte are places to be cut off, also in front of noise.
    """
    rng = random.Random(part)  # noqa: S311
    lines = [match.end() for match in re.finditer("\n", POLICY)]
    words = [match.end() for match in re.finditer(r"\S+", POLICY)]
    for number in [*lines, *words[part::3], *rng.sample(range(len(POLICY)), 100)][part::2]:
        noise = rng.randbytes(rng.choice((0, 0, 4, 40))).decode("latin-1")
        answered(POLICY[:number] + noise, capsys)


def spoilt(text: str, rng: random.Random) -> str:
    """
    Return a text with one to four mutations: bytes flipped, words deleted, doubled or swapped.
    """
    for _ in range(rng.randrange(1, 5)):
        words = re.split(r"(\s+)", text)
        at, other = rng.randrange(len(words)), rng.randrange(len(words))
        match rng.randrange(5):
            case 0:
                data = bytearray(text.encode())
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                text = data.decode("utf-8", "replace")
                continue
            case 1:
                del words[at]
            case 2:
                words.insert(at, words[other])
            case 3:
                words[at], words[other] = words[other], words[at]
            case 4:
                words[at] = rng.choice(
                    ('"', "#", ",", "$", "when", "end", "\x00", "9" * 30, "\u202e", "1e999")
                )
        text = "".join(words)
    return text


@pytest.mark.parametrize("seed", range(8))
def test_a_spoilt_policy_is_answered(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Random mutations of the example, 80 a seed and ten times as many in `make soak`, each give a policy or
    an error.
    """
    rng = random.Random(seed)  # noqa: S311
    for _ in range(MUTATIONS):
        answered(spoilt(POLICY, rng), capsys)


# --- limits


def test_a_file_of_very_short_words_is_too_large() -> None:
    """
    What is small in bytes may be large in words; up to the limit it is read.
    """
    few = "," * (parser.MAX_WORDS - len(parser._lex(HEAD)))

    assert ["P101"] == codes(check_text(HEAD + few, price_book()))
    assert ["P104"] == codes(check_text(HEAD + few + ",", price_book()))


def test_findings_end() -> None:
    """
    After so many findings nobody reads on, so nobody looks further.
    """
    text = HEAD + "".join(f"rule r{n} use m{n}\n" for n in range(3 * scope.MAX_FOUND))

    assert ["P203"] * scope.MAX_FOUND == codes(check_text(text, price_book()))


def test_suggestions_end() -> None:
    """
    The first unknown names get a suggestion, later ones are only told.
    """
    text = HEAD + "".join(f"rule r{n} use hiaku\n" for n in range(2 * scope.MAX_SUGGESTIONS))
    helps = [d.help for d in check_text(text, price_book()).report.diagnostics]

    assert scope.MAX_SUGGESTIONS == helps.count("did you mean `haiku`?")


def test_windows_end() -> None:
    """
    A policy has up to 200 windows; the last may be outside the one before it, and so on to the first.
    """
    first = HEAD + "window w0 is Mon 09:00 to 10:00\n"
    windows = [f"window w{n} is outside w{n - 1}\n" for n in range(1, build.MAX_WINDOWS)]
    refusal = f"refuse when during w{build.MAX_WINDOWS - 1}\n"
    most = first + "".join(windows) + refusal

    assert [] == codes(check_text(most, price_book()))
    assert ["P104"] == codes(check_text(most + "window more is outside w0", price_book()))


# --- what a terminal would act on


def test_a_terminal_is_shown_no_controls(tmp_path: Path) -> None:
    """
    File names, options, verbs, values and variables are printed with their escapes spelt out.
    """
    name = f"{ESCAPES}.policy"
    (tmp_path / name).write_text(HEAD + "fallback to hiaku", encoding="utf-8")
    runs = [
        ["validate", name],
        ["validate", ESCAPES, "two\nlines", os.fsdecode(b"\xff\xfe"), "x" * 100_000],
        ["validate", f"--{ESCAPES}"],
        ["validate", "--output-format", ESCAPES],
        [ESCAPES],
    ]
    codes, printed = commands(tmp_path, runs)

    assert [1, 2, 2, 2, 2] == codes
    assert len(printed) < 10_000
    assert command(tmp_path, "validate", POLICYCTL_POLICY=ESCAPES, POLICYCTL_COLOR="never")[0] in (1, 2)
    assert command(tmp_path, "validate", POLICYCTL_COLOR=ESCAPES)[0] in (1, 2)


def test_names_and_texts_are_shown_without_controls(tmp_path: Path) -> None:
    """
    What a policy holds is shown without what a terminal would act on, in every format.
    """
    statements = ('policy "{}"', "rule {} use haiku", 'refuse when kind is "{}"', "fallback to {}", "{}")
    text = "\n".join((HEAD, *(s.replace("{}", f"a{ESCAPES}b") for s in statements)))
    (tmp_path / "p.policy").write_text(text, encoding="utf-8")
    formats = ("full", "concise", "json")

    assert [1, 1, 1] == commands(tmp_path, [["validate", "p.policy", "--output-format", f] for f in formats])[
        0
    ]


@pytest.mark.parametrize("verb", ["explain", "select"])
def test_a_story_is_shown_without_controls(verb: str, tmp_path: Path) -> None:
    """
    Titles, ids and all else of a PRD, options and variables of inputs stay text.
    """
    story = {
        "id": ESCAPES,
        "title": ESCAPES,
        "complexity": 3,
        "private": ESCAPES,
        "kind": ESCAPES,
        ESCAPES: 1,
    }
    prd = {"userStories": [story, {"id": "b", "domain": ESCAPES, "tier": ESCAPES, "preferredModel": ESCAPES}]}
    (tmp_path / "prd.json").write_text(json.dumps(prd), encoding="utf-8")
    (tmp_path / "p.policy").write_text(POLICY, encoding="utf-8")
    asked = [verb, "--policy", "p.policy"]
    fine = [["--complexity", "1", "--kind", ESCAPES, "--branch", ESCAPES]]
    stories = [["--story", story_id] for story_id in (ESCAPES, "b", "c", f"{ESCAPES}c")]
    options = ("--tier", "--down", "--spend", "--gate", "--input", "--at", f"--{ESCAPES}", "--complexity")
    wrong = [[option, ESCAPES] for option in options]
    codes, _ = commands(tmp_path, [[*asked, *words] for words in fine + wrong + stories])

    assert [0] * len(fine) + [2] * len(wrong) == codes[:-4]
    assert set(codes[-4:]) <= {0, 2}
    assert command(tmp_path, *asked, "--complexity", "1", ENABLE_TIME_RULES=ESCAPES)[0] in (0, 2)


PRDS: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "nested lists": lambda: "[" * 100_000,
    "nested objects": lambda: '{"userStories":' * 60_000,
    "huge numbers": lambda: (
        f'{{"userStories": [{{"id": "a", "complexity": 1e999, "inputTokens": {"9" * 100_000}}}]}}'
    ),
    "lone surrogates": lambda: '{"userStories": [{"id": "a", "title": "\\ud800", "kind": "\\udfff"}]}',
    "bare controls": lambda: '{"userStories": [{"id": "a", "title": "\x00\x1b[31m"}]}',
    "one string": lambda: '"' + "\\" * 1_000_000,
    "a title of megabytes": lambda: json.dumps({"userStories": [{"id": "a", "title": "x" * 8_000_000}]}),
    "too large": lambda: " " * 9_000_000,
    "thousands of stories": lambda: json.dumps({"userStories": [{"id": f"s{n}"} for n in range(9_999)]}),
}


@pytest.mark.parametrize("name", PRDS)
def test_a_hostile_prd_is_answered_in_time(name: str, tmp_path: Path) -> None:
    """
    A PRD of whatever content is read, or told to be none, within the bounds of the command.
    """
    (tmp_path / "prd.json").write_text(PRDS[name](), encoding="utf-8")
    (tmp_path / "p.policy").write_text(POLICY, encoding="utf-8")

    assert command(tmp_path, "explain", "--policy", "p.policy", "--story", "a")[0] in (0, 2)


OPTIONS = [
    ["--complexity", "1e999"],
    ["--complexity", "nan"],
    ["--attempt", "9" * 5000],
    ["--input-tokens", "9" * 30, "--complexity", "1"],
    ["--at", "9" * 100_000],
    ["--at", "9999-12-31T23:59+00:00", "--complexity", "1"],
    ["--at", "0001-01-01T00:00+14:00", "--complexity", "1"],
    ["--spend", "monthly=" + "9" * 100_000],
    ["--spend", "monthly=1E+99999999999999999999"],
    ["--" + "x" * 100_000],
]


def test_hostile_options_are_answered(tmp_path: Path) -> None:
    """
    Numbers and times that can't be are told as such.
    """
    (tmp_path / "p.policy").write_text(POLICY, encoding="utf-8")
    codes, _ = commands(tmp_path, [["explain", "--policy", "p.policy", *words] for words in OPTIONS])

    assert set(codes) <= {0, 2}


def test_examples_that_can_not_be_are_told_soon() -> None:
    """
    A window that comes once in years is searched once, not for each example; the first twenty are told.
    """
    windows = "".join(f'window w{n} is cron "{n % 60} {n % 24} 29 2 *"\n' for n in range(150))
    examples = "".join(
        f"example complexity is 1 and during w{n % 150} and outside w{n % 150} gives haiku\n"
        for n in range(1500)
    )

    found = codes(validate_text(HEAD + windows + examples))

    assert ["P501"] * 20 == [code for code in found if code == "P501"]
