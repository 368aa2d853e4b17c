"""Files of the older YAML form, for the tests that read them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from policyctl.deciding import price_book
from policyctl.policy import written
from policyctl.policy.check import check
from policyctl.policy.legacy.converting import as_written
from policyctl.policy.load import Older, load_text
from policyctl.schemas.checked import Checked
from policyctl.schemas.diagnostics import Diagnostic, Severity
from policyctl.schemas.policy import NANO, Model, Policy

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases" / "legacy"
EXAMPLE = ROOT / "examples" / "claude-loop" / "claude-loop.policy"

WHOLE = ["map", "list", "two_models"]
"""Files that say all that a policy needs."""

ON_TOP = [
    "alerts",
    "budget",
    "custom_tiers",
    "domains",
    "parameters",
    "ranges",
    "retries",
    "thresholds",
    "time_rules",
]
"""Blocks that stand alone, and count on top of the thirteen known models."""

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))


def text_of(case: str) -> str:
    return (CASES / f"{case}.yaml").read_text(encoding="utf-8")


def read(text: str, older: Older | None = None, name: str = "x.yaml") -> Checked:
    loaded = load_text(text, price_book(), name, older or Older())
    return check(loaded, price_book())


def policy_of(text: str, older: Older | None = None) -> Policy:
    checked = read(text, older)
    assert [] == [d for d in checked.report.diagnostics if d.severity is Severity.ERROR]
    assert checked.policy is not None
    return checked.policy.policy


def found_in(text: str, older: Older | None = None) -> list[Diagnostic]:
    """Errors, and what is told of the older form; what is told of any policy has tests of its own."""
    found = read(text, older).report.diagnostics
    return [d for d in found if d.severity is Severity.ERROR or d.code.startswith("P12")]


def told(text: str, older: Older | None = None) -> list[tuple[str, str]]:
    """The code of each finding, and the text it points at."""
    return [
        (d.code, "" if d.span is None else text[d.span.start : d.span.end]) for d in found_in(text, older)
    ]


def converted(text: str, older: Older | None = None) -> str:
    loaded = load_text(text, price_book(), "lib/x.yaml", older or Older())
    return written.converted(as_written(loaded), to_yaml=False)


def dollars(model: Model) -> tuple[float, float]:
    return model.price_in_nusd_per_mtok / NANO, model.price_out_nusd_per_mtok / NANO


def aliases(text: str) -> str:
    """The example's models with the short names that the older form has besides."""
    for name in ("gpt-4o-mini", "gpt-4o", "o1", "o1-mini"):
        text = re.sub(rf"(model litellm/{name} [^\n]*\n[^\n]*)", rf"\1 alias {name}", text)
    return text


def a_model(key: str, model: str, price_in: str, price_out: str, **more: str) -> str:
    fields = {
        "name": "litellm",
        "model": model,
        "input_cost_per_1k": price_in,
        "output_cost_per_1k": price_out,
    }
    return f"{key}: {{{', '.join(f'{k}: {v}' for k, v in {**fields, **more}.items())}}}\n"


def listed(*keys: str) -> str:
    fields = "model: openai/x, cost_per_1m_input: 2, cost_per_1m_output: 4"
    return "providers:\n" + "".join(f"  - {{name: {key}, {fields}}}\n" for key in keys)
