"""Whether a call can be sent, and whether an answer is one: what comes back is hostile until checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ...schemas.calls import Answer, Call, Tokens
from ...schemas.policy import FailureKind as Kind
from .classify import unsent, unusable

MOST_TOKENS: Final = 10**9
MOST_CHARACTERS: Final = 32 * 2**20
"""How much an answer may hold; none of the models there are comes near it."""

# Who stopped, in OpenAI's words; other providers have others for the same.
_FINISHED: Final[Mapping[str, str]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "image_safety": "content_filter",
}
_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)

RESERVED: Final = frozenset(
    """
    api_base api_key base_url best_of max_completion_tokens max_output_tokens max_retries max_tokens messages
    model n num_retries num_return_sequences stream stream_options timeout tool_choice tools response_format
    """.split()
)
"""What `set` can't set: the hold, the deadline and the way the answer is read rely on it."""


def finished(reason: object) -> str | None:
    """Why an answer ended, in OpenAI's words whoever says it; None where nobody does."""
    if not isinstance(reason, str) or not reason:
        return None
    word = reason.lower()[:40]
    return _FINISHED.get(word, word)


def counted(
    input_tokens: object, output_tokens: object, cache_read: object = None, cache_write: object = None
) -> Tokens | None:
    """
    What a provider says it counted, all input included; None where it can't be.

    A count that is missing, negative or absurd is as good as none, and none at all as well: no answer
    has neither input nor output.
    """
    read, written = (_count(n) or 0 for n in (cache_read, cache_write))
    asked, answered = _count(input_tokens), _count(output_tokens)
    if asked is None or answered is None or (asked == 0 and answered == 0):
        return None
    return Tokens(
        input_tokens=asked,
        output_tokens=answered,
        cache_read_tokens=min(read, asked),
        cache_write_tokens=min(written, asked - min(read, asked)),
    )


def _count(number: object) -> int | None:
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return number if 0 <= number <= MOST_TOKENS else None


def check_call(call: Call) -> None:
    """
    See that a call can be sent.

    Raises:
        ProviderError: its JSON Schema isn't one, or the policy sets what the call itself says.
    """
    for name in call.settings:
        if name.lower() in RESERVED:
            raise unsent(Kind.INVALID_REQUEST, "the policy sets what each call says itself")
    if call.schema is not None:
        _validator(call.schema)


def checked(call: Call, answer: Answer) -> Answer:
    """
    The answer, if it is what was asked for; JSON is taken out of the fence that some models put around it.

    Raises:
        ProviderError: it is empty, cut off, declined, or not the JSON that was asked for.
    """
    tokens = answer.tokens
    if answer.finish_reason == "content_filter":
        raise unusable("the provider declined to go on", tokens, Kind.CONTENT_FILTER)
    if answer.finish_reason == "length":
        raise unusable(f"the answer was cut off at {call.max_output_tokens:,} tokens", tokens)
    if any(not _is_arguments(tool.arguments) for tool in answer.tool_calls):
        raise unusable("the arguments of a tool call are no JSON object", tokens)
    if answer.tool_calls:
        return answer
    if not answer.text.strip():
        raise unusable("the answer is empty", tokens)
    if call.schema is None and not call.json_mode:
        return answer
    return _checked_json(call, answer)


def _is_arguments(text: str) -> bool:
    if not text.strip():
        return True  # of a tool that takes none
    try:
        return isinstance(json_value(text), dict)
    except ValueError:
        return False


def _checked_json(call: Call, answer: Answer) -> Answer:
    fenced = _FENCED.fullmatch(answer.text)
    text = fenced[1] if fenced else answer.text
    try:
        value = json_value(text)
    except ValueError:
        value = unusable("the answer is not the JSON that was asked for", answer.tokens)
    if isinstance(value, Exception):
        raise value
    if call.schema is not None and not _fits(call.schema, value, answer.tokens):
        raise unusable("the answer doesn't follow the JSON Schema", answer.tokens)
    return replace(answer, text=text)


def json_value(text: str | bytes) -> Any:
    """
    Read JSON as its standard has it.

    Raises:
        ValueError: it isn't JSON, holds NaN or infinity, or is too deep.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("too deep") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _validator(schema: Mapping[str, Any]) -> Any:
    """A validator that fetches nothing: a reference to elsewhere is no part of the schema."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    validator = validator_for(schema, default=Draft202012Validator)
    try:
        validator.check_schema(dict(schema))
    except (SchemaError, RecursionError):
        wrong = True
    else:
        wrong = False
    if wrong:
        raise unsent(Kind.INVALID_REQUEST, "the JSON Schema of the answer isn't a JSON Schema")
    return validator(dict(schema), registry=Registry())


def _fits(schema: Mapping[str, Any], value: object, tokens: Tokens | None) -> bool:
    from referencing.exceptions import Unresolvable

    try:
        return bool(_validator(schema).is_valid(value))
    except RecursionError:
        return False
    except Unresolvable:
        pass
    words = "the JSON Schema of the answer refers to what isn't in it"
    raise unusable(words, tokens, Kind.INVALID_REQUEST)
