"""`policyctl prices`: what the catalogue knows of models, and a newer catalogue."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from policyctl.providers.catalogue import load_catalogue, snapshot

from .command import Ran, call, copy_of_loop, spawn
from .test_json import faults

ENTRY = {"mode": "chat", "litellm_provider": "openai"}
PRICED = {**ENTRY, "input_cost_per_token": 1e-06, "output_cost_per_token": 4e-06}
A_MAP = {
    "gpt-x": PRICED,
    "gpt-4o": {**PRICED, "deprecation_date": "2027-01-02"},
    "deepseek/deepseek-chat": {**PRICED, "litellm_provider": "deepseek"},
}


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    examples/claude-loop, alone in a checkout of its own.
    """
    return copy_of_loop(tmp_path_factory.mktemp("prices"))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


def a_catalogue(day: str = "2026-11-01", release: str = "1.108.0") -> bytes:
    """
    A catalogue of three models.
    """
    return snapshot(A_MAP, litellm_version=release, as_of=day)


# --- what is known ---------------------------------------------------------------------------------------


def test_pages(loop: Path, snapshot: SnapshotAssertion) -> None:
    """
    The models of a policy as a table with what it writes instead, and single models with all that is known.
    """
    (loop / "prices.json").write_bytes(a_catalogue())
    env = {"POLICYCTL_PRICES": "prices.json"}

    assert snapshot == call("prices", at=loop, env=env).out
    assert snapshot == call("prices", "deepseek", "gpt-x", "litellm/gpt-4o", at=loop, env=env).out


@pytest.mark.parametrize(
    ("asked", "model_id"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("litellm/gpt-4o", "litellm/gpt-4o"),
        ("gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("deepseek", "deepseek/deepseek-chat"),
        ("deepseek-r1", "deepseek/deepseek-reasoner"),
    ],
)
def test_a_model_is_named_in_many_ways(loop: Path, asked: str, model_id: str) -> None:
    """
    An id, the same without its provider, and the policy's own names and aliases all will do.
    """
    ran = call("prices", asked, "--json", at=loop)

    assert (0, "") == (ran.code, ran.err)
    assert [(asked, model_id, True)] == [(m["name"], m["id"], m["known"]) for m in ran.json["models"]]


@pytest.mark.parametrize(
    ("asked", "help"),
    [
        ("openai/gpt-4p", "`openai/gpt-4o`"),
        ("opanai/gpt-4o", "did you mean `openai/gpt-4o`"),
        ("gpt-4p", "`openai/gpt-4o`"),
        ("mistral-large-latest", "`mistral/mistral-large-latest`"),
        ("house/tuned", None),
        ("\x1b[31m", None),
        ("", None),
    ],
)
def test_an_unknown_model_is_an_error(here: Path, asked: str, help: str | None) -> None:
    """
    A model that the catalogue doesn't have is an error with what may have been meant.
    """
    ran = call("prices", asked, at=here)

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.startswith("error: the price catalogue has no `")
    assert "\x1b" not in ran.err
    assert ("help:" in ran.err) is (help is not None)
    assert help is None or help in ran.err


def test_all_unknown_models_are_told(here: Path) -> None:
    """
    Each unknown name is told, and nothing else printed.
    """
    ran = call("prices", "one/x", "gpt-4o", "two/x", at=here)

    assert (2, "", 2) == (ran.code, ran.out, ran.err.count("error: "))


def test_without_a_policy_the_catalogue_is_described(here: Path) -> None:
    """
    Where no policy is found, or one with errors, `prices` alone says which catalogue counts.
    """
    none = call("prices", at=here)
    (here / "policyctl.policy").write_text("tier", encoding="utf-8")
    broken = call("prices", at=here)

    assert (0, "") == (none.code, none.err)
    assert none == broken
    assert none.out.startswith(f"Price catalogue of {load_catalogue().as_of}, from LiteLLM ")


def test_a_policy_that_is_named_must_be_right(here: Path) -> None:
    """
    With --policy its errors are told.
    """
    (here / "a.policy").write_text("tier", encoding="utf-8")

    assert 2 == call("prices", "--policy", "a.policy", at=here).code


@pytest.mark.parametrize(
    "words", ["prices", "prices gpt-4o gpt-5 groq/openai/gpt-oss-120b", "prices deepseek"]
)
def test_json_fits_its_schema(loop: Path, words: str) -> None:
    """
    What --json prints has the published shape, and money as exact integers.
    """
    document = call(*words.split(), "--json", at=loop).json

    assert [] == faults("prices", document)
    assert all(
        m["price_in_usd_per_mtok"] is None
        or m["price_in_nusd_per_mtok"] == m["price_in_usd_per_mtok"] * 10**9
        for m in document["models"]
    )


# --- a newer catalogue -----------------------------------------------------------------------------------


@pytest.fixture
def litellm(tmp_path: Path) -> Path:
    """
    A folder in which a LiteLLM is installed that no one may import.
    """
    site = tmp_path / "site"
    (site / "litellm").mkdir(parents=True)
    (site / "litellm" / "__init__.py").write_text("raise SystemExit('it was run')\n", encoding="utf-8")
    (site / "litellm" / "model_prices_and_context_window_backup.json").write_text(json.dumps(A_MAP))
    installed(site, "99.0.1")
    return site


def installed(site: Path, release: str) -> None:
    about = site / "litellm-0.dist-info"
    about.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: litellm\nVersion: {release}\n"
    (about / "METADATA").write_text(metadata, encoding="utf-8")


def updated(here: Path, site: Path, *words: str) -> Ran:
    return spawn("prices", "update", *words, at=here, env=at_home(here, site))


def at_home(here: Path, site: Path | None = None) -> dict[str, str]:
    return {"XDG_DATA_HOME": str(here / "data"), **({"PYTHONPATH": str(site)} if site else {})}


def test_update_takes_the_map_of_an_installed_litellm(here: Path, litellm: Path, loop: Path) -> None:
    """
    `prices update` writes a catalogue of the LiteLLM installed here, says what changed, of the policy's
    models too, and from then on it counts for every verb.
    """
    env = at_home(here, litellm)
    first = spawn("prices", "update", at=loop, env=env)
    again = spawn("prices", "update", at=loop, env=env)
    then = call("prices", "gpt-x", "--json", at=here, env=at_home(here))
    found = call("validate", "--output-format", "json", at=loop, env=at_home(here)).json

    assert (0, "", 0, "") == (first.code, first.err, again.code, again.err)
    assert "from LiteLLM 99.0.1: 3 models" in first.out
    assert ": 1 model new, " in first.out
    assert "  deepseek-chat        $0.28 in, $0.42 out, deprecated 2026-07-24 -> $1.00 in," in first.out
    assert again.out.endswith("Nothing changed.\n")
    assert ("99.0.1", False) == (
        then.json["catalogue"]["litellm_version"],
        then.json["catalogue"]["shipped"],
    )
    assert any("$1.00 in, $4.00 out in the price catalogue" in d["message"] for d in found["diagnostics"])


def test_an_older_litellm_is_refused(here: Path, litellm: Path) -> None:
    """
    Prices of a LiteLLM that is older than the catalogue's are no update; the help says how to get newer.
    """
    installed(litellm, "1.2.3")
    ran = updated(here, litellm)

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.startswith(
        "error: LiteLLM 1.2.3, which is installed here, is older than the price catalogue"
    )
    assert ran.err.endswith("help: pip install --upgrade 'policyctl[run]'\n")
    assert not (here / "data").exists()


def test_without_litellm_the_install_command_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where LiteLLM isn't installed, the help is the command that installs it.
    """
    monkeypatch.setitem(sys.modules, "litellm", None)
    ran = call("prices", "update", at=here, env=at_home(here))

    assert (2, "") == (ran.code, ran.out)
    assert "error: LiteLLM isn't installed here\n  help: pip install 'policyctl[run]', or " in ran.err


def test_update_from_a_file(here: Path) -> None:
    """
    `--from FILE` takes a price map that lies here; POLICYCTL_PRICES says where the catalogue goes.
    """
    (here / "map.json").write_text(json.dumps(A_MAP), encoding="utf-8")
    env = {"POLICYCTL_PRICES": str(here / "new" / "own.json")}
    ran = call("prices", "update", "--from", "map.json", at=here, env=env)
    then = call("prices", "gpt-x", "--json", at=here, env=env).json["catalogue"]

    assert 0 == ran.code, ran.err
    assert (None, False, str(here / "new" / "own.json")) == (
        then["litellm_version"],
        then["shipped"],
        then["path"],
    )


@pytest.mark.parametrize("text", ["", "{}", "[1]", "{"])
def test_a_file_that_is_no_map_is_an_error(here: Path, text: str) -> None:
    """
    What is no price map is told in one line, and the catalogue that is there stays.
    """
    (here / "map.json").write_text(text, encoding="utf-8")
    (here / "own.json").write_bytes(a_catalogue())
    env = {"POLICYCTL_PRICES": str(here / "own.json")}
    ran = call("prices", "update", "--from", "map.json", at=here, env=env)

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.startswith("error: map.json can't be used: ")
    assert a_catalogue() == (here / "own.json").read_bytes()


def test_update_follows_no_link(here: Path) -> None:
    """
    Where a symbolic link lies in the catalogue's place, nothing is written.
    """
    (here / "map.json").write_text(json.dumps(A_MAP), encoding="utf-8")
    (here / "target").write_text("kept", encoding="utf-8")
    (here / "own.json").symlink_to("target")
    ran = call("prices", "update", "--from", "map.json", at=here, env={"POLICYCTL_PRICES": "own.json"})

    assert 2 == ran.code
    assert "own.json can't be written: it is a symbolic link" in ran.err
    assert "kept" == (here / "target").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", ["--from x", "gpt-4o --from x", "update gpt-4o"])
def test_update_is_a_word_of_its_own(here: Path, words: str) -> None:
    """
    --from belongs to `update`, and `update` to no model.
    """
    ran = call("prices", *words.split(), at=here)

    assert (2, "") == (ran.code, ran.out)


# --- a catalogue that can't be used ------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["validate", "list", "explain --complexity 4", "prices", "plan"])
def test_a_broken_catalogue_is_told_and_passed_over(loop: Path, here: Path, words: str) -> None:
    """
    Every verb that uses prices warns on stderr, and goes on with those that policyctl ships with.
    """
    (here / "own.json").write_text("{", encoding="utf-8")
    env = {"POLICYCTL_PRICES": str(here / "own.json")}
    ran, without = call(*words.split(), at=loop, env=env), call(*words.split(), at=loop)
    warning = f"warning: prices: {here / 'own.json'} can't be used: this file isn't JSON\n"

    assert 0 == ran.code
    assert 1 == ran.err.count(warning)
    assert "  help: policyctl prices update writes it anew" in ran.err
    assert without.out == ran.out


def test_looking_up_prices_needs_no_client(loop: Path) -> None:
    """
    `prices` imports no LiteLLM, HTTP client, pydantic or jsonschema.
    """
    shown = "import sys, atexit\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    code = shown + "from policyctl.cli.__main__ import run; run()"
    ran = spawn("prices", "gpt-4o", at=loop, code=code)

    assert 0 == ran.code
    assert set() == set(ran.err.split()) & {"litellm", "pydantic", "jsonschema", "httpx", "asyncio", "rich"}
    assert sys.modules.get("litellm") is None


def test_suggestions_read_as_a_list(here: Path) -> None:
    """
    Several models that may have been meant are told as one says it.
    """
    ran = call("prices", "gpt-99", at=here)

    assert 2 == ran.code
    assert re.search(r"did you mean `[^`]+`, `[^`]+` or `[^`]+`\?", ran.err)
