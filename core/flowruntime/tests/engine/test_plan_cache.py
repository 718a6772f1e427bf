"""Workflows are compiled once, share their instances by content, and let them go."""

from typing import Any

import pytest
from flowcore.errors import WorkflowInvalid
from flowcore.values import write_json
from flowruntime import Runtime
from flowruntime.authoring import Context, Node, Port, node

from tests.engine_nodes import workflow

SEEN: list[str] = []


@node("local.counting", inputs=[], outputs=[Port(name="count")])
class Counting(Node):
    """Counts its attempts."""

    def __init__(self) -> None:
        self.count = 0

    async def execute(self, ctx: Context) -> dict[str, int]:
        self.count += 1
        return {"count": self.count}

    async def shutdown(self) -> None:
        SEEN.append("shutdown")


async def test_documents_of_the_same_content_share_instances_in_whatever_form_they_come() -> None:
    document = workflow({"c": "counting"})
    async with Runtime(nodes=[Counting]) as runtime:
        checked = runtime.check(document)
        assert checked.workflow is not None
        forms: list[Any] = [document, write_json(document), write_json(document, indent=2).encode(), checked.workflow]
        counts = [(await runtime.run(form)).outputs["c"]["count"] for form in forms]
    assert counts == [1, 2, 3, 4]


async def test_a_dict_that_was_changed_is_another_workflow() -> None:
    document = workflow({"c": "counting"})
    async with Runtime(nodes=[Counting]) as runtime:
        await runtime.run(document)
        document["description"] = "changed"
        assert (await runtime.run(document)).outputs == {"c": {"count": 1}}
        document["nodes"] = []
        with pytest.raises(WorkflowInvalid):
            await runtime.run(document)


async def test_instances_of_workflows_long_not_used_are_shut_down() -> None:
    SEEN.clear()
    async with Runtime(nodes=[Counting]) as runtime:
        for number in range(140):
            await runtime.run(workflow({"c": "counting"}, description=str(number)))
        await runtime.run(workflow({"c": "counting"}, description="last"))
        assert len(SEEN) >= 10
    assert len(SEEN) == 141
