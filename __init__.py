"""
policyctl decides which LLM answers each request, from a policy that people can read.

    from policyctl import Engine

    engine = Engine.load("claude-loop.policy")
    engine.decide(complexity=4, requires={"vision"}).chain
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .deciding import Engine as Engine
    from .deciding import validate as validate
    from .engine.order import in_order as in_order
    from .engine.passing import with_passes as with_passes
    from .engine.stories import prompt_of as prompt_of
    from .engine.stories import read_prd as read_prd
    from .engine.turns import turns as turns
    from .ledger.ledger import Ledger as Ledger
    from .providers.command_gate import CommandGate as CommandGate
    from .router import Router as Router
    from .schemas.decision import Decision as Decision
    from .schemas.errors import ChainError as ChainError
    from .schemas.errors import GateError as GateError
    from .schemas.errors import LedgerError as LedgerError
    from .schemas.errors import PolicyctlError as PolicyctlError
    from .schemas.errors import PolicyError as PolicyError
    from .schemas.errors import ProviderError as ProviderError
    from .schemas.errors import RequestError as RequestError
    from .schemas.errors import RouterError as RouterError
    from .schemas.errors import RoutingError as RoutingError
    from .schemas.errors import RunError as RunError
    from .schemas.errors import StoryError as StoryError
    from .schemas.ledger import Attempt as Attempt
    from .schemas.ledger import Denied as Denied
    from .schemas.ledger import Hold as Hold
    from .schemas.ledger import Usage as Usage
    from .schemas.request import Request as Request
    from .schemas.request import Spend as Spend
    from .schemas.run import Ending as Ending
    from .schemas.run import Result as Result

__version__ = "0.1.0"

# Names are imported when they are first used, so that importing the package costs nothing.
_HOMES = {
    "Engine": "deciding",
    "Router": "router",
    "Result": "schemas.run",
    "Ending": "schemas.run",
    "CommandGate": "providers.command_gate",
    "in_order": "engine.order",
    "read_prd": "engine.stories",
    "prompt_of": "engine.stories",
    "turns": "engine.turns",
    "with_passes": "engine.passing",
    "Ledger": "ledger.ledger",
    "LedgerError": "schemas.errors",
    "Attempt": "schemas.ledger",
    "Denied": "schemas.ledger",
    "Hold": "schemas.ledger",
    "Usage": "schemas.ledger",
    "validate": "deciding",
    "Decision": "schemas.decision",
    "PolicyctlError": "schemas.errors",
    "PolicyError": "schemas.errors",
    "ProviderError": "schemas.errors",
    "RequestError": "schemas.errors",
    "RunError": "schemas.errors",
    "RouterError": "schemas.errors",
    "RoutingError": "schemas.errors",
    "ChainError": "schemas.errors",
    "GateError": "schemas.errors",
    "StoryError": "schemas.errors",
    "Request": "schemas.request",
    "Spend": "schemas.request",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
