"""What is kept between runs changes nothing but the time that a run takes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from zlib import crc32

import pytest

from policyctl import __version__
from policyctl.cli import cache, cache_folder
from policyctl.providers.catalogue import SHIPPED
from policyctl.schemas.policy import Policy

from ..reference.generate import seeded
from .command import ENTRY, Ran, call, copy_of_loop, spawn

SELECT = ("select", "--complexity", "4", "--json")
MODELS = """\
model small is offline/small costs $1 in, $1 out can nothing
model large is offline/large costs $2 in, $2 out can nothing
"""
TIERS = "tier low from complexity 0 has small\ntier high from complexity 5 has large\n"
SPOILT_FILES = 60


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    A checkout with a policy of two files.
    """
    (tmp_path / "here" / ".git").mkdir(parents=True)
    folder = tmp_path / "here"
    (folder / "models.policy").write_text(MODELS, encoding="utf-8")
    (folder / "policyctl.policy").write_text(f'include "models.policy"\n{TIERS}', encoding="utf-8")
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    A cache of this test's own, which isn't there yet.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "policyctl"


def run(*words: str, at: Path, **env: str) -> Ran:
    """
    Run the command, and say how it ended but for how long it took to select.
    """
    ran = call(*words, at=at, env=env)
    lines = [line for line in ran.out.splitlines() if "election" not in line]
    assert "Traceback" not in ran.err
    return Ran(ran.code, "\n".join(lines), ran.err)


def names(kept: Path) -> list[str]:
    return sorted(path.name for path in kept.iterdir())


def only(kept: Path) -> Path:
    (file,) = kept.iterdir()
    return file


# --- the same answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "select --complexity 4",
        "select --complexity 4 --json",
        "explain --story US-042",
        "explain --complexity 8 --tier cheap --at 2026-01-05T10:00 --json",
        "fallback-chain --provider opus",
        "list --json",
        "table",
        "plan",
        "validate",
        "validate --output-format json",
        "validate --output-format sarif",
        "validate --at 2025-01-01",
    ],
)
@pytest.mark.parametrize("policy", ["claude-loop.policy", "claude-loop.yaml"])
def test_a_second_run_says_the_same(tmp_path: Path, kept: Path, policy: str, words: str) -> None:
    """
    The first run reads the policy, the second what was kept of it, a third neither: all say the same.
    """
    loop = copy_of_loop(tmp_path)
    verb, *more = words.split()
    asked = (verb, *([policy] if verb == "validate" else ["--policy", policy]), *more)
    first, second = (run(*asked, at=loop) for _ in range(2))

    assert 1 == len(names(kept))
    assert first == second == run(*asked, at=loop, POLICYCTL_NO_CACHE="1")


def test_a_warm_start_needs_no_reader(tmp_path: Path, kept: Path) -> None:
    """
    Where a policy is kept, neither Lark nor YAML nor anything else that reads or checks one is imported.
    """
    loop = copy_of_loop(tmp_path)
    show = "import sys, atexit\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    heavy = {
        "croniter", "hashlib", "importlib.metadata", "interegular", "jsonschema", "lark", "pydantic",
        "regex", "rich", "ruamel", "policyctl.policy.build", "policyctl.policy.check",
        "policyctl.policy.parser", "policyctl.policy.yaml", "policyctl.engine.analysis",
    }  # fmt: skip
    env = {"XDG_CACHE_HOME": str(kept.parent)}
    for words in (SELECT, ("explain", "--story", "US-042"), ("validate",)):
        cold, _, warm = (
            set(spawn(*words, *more, at=loop, env=env, code=show + ENTRY).err.split())
            for more in (["--no-cache"], [], [])
        )

        assert "lark" in cold
        assert set() == warm & heavy, words


# --- what makes an answer out of date --------------------------------------------------------------------


def test_a_changed_file_is_read(here: Path, kept: Path) -> None:
    """
    A change in the policy, or in what it includes, counts at once, even where size and time stay.
    """
    run(*SELECT, at=here)
    models = here / "models.policy"
    times = (models.stat().st_atime_ns, models.stat().st_mtime_ns)
    models.write_text(MODELS.replace("$1 in, $1 out", "$9 in, $9 out"), encoding="utf-8")
    os.utime(models, ns=times)
    changed = run(*SELECT, at=here)

    assert run(*SELECT, "--no-cache", at=here) == changed
    assert 9 == json.loads(run("list", "--json", at=here).out)["models"][0]["price_in_usd_per_mtok"]


def test_an_error_is_told_once_it_is_there(here: Path, kept: Path) -> None:
    """
    An include that goes away, or that comes to lead out of the folder, is told as without a cache.
    """
    assert 0 == run("validate", at=here).code
    models = here / "models.policy"
    outside = here.parent / "models.policy"
    models.rename(outside)
    gone = run("validate", at=here)
    models.symlink_to(outside)
    led_out = run("validate", at=here)

    assert (1, True) == (gone.code, "P105" in gone.out)
    assert (1, True) == (led_out.code, "P106" in led_out.out)
    assert 2 == run(*SELECT, at=here).code


def test_the_day_counts(tmp_path: Path, kept: Path) -> None:
    """
    What `validate` says of dates holds for its day.
    """
    loop = copy_of_loop(tmp_path)
    days = ("2025-01-01", "2026-10-24", "2025-01-01")
    first, later, again = (run("validate", "--at", day, at=loop).out for day in days)

    assert first == again
    assert "P801" in later
    assert "P801" not in first


def test_the_price_catalogue_counts(here: Path, kept: Path, tmp_path: Path) -> None:
    """
    Another price catalogue is another answer; one that is passed over is told at every run.
    """
    (here / "policyctl.policy").write_text(
        "model m is openai/gpt-4o\ntier t from complexity 0 has m\n", encoding="utf-8"
    )
    own = tmp_path / "prices.json"
    text = SHIPPED.read_text(encoding="utf-8")
    own.write_text(text, encoding="utf-8")
    listed = ("list", "--json")
    before, shipped = run(*listed, at=here, POLICYCTL_PRICES=str(own)), run(*listed, at=here)
    row = next(
        line for line in text.splitlines() if line.startswith('["openai/gpt-4o"') or '"gpt-4o"' in line
    )
    own.write_text(text.replace(row, row.replace("2500000000", "3500000000")), encoding="utf-8")
    after = run(*listed, at=here, POLICYCTL_PRICES=str(own))
    own.write_text("{}", encoding="utf-8")
    broken = [run(*listed, at=here, POLICYCTL_PRICES=str(own)) for _ in range(2)]

    assert before.out == shipped.out
    assert 3.5 == json.loads(after.out)["models"][0]["price_in_usd_per_mtok"]
    assert [(shipped.out, True)] * 2 == [(ran.out, "prices.json can't be used" in ran.err) for ran in broken]


def test_another_build_counts(
    here: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    What another build kept is read anew; in a checkout that is installed as it stands each file tells builds
    apart, for a wheel the list of its files.
    """
    checkout = tmp_path / "checkout" / "policyctl"
    for room in ("cli", *filter(None, cache.ROOMS)):
        (checkout / room).mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(cache, "__file__", str(checkout / "cli" / "cache.py"))
    marks = []
    for file in (
        checkout / "engine" / "decide.py",
        checkout.parent / f"policyctl-{__version__}.dist-info" / "RECORD",
    ):
        file.parent.mkdir(exist_ok=True)
        for text in ("one", "three"):
            file.write_text(text, encoding="utf-8")
            run(*SELECT, at=here)
            run(*SELECT, at=here)
            marks.append(json.loads(only(kept).read_bytes())["kept"]["key"][5])

    assert 4 == len(set(marks))


# --- what isn't kept ---------------------------------------------------------------------------------------


def test_nothing_is_kept_where_that_is_asked(here: Path, kept: Path) -> None:
    """
    --no-cache and POLICYCTL_NO_CACHE neither read nor write; POLICYCTL_CACHE_DIR says another place.
    """
    run(*SELECT, "--no-cache", at=here)
    run(*SELECT, at=here, POLICYCTL_NO_CACHE="1")

    assert not kept.exists()

    run(*SELECT, at=here, POLICYCTL_CACHE_DIR=str(here / "own"))

    assert not kept.exists()
    assert 1 == len(names(here / "own"))


def test_errors_and_secrets_are_not_kept(here: Path, kept: Path) -> None:
    """
    A policy with errors isn't kept, nor any text in which a secret was found.
    """
    file = here / "policyctl.policy"
    for more in ("rule r use nobody\n", "# sk-ant-0123456789abcdef0123456789\n"):
        file.write_text(f'include "models.policy"\n{TIERS}{more}', encoding="utf-8")
        first, second = (run("validate", at=here) for _ in range(2))

        assert first == second
        assert not kept.exists()


# --- hostile and broken ------------------------------------------------------------------------------------


def test_spoilt_files_are_passed_over_and_written_anew(here: Path, kept: Path) -> None:
    """
    A file that is cut off, of which bits have flipped, or that is something else counts for nothing.
    """
    expected = run("validate", at=here)
    file = only(kept)
    good = file.read_bytes()
    rng = seeded("spoilt files")
    for number in range(SPOILT_FILES):
        match number % 3:
            case 0:
                spoilt = good[: rng.randrange(len(good))]
            case 1:
                at = rng.randrange(len(good))
                spoilt = good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :]
            case _:
                spoilt = rng.choice([b"", b"null", b"[" * 100_000, b"\xff", good * 2, sealed({}), sealed([])])
        file.write_bytes(spoilt)

        assert expected == run("validate", at=here)
        assert good == file.read_bytes()


def sealed(kept: object) -> bytes:
    """
    Something else as it would be kept, with the checksum that fits it.
    """
    body = json.dumps(kept, separators=(",", ":")).encode()
    return b'{"crc32": "%08x", "kept": %b}\n' % (crc32(body), body)


def test_what_is_foreign_is_passed_over(here: Path, kept: Path) -> None:
    """
    What another version kept, or what has another shape although its checksum fits, counts for nothing.
    """
    expected = run("validate", at=here)
    file = only(kept)
    good = file.read_bytes()
    document = json.loads(good)["kept"]

    assert good == sealed(document)
    assert __version__ in document["key"]

    policy = document["policy"]
    others = [
        {**document, "key": [0 if part == __version__ else part for part in document["key"]]},
        {**document, "key": document["key"][:-1]},
        {**document, "policy": policy[:-1]},
        {**document, "policy": [None, *policy[1:]]},
        {**document, "findings": [["P101"]]},
        {**document, "files": []},
        {**document, "files": [["elsewhere.policy", "/", "/"]]},
        {name: value for name, value in document.items() if name != "sources"},
    ]
    for other in others:
        file.write_bytes(sealed(other))

        assert expected == run("validate", at=here)
        assert good == file.read_bytes()


def test_the_folder_is_the_users_alone(here: Path, kept: Path) -> None:
    """
    Folder and files are for the user only, whatever the umask.
    """
    before = os.umask(0)
    try:
        run(*SELECT, at=here)
    finally:
        os.umask(before)

    assert 0o700 == stat.S_IMODE(kept.stat().st_mode)
    assert 0o600 == stat.S_IMODE(only(kept).stat().st_mode)


@pytest.mark.parametrize("how", ["open folder", "linked folder", "open file", "linked file", "pipe"])
def test_what_others_may_have_written_is_not_read(here: Path, kept: Path, tmp_path: Path, how: str) -> None:
    """
    A folder or a file that others may write, a symbolic link or a pipe in its place: none is read.
    """
    expected = run("list", at=here)
    file = only(kept)
    document = json.loads(file.read_bytes())["kept"]
    policy = json.loads(json.dumps(document["policy"]).replace("offline/small", "offline/forge"))
    forged = sealed({**document, "policy": policy})
    file.write_bytes(forged)

    assert "forge" in run("list", at=here).out  # it would be read, if it were the user's

    elsewhere = tmp_path / "elsewhere"
    if how == "open folder":
        kept.chmod(0o777)
    elif how == "linked folder":
        kept.rename(elsewhere)
        kept.symlink_to(elsewhere)
    elif how == "open file":
        file.chmod(0o666)
    else:
        file.rename(elsewhere)
        file.symlink_to(elsewhere) if how == "linked file" else os.mkfifo(file, 0o600)

    assert expected == run("list", at=here)
    assert how not in ("linked file", "linked folder") or b"forge" in _all_of(elsewhere)


def _all_of(path: Path) -> bytes:
    return b"".join(p.read_bytes() for p in ([path] if path.is_file() else path.iterdir()))


@pytest.mark.parametrize("place", ["a file", "/dev/null/x", "no\0name"])
def test_no_cache_is_no_problem(here: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """
    Where nothing can be kept, nothing is said.
    """
    (here / "a file").touch()
    expected = run(*SELECT, "--no-cache", at=here)
    if "\0" in place:
        monkeypatch.setattr(cache_folder, "place", lambda environ: Path(place))
    else:
        monkeypatch.setenv("POLICYCTL_CACHE_DIR", str(here / place))

    assert expected == run(*SELECT, at=here)


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The folder has so many files and so many bytes at most; a file that is larger isn't kept at all.
    """
    folder = tmp_path / "kept"
    monkeypatch.setattr(cache_folder, "MAX_FILES", 3)
    monkeypatch.setattr(cache_folder, "MAX_ALL_BYTES", 100)
    monkeypatch.setattr(cache_folder, "MAX_BYTES", 90)
    for number, size in enumerate([1, 1, 1, 1, 91]):
        cache_folder.write(folder, str(number), b"x" * size)
        for file in folder.iterdir():
            os.utime(file, (int(file.stem), int(file.stem)))

    assert ["1.json", "2.json", "3.json"] == names(folder)

    (folder / "of somebody else").touch()
    cache_folder.write(folder, "5", b"x" * 90)

    assert ["2.json", "3.json", "5.json", "of somebody else"] == names(folder)

    cache_folder.write(folder, "6", b"x" * 90)

    assert ["6.json", "of somebody else"] == names(folder)


def test_what_is_kept_is_all_of_a_policy(here: Path, kept: Path) -> None:
    """
    Each field of a policy is kept, so that one which is added is, too.
    """
    run(*SELECT, at=here)

    assert len(Policy.__dataclass_fields__) == len(json.loads(only(kept).read_bytes())["kept"]["policy"])
