"""The library of a runtime: what may be added, how it is found, and what becomes of compiled plans when it changes."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.documents import parse_workflow
from flowcore.errors import WorkflowInvalid
from flowruntime import Runtime
from flowruntime.authoring import Body, Child, ChildEnd, Container, Context, Node, Port, Ports, node

from tests.engine_nodes import ALL, workflow


class _Once(Container):
    """Runs one document once."""

    def __init__(self, body: Body, inputs: dict[str, Any]) -> None:
        self.child: Child | None = Child(body=body, index=None, inputs=inputs)
        self.end: ChildEnd | None = None

    def next(self) -> Child | None:
        child, self.child = self.child, None
        return child

    def ended(self, end: ChildEnd) -> None:
        self.end = end

    def outputs(self) -> dict[str, Any] | None:
        return None if self.end is None else {"output": self.end.outputs}


@node(
    "local.call",
    inputs=Ports(rule="signature", pointer="/flow"),
    outputs=Ports(rule="signature", pointer="/flow"),
    config={"type": "object", "properties": {"flow": {"x-workflow": True}}},
)
class Call(Node):
    """Runs a workflow."""

    async def execute(self, ctx: Context) -> Container:
        return _Once(ctx.config["flow"], ctx.inputs)


def runtime() -> Runtime:
    return Runtime(nodes=[*ALL, Call])


def giving(value: Any, **fields: Any) -> dict[str, Any]:
    return workflow(
        {"g": {"node_type": "give", "config": {"value": value}}}, **{"id": "give", "name": "Give", **fields}
    )


def calling(flow: str, **fields: Any) -> dict[str, Any]:
    return workflow({"c": {"node_type": "call", "config": {"flow": flow}}}, **{"name": f"Call {flow}", **fields})


def test_a_workflow_is_found_by_its_id_and_by_its_name() -> None:
    library = runtime().workflows
    added = library.add(giving(1))
    assert library.get("give") is library.get("Give") is added
    assert library.get("gone") is None
    assert library.names() == ("give", "Give")
    assert (list(library), len(library)) == ([added], 1)


def test_an_id_comes_before_a_name_and_the_first_name_before_another() -> None:
    library = runtime().workflows
    first = library.add(giving(1, id="one", name="two"))
    second = library.add(giving(2, id="three", name="two"))
    assert library.get("two") is first
    third = library.add(giving(3, id="two", name="four"))
    assert library.get("two") is third
    library.remove("two")
    library.remove("one")
    assert library.get("two") is second


def test_a_workflow_with_the_same_id_takes_the_place_of_the_former() -> None:
    library = runtime().workflows
    library.add(giving(1))
    second = library.add(giving(2, name="Other"))
    assert (library.get("give"), library.get("Give"), len(library)) == (second, None, 1)


def test_every_form_of_a_document_may_be_added() -> None:
    library = runtime().workflows
    parsed = parse_workflow(giving(1))
    assert library.add(parsed) == library.add(giving(1)) == parsed


@pytest.mark.parametrize(
    "bad",
    [{"name": "w"}, "{", giving(1, unknown=5), workflow({"a": "nothing", "b": "nothing"}), calling("gone", name="w")],
    ids=["no nodes", "no JSON", "an unknown field", "unknown types", "an unknown name"],
)
def test_what_cannot_run_is_refused_with_all_its_problems_and_changes_nothing(bad: Any) -> None:
    made = runtime()
    before = made.workflows.add(giving(1))
    expected = made.check(bad).problems
    with pytest.raises(WorkflowInvalid) as caught:
        made.workflows.add(bad)
    assert caught.value.problems == expected
    assert list(made.workflows) == [before]


def test_a_workflow_may_name_itself() -> None:
    assert runtime().workflows.add(calling("self", id="self")).id == "self"


def test_workflows_that_name_each_other_are_added_together() -> None:
    library = runtime().workflows
    a, b = library.add_all([calling("b", id="a"), calling("a", id="b")])
    assert list(library) == [a, b]
    with pytest.raises(WorkflowInvalid, match="'d' cannot be added"):
        library.add_all([giving(1, id="c"), calling("gone", id="d")])
    assert len(library) == 2


def test_removing_what_is_not_there_is_no_fault() -> None:
    assert runtime().workflows.remove("gone") is None


async def test_a_workflow_runs_another_by_name() -> None:
    async with runtime() as made:
        made.workflows.add(giving(7))
        assert (await made.run(calling("Give"))).outputs == {"c": {"output": {"g": {"result": 7}}}}


async def test_what_is_called_is_what_stands_in_the_library_at_the_start() -> None:
    async with runtime() as made:
        made.workflows.add(giving(1))
        made.workflows.add(calling("give", id="between"))
        document = parse_workflow(calling("between"))
        seen = []
        for value in (1, 2):
            made.workflows.add(giving(value))
            result = await made.run(document)
            seen.append(result.outputs["c"]["output"]["c"]["output"]["g"]["result"])
        assert seen == [1, 2]


async def test_a_check_before_a_change_does_not_outlive_it() -> None:
    async with runtime() as made:
        made.workflows.add(giving(1))
        checked = made.check(calling("give"))
        assert checked.workflow is not None
        made.workflows.add(giving(2))
        assert (await made.run(checked.workflow)).outputs["c"]["output"]["g"]["result"] == 2


async def test_a_removed_workflow_cannot_be_started_by_name_any_more() -> None:
    async with runtime() as made:
        made.workflows.add(giving(1))
        document = parse_workflow(calling("give"))
        await made.run(document)
        made.workflows.remove("give")
        with pytest.raises(WorkflowInvalid, match="There is no workflow 'give'"):
            await made.run(document)


async def test_a_running_execution_keeps_the_workflows_of_its_start() -> None:
    async with runtime() as made:
        made.workflows.add(giving(1))
        execution_id = await made.submit(calling("give"))
        made.workflows.add(giving(2))
        assert (await made.wait(execution_id)).outputs["c"]["output"]["g"]["result"] == 1
        assert (await made.run(calling("give"))).outputs["c"]["output"]["g"]["result"] == 2


async def test_node_instances_live_on_unless_their_workflow_depends_on_what_changed() -> None:
    @node("local.counting", inputs=[], outputs=[Port(name="count")])
    class Counting(Node):
        """Counts its attempts."""

        count = 0

        async def execute(self, ctx: Context) -> dict[str, int]:
            self.count += 1
            return {"count": self.count}

    alone = workflow({"n": "counting"})
    calls = workflow({"n": "counting", "c": {"node_type": "call", "config": {"flow": "give"}}})
    async with Runtime(nodes=[*ALL, Call, Counting]) as made:
        made.workflows.add(giving(1))
        counts = []
        for value in (2, 3):
            counts.append([(await made.run(document)).node_outputs["n"]["count"] for document in (alone, calls)])
            made.workflows.add(giving(value))
    assert counts == [[1, 1], [2, 1]]


def test_inputs_that_the_called_workflow_requires_are_asked_for_before_anything_runs() -> None:
    child = {**giving(1), "inputs": {"properties": {"url": {}}, "required": ["url"]}}
    made = runtime()
    made.workflows.add(child)
    with pytest.raises(WorkflowInvalid, match="'url'"):
        made.run_sync(calling("give"))
    assert made.run_sync(calling("give"), {"url": "x"}).status == "succeeded"


async def test_a_workflow_runs_by_its_name_without_a_database_too() -> None:
    async with runtime() as made:
        made.workflows.add(giving(1))
        assert (await made.run("Give")).node_outputs == {"g": {"result": 1}}
        made.workflows.add(giving(2))
        assert (await made.run("give")).node_outputs == {"g": {"result": 2}}
        with pytest.raises(WorkflowInvalid, match="There is no workflow 'gone' in the library"):
            await made.run("gone")


async def test_inputs_and_triggers_of_a_run_by_name_are_checked() -> None:
    child = {**giving(1), "inputs": {"properties": {"url": {}}, "required": ["url"]}}
    async with runtime() as made:
        made.workflows.add(child)
        with pytest.raises(WorkflowInvalid, match=r"'url'|\"url\""):
            await made.run("give")
        with pytest.raises(WorkflowInvalid, match="no trigger node 't'"):
            await made.run("give", {"url": "x"}, trigger="t")


def test_versions_count_and_the_same_document_again_makes_none() -> None:
    library = runtime().workflows
    versions = [library.put(giving(value)).stored.version for value in (1, 1, 2, 1)]
    assert versions == [1, 1, 2, 3]
    found = library.find("Give")
    assert found is not None
    assert found.version == 3


def test_a_name_that_is_about_to_change_counts_as_it_will_be() -> None:
    library = runtime().workflows
    library.add(giving(1, name="old"))
    with pytest.raises(WorkflowInvalid, match="There is no workflow 'old'"):
        library.add_all([giving(1, name="new"), calling("old", id="caller")])
    library.add_all([giving(1, name="new"), calling("new", id="caller")])
    assert library.names() == ("caller", "give", "Call new", "new")
