"""The library of a runtime with a database: it outlives the runtime, and what other processes change is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flowcore.errors import StoreError, WorkflowInvalid
from flowcore.events import WorkflowStarted
from flowruntime import Runtime
from flowruntime.authoring import Context, Node, Port, node

from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio


def giving(value: Any, **fields: Any) -> dict[str, Any]:
    return workflow(
        {"g": {"node_type": "give", "config": {"value": value}}},
        **{"id": "give", "name": "Give", "outputs": {"gave": "${{ nodes.g.result }}"}, **fields},
    )


def calling(name: str, **fields: Any) -> dict[str, Any]:
    node = {"id": "c", "node_type": "control.subflow", "config": {"workflow": name}}
    return {"name": f"Call {name}", "nodes": [node], "outputs": {"got": "${{ nodes.c.gave }}"}, **fields}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'flow.db'}"


def put_elsewhere(url: str, value: Any) -> None:
    """Add a version in another process."""
    code = (
        "import sys\n"
        "from flowcore.documents import parse_workflow\n"
        "from flowruntime.stores import store_for\n"
        "store = store_for(sys.argv[1]); store.open()\n"
        "store.workflows.put(parse_workflow(eval(sys.argv[2]))); store.close()\n"
    )
    subprocess.run([sys.executable, "-c", code, url, repr(giving(value))], check=True, timeout=180)


async def test_what_was_added_is_there_for_the_next_runtime(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add(giving(1))
        added = runtime.workflows.add(giving(2))
    async with Runtime(url, nodes=ALL) as runtime:
        assert runtime.workflows.get("Give") == added
        assert (runtime.workflows.names(), len(runtime.workflows)) == (("give", "Give"), 1)
        assert (await runtime.run("give")).outputs == {"gave": 2}


async def test_a_workflow_runs_by_its_id_and_by_its_name_and_says_its_version(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        versions = []
        for value, name in ((1, "give"), (2, "Give")):
            runtime.workflows.add(giving(value))
            execution_id = await runtime.submit(name)
            assert (await runtime.wait(execution_id)).outputs == {"gave": value}
            started, *_ = [event async for event in runtime.follow(execution_id)]
            assert isinstance(started, WorkflowStarted)
            versions.append((started.workflow_id, started.workflow_version))
        assert versions == [("give", 1), ("give", 2)]


async def test_a_document_that_does_not_come_from_the_library_has_no_version(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add(giving(1))
        execution_id = await runtime.submit(giving(1))
        started, *_ = [event async for event in runtime.follow(execution_id)]
        assert isinstance(started, WorkflowStarted)
        assert started.workflow_version is None


async def test_what_another_process_has_changed_counts_for_the_next_start(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add(giving(1))
        runtime.workflows.add(calling("Give", id="outer"))
        document = calling("give")
        parsed = runtime.check(document).workflow
        assert parsed is not None
        seen = []
        for value in (1, 2):
            if value > 1:
                put_elsewhere(url, value)
            seen.append(
                [
                    (await runtime.run("give")).outputs["gave"],
                    (await runtime.run("outer")).outputs["got"],
                    (await runtime.run(document)).outputs["got"],
                    (await runtime.run(parsed)).outputs["got"],
                ]
            )
        assert seen == [[1] * 4, [2] * 4]
        assert runtime.workflows.find("give").version == 2  # type: ignore[union-attr]


async def test_a_check_before_a_change_of_another_process_does_not_outlive_it(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add(giving(1))
        checked = runtime.check(calling("give")).workflow
        assert checked is not None
        put_elsewhere(url, 2)
        assert (await runtime.run(checked)).outputs == {"got": 2}


async def test_an_execution_has_the_version_on_which_it_was_compiled(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add(giving(1))
        document = calling("give")
        execution_id = await runtime.submit(document)
        put_elsewhere(url, 2)
        assert (await runtime.wait(execution_id)).outputs == {"got": 1}
        record = runtime._store.record(execution_id)
        assert record is not None
        assert record.named == {"give": runtime._store.workflows.get("give", 1).workflow}  # type: ignore[union-attr]


async def test_what_another_process_has_removed_cannot_be_started(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime, Runtime(url, nodes=ALL) as other:
        runtime.workflows.add(giving(1))
        assert (await runtime.run(calling("give"))).success
        removed = other.workflows.remove("Give")
        assert removed is not None
        for document in ("give", calling("give")):
            with pytest.raises(WorkflowInvalid, match="There is no workflow 'give'"):
                await runtime.run(document)


async def test_an_unknown_name_is_told_with_what_is_near(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add(giving(1))
        with pytest.raises(WorkflowInvalid) as caught:
            await runtime.run("givee")
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("workflow.unknown", "There is no workflow 'givee' in the library.")
    assert "'give'" in problem.remedy


async def test_a_library_that_is_not_open_says_so_and_documents_without_names_need_none(url: str) -> None:
    runtime = Runtime(url, nodes=ALL)
    assert runtime.check(giving(1)).plan is not None
    for call in (lambda: runtime.workflows.add(giving(1)), lambda: runtime.check(calling("give"))):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.code == "store.closed"


async def test_a_draft_does_not_run_and_what_ran_before_goes_on_running(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        broken = {**giving(1), "nodes": [{"id": "g", "node_type": "no.such"}]}
        added = runtime.workflows.put(broken, draft=True)
        assert (added.stored.version, added.stored.is_draft) == (1, True)
        assert "node_type.unknown" in {problem.code for problem in added.problems}
        for document, code in (("give", "workflow.draft"), (calling("give"), "workflow.unknown")):
            with pytest.raises(WorkflowInvalid) as caught:
                await runtime.run(document)
            assert caught.value.problems[0].code == code
            assert "Did you mean" not in caught.value.problems[0].remedy
        runtime.workflows.add(giving(2))
        runtime.workflows.put(broken, draft=True)
        assert (await runtime.run("give")).outputs == {"gave": 2}
        assert (await runtime.run(calling("give"))).outputs == {"got": 2}
        (listed,) = runtime.workflows
        assert listed.node("g").node_type == "local.give"


async def test_a_draft_without_errors_is_none(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        assert not runtime.workflows.put(giving(1), draft=True).stored.is_draft


@pytest.mark.parametrize("field", [{"colour": "red"}, {"description": 5}, {"nodes": [{"id": 1, "node_type": "x"}]}])
async def test_a_draft_that_could_not_be_kept_as_it_is_is_refused(url: str, field: dict[str, Any]) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        with pytest.raises(WorkflowInvalid, match="cannot be kept as it is"):
            runtime.workflows.put({**giving(1), **field}, draft=True)
        assert len(runtime.workflows) == 0


async def test_node_instances_live_on_while_their_workflow_stays_the_same(url: str) -> None:
    @node("local.counting", inputs=[], outputs=[Port(name="count")])
    class Counting(Node):
        """Counts its attempts."""

        count = 0

        async def execute(self, ctx: Context) -> dict[str, int]:
            self.count += 1
            return {"count": self.count}

    async with Runtime(url, nodes=[*ALL, Counting]) as runtime:
        runtime.workflows.add(workflow({"n": "counting"}, id="counting"))
        counts = [(await runtime.run("counting")).node_outputs["n"]["count"] for _ in range(2)]
        put_elsewhere(url, 1)  # another workflow
        counts.append((await runtime.run("counting")).node_outputs["n"]["count"])
    assert counts == [1, 2, 3]


async def test_who_expects_another_version_is_refused(url: str) -> None:
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.put(giving(1), expected=0)
        with pytest.raises(StoreError) as caught:
            runtime.workflows.put(giving(2), expected=0)
        assert caught.value.code == "workflow.conflict"
        assert runtime.workflows.put(giving(2), expected=1).stored.version == 2


async def test_the_error_workflow_of_the_start_is_run_from_the_database(url: str) -> None:
    handler = workflow({"g": {"node_type": "give"}}, id="handler")
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add(handler)
        runtime.workflows.add({**workflow({"f": "fail"}, id="failing"), "settings": {"on_error_workflow": "handler"}})
        assert (await runtime.run("failing")).status == "failed"
    async with Runtime(url, nodes=ALL) as runtime:
        ids = [summary.workflow_id for summary in runtime._store.executions()]
    assert ids == ["handler", "failing"]


@pytest.mark.parametrize("text", ['{"name": "t", "nodes": [{"id": "g", "node_type": "local.give"}]}', '\n\t {"name"'])
async def test_a_text_that_begins_like_an_object_is_a_document(text: str) -> None:
    async with Runtime(nodes=ALL) as runtime:
        if text.endswith("}"):
            assert (await runtime.run(text)).success
        else:
            with pytest.raises(WorkflowInvalid) as caught:
                await runtime.run(text)
            assert caught.value.problems[0].code.startswith("json.")
