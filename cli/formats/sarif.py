"""
Findings in SARIF 2.1.0, the OASIS standard for results of static analysis, as code scanning reads it.

Columns count UTF-16 code units, which every reader understands; files are named relative to the folder
in which the command runs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from ... import __version__
from ...schemas.diagnostics import Diagnostic, Edit
from ...schemas.text import Source, Span
from ..findings import Findings, place
from ..pages import known_codes, page_of, sections, title_of

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# What a message must not say by chance: {0} stands for an argument, [words](1) is a link.
_PLACEHOLDER = re.compile(r"\{(\d+)\}")
_LINK = re.compile(r"\[(?=[^\]]*\]\()")

Json = dict[str, object]


def render(findings: Findings) -> str:
    """One log with one run."""
    codes = sorted({d.code for d in findings.report.diagnostics})
    pages = {code: page_of(module) for code, module in known_codes().items() if code in codes}
    run = {
        "tool": {
            "driver": {
                "name": "policyctl",
                "version": __version__,
                "rules": [_rule(code, pages.get(code)) for code in codes],
            }
        },
        "invocations": [{"executionSuccessful": True, "exitCode": int(findings.exit_code)}],
        "columnKind": "utf16CodeUnits",
        "artifacts": [{"location": _file(name), "roles": ["analysisTarget"]} for name in findings.sources()],
        "results": [_result(findings, codes, d) for d in findings.report.diagnostics],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(code: str, page: str | None) -> Json:
    if page is None:
        return {"id": code}
    parts = sections(page)
    headed = [f"## {heading}\n\n{text}" for heading, text in parts.items()]
    return {
        "id": code,
        "shortDescription": {"text": title_of(page)},
        "fullDescription": {"text": " ".join(parts["What it finds"].split())},
        "help": {"text": page, "markdown": "\n\n".join([f"# {code}: {title_of(page)}", *headed])},
    }


def _result(findings: Findings, codes: Sequence[str], d: Diagnostic) -> Json:
    sources = findings.sources()
    result: Json = {
        "ruleId": d.code,
        "ruleIndex": codes.index(d.code),
        "level": str(d.severity),
        "message": _message(d.message if d.help is None else f"{d.message}\n{d.help}"),
        "locations": [{"physicalLocation": _physical(sources, findings.file_of(d), d.span)}],
    }
    if d.others:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _physical(sources, other.span.source, other.span),
                "message": _message(other.text),
            }
            for number, other in enumerate(d.others, 1)
        ]
    if d.fix:
        result["fixes"] = [{"artifactChanges": _changes(sources, d.fix)}]
    return result


def _changes(sources: Mapping[str, Source], edits: Sequence[Edit]) -> list[Json]:
    by_file = groupby(edits, lambda edit: edit.span.source)
    return [
        {
            "artifactLocation": _file(name),
            "replacements": [
                {
                    "deletedRegion": _region(sources[name], edit.span),
                    "insertedContent": {"text": edit.new},
                }
                for edit in group
            ],
        }
        for name, group in by_file
    ]


def _message(text: str) -> Json:
    return {"text": _LINK.sub(r"\\[", _PLACEHOLDER.sub(r"{{\1}}", text))}


def _physical(sources: Mapping[str, Source], name: str, span: Span | None) -> Json:
    source = sources.get(name)
    # Code scanning has no use for a result without a line.
    region = {"startLine": 1} if span is None or source is None else _region(source, span)
    return {"artifactLocation": _file(name), "region": region}


def _region(source: Source, span: Span) -> Mapping[str, int]:
    start, end = place(source, span.start), place(source, span.end)
    return {
        "startLine": start.line,
        "startColumn": _utf16(source.text, span.start, start.column),
        "endLine": end.line,
        "endColumn": _utf16(source.text, span.end, end.column),
    }


def _utf16(text: str, offset: int, column: int) -> int:
    """A column in UTF-16 code units: characters beyond the first 65,536 take two."""
    return column + sum(c > "\uffff" for c in text[offset - column + 1 : offset])


def _file(name: str) -> Json:
    """A file as a URI: relative to this folder where it is below it, else absolute."""
    relative = os.path.relpath(name)
    if relative.startswith(os.pardir):
        return {"uri": Path(name).resolve().as_uri()}
    return {"uri": quote(os.fsencode(Path(relative).as_posix()))}
