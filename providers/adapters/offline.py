"""
The provider that answers from a script and never leaves this machine; `docs/providers.md` is its manual.

It serves models `offline/…`, and every model under `--offline`. The same call gives the same answer, and
no answer repeats what was asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from ...schemas.calls import Answer, Call, Piece, Tokens, ToolCall
from ...schemas.errors import PolicyctlError, ProviderError
from ...schemas.policy import FailureKind
from .base import OneTry
from .checks import checked
from .classify import failure

_MOST_BYTES: Final = 2**20
_CHARACTERS_PER_TOKEN: Final = 4
_FIELDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "model": str,
    "times": int,
    "text": str,
    "pieces": list,
    "tool_calls": list,
    "tokens": dict,
    "delay_s": (int, float),
    "fail": str,
    "status": int,
    "retry_after_s": (int, float),
    "finish_reason": str,
}
_READ: Final = frozenset({"tool_calls", "tokens", "pieces", "fail"})
# With these the failure looks as it would from a provider, so that what it is billed is told alike.
_STATUS: Final[Mapping[FailureKind, int]] = {
    FailureKind.RATE_LIMIT: 429,
    FailureKind.OVERLOADED: 503,
    FailureKind.SERVER_ERROR: 500,
    FailureKind.AUTH: 401,
    FailureKind.QUOTA: 402,
    FailureKind.NOT_FOUND: 404,
    FailureKind.INVALID_REQUEST: 400,
    FailureKind.CONTEXT_WINDOW: 400,
    FailureKind.CONTENT_FILTER: 400,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What some models answer, or how they fail; `times` None: always."""

    model: str = "*"
    times: int | None = None
    text: str | None = None
    pieces: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: Tokens | None = None
    delay_s: float = 0.0
    fail: FailureKind | None = None
    status: int | None = None
    retry_after_s: float | None = None
    finish_reason: str | None = None


def read_script(text: str, name: str = "script") -> tuple[Step, ...]:
    """
    Read a script: `{"steps": [{"model": "claude-*", "text": "Done."}, …]}`.

    Raises:
        PolicyctlError: it isn't one; says which step and why.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    steps = said.get("steps") if isinstance(said, dict) else None
    if not isinstance(steps, list) or set(said) - {"steps"}:
        raise PolicyctlError(f'{name}: a script is a JSON object with a list of "steps", and nothing else')
    return tuple(_step(step, f"{name}: step {number}") for number, step in enumerate(steps, 1))


def _step(said: object, place: str) -> Step:
    if not isinstance(said, dict):
        raise PolicyctlError(f"{place} is no JSON object")
    for key, value in said.items():
        if key not in _FIELDS:
            raise PolicyctlError(f"{place} has an unknown field `{key}`; the fields are {', '.join(_FIELDS)}")
        if not isinstance(value, _FIELDS[key]) or isinstance(value, bool):
            raise PolicyctlError(f"{place}: `{key}` has a value of the wrong type")
        if isinstance(value, int | float) and not 0 <= value <= 86_400:
            raise PolicyctlError(f"{place}: `{key}` lies between 0 and 86400")
    kinds = [kind.value for kind in FailureKind]
    if said.get("fail", kinds[0]) not in kinds:
        raise PolicyctlError(f"{place}: `fail` is one of {', '.join(kinds)}")
    if not all(isinstance(piece, str) for piece in said.get("pieces", ())):
        raise PolicyctlError(f"{place}: `pieces` are texts")
    plain = {key: value for key, value in said.items() if key not in _READ}
    return Step(
        **plain,
        pieces=tuple(said.get("pieces", ())),
        tool_calls=tuple(_tool_call(t, n, place) for n, t in enumerate(said.get("tool_calls", ()), 1)),
        tokens=_tokens(said["tokens"], place) if "tokens" in said else None,
        fail=FailureKind(said["fail"]) if "fail" in said else None,
    )


def _tool_call(said: object, number: int, place: str) -> ToolCall:
    if not isinstance(said, dict) or not isinstance(said.get("name"), str):
        raise PolicyctlError(f'{place}: a tool call is an object with a "name" and "arguments"')
    arguments = json.dumps(said.get("arguments", {}))
    return ToolCall(str(said.get("id", f"call_{number}")), said["name"], arguments)


def _tokens(said: Mapping[str, Any], place: str) -> Tokens:
    counts = [said.get(name) for name in ("input", "output")]
    if set(said) != {"input", "output"} or not all(type(n) is int and 0 <= n <= 10**9 for n in counts):
        raise PolicyctlError(f'{place}: `tokens` are two whole numbers, "input" and "output"')
    return Tokens(input_tokens=said["input"], output_tokens=said["output"])


def load_script(path: Path) -> tuple[Step, ...]:
    """
    Read a script from its file.

    Raises:
        PolicyctlError: it can't be read, or isn't a script.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise PolicyctlError(f"{path}: the script can't be read: {why}") from None
    if len(text) > _MOST_BYTES:
        raise PolicyctlError(f"{path}: a script has at most {_MOST_BYTES // 2**20} MiB")
    return read_script(text, str(path))


class Offline(OneTry[Step]):
    """Answers from a script, step by step: the first that fits and isn't used up; else a plain answer."""

    def __init__(self, steps: tuple[Step, ...] = ()) -> None:
        self._steps = steps
        self._left = [step.times for step in steps]

    async def close(self) -> None:
        """Nothing to let go of."""

    def _prepared(self, call: Call) -> Step:
        for number, step in enumerate(self._steps):
            left = self._left[number]
            if left != 0 and fnmatchcase(call.model.key, step.model):
                self._left[number] = None if left is None else left - 1
                return step
        return Step()

    async def _complete(self, call: Call, step: Step) -> Answer:
        await asyncio.sleep(step.delay_s)
        if step.fail is not None:
            raise _failed(step)
        return checked(call, _answer(call, step))

    async def _stream(self, call: Call, step: Step) -> AsyncGenerator[Piece, None]:
        answer = _answer(call, step)
        pieces = step.pieces or (() if step.fail else _pieces(answer.text))
        await asyncio.sleep(0 if pieces else step.delay_s)
        for piece in pieces:
            await asyncio.sleep(step.delay_s / len(pieces))
            yield Piece(piece)
        if step.fail is not None:
            raise _failed(step)
        yield Piece(answer=checked(call, answer))


def _failed(step: Step) -> ProviderError:
    assert step.fail is not None
    status = step.status or _STATUS.get(step.fail)
    return failure(step.fail, status=status, retry_after_s=step.retry_after_s)


def _pieces(text: str) -> tuple[str, ...]:
    """A text by its words."""
    words = text.split(" ")
    return (*(f"{word} " for word in words[:-1]), words[-1])


def _answer(call: Call, step: Step) -> Answer:
    text = step.text if step.text is not None else "".join(step.pieces)
    if step.text is None and not step.pieces and not step.tool_calls:
        text = _plain_text(call)
    return Answer(
        text=text,
        tool_calls=step.tool_calls,
        tokens=step.tokens or _counted(call, text),
        finish_reason=step.finish_reason or ("tool_calls" if step.tool_calls else "stop"),
        response_model=f"offline/{call.model.key}",
    )


def _plain_text(call: Call) -> str:
    words = f"An offline answer in place of {call.model.key}."
    if call.schema is not None:
        return json.dumps(_sample(call.schema, call.schema))
    return json.dumps({"answer": words}) if call.json_mode else words


def _counted(call: Call, text: str) -> Tokens:
    """Tokens by the number of characters, rounded up: the same for the same call, on every machine."""
    asked = sum(len(m.text) + len(json.dumps([dict(part) for part in m.parts])) for m in call.messages)
    return Tokens(
        input_tokens=-(-asked // _CHARACTERS_PER_TOKEN), output_tokens=-(-len(text) // _CHARACTERS_PER_TOKEN)
    )


def _sample(schema: object, root: Mapping[str, Any], depth: int = 0) -> Any:
    """The plainest value that an everyday JSON Schema allows; other schemas want a script."""
    if not isinstance(schema, Mapping) or depth > 20:
        return None
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples", "anyOf", "oneOf"):
        if isinstance(options := schema.get(key), list) and options:
            return options[0] if key in {"enum", "examples"} else _sample(options[0], root, depth + 1)
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        return _sample(root.get("$defs", {}).get(reference.removeprefix("#/$defs/")), root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else None)
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _sample(properties.get(name), root, depth + 1) for name in schema.get("required", ())}
    if kind == "array":
        return [_sample(schema.get("items"), root, depth + 1)] * int(schema.get("minItems", 0))
    if kind in {"integer", "number"}:
        return schema.get("minimum", 0)
    return {"string": "x" * int(schema.get("minLength", 0)), "boolean": False}.get(str(kind))
