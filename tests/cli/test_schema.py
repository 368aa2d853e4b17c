"""`policyctl schema`: what is published, printed and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import policyctl

from .command import call

SCHEMAS = sorted((Path(policyctl.__file__).parent / "schemas").glob("*.schema.json"))
NAMES = [path.name.removesuffix(".schema.json") for path in SCHEMAS]


def test_the_policy_s_is_printed_without_a_name(tmp_path: Path) -> None:
    """
    `schema` is `schema policy`: a JSON Schema, to the letter of the published file.
    """
    bare, named = call("schema", at=tmp_path), call("schema", "policy", at=tmp_path)

    assert (0, "") == (bare.code, bare.err)
    assert bare == named
    assert "urn:policyctl:schema:policy:1" == bare.json["$id"]


@pytest.mark.parametrize("path", SCHEMAS, ids=NAMES)
def test_each_published_schema_is_printed(tmp_path: Path, path: Path) -> None:
    """
    Every schema that ships can be printed, on any stream, and is a valid one.
    """
    words = ("schema", path.name.removesuffix(".schema.json"))
    ran, ascii = call(*words, at=tmp_path), call(*words, at=tmp_path, encoding="ascii")

    assert (0, "", 0, "") == (ran.code, ran.err, ascii.code, ascii.err)
    assert path.read_text(encoding="utf-8") == ran.out
    assert ran.json == ascii.json
    Draft202012Validator.check_schema(ran.json)


def test_all_are_listed(tmp_path: Path) -> None:
    """
    `--list` has a line for each schema, the policy's first, with what it is the shape of.
    """
    ran = call("schema", "--list", at=tmp_path)
    lines = [line.split(maxsplit=1) for line in ran.out.splitlines()]

    assert (0, "") == (ran.code, ran.err)
    assert "policy" == lines[0][0]
    assert sorted(NAMES) == sorted(name for name, _ in lines)
    assert all(title for _, title in lines)


def test_a_misspelt_name_gets_a_suggestion(tmp_path: Path) -> None:
    """
    A name that no schema has is an error that names the nearest, else where all are listed.
    """
    near, far = call("schema", "polcy", at=tmp_path), call("schema", "zzz", at=tmp_path)

    assert (2, "", 2, "") == (near.code, near.out, far.code, far.out)
    assert "there is no schema polcy; did you mean `policy`?" in near.err
    assert "there is no schema zzz; policyctl schema --list lists all" in far.err


def test_a_schema_is_written_to_a_file(tmp_path: Path) -> None:
    """
    `-o FILE` writes the schema, over an older one too, and prints nothing on stdout.
    """
    (tmp_path / "s.json").write_text("old", encoding="utf-8")
    ran = call("schema", "prd", "-o", "s.json", at=tmp_path)

    assert (0, "", "wrote s.json\n") == (ran.code, ran.out, ran.err)
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["$id"].endswith(":prd:1")


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    """
    Where FILE is a symbolic link, it is left alone, and so is what it leads to.
    """
    (tmp_path / "target").write_text("kept", encoding="utf-8")
    (tmp_path / "s.json").symlink_to("target")
    ran = call("schema", "-o", "s.json", at=tmp_path)

    assert (2, "", "error: s.json can't be written: it is a symbolic link\n") == (ran.code, ran.out, ran.err)
    assert "kept" == (tmp_path / "target").read_text(encoding="utf-8")
