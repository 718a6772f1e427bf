"""A document that was saved with an older version of a node type runs, with a warning, its config migrated."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.errors import WorkflowInvalid
from flowruntime import Runtime
from flowruntime.authoring import node

pytestmark = pytest.mark.anyio


def _migrate(config: dict[str, Any], from_version: int) -> dict[str, Any]:
    if config.get("words") == "none":
        raise ValueError("There is no text.")
    return {"text": config["words"]} if from_version < 2 else config


@node("local.say", effects="pure", version=2, migrate=_migrate)
async def say(*, text: str) -> str:
    """Give the text."""
    return text


def saved(words: str) -> dict[str, Any]:
    one = {"id": "s", "node_type": "local.say", "type_version": 1, "config": {"words": words}}
    body = {"name": "inside", "nodes": [one], "outputs": {"said": "${{ nodes.s.result }}"}}
    return {
        "name": "old",
        "nodes": [one, {"id": "sub", "node_type": "control.subflow", "config": {"workflow": body}}],
    }


async def test_an_older_document_is_migrated_at_load_also_inside_others() -> None:
    async with Runtime(nodes=[say]) as runtime:
        checked = runtime.check(saved("hello"))
        result = await runtime.run(saved("hello"))
    assert [(problem.severity, problem.code) for problem in checked.problems] == [("warning", "node_type.outdated")] * 2
    assert "flow upgrade" in checked.problems[0].remedy
    assert result.outputs == {"s": {"result": "hello"}, "sub": {"said": "hello"}}


async def test_a_config_that_cannot_be_migrated_is_an_error_that_names_the_node() -> None:
    async with Runtime(nodes=[say]) as runtime:
        with pytest.raises(WorkflowInvalid) as caught:
            await runtime.run(saved("none"))
    codes = [problem.code for problem in caught.value.problems if problem.severity == "error"]
    assert "migrate.raised" in codes
