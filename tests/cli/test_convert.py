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
    assert other.err == (
        "error: new.yml is there already; nothing was written\n  help: --force writes it over\n"
    )
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


# --- the older YAML form ---------------------------------------------------------------------------


CASES = Path(__file__).parent.parent / "cases" / "legacy"
LEFT_OUT = "note: 10 things left out or said otherwise; the first lines of the policy tell which\n"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    for case in ("list", "map", "time_rules", "custom_model"):
        (tmp_path / f"{case}.yaml").write_bytes((CASES / f"{case}.yaml").read_bytes())
    return tmp_path


@pytest.mark.parametrize("words", [["--from", "legacy"], [], ["--to", "policy"]])
def test_a_file_of_the_older_form_becomes_a_policy(older: Path, words: list[str]) -> None:
    """
    Whether or not somebody says that it is one, it is .policy text that says what it was and what it lost.
    """
    ran = call("convert", *words, "list.yaml", at=older)
    lines = ran.out.splitlines()

    assert (0, LEFT_OUT) == (ran.code, ran.err)
    assert "# Converted from list.yaml." == lines[0]
    assert 'policy "list"' in lines
    assert "end" == lines[-1]


def test_it_is_the_same_policy_once_converted(older: Path) -> None:
    """
    The file and what it was converted to, in either surface, are explained alike, to the digest.
    """
    call("convert", "map.yaml", "-o", "map.policy", at=older)
    call("convert", "map.yaml", "-o", "twin.yaml", at=older)
    files = ["map.yaml", "map.policy", "twin.yaml"]
    told = [call("explain", "--policy", f, "--complexity", "4", "--at", "Mon 10:00", at=older) for f in files]
    as_one = {ran.out.replace(f, "map.yaml") for ran, f in zip(told, files, strict=True)}

    assert [0, 0, 0] == [ran.code for ran in told]
    assert 1 == len(as_one)


def test_the_unit_of_prices_can_be_said(older: Path) -> None:
    """
    A file that doesn't tell the unit of its prices is refused until --price-unit does.
    """
    ran = call("convert", "custom_model.yaml", "-o", "a.policy", at=older)
    million = call("convert", "custom_model.yaml", "--price-unit", "1m", at=older)
    thousand = call("convert", "custom_model.yaml", "--price-unit", "1k", at=older)

    assert (1, "") == (ran.code, ran.out)
    assert "error[P121]" in ran.err
    assert not (older / "a.policy").exists()
    assert "costs $1.00 in, $3.00 out" in million.out
    assert "costs $1000.00 in, $3000.00 out" in thousand.out


def test_what_is_not_of_the_older_form_says_so(here: Path) -> None:
    """
    --from legacy on a policy is an error; --price-unit has no meaning there.
    """
    (here / "a.policy").write_text("models: {}", encoding="utf-8")
    forced = call("convert", "--from", "legacy", "b.yaml", at=here)
    other = call("convert", "--from", "legacy", "a.policy", at=here)
    unit = call("convert", "b.yaml", "--price-unit", "1k", at=here)
    gone = call("convert", "--from", "legacy", "gone.yaml", at=here)

    assert [1, 1, 2, 1] == [forced.code, other.code, unit.code, gone.code]
    assert "error[P124]" in forced.err
    assert "error[P124]" in other.err
    assert "--price-unit is for files of the older YAML form" in unit.err
    assert "error[P105]" in gone.err
    assert "" == forced.out + other.out + unit.out + gone.out


def test_the_older_form_may_come_from_standard_input(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    - is standard input with --from legacy too.
    """
    text = (CASES / "map.yaml").read_text(encoding="utf-8")
    ran = piped("convert", "--from", "legacy", "-", at=here, text=text, monkeypatch=monkeypatch)

    assert 0 == ran.code
    assert ran.out.startswith('# Converted from standard input.\n\npolicy "policy"\nbaseline claude-opus\n')


def test_a_mistake_in_a_name_is_told_before_anything_is_written(older: Path) -> None:
    """
    The whole of the older file must be right: an unknown model is an error at its place.
    """
    text = "domainRouting:\n  - {domain: math, preferred_providers: [opuss]}\n"
    (older / "d.yaml").write_text(text, encoding="utf-8")
    ran = call("convert", "d.yaml", at=older)

    assert (1, "") == (ran.code, ran.out)
    assert "error[P203]: unknown model `opuss`\n --> d.yaml:2:42" in ran.err
