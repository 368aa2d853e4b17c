"""`policyctl convert`: a policy in the other surface, printed or written."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from .command import Ran, call, copy_of_loop

DSL = '# mine\n\nrule a\n  when branch is "main"\n  use x\n'
YAML = """\
# yaml-language-server: $schema=policy.schema.json

# mine

rules:
  a:
    when: branch is "main"
    use: [x]
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "a.policy").write_text(DSL, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(YAML, encoding="utf-8")
    return tmp_path


def piped(*words: str, at: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Ran:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
    return call(*words, at=at)


def test_the_other_surface_is_printed(here: Path) -> None:
    """
    .policy text becomes YAML and YAML becomes .policy text, with the comments.
    """
    there, back = call("convert", "a.policy", at=here), call("convert", "b.yaml", at=here)

    assert (0, YAML, "") == (there.code, there.out, there.err)
    assert (0, DSL, "") == (back.code, back.out, back.err)


def test_it_is_written_to_a_new_file(here: Path) -> None:
    """
    -o writes a file that isn't there yet; --force one that is.
    """
    ran = call("convert", "a.policy", "-o", "new.yml", at=here)
    again = call("convert", "a.policy", "-o", "new.yml", at=here)
    (here / "new.yml").write_text("mine", encoding="utf-8")
    other = call("convert", "a.policy", "-o", "new.yml", at=here)
    kept = (here / "new.yml").read_text(encoding="utf-8")
    forced = call("convert", "a.policy", "-o", "new.yml", "--force", at=here)

    assert (0, "", "wrote new.yml\n") == (ran.code, ran.out, ran.err)
    assert [2, 2, 0] == [again.code, other.code, forced.code]
    assert "error: new.yml is there already; nothing was written\n" == other.err
    assert "mine" == kept
    assert YAML == (here / "new.yml").read_text(encoding="utf-8")


def test_a_link_is_not_written_through(here: Path) -> None:
    """
    Not even with --force.
    """
    (here / "link.yaml").symlink_to(here / "b.yaml")
    ran = call("convert", "a.policy", "-o", "link.yaml", "--force", at=here)

    assert (2, YAML) == (ran.code, (here / "b.yaml").read_text(encoding="utf-8"))


def test_standard_input_and_output(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    - is standard input, in the surface that isn't asked for; -o - is standard output.
    """
    there = piped("convert", "-", at=here, text=DSL, monkeypatch=monkeypatch)
    back = piped("convert", "-", "--to", "policy", "-o", "-", at=here, text=YAML, monkeypatch=monkeypatch)
    file = piped("convert", "-", "-o", "c.policy", at=here, text=YAML, monkeypatch=monkeypatch)

    assert [(0, YAML), (0, DSL), (0, "")] == [(ran.code, ran.out) for ran in (there, back, file)]
    assert DSL == (here / "c.policy").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("a.policy --to policy", "a.policy is .policy text already"),
        ("b.yaml -o c.yaml", "b.yaml is YAML already"),
        ("a.policy -o c", "what is c? Say --to policy or --to yaml"),
        ("a.policy --to yaml -o c.policy", "--to yaml doesn't go with the name c.policy"),
        ("", "Missing argument 'FILE'."),
    ],
)
def test_what_makes_no_sense_is_told(here: Path, words: str, error: str) -> None:
    """
    Such a call exits with 2, and writes nothing.
    """
    ran = call("convert", *words.split(), at=here)

    assert (2, "") == (ran.code, ran.out)
    assert f"error: {error}\n" in ran.err
    assert ["a.policy", "b.yaml"] == sorted(path.name for path in here.iterdir())


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("baseline", "P101", "a.policy:1:8"),
        ('rule a use x\ninclude "b.policy"\nrule b use x', "P111", "a.policy:2:1"),
        ("timezone UTC\ntimezone UTC", "P111", "a.policy:2:1"),
    ],
)
def test_what_can_not_be_converted_is_pointed_at(here: Path, text: str, code: str, place: str) -> None:
    """
    Its place goes to stderr, since nothing but a policy may stand on stdout; no file is written.
    """
    (here / "a.policy").write_text(text, encoding="utf-8")
    ran = call("convert", "a.policy", "-o", "new.yaml", at=here)

    assert (1, "") == (ran.code, ran.out)
    assert f"error[{code}]" in ran.err and f"--> {place}" in ran.err
    assert not (here / "new.yaml").exists()


def test_a_missing_file_is_told(here: Path) -> None:
    """
    It is an error as for `validate`.
    """
    ran = call("convert", "gone.policy", at=here)

    assert (1, "") == (ran.code, ran.out)
    assert "error[P105]: `gone.policy` can't be read" in ran.err


def test_the_example_answers_alike(tmp_path: Path) -> None:
    """
    What is converted there and back selects what it selected before.
    """
    loop = copy_of_loop(tmp_path)
    (loop / "claude-loop.yaml").unlink()
    assert 0 == call("convert", "claude-loop.policy", "-o", "there.yaml", at=loop).code
    assert 0 == call("convert", "there.yaml", "-o", "back.policy", at=loop).code
    answers = {
        call("select", "--complexity", "5", "--json", "--policy", name, at=loop).json["policy_digest"]
        for name in ("claude-loop.policy", "there.yaml", "back.policy")
    }

    assert 1 == len(answers)
