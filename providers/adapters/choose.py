"""
Which adapter serves a model.

Nothing is imported before a model needs it: LiteLLM alone takes seconds. Keys are read from the
environment that is handed in, at each call, and are kept nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, cast

from ...schemas.calls import Adapter
from ...schemas.errors import PolicyctlError
from ...schemas.policy import Model
from ..keys import CLI_PROVIDER

SCRIPT_VARIABLE: Final = "POLICYCTL_OFFLINE_SCRIPT"

_ANTHROPIC: Final = "anthropic_sdk"
_GOOGLE: Final = "google_sdk"
_OPENAI: Final = "openai_sdk"
_LITELLM: Final = "through_litellm"
_OFFLINE: Final = "offline"
_CLI: Final = "claude_cli"

# Module of this package: the package that it needs, the extra that brings it, its class.
_ADAPTERS: Final[Mapping[str, tuple[str, str, str]]] = {
    _ANTHROPIC: ("anthropic", "anthropic", "AnthropicSdk"),
    _GOOGLE: ("google.genai", "google", "GoogleSdk"),
    _OPENAI: ("openai", "run", "OpenAiSdk"),
    _LITELLM: ("litellm", "run", "ThroughLiteLlm"),
}

# The provider's own SDK where it is installed, else LiteLLM.
_SDK: Final[Mapping[str, str]] = {
    "anthropic": _ANTHROPIC,
    "deepseek": _OPENAI,
    "google": _GOOGLE,
    "openai": _OPENAI,
}

_NO_SERVER_OF_OPENAI: Final = frozenset({"anthropic", "google", "gemini", "litellm"})
"""With a server of their own these speak their own protocol; everybody else's speaks OpenAI's."""


def adapter_name(model: Model, installed: Callable[[str], bool]) -> str:
    """
    The module that serves a model: by the first word of its id, and by what is installed.

    Args:
        installed: told the name of a package, whether it can be imported.
    """
    if model.provider == _OFFLINE:
        return _OFFLINE
    if model.provider == CLI_PROVIDER:
        return _CLI
    own_protocol = model.server is None or model.provider in _NO_SERVER_OF_OPENAI
    wanted = _SDK.get(model.provider, _LITELLM) if own_protocol else _OPENAI
    return wanted if installed(_ADAPTERS[wanted][0]) else _LITELLM


class Adapters:
    """
    The adapters of one event loop, each made when a model first needs it.

    Args:
        environ: where keys are.
        offline: whether the script answers for every model.
        script: the file of the script; None: the one that POLICYCTL_OFFLINE_SCRIPT names, or none.

    Raises:
        PolicyctlError: the script that is to answer for every model can't be read.
    """

    def __init__(
        self, environ: Mapping[str, str], *, offline: bool = False, script: Path | None = None
    ) -> None:
        self._environ = environ
        self._offline = offline
        named = environ.get(SCRIPT_VARIABLE, "").strip()
        self._script = script or (Path(named) if named else None)
        self._made: dict[str, Adapter] = {}
        if offline and self._script is not None:  # one that can't be read is told at once, not by each model
            self._made[_OFFLINE] = self._from_script()

    def for_model(self, model: Model) -> Adapter:
        """
        Who speaks to a model.

        Raises:
            PolicyctlError: the package that it needs isn't installed (says the command), or the
                script can't be read.
        """
        name = _OFFLINE if self._offline else adapter_name(model, _installed)
        if name not in self._made:
            self._made[name] = self._make(name, model)
        return self._made[name]

    async def close(self) -> None:
        """Let go of all connections and children."""
        made, self._made = self._made, {}
        for adapter in made.values():
            await adapter.close()

    def _make(self, name: str, model: Model) -> Adapter:
        if name == _OFFLINE:
            return self._from_script()
        if name == _CLI:
            from .claude_cli import ClaudeCli

            return ClaudeCli(self._environ)
        package, extra, cls = _ADAPTERS[name]
        if not _installed(package):
            command = f"pip install 'policyctl[{extra}]'"
            raise PolicyctlError(f"calling `{model.key}` needs {package}, which isn't installed: {command}")
        make = getattr(import_module(f"{__package__}.{name}"), cls)
        return cast(Adapter, make(self._environ))

    def _from_script(self) -> Adapter:
        from .offline import Offline, load_script

        return Offline(load_script(self._script) if self._script is not None else ())


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of the package that it would lie in
        return False


def key_of(model: Model, environ: Mapping[str, str]) -> str | None:
    """The key for a model: the first of its variables that holds one. What no header takes is none."""
    values = (environ.get(name, "").strip() for name in model.key_names)
    return next((value for value in values if value and value.isascii() and value.isprintable()), None)
