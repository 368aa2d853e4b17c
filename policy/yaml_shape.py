"""Nodes against the published JSON Schema: keys that don't exist, are missing, or hold another kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..schemas.diagnostics import Diagnostic
from ..schemas.text import Span
from .checks.p110_shape import missing_key, one_of_these, unknown_key, wrong_kind
from .files import published_schema
from .yaml import Mapping, Node, Scalar, Sequence

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}


def check_shape(root: Node) -> Iterator[Diagnostic]:
    """Everything in which a policy doesn't fit its schema, each finding at the node that it is about."""
    for node, error in misfits(root, "policy"):
        yield from findings(node, error)


def misfits(root: Node, schema: str) -> Iterator[tuple[Node, Any]]:
    """Where a document doesn't fit a published schema: the node, and the validator's error."""
    # Imported here: only documents in YAML need it, and it takes a while.
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(published_schema(schema)).iter_errors(plain(root)):
        yield _at(root, list(error.absolute_path)), error


def plain(node: Node) -> Any:
    """A node as the value that a YAML 1.2 reader makes of it."""
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key.text: plain(value) for key, value in node.pairs}
    if node.quoted:
        return node.text
    if node.text in _CONSTANTS:
        return _CONSTANTS[node.text]
    if len(node.text) <= 20 and _NUMBER.fullmatch(node.text):
        return float(node.text) if any(c in node.text for c in ".eE") else int(node.text)
    return node.text


def _at(node: Node, path: list[str | int]) -> Node:
    for step in path:
        if isinstance(node, Sequence) and isinstance(step, int):
            node = node.items[step]
        elif isinstance(node, Mapping):
            node = node.get(str(step)) or node
    return node


def findings(node: Node, error: Any) -> Iterator[Diagnostic]:
    """One error of the validator as findings in words."""
    if error.validator == "additionalProperties" and isinstance(node, Mapping):
        known, present = list(error.schema.get("properties", {})), {key.text for key, _ in node.pairs}
        for key, _ in node.pairs:
            if key.text not in known:
                yield unknown_key(key.span, key.text, known, present)
    elif error.validator == "required" and isinstance(node, Mapping):
        there = {key.text for key, _ in node.pairs}
        missing = [name for name in error.validator_value if name not in there]
        yield missing_key(_first(node), missing[0], error.schema.get("description", ""))
    elif error.validator == "dependentRequired" and isinstance(node, Mapping):
        places = {key.text: key.span for key, _ in node.pairs}
        for key, others in error.validator_value.items():
            for name in (name for name in others if key in places and name not in places):
                yield missing_key(places[key], name, error.schema["properties"][name]["description"])
    elif error.validator == "oneOf":
        yield one_of_these(
            _first(node), [key for choice in error.validator_value for key in choice["required"]]
        )
    else:
        yield wrong_kind(_first(node), _kind(error), error.schema.get("description", ""))


def _kind(error: Any) -> str:
    """What a validator found wanting, in a user's words."""
    if error.validator == "type":
        kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        return " or ".join(_KINDS[str(kind)] for kind in kinds)
    if error.validator in ("minimum", "maximum"):
        return "a number in its range"
    if error.validator == "enum":
        return f"one of {', '.join(f'`{value}`' for value in error.validator_value)}"
    return "something that isn't empty"


_KINDS = {
    "string": "a text",
    "array": "a list",
    "object": "a map",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}


def _first(node: Node) -> Span:
    """A short place for a node: its first key, or itself."""
    if isinstance(node, Mapping) and node.pairs:
        return node.pairs[0][0].span
    return (
        node.span
        if isinstance(node, Scalar)
        else Span(node.span.source, node.span.start, node.span.start + 1)
    )
