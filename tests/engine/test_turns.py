"""Whose turn it is among the stories of a PRD, and how one is marked as done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policyctl import Engine, read_prd, turns, with_passes
from policyctl.schemas.errors import StoryError


def prd(*stories: dict[str, Any]) -> str:
    """
    A PRD as people lay it out.
    """
    return json.dumps({"project": "p", "userStories": list(stories)}, indent=2) + "\n"


def waiting(text: str) -> dict[str, tuple[str, ...]]:
    """
    What is to do, in order, by the names that reports use, and what each waits for.
    """
    return {turn.name: turn.waits_for for turn in turns(read_prd(text, "prd.json"))}


def test_dependencies_come_first() -> None:
    """
    A story waits for those that it names until these pass.
    """
    text = prd({"id": "A", "dependencies": ["B"]}, {"id": "B"})

    assert {"B": (), "A": ("B",)} == waiting(text)
    assert {"A": ()} == waiting(with_passes(text, "prd.json", "B"))


def test_sub_tasks_come_before_their_story_and_stand_under_it() -> None:
    """
    A sub-task goes by its story's name and its own; what its story waits for it waits for too, and who waits
    for a sub-task waits for its whole story.
    """
    tasks = {"subtasks": [{"title": "one"}, {"id": "two"}]}
    text = prd(
        {"id": "A"},
        {"id": "B", "dependencies": ["A"], "delegation": tasks},
        {"id": "C", "dependencies": ["two"]},
    )

    assert {
        "A": (),
        "B/1": ("A",),
        "B/two": ("A",),
        "B": ("A", "B/1", "two"),
        "C": ("two", "B"),
    } == waiting(text)


def test_nothing_below_a_story_that_passes_is_to_do() -> None:
    """
    Where the whole is done its parts are.
    """
    assert {} == waiting(prd({"id": "A", "passes": True, "delegation": {"subtasks": [{"title": "one"}]}}))


def test_a_circle_keeps_the_order_of_the_file() -> None:
    """
    Of stories that wait for one another the first is ready.
    """
    text = prd({"id": "A", "dependencies": ["B"]}, {"id": "B", "dependencies": ["A"]})

    assert {"A": (), "B": ("A",)} == waiting(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[{"id": "A", "passes": false}]', '[{"id": "A", "passes": true}]'),
        ('[{"id": "A"}]', '[{"id": "A","passes": true}]'),
        ('[{"id": "B", "id": "A",\n   "Passes" : null , "x": [1, {"passes": 0}]}]', None),
        ('{"prd": {"stories": [{"id": "x"}, {"id": "A", "n": "}]{,"}]}}', None),
        (
            '\ufeff{"user_stories": [{"id": "A", "passes": "no"}]}',
            '\ufeff{"user_stories": [{"id": "A", "passes": true}]}',
        ),
    ],
)
def test_only_the_mark_changes(before: str, after: str | None) -> None:
    """
    Every character but the mark's own stays as it is.
    """
    marked = with_passes(before, "prd.json", "A")

    assert after is None or after == marked
    assert {} == {name: 0 for name in waiting(marked) if name == "A"}
    assert marked == with_passes(marked, "prd.json", "A")


def test_a_new_mark_is_laid_out_as_its_neighbours() -> None:
    """
    A story without `passes` gets a line for it, indented as the others.
    """
    text = prd({"id": "A", "title": "first"}, {"id": "B"})
    story = json.loads(text)
    story["userStories"][0]["passes"] = True

    assert json.dumps(story, indent=2) + "\n" == with_passes(text, "prd.json", "A")


def test_a_story_that_isn_t_there_can_t_be_marked() -> None:
    """
    An unknown id is an error with a suggestion.
    """
    with pytest.raises(StoryError, match="has no story `US-43`"):
        with_passes(prd({"id": "US-42"}), "prd.json", "US-43")


def test_a_story_s_request_has_what_the_person_and_the_environment_say() -> None:
    """
    The environment gives inputs of which the story says nothing, the person a tier for all, a skill, a model.
    """
    engine = Engine.from_text(
        "model m is offline/m costs $1 in, $1 out can tools\n"
        "tier every from complexity 0 has m\n"
        "input time_rules is yes or no default no from env ENABLE_TIME_RULES\n"
        "input stage is one of dev, prod default dev from env STAGE\n"
    )
    tasks = {"subtasks": [{"title": "one"}]}
    text = prd({"id": "A", "complexity": 4, "stage": "prod", "mcpTools": ["files"], "delegation": tasks})
    environ = {"ENABLE_TIME_RULES": "true", "STAGE": "dev", "PATH": "/bin"}
    task, story = turns(read_prd(text, "prd.json"))
    said = {"environ": environ, "tier": "every", "skill": "review", "preferred": None}
    outer = engine.story_request(story.story, story.by, **said)
    inner = engine.story_request(task.story, task.by, **said)

    assert {"time_rules": "yes", "stage": "prod"} == outer.inputs
    assert ("every", "review", None, {"tools"}) == (
        outer.tier,
        outer.skill,
        outer.preferred,
        set(outer.requires),
    )
    assert inner.delegated_by is not None
    assert ("every", "yes") == (inner.delegated_by.tier, inner.delegated_by.inputs["time_rules"])


def test_checks_of_a_story_stand_beside_those_of_the_prd() -> None:
    """
    A command alone is the gate `tests`; a story's own of the same name counts.
    """
    text = json.dumps(
        {
            "qualityGate": "make test",
            "stories": [
                {"id": "A", "checks": {"lint": "make lint"}},
                {"id": "B", "checks": {"tests": "true"}},
            ],
        }
    )
    first, second = read_prd(text, "prd.json").stories

    assert {"tests": "make test", "lint": "make lint"} == first.checks
    assert {"tests": "true"} == second.checks
