"""What runs inside loops and subflows shares slots, time, signals and cancellation with the execution around it."""

import tracemalloc
from typing import Any

import anyio
import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeRetrying, NodeStarted, NodeWaiting
from flowruntime import Runtime
from flowruntime.authoring import Context, RetryableNodeError, node
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock

from tests.control_flows import events_of, flow, of, run, runtime_on

REGISTRY = Registry.discover()


def loop(body: dict[str, Any], items: Any, **config: Any) -> dict[str, Any]:
    return {"node_type": "control.loop", "config": {"body": body, **config}, "inputs": {"items": items}}


def subflow(workflow: Any, **inputs: Any) -> dict[str, Any]:
    return {"node_type": "control.subflow", "config": {"workflow": workflow}, "inputs": inputs}


def nap(seconds: float = 1) -> dict[str, Any]:
    return {"node_type": "nap", "config": {"seconds": seconds}}


def wait(signal: str, **config: Any) -> dict[str, Any]:
    return {"node_type": "control.wait", "config": {"signal": signal, **config}}


async def until_waiting(runtime: Runtime, execution_id: str, count: int) -> None:
    waiting = 0
    async for event in runtime.follow(execution_id):
        waiting += isinstance(event, NodeWaiting)
        if waiting == count:
            break
    await anyio.wait_all_tasks_blocked()


async def events_so_far(runtime: Runtime, execution_id: str) -> list[Any]:
    return [event async for event in runtime.follow(execution_id)]


# --- slots ---------------------------------------------------------------------------------------------


async def test_a_loop_inside_a_loop_beside_fifty_delays_runs_with_a_single_slot() -> None:
    inner = flow({"n": nap()})
    outer = flow({"inner": loop(inner, [1, 2, 3], concurrency=3)})
    delays = {f"d{index}": {"node_type": "time.delay", "config": {"delay_ms": 1000}} for index in range(50)}
    document = flow(
        {"outer": loop(outer, ["a", "b", "c"], concurrency=2), **delays}, settings={"max_parallel_nodes": 1}
    )
    events = await events_of(document)
    assert (events[-1].status, events[-1].duration_ms) == ("succeeded", 9000)
    naps = [event for event in events if isinstance(event, NodeStarted | NodeCompleted) and event.node_id == "n"]
    assert [type(event) for event in naps] == [NodeStarted, NodeCompleted] * 9  # one at a time
    assert len([event for event in of(events, NodeCompleted) if event.node_id.startswith("d")]) == 50


@pytest.mark.parametrize(("at_the_top", "in_the_body", "seconds"), [(10, 2, 3), (2, 10, 3), (1, 10, 6), (10, 10, 1)])
async def test_the_narrower_limit_of_parallel_nodes_counts(at_the_top: int, in_the_body: int, seconds: int) -> None:
    body = flow({f"n{index}": nap() for index in range(6)}, settings={"max_parallel_nodes": in_the_body})
    document = flow({"s": subflow(body)}, settings={"max_parallel_nodes": at_the_top})
    assert (await run(document)).duration_ms == seconds * 1000


# --- waiting -------------------------------------------------------------------------------------------


async def test_a_signal_wakes_the_waits_inside_of_all_items() -> None:
    body = flow({"w": wait("go")}, outputs={"v": "${{ nodes.w.value }}"})
    document = flow({"l": loop(body, [1, 2, 3], concurrency=2), "s": subflow(body)}, settings={"max_parallel_nodes": 1})
    async with runtime_on(ManualClock()) as runtime:
        with anyio.fail_after(20):
            execution_id = await runtime.submit(document)
            await until_waiting(runtime, execution_id, 3)
            assert runtime.snapshot(execution_id).status == "waiting"
            runtime.signal(execution_id, "go", "first")
            await until_waiting(runtime, execution_id, 4)
            runtime.signal(execution_id, "go", "second")
            outputs = (await runtime.wait(execution_id)).outputs
    assert outputs["l"]["results"] == [{"v": "first"}, {"v": "first"}, {"v": "second"}]
    assert outputs["s"] == {"v": "first"}


async def test_delays_in_a_body_hold_no_slot_and_their_time_does_not_count_for_the_loop() -> None:
    body = flow({"d": {"node_type": "time.delay", "config": {"delay_ms": 60_000}}})
    node = {**loop(body, list(range(20)), concurrency=20), "timeout_ms": 5000}
    result = await run(flow({"l": node}, settings={"max_parallel_nodes": 1, "max_execution_time_ms": 5000}))
    assert (result.status, result.duration_ms) == ("succeeded", 60_000)


async def test_waiting_does_not_count_for_the_time_limit_of_a_body() -> None:
    delay = {"node_type": "time.delay", "config": {"delay_ms": 60_000}}
    body = flow({"d": delay}, settings={"max_execution_time_ms": 5000})
    result = await run(flow({"s": subflow(body)}))
    assert (result.status, result.duration_ms) == ("succeeded", 60_000)


# --- time and cancellation -----------------------------------------------------------------------------


async def test_the_timeout_of_a_loop_cancels_what_runs_in_it() -> None:
    node = {**loop(flow({"n": nap(60)}), [1, 2], concurrency=2), "timeout_ms": 2000}
    events = await events_of(flow({"l": node}))
    assert (events[-1].error["code"], events[-1].error["node_id"]) == ("node.timeout", "l")
    assert [event.path[0][1] for event in of(events, NodeCancelled)] == [0, 1]
    assert events[-1].duration_ms == 2000


async def test_the_time_limit_of_a_body_fails_its_item_and_that_of_the_execution_all() -> None:
    body = flow(
        {"n": {"node_type": "nap", "config": {"seconds": "${{ input.item }}"}}},
        settings={"max_execution_time_ms": 3000},
        outputs={"r": 1},
    )
    outputs = (await run(flow({"l": loop(body, [1, 5, 2], on_item_error="collect")}))).outputs["l"]
    assert outputs["results"] == [{"r": 1}, None, {"r": 1}]
    assert [one["index"] for one in outputs["errors"]] == [1]
    result = await run(flow({"l": loop(body, [1, 1, 1])}, settings={"max_execution_time_ms": 2500}))
    assert (result.status, result.duration_ms) == ("failed", 2500)


async def test_cancelling_the_execution_ends_what_runs_and_waits_inside() -> None:
    body = flow(
        {
            "n": nap(60),
            "w": wait("never"),
            "f": {"node_type": "fail", "retry_policy": {"delay_ms": 60_000}},
            "t": nap(),
        },
        "n.result -> t.value",
    )
    document = flow({"l": loop(flow({"s": subflow(body)}), [1, 2], concurrency=2)})
    async with runtime_on(ManualClock()) as runtime:
        with anyio.fail_after(20):
            execution_id = await runtime.submit(document)
            await until_waiting(runtime, execution_id, 2)
            runtime.cancel(execution_id)
            result = await runtime.wait(execution_id)
            events = await events_so_far(runtime, execution_id)
    assert (result.status, result.duration_ms) == ("cancelled", 0)
    cancelled = [(len(event.path), event.node_id) for event in of(events, NodeCancelled)]
    assert sorted(cancelled) == sorted([(0, "l"), *[(1, "s")] * 2, *[(2, name) for name in ("n", "w", "f")] * 2])
    assert "t" not in [event.node_id for event in of(events, NodeStarted)]


async def test_a_failure_beside_a_loop_ends_it() -> None:
    document = flow({"l": loop(flow({"n": nap(60)}), [1, 2]), "m": nap(3), "f": "fail"}, "m.result -> f.value")
    events = await events_of(document)
    assert (events[-1].status, events[-1].error["node_id"], events[-1].duration_ms) == ("failed", "f", 3000)
    assert sorted(event.node_id for event in of(events, NodeCancelled)) == ["l", "n"]


# --- attempts and keys -----------------------------------------------------------------------------------


async def test_a_retried_loop_starts_its_items_from_nothing_with_the_same_keys() -> None:
    seen: list[tuple[int, int, int, str]] = []

    @node("local.seen", effects="pure")
    async def see(ctx: Context, item: Any = None) -> Any:
        """Note the key, and fail for item 1 in the loop's first two attempts."""
        _, index, container = ctx.path[0]
        seen.append((container, index or 0, ctx.attempt, ctx.idempotency_key))
        if index == 1 and container < 3:
            raise RetryableNodeError("Come again.")
        return item

    body = flow({"n": "seen"}, outputs={"r": "${{ nodes.n.result }}"})
    document = flow({"l": {**loop(body, ["a", "b", "c"]), "retry_policy": {"max_attempts": 3}}})
    clock = ManualClock(autojump=True)
    async with Runtime(registry=REGISTRY, nodes=[see], clock=clock) as runtime:
        events: list[Any] = [event async for event in runtime.follow(await runtime.submit(document))]
    assert [(container, index, attempt) for container, index, attempt, _ in seen] == [
        (1, 0, 1),
        (1, 1, 1),
        (2, 0, 1),
        (2, 1, 1),
        (3, 0, 1),
        (3, 1, 1),
        (3, 2, 1),
    ]
    keys = {index: {key for _, other, _, key in seen if other == index} for index in range(3)}
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert len(set.union(*keys.values())) == 3
    assert [event.node_id for event in of(events, NodeRetrying)] == ["l", "l"]
    assert events[-1].outputs == {"l": {"results": [{"r": "a"}, {"r": "b"}, {"r": "c"}], "errors": []}}


async def test_each_item_has_a_state_of_its_own() -> None:
    @node("local.tally", effects="pure")
    async def tally(ctx: Context, item: Any = None) -> Any:
        """Fail until the state has counted to the item."""
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        if ctx.state["n"] < item:
            raise RetryableNodeError("Come again.")
        return ctx.state["n"]

    body = flow(
        {"n": {"node_type": "tally", "retry_policy": {"max_attempts": 9}}}, outputs={"r": "${{ nodes.n.result }}"}
    )
    document = flow({"l": loop(body, [3, 1, 5, 2], concurrency=2)})
    async with Runtime(registry=REGISTRY, nodes=[tally], clock=ManualClock(autojump=True)) as runtime:
        outputs = (await runtime.run(document)).outputs
    assert outputs["l"]["results"] == [{"r": 3}, {"r": 1}, {"r": 5}, {"r": 2}]


# --- memory ----------------------------------------------------------------------------------------------


async def test_ten_thousand_items_leave_their_results_and_events_in_memory_and_nothing_else() -> None:
    taken: dict[int, int] = {}

    @node("local.weigh", effects="pure")
    async def weigh(index: int) -> None:
        """Note the memory at two moments."""
        if index in {2000, 9999}:
            taken[index] = tracemalloc.get_traced_memory()[0]

    document = flow({"l": loop(flow({"n": "weigh"}, outputs={"r": 1}), list(range(10_000)))})
    tracemalloc.start()
    try:
        async with Runtime(registry=REGISTRY, nodes=[weigh], clock=ManualClock(autojump=True)) as runtime:
            assert (await runtime.run(document)).status == "succeeded"
    finally:
        tracemalloc.stop()
    # Two events and a result are some 500 bytes; what the engine needs to run a body would be several times as much.
    assert (taken[9999] - taken[2000]) / 7999 < 1000


@pytest.mark.parametrize("count", [40, 3000])
async def test_a_body_that_wraps_what_the_last_item_gave_ends_with_an_error(count: int) -> None:
    body = {"nodes": [{"id": "n", "node_type": "debug.noop", "inputs": {"v": "${{ input.last }}"}}]}
    loop = {"id": "l", "node_type": "control.loop", "config": {"mode": "times", "times": count, "body": body}}
    async with Runtime() as runtime:
        result = await runtime.run({"name": "deep", "nodes": [loop]})
    assert result.error is not None
    assert result.error["details"]["error"]["code"] == "outputs.not_a_value"
