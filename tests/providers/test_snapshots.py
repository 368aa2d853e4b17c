"""Which price catalogue counts, and how a newer one is made."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from policyctl.providers.catalogue import SHIPPED, load_catalogue, read_catalogue, snapshot
from policyctl.providers.snapshots import (
    Changes,
    PriceMap,
    catalogue_in_force,
    changes,
    installed_map,
    is_older,
    make_catalogue,
    own_place,
)

RELEASE = load_catalogue().litellm_version
DAY = load_catalogue().as_of
LATER, EARLIER = "2999-01-01", "2020-01-01"

ENTRY = {
    "mode": "chat",
    "litellm_provider": "openai",
    "input_cost_per_token": 1e-06,
    "output_cost_per_token": 4e-06,
}


def own(folder: Path, text: bytes) -> dict[str, str]:
    """
    Put a file where a user's own catalogue lies, and return the environment in which it does.
    """
    place = folder / "policyctl" / "prices.json"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(text)
    return {"XDG_DATA_HOME": str(folder)}


def a_catalogue(release: str = "", day: str = LATER) -> bytes:
    return snapshot({"gpt-x": ENTRY}, litellm_version=release, as_of=day)


# --- where it lies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"POLICYCTL_PRICES": "/a/b.json", "XDG_DATA_HOME": "/data"}, "/a/b.json"),
        ({"XDG_DATA_HOME": "/data"}, "/data/policyctl/prices.json"),
        ({"XDG_DATA_HOME": "relative"}, "~/.local/share/policyctl/prices.json"),
        ({"XDG_DATA_HOME": "", "POLICYCTL_PRICES": ""}, "~/.local/share/policyctl/prices.json"),
        ({}, "~/.local/share/policyctl/prices.json"),
    ],
)
def test_where_a_catalogue_of_ones_own_lies(environ: dict[str, str], place: str) -> None:
    """
    POLICYCTL_PRICES names it; else it is in the user's data folder, which is absolute.
    """
    assert Path(place).expanduser() == own_place(environ)


def test_without_any_the_shipped_one_counts(tmp_path: Path) -> None:
    """
    Where the user has none, nothing is odd.
    """
    there = catalogue_in_force({"XDG_DATA_HOME": str(tmp_path)})

    assert (load_catalogue(), SHIPPED, True, None) == (
        there.catalogue,
        there.path,
        there.shipped,
        there.problem,
    )


@pytest.mark.parametrize(
    ("release", "day", "counts"),
    [
        ("999.0.0", EARLIER, True),
        ("1.1000.0", EARLIER, True),
        ("999.0.0rc1", EARLIER, True),
        ("1.9.9", LATER, False),
        (RELEASE, LATER, True),
        (RELEASE, DAY, True),
        (RELEASE, EARLIER, False),
        ("", LATER, True),
        ("", EARLIER, False),
        ("unknown", LATER, True),
        ("unknown", EARLIER, False),
    ],
)
def test_the_newer_one_counts(tmp_path: Path, release: str, day: str, counts: bool) -> None:
    """
    The release of LiteLLM tells which facts are newer, and where it doesn't, the day; of two that are
    equal the user's own counts. An older one is no problem, it just doesn't count.
    """
    there = catalogue_in_force(own(tmp_path, a_catalogue(release, day)))

    assert (counts, None) == (not there.shipped, there.problem)
    assert counts is ("openai/gpt-x" in there.catalogue.prices)


def test_one_that_is_named_counts_whatever_its_age(tmp_path: Path) -> None:
    """
    What POLICYCTL_PRICES names is meant, so that a team can hold on to prices.
    """
    place = tmp_path / "pinned.json"
    place.write_bytes(a_catalogue("1.0.0", EARLIER))
    there = catalogue_in_force({"POLICYCTL_PRICES": str(place)})

    assert (place, EARLIER, None) == (there.path, there.catalogue.as_of, there.problem)


def test_one_that_is_named_must_be_there(tmp_path: Path) -> None:
    """
    A name that leads nowhere is told; the shipped catalogue counts meanwhile.
    """
    there = catalogue_in_force({"POLICYCTL_PRICES": str(tmp_path / "no.json")})

    assert there.shipped
    assert f"POLICYCTL_PRICES names {tmp_path / 'no.json'}, but there is no such file" == there.problem


def with_row(**changes: object) -> bytes:
    document = json.loads(a_catalogue())
    columns = document["columns"]
    for column, value in changes.items():
        document["models"][0][columns.index(column)] = value
    return json.dumps(document, indent=1).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"1" * 5_000,
        a_catalogue()[:-20],
        a_catalogue().replace(b'"format": 1', b'"format": 2'),
        a_catalogue().replace(LATER.encode(), b"2999-99-99"),
        a_catalogue("999?[31m"),
        with_row(id=["openai/gpt-x"]),
        with_row(provider=None),
        with_row(price_in_nusd_per_mtok=-1),
        with_row(price_in_nusd_per_mtok=1.5),
        with_row(price_in_nusd_per_mtok=True),
        with_row(price_out_nusd_per_mtok=10**13),
        with_row(context_tokens=10**400),
        with_row(capabilities="vision flight"),
        with_row(capabilities=7),
        with_row(deprecation_date="soon"),
        b'{"litellm_version": "9", "as_of": "2999-01-01"}',
        b" " * (4 * 1024 * 1024 + 1),
    ],
)
def test_a_file_that_cannot_be_used_is_passed_over(tmp_path: Path, text: bytes) -> None:
    """
    Whatever a file of the user's holds, the shipped catalogue then counts, and one line says why.
    """
    there = catalogue_in_force(own(tmp_path, text))

    assert there.shipped
    assert there.problem is not None
    assert str(tmp_path / "policyctl" / "prices.json") in there.problem
    assert "\n" not in there.problem


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    """
    A folder or a pipe in its place is told, without waiting for anybody; a link in a circle is no file.
    """
    place = tmp_path / "odd"
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(place)
    there = catalogue_in_force({"POLICYCTL_PRICES": str(place)})

    assert there.shipped
    assert there.problem is not None


def test_a_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    """
    A catalogue is kept until its file changes.
    """
    environ = own(tmp_path, a_catalogue(day="2998-01-01"))
    first, again = catalogue_in_force(environ), catalogue_in_force(environ)
    own(tmp_path, b"broken")
    broken = catalogue_in_force(environ)
    own(tmp_path, a_catalogue(day="2999-02-02"))

    assert first is again
    assert broken.shipped
    assert "2999-02-02" == catalogue_in_force(environ).catalogue.as_of


# --- making one ------------------------------------------------------------------------------------------


@pytest.fixture
def litellm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    A LiteLLM that is installed, and that no one may import.
    """
    folder = tmp_path / "site"
    (folder / "litellm").mkdir(parents=True)
    (folder / "litellm" / "__init__.py").write_text("raise ImportError('it was run')\n", encoding="utf-8")
    (folder / "litellm" / "model_prices_and_context_window_backup.json").write_text(
        json.dumps({"gpt-x": ENTRY})
    )
    about = folder / "litellm-9.8.7.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: litellm\nVersion: 9.8.7\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "litellm", raising=False)  # other tests of this process run the real one
    return folder


def test_the_map_of_an_installed_litellm_is_found(litellm: Path) -> None:
    """
    The map and its release are found without running a line of LiteLLM.
    """
    found = installed_map()

    assert found is not None
    assert litellm / "litellm" / "model_prices_and_context_window_backup.json" == found.path
    assert "9.8.7" == found.litellm_version
    assert "litellm" not in sys.modules


def test_there_may_be_no_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where LiteLLM isn't installed there is no map.
    """
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert installed_map() is None


def test_a_catalogue_is_made_of_a_map(litellm: Path) -> None:
    """
    What is made can be read, says its release and day, and has the prices to the last digit.
    """
    found = installed_map()
    assert found is not None
    made = read_catalogue(make_catalogue(found, "2026-11-24"))

    assert ("9.8.7", "2026-11-24") == (made.litellm_version, made.as_of)
    assert 1_000_000_000 == made.prices["openai/gpt-x"].price_in_nusd_per_mtok


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '"x"', "[" * 100_000, '{"a": 1}', '{"sample_spec": {}}', "NaN"]
)
def test_a_file_that_is_no_map_makes_none(tmp_path: Path, text: str) -> None:
    """
    A file without a single model is no price map.
    """
    (tmp_path / "map.json").write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"it is(n't| no)"):
        make_catalogue(PriceMap(tmp_path / "map.json", ""), "2026-11-24")


@pytest.mark.parametrize(
    ("release", "than", "older"),
    [
        ("1.109.1", "1.110.0", True),
        ("1.99.0", "1.109.1", True),
        ("1.109.1", "1.109.1", False),
        ("1.110.0", "1.109.1", False),
        ("", "1.109.1", False),
        ("1.109.1", "", False),
        ("dev", "1.109.1", False),
    ],
)
def test_which_release_is_older(release: str, than: str, older: bool) -> None:
    """
    Releases compare by their numbers; one that says no number isn't known to be older.
    """
    assert older is is_older(release, than)


def test_what_changed_between_two() -> None:
    """
    Models come, go, and change in price or date; each is counted once, by its full id.
    """
    old = {"gpt-a": ENTRY, "gpt-b": ENTRY, "gpt-c": ENTRY, "gpt-d": ENTRY}
    new = {
        "gpt-b": ENTRY,
        "gpt-c": {**ENTRY, "output_cost_per_token": 5e-06},
        "gpt-d": {**ENTRY, "deprecation_date": "2027-01-01"},
        "gpt-e": ENTRY,
    }
    before, after = (
        read_catalogue(snapshot(each, litellm_version="", as_of="2026-11-24")) for each in (old, new)
    )

    assert Changes(("openai/gpt-e",), ("openai/gpt-a",), ("openai/gpt-c", "openai/gpt-d")) == changes(
        before, after
    )
    assert Changes() == changes(after, after)
