"""What happens when nodes fail, return what they may not, or are cancelled."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.errors import ExecutionError, InstallationError
from flowcore.events import (
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeRetrying,
    NodeStarted,
    WorkflowCompleted,
)
from flowcore.executions import Execution, ExecutionResult
from flowruntime import Runtime
from flowruntime.authoring import Context, Node, Port, node
from flowruntime.testing import ManualClock

from tests.engine_nodes import ALL, workflow


async def run(document: dict[str, Any], inputs: dict[str, Any] | None = None, **options: Any) -> ExecutionResult:
    async with Runtime(nodes=options.pop("nodes", ALL), **options) as runtime:
        return await runtime.run(document, inputs)


async def events_of(document: dict[str, Any], **options: Any) -> list[Any]:
    async with Runtime(nodes=options.pop("nodes", ALL), **options) as runtime:
        return [event async for event in runtime.follow(await runtime.submit(document))]


async def test_a_node_that_raises_fails_the_workflow_and_its_error_says_where() -> None:
    result = await run(
        workflow({"g": "give", "f": "fail", "after": "add"}, "g.result -> f.value", "f.result -> after.x")
    )
    assert result.status == "failed"
    assert not result.success
    assert (result.completed_nodes, result.failed_nodes, result.skipped_nodes) == (("g",), ("f",), ())
    assert result.node_outputs == {"g": {"result": 1}}
    error = result.error
    assert error is not None
    assert (error["type"], error["code"], error["message"]) == ("ValueError", "node.exception", "It broke.")
    assert (error["node_id"], error["path"], error["attempt"], error["completed"]) == ("f", [], 1, ["g"])
    assert error["traceback"]
    assert all("flowruntime/engine" not in frame for frame in error["traceback"])


async def test_nodes_never_reached_get_no_event() -> None:
    events = await events_of(workflow({"f": "fail", "a": "add"}, "f.result -> a.x"))
    assert {getattr(event, "node_id", "f") for event in events} == {"f"}
    assert isinstance(events[-1], WorkflowCompleted)


async def test_a_failure_cancels_what_runs_and_the_first_failure_is_the_error() -> None:
    document = workflow({"slow": {"node_type": "nap", "config": {"seconds": 60}}, "f": "fail"})
    events = await events_of(document, clock=ManualClock())
    (cancelled,) = (event for event in events if isinstance(event, NodeCancelled))
    assert cancelled.node_id == "slow"
    assert "'f'" in cancelled.why
    assert events[-1].error["node_id"] == "f"


async def test_continue_goes_on_with_the_outputs_skipped() -> None:
    document = workflow(
        {"f": {"node_type": "fail", "on_error": "continue"}, "lost": "add", "g": "give", "kept": "add"},
        "f.result -> lost.x",
        "g.result -> kept.x",
    )
    result = await run(document)
    assert result.status == "succeeded"
    assert (result.failed_nodes, result.skipped_nodes) == (("f",), ("lost",))
    assert result.outputs == {"kept": {"result": 11}}


async def test_continue_on_error_of_the_workflow_holds_for_every_node_without_its_own() -> None:
    result = await run(workflow({"f": "fail", "g": "give"}, settings={"on_error": "ContinueOnError"}))
    assert (result.status, result.failed_nodes) == ("succeeded", ("f",))


async def test_route_gives_the_error_object_to_the_error_port() -> None:
    document = workflow(
        {"f": {"node_type": "fail", "config": {"how": "fatal"}, "on_error": "route"}, "c": "collect", "lost": "add"},
        "f.error -> c.extra",
        "f.result -> lost.x",
    )
    result = await run(document)
    assert result.status == "succeeded"
    error = result.outputs["c"]["result"]["extra"]
    assert {key: error[key] for key in ("type", "code", "message", "node_id", "path", "attempt", "details")} == {
        "type": "FatalNodeError",
        "code": "test.fatal",
        "message": "It is fatal.",
        "node_id": "f",
        "path": [],
        "attempt": 1,
        "details": {"n": 1},
    }
    assert (result.failed_nodes, result.skipped_nodes) == (("f",), ("lost",))


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("port", "node.output_port", "'rseult'"),
        ("set", "node.output_value", "a set is not JSON at /a/1"),
        ("nan", "node.output_value", "nan is not JSON"),
        ("list", "node.output_type", "a list"),
        ("key", "node.output_value", "the key 1 is no string"),
        ("big", "node.output_value", "64 bit"),
    ],
)
async def test_what_a_node_may_not_return_is_its_failure(what: str, code: str, words: str) -> None:
    result = await run(workflow({"b": {"node_type": "bad", "config": {"what": what}}}))
    assert result.error is not None
    assert result.error["code"] == code
    assert words in result.error["message"]
    assert result.error["remedy"]


async def test_a_node_that_exits_the_process_only_fails() -> None:
    result = await run(workflow({"f": {"node_type": "fail", "config": {"how": "exit"}}}))
    assert result.error is not None
    assert result.error["type"] == "SystemExit"


class Unusual(BaseException):
    """No Exception."""


@pytest.mark.parametrize("kind", [GeneratorExit, Unusual, StopAsyncIteration])
@pytest.mark.parametrize("how", ["async", "thread"])
async def test_whatever_a_node_raises_it_alone_fails(kind: type[BaseException], how: str) -> None:
    @node("local.odd", effects="pure")
    async def odd() -> None:
        await anyio.lowlevel.checkpoint()
        raise kind

    @node("local.threaded", effects="pure")
    def threaded() -> None:
        raise kind

    document = workflow(
        {"o": {"node_type": "odd" if how == "async" else "threaded", "on_error": "continue"}, "n": "give"}
    )
    result = await run(document, nodes=[*ALL, odd, threaded])
    assert (result.status, result.failed_nodes, result.completed_nodes) == ("succeeded", ("o",), ("n",))


def test_a_keyboard_interrupt_inside_of_a_node_ends_the_program_and_nothing_hangs(tmp_path: Path) -> None:
    program = """
import anyio
from flowruntime import Runtime
from flowruntime.authoring import node

@node("local.wait", effects="pure")
async def wait() -> None:
    await anyio.sleep_forever()

@node("local.interrupt", effects="pure")
async def interrupt() -> None:
    await anyio.sleep(0)
    raise KeyboardInterrupt

async def main():
    nodes = [{"id": "w", "node_type": "local.wait"}, {"id": "i", "node_type": "local.interrupt"}]
    async with Runtime(nodes=[wait, interrupt]) as runtime:
        await runtime.run({"name": "x", "nodes": nodes})

anyio.run(main)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stderr.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, asyncio.CancelledError, Unusual])
async def test_whatever_a_shutdown_raises_the_runtime_closes(kind: type[BaseException]) -> None:
    @node("local.held", effects="pure", inputs=[], outputs=[])
    class Held(Node):
        async def execute(self, ctx: Context) -> dict[str, Any]:
            return {}

        async def shutdown(self) -> None:
            raise kind

    assert (await run(workflow({"h": "held"}), nodes=[Held])).success


async def test_a_node_that_cancels_itself_fails_and_nothing_hangs() -> None:
    @node("local.suicide", effects="pure")
    async def suicide() -> None:
        raise asyncio.CancelledError

    result = await run(workflow({"s": "suicide"}), nodes=[suicide])
    assert result.error is not None
    assert result.error["code"] == "node.cancelled_itself"


async def test_failed_attempts_are_retried_after_the_policys_delay() -> None:
    clock = ManualClock(autojump=True)
    document = workflow(
        {
            "f": {
                "node_type": "fail",
                "config": {"times": 2},
                "retry_policy": {"max_attempts": 3, "delay_ms": 1000, "jitter": 0},
            }
        }
    )
    events = await events_of(document, clock=clock)
    assert [type(event).__name__ for event in events] == [
        "WorkflowStarted",
        "NodeStarted",
        "NodeRetrying",
        "NodeStarted",
        "NodeRetrying",
        "NodeStarted",
        "NodeCompleted",
        "WorkflowCompleted",
    ]
    assert [event.delay_ms for event in events if isinstance(event, NodeRetrying)] == [1000, 2000]
    assert [event.attempt for event in events if isinstance(event, NodeStarted)] == [1, 2, 3]
    assert events[-1].duration_ms == 3000


async def test_the_nodes_own_wish_for_a_later_retry_wins() -> None:
    document = workflow(
        {
            "f": {
                "node_type": "fail",
                "config": {"how": "retry", "times": 1},
                "retry_policy": {"max_attempts": 2, "delay_ms": 1, "jitter": 0},
            }
        }
    )
    events = await events_of(document, clock=ManualClock(autojump=True))
    assert [event.delay_ms for event in events if isinstance(event, NodeRetrying)] == [5000]


async def test_fatal_errors_are_not_retried() -> None:
    document = workflow({"f": {"node_type": "fail", "config": {"how": "fatal"}, "retry_policy": {"max_attempts": 5}}})
    events = await events_of(document)
    assert [event.attempt for event in events if isinstance(event, NodeFailed)] == [1]


async def test_cancel_ends_running_and_retrying_nodes_at_once() -> None:
    document = workflow(
        {
            "nap": {"node_type": "nap", "config": {"seconds": 3600}},
            "f": {"node_type": "fail", "retry_policy": {"max_attempts": 3, "delay_ms": 50_000}},
            "never": "add",
        },
        "nap.result -> never.x",
    )
    async with Runtime(nodes=ALL, clock=ManualClock()) as runtime:
        execution_id = await runtime.submit(document)
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeRetrying):
                runtime.cancel(execution_id)
        result = await runtime.wait(execution_id)
        events = [event async for event in runtime.follow(execution_id)]
    assert result.status == "cancelled"
    assert result.error is None
    assert {event.node_id for event in events if isinstance(event, NodeCancelled)} == {"nap", "f"}
    assert {getattr(event, "node_id", None) for event in events} == {None, "nap", "f"}


async def test_cancelling_the_caller_cancels_the_execution_and_the_log_is_whole() -> None:
    async with Runtime(nodes=ALL, clock=ManualClock()) as runtime:
        with anyio.move_on_after(0) as scope:
            await runtime.run(workflow({"nap": "nap"}))
        assert scope.cancelled_caught
        task = asyncio.create_task(runtime.run(workflow({"nap": "nap"})))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_leaving_the_runtime_cancels_what_still_runs() -> None:
    async with Runtime(nodes=ALL, clock=ManualClock()) as runtime:
        execution_id = await runtime.submit(workflow({"nap": "nap"}))
        await anyio.lowlevel.checkpoint()
    assert runtime.snapshot(execution_id).status == "cancelled"


async def test_a_final_execution_cannot_be_cancelled() -> None:
    async with Runtime(nodes=ALL) as runtime:
        result = await runtime.run(workflow({"g": "give"}))
        with pytest.raises(ExecutionError, match="succeeded"):
            runtime.cancel(result.execution_id)
        with pytest.raises(ExecutionError, match="no execution 'nobody'"):
            runtime.cancel("nobody")


async def test_errors_of_the_block_come_out_of_the_runtime_as_they_are() -> None:
    with pytest.raises(KeyError):
        async with Runtime(nodes=ALL):
            raise KeyError("mine")


async def test_a_runtime_that_was_not_entered_says_so() -> None:
    with pytest.raises(InstallationError, match="async with"):
        await Runtime(nodes=ALL).run(workflow({"g": "give"}))


async def test_every_event_comes_in_order_and_folds_to_the_result() -> None:
    document = workflow({"s": "split", "low": "add", "high": "add"}, "s.low -> low.x", "s.high -> high.x")
    async with Runtime(nodes=ALL) as runtime:
        result = await runtime.run(document, {"x": 1})
        events = [event async for event in runtime.follow(result.execution_id)]
        late = [event async for event in runtime.follow(result.execution_id, after=3)]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))  # type: ignore[union-attr]
    assert late == events[3:]
    folded = Execution.fold(result.execution_id, events)  # type: ignore[arg-type]
    assert folded.result(total_nodes=3) == result


async def test_plain_functions_run_on_threads_and_report_from_there() -> None:
    import threading

    loop_thread = threading.get_ident()

    @node("local.where")
    def where(ctx: Context) -> bool:
        ctx.events.info("from a thread")
        return threading.get_ident() != loop_thread

    @node("local.here", effects="pure")
    def here() -> bool:
        return threading.get_ident() == loop_thread

    async with Runtime(nodes=[where, here]) as runtime:
        events = [event async for event in runtime.follow(await runtime.submit(workflow({"w": "where", "h": "here"})))]
    assert events[-1].outputs == {"w": {"result": True}, "h": {"result": True}}  # type: ignore[union-attr]
    assert [event.content for event in events if type(event).__name__ == "NodeEvent"] == [  # type: ignore[union-attr]
        {"message": "from a thread"}
    ]


async def test_one_instance_serves_all_executions_and_is_shut_down_at_the_end() -> None:
    seen: list[str] = []

    @node("local.counter", inputs=[], outputs=[Port(name="count")])
    class Counter(Node):
        def __init__(self, start: int) -> None:
            self.count = start

        @classmethod
        def create(cls, config: Any) -> "Counter":
            seen.append("create")
            return cls(10)

        async def initialize(self, ctx: Any) -> None:
            seen.append("initialize")

        async def execute(self, ctx: Context) -> dict[str, int]:
            self.count += 1
            return {"count": self.count}

        async def shutdown(self) -> None:
            seen.append("shutdown")

    document = workflow({"a": "counter", "b": {"node_type": "counter"}}, "a.done -> b.after")
    async with Runtime(nodes=[Counter]) as runtime:
        checked = runtime.check(document)
        assert checked.workflow is not None
        first = await runtime.run(checked.workflow)
        second = await runtime.run(checked.workflow)
    assert first.node_outputs == {"a": {"count": 11}, "b": {"count": 11}}
    assert second.node_outputs == {"a": {"count": 12}, "b": {"count": 12}}
    assert seen == ["create", "initialize", "create", "initialize", "shutdown", "shutdown"]


async def test_an_instance_whose_initialize_fails_is_shut_down_and_made_anew_for_the_next_attempt() -> None:
    seen: list[str] = []

    @node("local.shaky", inputs=[], outputs=[Port(name="result")])
    class Shaky(Node):
        async def initialize(self, ctx: Any) -> None:
            seen.append("initialize")
            if len(seen) < 3:
                raise ConnectionError("not yet")

        async def execute(self, ctx: Context) -> dict[str, int]:
            return {"result": 1}

        async def shutdown(self) -> None:
            seen.append("shutdown")

    document = workflow({"s": {"node_type": "shaky", "retry_policy": {"max_attempts": 2, "delay_ms": 0}}})
    result = await run(document, nodes=[Shaky])
    assert result.success
    assert seen == ["initialize", "shutdown", "initialize", "shutdown"]


async def test_a_node_is_completed_once_even_if_the_stop_comes_with_its_result() -> None:
    """What an attempt returns first is what counts."""

    @node("local.stubborn", effects="pure")
    async def stubborn(ctx: Context) -> str:
        try:
            await ctx.sleep(60)
        except asyncio.CancelledError:
            return "done anyway"
        return "slept"

    document = workflow({"s": "stubborn", "f": "fail"})
    events = await events_of(document, nodes=[*ALL, stubborn], clock=ManualClock())
    assert [event.outputs for event in events if isinstance(event, NodeCompleted)] == [{"result": "done anyway"}]
    assert events[-1].status == "failed"
