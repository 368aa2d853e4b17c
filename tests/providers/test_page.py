"""What docs/providers.md shows can be used as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policyctl.deciding import validate_text
from policyctl.providers.adapters.offline import read_script

PAGE = (Path(__file__).parent.parent.parent / "docs" / "providers.md").read_text(encoding="utf-8")
MODELS = re.findall(r"^    (model (\S+) .*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("line", "name"), MODELS, ids=[name for _, name in MODELS])
def test_a_model_on_the_page_is_a_model(line: str, name: str) -> None:
    """
    Each statement on the page passes the checker.
    """
    checked = validate_text(f"{line}\ntier small from complexity 0 has {name}\n")

    assert [] == [d.message for d in checked.report.diagnostics if d.severity == "error"]


def test_the_script_on_the_page_is_a_script() -> None:
    """
    The script on the page can be used.
    """
    (script,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    assert 3 == len(read_script(script))
    assert len(MODELS) > 4
