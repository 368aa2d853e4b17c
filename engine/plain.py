"""Plain values, as a program has them -> Request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..policy.names import did_you_mean
from ..schemas.errors import Problem, RequestError
from ..schemas.policy import CAPABILITIES
from ..schemas.request import Failure, Request

FIELDS = frozenset(Request.__dataclass_fields__)
MEANT_OTHERWISE = FIELDS | {"gates"}
"""Names that among plain values aren't those of declared inputs."""

_TEXT_FIELDS = {"domain", "kind", "skill", "branch", "story_tier", "tier", "preferred"}
_NOBODY = Request()


def request_from(facts: Mapping[str, object]) -> Request:
    """
    A request from plain values: fields of Request by name, everything else a declared input.

    True and False become yes and no, any iterable of capabilities a set, names of failed gates
    (`gates=["tests"]`) failures, which come after those given as `failures`.

    Raises:
        RequestError: what should be one or more texts is something else.
    """
    fields: dict[str, object] = {k: v for k, v in facts.items() if k in FIELDS and v is not None}
    inputs = {k: v for k, v in facts.items() if k not in MEANT_OTHERWISE and v is not None}
    for name in _TEXT_FIELDS & fields.keys():
        if not isinstance(fields[name], str):
            raise RequestError((Problem(name, f"`{name}` is a text, not `{fields[name]}`"),))
    if not isinstance(fields.get("delegated_by", _NOBODY), Request):
        raise RequestError((Problem("delegated_by", "`delegated_by` is a Request, that of the story"),))
    if "requires" in fields:
        fields["requires"] = frozenset(_texts("requires", fields["requires"]))
        _check_capabilities(fields["requires"])  # type: ignore[arg-type]
    if "story_models" in fields:
        fields["story_models"] = _texts("story_models", fields["story_models"])
    if facts.get("gates") is not None:
        failed = (Failure(f"gate {gate}") for gate in _texts("gates", facts["gates"]))
        fields["failures"] = (*fields.get("failures", ()), *failed)  # type: ignore[misc]
    given = fields.pop("inputs", {})
    merged = {**given, **inputs} if isinstance(given, Mapping) else inputs
    plain = {name: _plain(value) for name, value in merged.items()}
    return Request(**fields, inputs=plain)  # type: ignore[arg-type]  # values are checked by decide


def _check_capabilities(names: Iterable[str]) -> None:
    """A story may require what nobody can; a program that does has mistyped."""
    for name in names:
        if name not in CAPABILITIES:
            help = did_you_mean(name, CAPABILITIES, else_list="the capabilities are")
            raise RequestError((Problem("requires", f"unknown capability `{name}`", help),))


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise RequestError((Problem(name, f"`{name}` is one or more texts, not `{value}`"),))
    return tuple(str(item) for item in value)
