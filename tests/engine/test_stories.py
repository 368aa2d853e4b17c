"""PRDs as they are in the wild, read as stories and requests."""

from __future__ import annotations

import json
import re
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import policyctl
from policyctl.engine import stories as reader
from policyctl.engine.stories import find_story, read_prd, request_of
from policyctl.schemas.errors import Problem, StoryError
from policyctl.schemas.request import Request
from policyctl.schemas.story import Prd, Story

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCHEMA_FILE = Path(policyctl.__file__).parent / "schemas" / "prd.schema.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


def read(value: object) -> Prd:
    return read_prd(json.dumps(value), "prd.json")


def read_story(**fields: object) -> tuple[Story, list[tuple[str, str]]]:
    """
    Read a PRD of one story; return the story, and where and what was odd.
    """
    prd = read({"userStories": [{"id": "US-001", **fields}]})
    return prd.stories[0], told(prd)


def told(prd: Prd) -> list[tuple[str, str]]:
    """
    What was odd and at which key; the lines have a test of their own.
    """
    return [(re.sub(r" \(line \d+\)$", "", p.where), p.message) for p in prd.problems]


def refusal(text: str) -> Problem:
    with pytest.raises(StoryError) as caught:
        read_prd(text, "prd.json")
    return caught.value.problem


# --- the document


@pytest.mark.parametrize(
    ("place", "document"),
    [
        ("userStories[0]", {"userStories": [{"id": "A"}]}),
        ("stories[0]", {"stories": [{"id": "A"}]}),
        ("user_stories[0]", {"user_stories": [{"id": "A"}]}),
        ("stories[0]", {"userStories": [], "stories": [{"id": "A"}]}),
        ("stories[0]", {"userStories": None, "stories": [{"id": "A"}]}),
        ("[0]", [{"id": "A"}]),
        ("prd.userStories[0]", {"prd": {"userStories": [{"id": "A"}]}}),
        ("prd[0]", {"prd": [{"id": "A"}]}),
        ("userStories[0]", {"userStories": [{"id": "A"}], "prd": "the plan"}),
    ],
)
def test_stories_are_found_where_people_put_them(place: str, document: object) -> None:
    """
    The list has several names, may stand alone, and may lie under `prd`.
    """
    prd = read(document)

    assert [("A", f"{place} (line 1)")] == [(story.id, story.place) for story in prd.stories]
    assert () == prd.problems


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("`prd.json` is empty", " \n"),
        ("`prd.json` has no stories", "{}"),
        ("`prd.json` has no stories", '{"userStories": []}'),
        ("`prd.json` has no stories", '{"prd": {"prd": {"userStories": [{"id": 1}]}}}'),
        ("`prd.json` has `{…}` as `userStories`, no list", '{"userStories": {"US-001": {}}}'),
        ("`prd.json` has no story that can be read", "[1, null]"),
        ("`prd.json` has no story that can be read", "[]"),
        ("`prd.json` is `7`, no PRD", "7"),
        ("`prd.json` is `null`, no PRD", "null"),
        ("`prd.json` is `NaN`, no PRD", "NaN"),
        ("`prd.json` holds a number that is too long to be read", "[" + "9" * 5000 + "]"),
        ("`prd.json` is nested deeper than 100 levels", "[" * 1000 + "]" * 1000),
        ("`prd.json` is nested deeper than 100 levels", '{"a":' * 1000 + "1" + "}" * 1000),
        ("`prd.json` has more than 10,000 stories", "[" + "{}," * 10_000 + "{}]"),
        ("`prd.json` is larger than 8 MiB", " " * (8 * 1024**2 + 1)),
        ("`prd.json` is larger than 8 MiB", '"' + "ü" * (4 * 1024**2) + '"'),
    ],
)
def test_a_file_without_stories_is_refused(expected: str, text: str) -> None:
    """
    Where no story can be read at all, one error says why.
    """
    assert expected == refusal(text).message


@pytest.mark.parametrize("text", ["# Plan", '{"userStories": [}', '{"a": "b', "[1,]", '{"a": 1} x', "\\"])
def test_what_is_not_json_is_refused_with_its_place(text: str) -> None:
    """
    The error names the line and column, as an editor can open them.
    """
    problem = refusal("\n" + text)

    assert problem.message.startswith("`prd.json` is not JSON: ")
    assert problem.where.startswith("prd.json:2:")
    assert "\n" not in problem.message


def test_a_byte_order_mark_is_fine() -> None:
    """
    Some editors write one.
    """
    assert () == read_prd('\ufeff[{"id": "A"}]', "prd.json").problems


def test_the_prd_is_called_like_its_file_and_knows_its_branch() -> None:
    """
    The name is the one that the user gave; the branch may lie beside the stories or around them.
    """
    inner = {"stories": [{"id": 1}], "branch_name": "inner"}

    assert ("prd.json", "feature/x") == (
        (prd := read({"branchName": "feature/x", "stories": [{"id": 1}]})).name,
        prd.branch,
    )
    assert "inner" == read({"branchName": "outer", "prd": inner}).branch
    assert "outer" == read({"branchName": "outer", "prd": [{"id": 1}]}).branch
    assert None is read([{"id": 1}]).branch


def test_places_have_lines() -> None:
    """
    A story's place says on which line it starts, whatever braces its texts hold.
    """
    text = """{
      "note": "a { in \\" text }", "meta": [{"a": {}}, {}],
      "userStories": [
        {"id": "A", "title": "}{",
         "delegation": {"subtasks": [
           {"title": "x"}, {}]}},

        {
          "id": "B"}
      ]}"""
    first, second = read_prd(text, "prd.json").stories

    assert ("userStories[0] (line 4)", "userStories[1] (line 8)") == (first.place, second.place)
    assert [
        "userStories[0].delegation.subtasks[0] (line 6)",
        "userStories[0].delegation.subtasks[1] (line 6)",
    ] == [story.place for story in first.subtasks]


def test_problems_have_lines() -> None:
    """
    What is odd in a story is told with its key and the line on which the object that has it starts.
    """
    text = """{"userStories": [
      {"id": "A", "complexity": -1,
       "estimatedTokens":
         {"input": "many"}},
      {"id": "A"}
    ]}"""

    assert [
        "userStories[0].complexity (line 2)",
        "userStories[0].estimatedTokens.input (line 4)",
        "userStories[1].id (line 5)",
    ] == [problem.where for problem in read_prd(text, "prd.json").problems]


def test_a_story_that_is_no_object_is_told_and_the_rest_goes_on() -> None:
    """
    One broken story doesn't cost the others.
    """
    prd = read({"stories": ["US-001", {"id": "US-002"}, None, []]})

    assert ["US-002"] == [story.id for story in prd.stories]
    assert [
        ("stories[0]", "`US-001` is no story"),
        ("stories[2]", "`null` is no story"),
        ("stories[3]", "`[]` is no story"),
    ] == told(prd)


def test_a_second_list_of_stories_is_told() -> None:
    """
    Only one list is read, and the user learns of the other.
    """
    prd = read({"userStories": [{"id": "A"}], "stories": [{"id": "B"}]})

    assert ["A"] == [story.id for story in prd.stories]
    assert [("stories", "`stories` is not read beside `userStories`")] == told(prd)


def test_keys_that_stand_twice_are_told_and_the_last_counts() -> None:
    """
    JSON readers keep the last of two equal keys without a word; we say a word.
    """
    text = (
        '{"userStories": [], "userStories": [{"id": "A", "complexity": 1, "complexity": 2,'
        ' "required_capabilities": {"vision": true, "vision": false}}]}'
    )
    prd = read_prd(text, "prd.json")

    assert (2.0, frozenset()) == (prd.stories[0].complexity.value, prd.stories[0].requires)
    assert [
        ("userStories", "the key `userStories` stands twice, the last one counts"),
        ("userStories[0].complexity", "the key `complexity` stands twice, the last one counts"),
        (
            "userStories[0].required_capabilities.vision",
            "the key `vision` stands twice, the last one counts",
        ),
    ] == told(prd)


def test_two_spellings_of_a_key_are_told_and_the_first_counts() -> None:
    """
    `suggestedModel` and `suggested_model` are one key.
    """
    story, problems = read_story(suggestedModel="opus", suggested_model="haiku", other_key=1, otherKey=2)

    assert ("opus",) == story.models
    assert {"other_key": 1.0, "otherKey": 2.0} == story.inputs
    assert [
        ("userStories[0].suggested_model", "`suggested_model` says again what `suggestedModel` says")
    ] == problems


def test_bare_control_characters_are_told() -> None:
    """
    A line break inside a text isn't JSON, but it can be read.
    """
    prd = read_prd('[{"id": "A",\n "title": "two\nlines\\u0007"},\n{"id": "B"}]', "prd.json")

    assert "two\nlines\x07" == prd.stories[0].title
    assert "[1] (line 4)" == prd.stories[1].place
    assert [("prd.json:2:15", "a control character stands bare in a text")] == told(prd)


def test_problems_are_bounded() -> None:
    """
    After a thousand problems the rest is only counted.
    """
    prd = read([{"id": "A"}, *[None] * 2000])

    assert 1001 == len(prd.problems)
    assert ("prd.json", "1,000 more problems") == told(prd)[-1]


# --- ids


@pytest.mark.parametrize(
    ("expected", "given_id"),
    [("7", 7), ("7", 7.0), ("1.5", 1.5), ("US-7", " US-7 "), ("10", "10"), ("-1", -1)],
)
def test_an_id_is_text_or_a_number(expected: str, given_id: object) -> None:
    """
    Ids are compared as text.
    """
    prd = read([{"id": given_id}])

    assert expected == prd.stories[0].id
    assert prd.stories[0] is find_story(prd, expected)
    assert () == prd.problems


@pytest.mark.parametrize("given_id", [None, "", "  "])
def test_a_story_without_an_id_gets_one_by_its_position(given_id: object) -> None:
    """
    The fourth story is story-4, and the user is told.
    """
    prd = read([*({"id": n} for n in range(3)), {"id": given_id}])

    assert "story-4" == prd.stories[3].id
    assert [("[3].id", "a story has no id, it is called `story-4`")] == told(prd)


def test_an_id_of_another_type_is_told() -> None:
    """
    True is no id.
    """
    prd = read([{"id": True}])

    assert "story-1" == prd.stories[0].id
    assert ["`true` is no text or number", "a story has no id, it is called `story-1`"] == [
        message for _, message in told(prd)
    ]


def test_of_two_equal_ids_the_first_is_found() -> None:
    """
    A duplicate stays in the PRD, and the user is told which one it hides behind.
    """
    prd = read([{"id": 1, "title": "first"}, {"id": "1", "title": "second"}])

    assert "first" == find_story(prd, "1").title
    assert 2 == len(prd.stories)
    assert [("[1].id", "id `1` is taken by `[0]`")] == told(prd)


def test_a_subtask_that_comes_first_is_found_first() -> None:
    """
    What is told about equal ids is what `find_story` does, subtasks included.
    """
    prd = read([{"id": "A", "delegation": {"subtasks": [{"id": "B"}]}}, {"id": "B"}])

    assert [("[1].id", "id `B` is taken by `[0].delegation.subtasks[0]`")] == told(prd)
    assert prd.stories[0].subtasks[0] is find_story(prd, "B")


SEVERAL = read([{"id": "US-041"}, {"id": "US-042"}, {"id": "us-7"}, {"id": "US-7"}, {"id": 12}])


@pytest.mark.parametrize(
    ("expected", "wanted"),
    [("US-042", "US-042"), ("US-042", "us-042"), ("US-042", " Us-042 "), ("us-7", "us-7"), ("12", "12")],
)
def test_a_story_is_found_by_its_id(expected: str, wanted: str) -> None:
    """
    Upper and lower case matter only where two stories differ by nothing else.
    """
    assert expected == find_story(SEVERAL, wanted).id


@pytest.mark.parametrize(
    ("message", "help_text", "wanted"),
    [
        ("`prd.json` has no story `US-43`", "did you mean `US-042`?", "US-43"),
        (
            "`prd.json` has no story `zzz`",
            "its stories are `12`, `US-041`, `US-042`, `US-7`, `us-7`",
            "zzz",
        ),
        ("`Us-7` fits 2 stories: `US-7`, `us-7`", "write the id exactly", "Us-7"),
    ],
)
def test_a_story_that_is_not_there_is_suggested(message: str, help_text: str, wanted: str) -> None:
    """
    A wrong id is answered with the closest one, else with what there is.
    """
    with pytest.raises(StoryError) as caught:
        find_story(SEVERAL, wanted)

    assert Problem("prd.json", message, help_text) == caught.value.problem


# --- fields


def test_every_field_is_read_in_both_spellings() -> None:
    """
    camelCase and snake_case say the same.
    """
    camel, camel_odd = read_story(
        estimatedComplexity="medium",
        suggestedModel="sonnet",
        preferredProvider="claude-opus",
        requiredCapabilities=["jsonMode"],
        mcpTools=["files"],
        estimatedTokens={"inputTokens": 5, "outputTokens": 6},
        dependsOn=["US-000"],
    )
    snake, snake_odd = read_story(
        estimated_complexity="medium",
        suggested_model="sonnet",
        preferred_provider="claude-opus",
        required_capabilities=["json_mode"],
        mcp_tools=["files"],
        estimated_tokens={"input_tokens": 5, "output_tokens": 6},
        depends_on=["US-000"],
    )

    assert ([], []) == (camel_odd, snake_odd)
    assert request_of(camel) == request_of(snake)
    assert camel.depends_on == snake.depends_on == ("US-000",)
    assert frozenset({"json_mode", "tools"}) == snake.requires


@pytest.mark.parametrize(
    ("expected", "capabilities"),
    [
        ({"vision"}, {"vision": True, "tools": False, "json_mode": None}),
        ({"vision", "tools"}, {"vision": "yes", "tools": "TRUE", "json_mode": "no"}),
        ({"vision"}, {"vision": 1, "tools": 0}),
        ({"vision", "tools"}, ["vision", "tools", "vision", None]),
        ({"vision", "tools"}, "vision, tools,"),
        ({"json_mode"}, ["json_mode", "jsonMode", "json-mode", "JSON mode"]),
        ({"tools"}, ["function_calling", "functionCalling"]),
        ({"web_search", "pdf"}, ["webSearch", "PDF"]),
        (set(), {}),
        (set(), []),
        (set(), ""),
        (set(), None),
    ],
)
def test_capabilities_come_as_map_list_or_text(expected: set[str], capabilities: object) -> None:
    """
    All three forms are read, and known names in any spelling.
    """
    story, problems = read_story(required_capabilities=capabilities)

    assert (frozenset(expected), []) == (story.requires, problems)


def test_an_unknown_capability_is_kept_and_told() -> None:
    """
    Dropping it could route the story to a model that can't do it.
    """
    prd = read([{"id": 1, "required_capabilities": ["visoin"]}])

    assert {"visoin"} == prd.stories[0].requires
    assert (
        Problem(
            "[0].required_capabilities (line 1)", "unknown capability `visoin`", "did you mean `vision`?"
        ),
    ) == prd.problems


@pytest.mark.parametrize(
    ("expected", "field"),
    [
        (True, {"mcpTools": ["files"]}),
        (True, {"mcp_tools": "files, git"}),
        (True, {"mcp": True}),
        (True, {"mcp": {"files": {"root": "src"}}}),
        (True, {"requiresMcp": "yes"}),
        (True, {"mcp": False, "mcpTools": ["files"]}),
        (False, {"mcpTools": []}),
        (False, {"mcp": {}}),
        (False, {"mcp": {"enabled": False}}),
        (False, {"requires_mcp": False}),
        (False, {"requiresMcp": "no"}),
        (False, {"mcp": None}),
        (False, {"mcp": ""}),
    ],
)
def test_mcp_tools_require_tools(expected: bool, field: dict[str, object]) -> None:
    """
    A story with MCP tools needs a model that can use tools.
    """
    story, problems = read_story(**field)

    assert (expected, []) == ("tools" in story.requires, problems)


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ((12000, 3000), {"estimatedTokens": {"input": 12000, "output": 3000}}),
        ((12000, 3000), {"estimated_tokens": {"input_tokens": "12000", "outputTokens": 3000.0}}),
        ((12000, 3000), {"input_tokens": 12000, "outputTokens": 3000}),
        ((1, 3000), {"estimatedTokens": {"input": 1}, "input_tokens": 9, "output_tokens": 3000}),
        ((0, None), {"estimatedTokens": {"input": 0, "output": None}}),
        ((None, None), {"estimatedTokens": {}}),
        ((None, None), {"estimatedTokens": False}),
        ((None, None), {}),
    ],
)
def test_tokens_are_whole_numbers(expected: tuple[int | None, int | None], fields: dict[str, object]) -> None:
    """
    `estimatedTokens` counts before the fields beside it.
    """
    story, problems = read_story(**fields)

    assert (expected, []) == ((story.input_tokens, story.output_tokens), problems)


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        (("claude-opus", "sonnet"), {"suggestedModel": "sonnet", "preferred_provider": "claude-opus"}),
        (("a", "b", "c"), {"preferred_provider": ["a", "b"], "suggestedModel": "c"}),
        (("litellm/o1",), {"preferred_model": "litellm/o1"}),
        (("a",), {"preferred_provider": "a", "suggestedModel": "a"}),
        ((), {"preferred_provider": None, "suggestedModel": ""}),
    ],
)
def test_the_preferred_model_comes_before_the_suggested_one(
    expected: tuple[str, ...], fields: dict[str, object]
) -> None:
    """
    The order in the file doesn't matter.
    """
    assert expected == read_story(**fields)[0].models


def test_kind_skill_tier_and_domain_are_texts() -> None:
    """
    They go into the request as they are; `type` is another name for `kind`.
    """
    story, problems = read_story(type="bug", skill=" prd-validator ", tier="powerful", domain="vision")

    assert ("bug", "prd-validator", "powerful", "vision") == (
        story.kind,
        story.skill,
        story.tier,
        story.domain,
    )
    assert [] == problems
    assert "fix" == read_story(type="bug", kind="fix")[0].kind


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        (("1", True, ("A", "2")), {"priority": 1, "passes": True, "dependencies": ["A", 2, None, "A"]}),
        (("high", False, ("A", "B")), {"priority": "high", "passes": "no", "dependsOn": "A, B"}),
        (("2.5", True, ()), {"priority": 2.5, "passes": 1, "dependencies": []}),
        (
            (None, False, ("A", "B")),
            {"priority": None, "passes": None, "dependsOn": "B", "dependencies": "A"},
        ),
    ],
)
def test_the_loops_own_fields(
    expected: tuple[str | None, bool, tuple[str, ...]], fields: dict[str, object]
) -> None:
    """
    Priority, passes and dependencies are read in their common forms.
    """
    story, problems = read_story(**fields)

    assert expected == (story.priority, story.passes, story.depends_on)
    assert [] == problems


def test_other_scalars_are_inputs() -> None:
    """
    A policy may declare an input of any name: yes/no, number and text go on under their own name.
    """
    story, problems = read_story(
        private=True, urgent=False, score=3, ratio=0.5, Team="core", nothing=None, links=["x"], meta={"a": 1}
    )

    assert {"private": "yes", "urgent": "no", "score": 3.0, "ratio": 0.5, "Team": "core"} == story.inputs
    assert [] == problems


def test_what_the_story_cannot_know_is_no_input() -> None:
    """
    Branch and attempt belong to the run, so a story can't pass them in by the back door.
    """
    assert {} == read_story(branch="main", branchName="main", attempt=2)[0].inputs


def test_a_domain_of_the_whole_prd_is_no_domain_of_its_stories() -> None:
    """
    In real files it describes the project in words of its own.
    """
    prd = read({"domain": "web:frontend", "userStories": [{"id": 1}]})

    assert (None, ()) == (prd.stories[0].domain, prd.problems)


def test_subtasks_are_stories_of_their_own() -> None:
    """
    They inherit nothing, and without an id they are called after their story.
    """
    story, problems = read_story(
        domain="vision",
        complexity=7,
        preferred_provider="claude-opus",
        delegation={
            "subtasks": [{"title": "Add login", "complexity": 2}, {"id": "JWT", "domain": "debugging"}]
        },
    )

    assert [] == problems
    assert [("US-001/1", 2.0, None, ()), ("JWT", 0.0, "debugging", ())] == [
        (task.id, task.complexity.value, task.domain, task.models) for task in story.subtasks
    ]


def test_a_subtask_is_found() -> None:
    """
    The loop asks for a subtask by its id, as for any story.
    """
    prd = read([{"id": "A", "delegation": {"subtasks": [{}, {"delegation": {"subtasks": [{}]}}]}}])

    assert "[0].delegation.subtasks[1].delegation.subtasks[0] (line 1)" == find_story(prd, "A/2/1").place


def test_a_request_is_made_of_the_story_alone() -> None:
    """
    The branch isn't taken from the PRD: it is where the work will land, not where the run is.
    """
    document = {
        "branchName": "main",
        "userStories": [
            {
                "id": "A",
                "complexity": 5,
                "domain": "large_context",
                "kind": "spike",
                "skill": "map",
                "tier": "medium",
                "preferred_provider": "claude-opus",
                "suggestedModel": "sonnet",
                "required_capabilities": {"vision": True},
                "estimatedTokens": {"input": 7, "output": 8},
                "private": True,
            }
        ],
    }
    prd = read(document)

    assert Request(
        complexity=5.0,
        requires=frozenset({"vision"}),
        domain="large_context",
        kind="spike",
        skill="map",
        input_tokens=7,
        output_tokens=8,
        inputs={"private": "yes"},
        story_tier="medium",
        story_models=("claude-opus", "sonnet"),
    ) == request_of(prd.stories[0])


# --- odd values


ODD_FIELDS: list[tuple[str, str, dict[str, object]]] = [
    ("complexity", "complexity `-1` is outside 0 to 10", {"complexity": -1}),
    ("complexity", "`NaN` is no complexity", {"complexity": float("nan")}),
    ("estimatedComplexity", "`true` is no complexity", {"estimatedComplexity": True}),
    ("difficulty", "`3` is no difficulty", {"difficulty": 3}),
    ("title", "`7` is no text", {"title": 7}),
    ("description", "`[…]` is no text", {"description": ["a"]}),
    ("domain", "`[…]` is no text", {"domain": ["vision"]}),
    ("tier", "`2` is no text", {"tier": 2}),
    ("type", "`{}` is no text", {"type": {}, "kind": "bug"}),
    ("skill", "`false` is no text", {"skill": False}),
    ("fileScope", "`3` is no list", {"fileScope": 3}),
    ("acceptanceCriteria", "`true` is no list", {"acceptanceCriteria": True}),
    ("dependencies", "`{…}` is no list of names", {"dependencies": {"A": 1}}),
    ("dependencies[1]", "`true` is no name", {"dependencies": ["A", True]}),
    ("suggestedModel", "`4` is no list of names", {"suggestedModel": 4}),
    ("preferred_provider[0]", "`{…}` is no name", {"preferred_provider": [{"name": "opus"}]}),
    ("required_capabilities", "`true` is no list of names", {"required_capabilities": True}),
    (
        "required_capabilities.vision",
        "`maybe` is neither yes nor no",
        {"required_capabilities": {"vision": "maybe"}},
    ),
    ("required_capabilities[0]", "`[]` is no name", {"required_capabilities": [[]]}),
    ("requires", "`requires` means nothing here", {"requires": ["vision"]}),
    ("mcp", "`1` is no list of tools", {"mcp": 1}),
    ("estimatedTokens", "`5000` is no object", {"estimatedTokens": 5000}),
    ("estimatedTokens.input", "`-5` is no number of tokens", {"estimatedTokens": {"input": -5}}),
    ("estimatedTokens.output", "`1.5` is no number of tokens", {"estimatedTokens": {"output": 1.5}}),
    ("estimatedTokens.output", "`50k` is no number of tokens", {"estimatedTokens": {"output": "50k"}}),
    ("input_tokens", "`true` is no number of tokens", {"input_tokens": True}),
    ("output_tokens", "`1000000000001` is no number of tokens", {"output_tokens": 10**12 + 1}),
    ("priority", "`true` is no text or number", {"priority": True}),
    ("passes", "`done` is neither yes nor no", {"passes": "done"}),
    ("passes", "`2` is neither yes nor no", {"passes": 2}),
    ("delegation", "`true` is no object", {"delegation": True}),
    ("delegation.subtasks", "`{}` is no list of subtasks", {"delegation": {"subtasks": {}}}),
    ("delegation.subtasks[0]", "`login` is no story", {"delegation": {"subtasks": ["login"]}}),
    ("score", "`Infinity` is no number to reckon with", {"score": float("inf")}),
    ("score", "`a number of over 60 digits` is no number to reckon with", {"score": 10**400}),
]


@pytest.mark.parametrize(("where", "message", "fields"), ODD_FIELDS)
def test_an_odd_value_is_told_with_its_place(where: str, message: str, fields: dict[str, object]) -> None:
    """
    A value that can't be used is a problem, never a traceback, and the story is still there.
    """
    prd = read({"userStories": [{"id": "US-001", **fields}]})

    assert [(f"userStories[0].{where}", message)] == told(prd)
    assert all(problem.help for problem in prd.problems)
    assert "US-001" == prd.stories[0].id


def test_null_is_not_given_everywhere() -> None:
    """
    A story full of nulls is an empty story.
    """
    fields: dict[str, object] = dict.fromkeys([*WORK_KEYS, "anything"])
    story, problems = read_story(**fields)

    assert [] == problems
    assert read_story()[0] == story


def test_long_texts_and_lone_surrogates_are_kept_harmless() -> None:
    """
    A text of 200 kB is read; half a surrogate pair becomes a question mark, so that it can be printed.
    """
    story, problems = read_story(title="x" * 200_000, tier="\ud800", team="\udfff", domain="y" * 200_000)

    assert 200_000 == len(story.title)
    assert ("?", {"team": "?"}) == (story.tier, story.inputs)
    assert [] == problems


@pytest.mark.parametrize(
    "text",
    [
        "[" + "{}," * 9_999 + "{}]",
        '[{"id": "a", "dependencies": [' + "{}," * 500_000 + "{}]}]",
        '[{"id": "a", "required_capabilities": [' + ",".join(f'"c{n}"' for n in range(300_000)) + "]}]",
        '[{"id": "' + "i" * 4_000_000 + '", "delegation": {"subtasks": [' + "{}," * 9_000 + "{}]}}]",
        '[{"id": "a", "title": "' + "\\\\" * 2_000_000,
        "[" + '"' * 4_000_000,
    ],
    ids=["stories", "odd items", "capabilities", "long parent", "open text", "quotes"],
)
def test_large_files_take_their_share_of_time(text: str) -> None:
    """
    Time grows with the text alone: nothing of up to 8 MiB takes minutes.
    """
    started = time.perf_counter()
    read_or_refuse(text)

    assert 20.0 > time.perf_counter() - started


# --- nothing but StoryError


WORK_KEYS: list[str] = sorted(SCHEMA["$defs"]["work"]["properties"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["medium", "vision", "tools", "yes", "no", "7", "", " ", 0, 1, 10, 11, -1, 2.0])
)
NAMES = st.sampled_from([*WORK_KEYS, "id", "input", "output", "subtasks", "vision", "requires"]) | st.text(
    max_size=6
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
STORY_LIKE = st.dictionaries(NAMES, VALUES, max_size=8)
DOCUMENT_KEYS = st.sampled_from(["userStories", "user_stories", "stories", "prd", "branchName"])
DOCUMENTS = (
    VALUES
    | st.lists(STORY_LIKE | VALUES, max_size=4)
    | st.dictionaries(DOCUMENT_KEYS, st.lists(STORY_LIKE | VALUES, max_size=3) | VALUES, max_size=3)
    | st.fixed_dictionaries(
        {"prd": st.dictionaries(DOCUMENT_KEYS, st.lists(STORY_LIKE, max_size=2) | VALUES)}
    )
)


def read_or_refuse(text: str) -> Prd | Problem:
    try:
        return read_prd(text, "prd.json")
    except StoryError as error:
        return error.problem


def family(stories: tuple[Story, ...]) -> Iterator[Story]:
    for story in stories:
        yield story
        yield from family(story.subtasks)


def assert_sound(outcome: Prd | Problem) -> None:
    """
    Check what holds of every PRD and every refusal.
    """
    problems = (outcome,) if isinstance(outcome, Problem) else outcome.problems
    for problem in problems:
        assert 1 == len(problem.message.splitlines())
        assert not problem.message.endswith(".")
        assert problem.message[0] in "`" + string.ascii_lowercase + string.digits
        assert problem.where.encode()
        assert problem.message.encode()
    if isinstance(outcome, Prd):
        assert outcome.stories
        for story in family(outcome.stories):
            assert 0.0 <= story.complexity.value <= 10.0
            assert story.id.strip()
            assert find_story(outcome, story.id).id == story.id
            request_of(story)


@given(DOCUMENTS)
def test_any_json_is_read_or_refused(document: object) -> None:
    """
    Whatever a JSON file holds, read_prd gives a sound PRD or a StoryError.
    """
    assert_sound(read_or_refuse(json.dumps(document)))


SAMPLE = json.dumps(
    {
        "userStories": [
            {"id": "A", "complexity": 3, "required_capabilities": {"vision": True}, "title": '\u00e4 " {'},
            {"id": "B", "estimatedTokens": {"input": 5}, "delegation": {"subtasks": [{"id": None}]}},
        ]
    },
    indent=1,
)


@given(
    st.integers(0, len(SAMPLE)), st.integers(0, 5), st.text(alphabet='{}[]",:\\01e-\n\x00ä\ud800', max_size=4)
)
@example(0, 0, "\ufeff")
def test_torn_and_mutated_text_is_read_or_refused(place: int, removed: int, added: str) -> None:
    """
    A file that was cut off, or changed by a few characters, never ends in a traceback.
    """
    assert_sound(read_or_refuse(SAMPLE[:place] + added + SAMPLE[place + removed :]))
    assert_sound(read_or_refuse(SAMPLE[:place] + added))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """
    A file that was never a PRD is refused.
    """
    assert_sound(read_or_refuse(text))


# --- the published schema


VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    """
    It holds against the metaschema, has a name of its own, and its examples are valid.
    """
    Draft202012Validator.check_schema(SCHEMA)

    assert "urn:policyctl:schema:prd:1" == SCHEMA["$id"]
    assert SCHEMA["examples"]
    for document in SCHEMA["examples"]:
        assert [] == [error.message for error in VALIDATOR.iter_errors(document)]
        assert () == read(document).problems


def test_the_schema_knows_the_keys_of_the_reader() -> None:
    """
    Every key that the reader gives a meaning is documented, and no other.
    """
    documented = {key.replace("_", "").lower() for key in WORK_KEYS} | {"id"}

    assert reader.MEANT == documented
    assert all("description" in field for field in SCHEMA["$defs"]["work"]["properties"].values())


STRUCTURAL: list[dict[str, object]] = [
    {"complexity": -1},
    {"complexity": 11},
    {"complexity": [5]},
    {"estimatedComplexity": True},
    {"complexity_score": {"value": 4}},
    {"difficulty": 3},
    {"required_capabilities": 5},
    {"required_capabilities": True},
    {"requiredCapabilities": {"vision": []}},
    {"required_capabilities": [{}]},
    {"estimatedTokens": 5000},
    {"estimatedTokens": {"input": -1}},
    {"estimated_tokens": {"output_tokens": 1.5}},
    {"delegation": {"subtasks": {}}},
    {"delegation": {"subtasks": [7]}},
    {"delegation": {"subtasks": [{"complexity": -2}]}},
    {"delegation": True},
    {"domain": []},
    {"suggestedModel": {"name": "opus"}},
    {"dependencies": 4},
    {"fileScope": 4},
    {"mcp": 4},
    {"passes": 2},
    {"priority": True},
    {"id": None},
    {"id": " "},
    {"id": []},
]
BAD_DOCUMENTS: list[object] = [
    *({"userStories": [{"id": "A", **fields}]} for fields in STRUCTURAL),
    {"userStories": [{"title": "no id"}]},
    {"userStories": [{"id": "A"}, 7]},
    {"userStories": {"A": {}}},
    {"userStories": []},
    {"userStories": None},
    {"prd": {}},
    {"prd": []},
    {"prd": {"stories": [{"id": "A", "complexity": 12}]}},
    {"prd": {"prd": [{"id": "A"}]}},
    {"branchName": 5, "userStories": [{"id": "A"}]},
    {},
    [],
    [7],
    7,
    "text",
    None,
]
GOOD_DOCUMENTS: list[object] = [
    [{"id": 1}],
    {"user_stories": [{"id": "A", "complexity": "7"}]},
    {"prd": {"stories": [{"id": "A"}]}, "version": 2},
    {"prd": [{"id": "A"}], "userStories": []},
    {"prd": 7, "userStories": [{"id": "A"}], "extra": {"nested": [1]}},
    {"userStories": [{"id": "A", "delegation": {"subtasks": [{"title": "no id"}]}}]},
    {"userStories": [{"id": "A", "delegation": False, "estimatedTokens": False, "mcp": {}}]},
    {"userStories": [{"id": "A", "passes": 0, "priority": 1.5, "fileScope": "a.py", "anything": [None]}]},
    {"userStories": [{"id": "A", "required_capabilities": {"vision": 1, "audio": "no", "pdf": None}}]},
    {"userStories": [{"id": "A", **dict.fromkeys(WORK_KEYS)}]},
]


@pytest.mark.parametrize("document", BAD_DOCUMENTS)
def test_what_the_schema_rejects_the_reader_tells(document: object) -> None:
    """
    What is structurally wrong is seen by both.
    """
    outcome = read_or_refuse(json.dumps(document))

    assert not VALIDATOR.is_valid(document)
    assert isinstance(outcome, Problem) or outcome.problems


@pytest.mark.parametrize("document", GOOD_DOCUMENTS)
def test_what_the_schema_accepts_the_reader_accepts(document: object) -> None:
    """
    What is fine is fine for both.
    """
    assert [] == [error.message for error in VALIDATOR.iter_errors(document)]
    assert () == read(document).problems


@given(DOCUMENTS)
@example([{"id": "A", "complexity": -1}])
def test_the_schema_is_never_stricter_than_the_reader(document: object) -> None:
    """
    Over random documents: where the schema finds something wrong, so does the reader.
    """
    outcome = read_or_refuse(json.dumps(document))

    assert VALIDATOR.is_valid(document) or isinstance(outcome, Problem) or outcome.problems


# --- the examples


EXAMPLE_FILES = ["claude-loop/prd.json", "prds/flask-dashboard.json"]


def read_example(name: str) -> Prd:
    return read_prd((EXAMPLES / name).read_text(encoding="utf-8"), name)


@pytest.mark.parametrize("name", EXAMPLE_FILES)
def test_the_examples_are_in_order(name: str) -> None:
    """
    Nothing in the examples is odd, for the reader and for the schema.
    """
    document = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))

    assert () == read_example(name).problems
    assert [] == [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_dashboard_has_words_and_weighed_stories() -> None:
    """
    Some of its stories say how complex they are, others leave it to the formula.
    """
    assert [
        ("DASH-001", 1.0, "word"),
        ("DASH-002", 4.0, "word"),
        ("DASH-003", 4.3, "formula"),
        ("DASH-004", 1.7, "formula"),
        ("DASH-005", 7.0, "word"),
        ("DASH-006", 4.0, "word"),
        ("DASH-007", 7.2, "formula"),
        ("DASH-008", 1.0, "word"),
    ] == [
        (s.id, s.complexity.value, s.complexity.origin)
        for s in read_example("prds/flask-dashboard.json").stories
    ]


def test_the_loops_prd_has_a_story_of_each_kind() -> None:
    """
    Its complexities go from 0 to 9, and US-042 is the source document's.
    """
    prd = read_example("claude-loop/prd.json")

    assert [0.0, 1.0, 2.2, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0] == [s.complexity.value for s in prd.stories]
    assert {"number", "word", "formula"} == {s.complexity.origin for s in prd.stories}
    assert Request(complexity=5.0, domain="large_context") == request_of(find_story(prd, "US-042"))
    assert {"private": "yes"} == find_story(prd, "US-043").inputs
    assert ["US-044/1", "US-044/2"] == [task.id for task in find_story(prd, "US-044").subtasks]
