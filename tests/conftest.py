"""What holds for every test: the wheel is what runs, and the person's environment stays outside."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import policyctl

if TYPE_CHECKING:
    from .servers.fake_providers import FakeProviders

CHECKOUT = Path(__file__).resolve().parent.parent
NOWHERE = str(CHECKOUT / "tests" / "nowhere")
SWITCHES = {
    "CLICOLOR_FORCE",
    "ENABLE_TIME_RULES",
    "FORCE_COLOR",
    "MONTHLY_COST_BUDGET",
    "NO_COLOR",
}
os.environ["XDG_DATA_HOME"] = NOWHERE  # no price catalogue of the person's own, not even while modules load
os.environ["XDG_CONFIG_HOME"] = NOWHERE  # and no mail server of his
os.environ.pop("POLICYCTL_PRICES", None)
CACHES = tempfile.TemporaryDirectory(prefix="policyctl-tests-")
os.environ["XDG_CACHE_HOME"] = CACHES.name

OF_THE_TESTS = {"POLICYCTL_PAIRS", "POLICYCTL_SEED", "POLICYCTL_SOAK"}
"""Property and soak tests read these, policyctl does not."""


@pytest.fixture(scope="session", autouse=True)
def the_wheel_is_tested() -> None:
    """
    Stop where `import policyctl` is the checkout, or anything but the installed distribution.
    """
    imported = Path(policyctl.__file__).resolve()
    installed = Path(str(distribution("policyctl").locate_file("policyctl/__init__.py"))).resolve()

    assert CHECKOUT != imported.parent, "these tests met the checkout, not the wheel: use `make test`"
    assert installed == imported


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Take away every variable that policyctl reads, so that a test sees only what it sets itself.
    """
    for name in list(os.environ):
        ours = name.startswith("POLICYCTL_") and name not in OF_THE_TESTS
        if ours or name in SWITCHES or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _one_server() -> Iterator[FakeProviders]:
    """
    The fake providers of a session: one server, started by the first test that needs it.
    """
    from .servers.clients import close_litellm
    from .servers.fake_providers import FakeProviders

    asyncio.set_event_loop(None)  # else a call of LiteLLM that isn't asynchronous leaves a new one open
    with FakeProviders() as server:
        yield server
        close_litellm()


@pytest.fixture
def fakes(_one_server: FakeProviders) -> Iterator[FakeProviders]:
    """
    Fake providers of models that know nothing of other tests; tests/servers/fake_providers.py is their
    manual.
    """
    _one_server.reset()
    yield _one_server
    complaints = list(_one_server.complaints)
    _one_server.reset()

    assert [] == complaints


@pytest.fixture(scope="session")
def claude_cli() -> Path:
    """
    The program of the real Claude Code CLI, which npm fetches once.
    """
    from .servers.claude_code import the_program

    found = the_program()
    if isinstance(found, str):
        pytest.skip(found)
    return found
