"""What plugins put around attempts."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from flowcore.events import NodeWaiting, NodeWoken, WorkflowResumed
from flowcore.executions import ExecutionResult
from flowruntime import Runtime
from flowruntime.authoring import Context, FatalNodeError, Node, Port, RetryableNodeError, Wait, node
from flowruntime.secrets import Net

from core.flowruntime.tests.hooks.installed_plugins import Plugins, codes

#: Writes what it sees into a list that the test finds in the module `threading`, which all share.
WRAPPER = """
current = threading.flow_current

@hookimpl
@contextlib.asynccontextmanager
async def around_attempt(ctx, node_type):
    seen = threading.flow_seen
    token = current.set(f"{{ctx.node_id}} {{ctx.attempt}}")
    seen.append(f"{name}enter {{node_type.id}} {{ctx.attempt}}")
    try:
        yield
    except BaseException as error:
        seen.append(f"{name}{{type(error).__name__}}")
        raise
    else:
        seen.append("{name}done")
    finally:
        current.reset(token)
"""
GENERATOR = """
async def around_attempt():
    threading.flow_seen.append('in')
    yield
    threading.flow_seen.append('out')
"""
BAD = """
class Untold(Exception):
    def __str__(self):
        raise ValueError

@hookimpl
@contextlib.asynccontextmanager
async def around_attempt(ctx):
    {}
"""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    import contextvars

    made: list[str] = []
    monkeypatch.setattr(threading, "flow_seen", made, raising=False)
    monkeypatch.setattr(threading, "flow_current", contextvars.ContextVar("current", default=""), raising=False)
    return made


def current() -> str:
    value: str = threading.flow_current.get()  # type: ignore[attr-defined]
    return value


@node("asynchronous", effects="pure")
async def asynchronous(value: int = 1) -> str:
    return current()


@node("inline", effects="pure")
def inline(value: int = 1) -> str:
    return current()


@node("on_thread", effects="read", blocking=True)
def on_thread(value: int = 1) -> str:
    assert threading.current_thread() is not threading.main_thread()
    return current()


@node("Counting", effects="pure", inputs=[], outputs=[Port(name="result")])
class Counting(Node):
    async def execute(self, ctx: Context) -> dict[str, str]:
        return {"result": current()}


@node("failing", effects="pure")
async def failing(value: int = 1) -> str:
    raise FatalNodeError("It does not work.", code="test.broken")


@node("once_more", effects="pure", retry_policy={"max_attempts": 2, "delay_ms": 0})
async def once_more(ctx: Context) -> str:
    if ctx.attempt == 1:
        raise RetryableNodeError("Not yet.", code="test.later")
    return "there"


@node("hanging", effects="pure", timeout_ms=20)
async def hanging() -> None:
    await asyncio.Event().wait()


@node("busy", effects="pure")
async def busy(ctx: Context) -> None:
    ctx.events.info("here")
    await asyncio.Event().wait()


@node("exiting", effects="pure")
async def exiting() -> None:
    raise SystemExit(3)


@node("waiting", effects="pure")
async def waiting(ctx: Context) -> Any:
    return "woken" if ctx.woken else Wait(signal="go")


NODES = (asynchronous, inline, on_thread, Counting, failing, once_more, hanging, busy, exiting, waiting)


def document(node_type: str) -> dict[str, Any]:
    return {"name": "One", "nodes": [{"id": "n", "node_type": f"local.{node_type}"}]}


async def run(runtime: Runtime, node_type: str) -> ExecutionResult:
    async with runtime:
        return await runtime.run(document(node_type))


@pytest.mark.parametrize("node_type", ["asynchronous", "inline", "on_thread", "Counting"])
async def test_every_kind_of_node_runs_inside_and_sees_context_variables(
    plugins: Plugins, seen: list[str], node_type: str
) -> None:
    plugins.add("acme", WRAPPER.format(name=""))
    result = await run(plugins.runtime(NODES), node_type)
    assert result.node_outputs == {"n": {"result": "n 1"}}
    assert seen == [f"enter local.{node_type} 1", "done"]
    assert current() == ""


@pytest.mark.parametrize("node_type", ["asynchronous", "inline", "on_thread", "Counting"])
async def test_without_a_plugin_nothing_is_put_around_a_node(plugins: Plugins, seen: list[str], node_type: str) -> None:
    result = await run(plugins.runtime(NODES), node_type)
    assert (result.node_outputs, seen) == ({"n": {"result": ""}}, [])


def loop_of(node_type: str) -> dict[str, Any]:
    body = {"name": "Body", "nodes": [{"id": "inner", "node_type": f"local.{node_type}"}]}
    loop = {"id": "loop", "node_type": "control.loop", "config": {"mode": "times", "times": 2, "body": body}}
    return {"name": "Loop", "nodes": [loop]}


async def test_loops_and_what_runs_in_them_are_wrapped_each_by_itself(plugins: Plugins, seen: list[str]) -> None:
    plugins.add("acme", WRAPPER.format(name=""))
    async with Runtime(nodes=NODES, registry=plugins.beside_others()) as runtime:
        result = await runtime.run(loop_of("inline"))
    assert result.node_outputs["loop"]["results"] == [{"inner": {"result": "inner 1"}}] * 2
    assert seen == ["enter control.loop 1", "done", *["enter local.inline 1", "done"] * 2]


async def test_a_loop_that_is_resumed_is_made_anew_without_being_wrapped_again(
    plugins: Plugins, seen: list[str], tmp_path: Path
) -> None:
    plugins.add("acme", WRAPPER.format(name=""))
    registry, db = plugins.beside_others(), f"sqlite:///{tmp_path / 'flow.db'}"
    async with Runtime(db, name="one", nodes=NODES, registry=registry) as runtime:
        execution_id = await runtime.submit(loop_of("waiting"))
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeWaiting):
                break
    assert seen == ["enter control.loop 1", "done", "enter local.waiting 1", "done"]
    seen.clear()
    async with Runtime(db, nodes=NODES, registry=registry) as runtime:
        await runtime.resume(execution_id)
        woken = 0
        async for event in runtime.follow(execution_id):
            woken += isinstance(event, NodeWoken)
            if isinstance(event, WorkflowResumed) or (isinstance(event, NodeWaiting) and woken):
                runtime.signal(execution_id, "go")
        result = await runtime.wait(execution_id)
    assert (result.status, result.error) == ("succeeded", None)
    assert result.node_outputs["loop"]["results"] == [{"inner": {"result": "woken"}}] * 2
    assert seen == ["enter local.waiting 1", "done"] * 3


async def test_each_attempt_and_each_call_after_a_wait_is_wrapped(plugins: Plugins, seen: list[str]) -> None:
    plugins.add("acme", WRAPPER.format(name=""))
    runtime = plugins.runtime(NODES)
    async with runtime:
        result = await runtime.run(document("once_more"))
        assert result.node_outputs == {"n": {"result": "there"}}
        execution_id = await runtime.submit(document("waiting"))
        async for event in runtime.follow(execution_id):
            if type(event).__name__ == "NodeWaiting":
                runtime.signal(execution_id, "go")
        assert (await runtime.wait(execution_id)).node_outputs == {"n": {"result": "woken"}}
    assert seen == [
        *["enter local.once_more 1", "RetryableNodeError", "enter local.once_more 2", "done"],
        *["enter local.waiting 1", "done"] * 2,
    ]


async def test_several_plugins_are_nested_in_the_order_of_their_distributions(
    plugins: Plugins, seen: list[str]
) -> None:
    plugins.add("b-acme", WRAPPER.format(name="b "))
    plugins.add("a-acme", WRAPPER.format(name="a "))
    await run(plugins.runtime(NODES), "inline")
    assert [text.split()[:2] for text in seen] == [["a", "enter"], ["b", "enter"], ["b", "done"], ["a", "done"]]


@pytest.mark.parametrize(
    ("node_type", "raised", "code"),
    [
        ("failing", "FatalNodeError", "test.broken"),
        ("hanging", "CancelledError", "node.timeout"),
        ("exiting", "SystemExit", None),
    ],
)
async def test_what_ends_an_attempt_passes_through_and_stays_what_it_is(
    plugins: Plugins, seen: list[str], node_type: str, raised: str, code: str | None
) -> None:
    plain = await run(plugins.runtime(NODES), node_type)
    plugins.add("acme", WRAPPER.format(name=""))
    wrapped = await run(plugins.runtime(NODES), node_type)
    assert wrapped.error is not None
    assert plain.error is not None
    same = ("type", "code", "message", "attempt")
    assert [wrapped.error[name] for name in same] == [plain.error[name] for name in same]
    assert code is None or wrapped.error["code"] == code
    assert seen == [f"enter local.{node_type} 1", raised]


async def test_a_cancelled_execution_cancels_the_attempt_inside(plugins: Plugins, seen: list[str]) -> None:
    plugins.add("acme", WRAPPER.format(name=""))
    runtime = plugins.runtime(NODES)
    async with runtime:
        execution_id = await runtime.submit(document("busy"))
        async for event in runtime.follow(execution_id):
            if type(event).__name__ == "NodeEvent":
                runtime.cancel(execution_id)
        assert (await runtime.wait(execution_id)).status == "cancelled"
    assert seen == ["enter local.busy 1", "CancelledError"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise RuntimeError('no')\n    yield", "hooks.call"),
        ("raise SystemExit(3)\n    yield", "hooks.call"),
        ("raise asyncio.CancelledError\n    yield", "hooks.call"),
        ("yield\n    raise RuntimeError('no')", "hooks.call"),
        ("yield\n    raise SystemExit(3)", "hooks.call"),
        ("yield\n    raise asyncio.CancelledError", "hooks.call"),
        ("yield\n    yield", "hooks.call"),
        ("await asyncio.sleep(60)\n    yield", "hooks.hung"),
        ("yield\n    await asyncio.sleep(60)", "hooks.hung"),
        ("if False: yield", "hooks.call"),
        ("raise Untold\n    yield", "hooks.call"),
        ("yield\n    raise Untold", "hooks.call"),
        ("yield", None),
    ],
)
@pytest.mark.parametrize("node_type", ["asynchronous", "on_thread"])
async def test_a_wrapper_that_fails_changes_nothing_and_is_reported_once(
    plugins: Plugins, caplog: pytest.LogCaptureFixture, seen: list[str], *, body: str, code: str | None, node_type: str
) -> None:
    plugins.add("a-bad", BAD.format(body))
    plugins.add("b-good", WRAPPER.format(name=""))
    runtime = plugins.runtime(NODES)
    hooks = runtime.registry.hooks
    assert hooks is not None
    hooks.limit_seconds = 0.05
    caplog.set_level(logging.WARNING, "flowruntime")
    async with runtime:
        for _ in range(3):
            result = await runtime.run(document(node_type))
            assert result.node_outputs == {"n": {"result": "n 1"}}
    assert seen == [f"enter local.{node_type} 1", "done"] * 3
    assert codes(runtime) == ([] if code is None else [("a-bad", code)])
    assert len(caplog.records) == len(codes(runtime))


@pytest.mark.parametrize(
    "body",
    [
        "try: yield\n    except Exception: pass",
        "try: yield\n    except Exception as error: raise RuntimeError('other') from error",
        "try: yield\n    finally: await asyncio.sleep(0)",
    ],
)
async def test_a_wrapper_cannot_swallow_or_replace_the_nodes_own_error(plugins: Plugins, body: str) -> None:
    plugins.add("acme", BAD.format(body))
    result = await run(plugins.runtime(NODES), "failing")
    assert result.error is not None
    assert (result.status, result.error["code"], result.error["message"]) == (
        "failed",
        "test.broken",
        "It does not work.",
    )


@pytest.mark.parametrize(
    "around", ["async with asyncio.timeout(0)", "with anyio.move_on_after(0)", "with anyio.fail_after(0)"]
)
async def test_a_wrapper_that_cancels_attempts_is_told_of(plugins: Plugins, around: str) -> None:
    plugins.add("acme", "import anyio\n" + BAD.format(f"{around}: yield"))
    runtime = plugins.runtime(NODES)
    result = await run(runtime, "busy")
    assert result.status == "failed"
    assert ("acme", "hooks.wrapper") in codes(runtime)
    assert any("cancels attempts" in problem.message for problem in runtime.registry.problems)


async def test_what_a_wrapper_raises_is_told_without_the_secrets_that_it_saw(
    plugins: Plugins, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FLOW_SECRET_TOKEN", "hunter2-canary")
    plugins.add("acme", BAD.format("raise ValueError(ctx.secrets['TOKEN'].reveal())\n    yield"))
    runtime = plugins.runtime(NODES)
    await run(runtime, "inline")
    [problem] = runtime.registry.problems
    assert "raised ValueError: ***." in problem.message
    assert "***" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("given", ["3", "contextlib.nullcontext", "asyncio.sleep(0)", "open"])
async def test_what_is_no_context_manager_is_a_problem_and_leaves_the_attempt_alone(
    plugins: Plugins, seen: list[str], given: str
) -> None:
    plugins.add("acme", f"@hookimpl\ndef around_attempt(ctx):\n    return {given}\n")
    runtime = plugins.runtime(NODES)
    assert (await run(runtime, "inline")).status == "succeeded"
    assert codes(runtime) == [("acme", "hooks.wrapper")]


@pytest.mark.parametrize(
    "hook",
    [
        GENERATOR,
        "def around_attempt(node_type):\n    return None if 'fail' in node_type.id else contextlib.nullcontext()\n",
    ],
)
async def test_async_generators_and_none_are_fine(plugins: Plugins, seen: list[str], hook: str) -> None:
    plugins.add("acme", f"@hookimpl\n{hook.lstrip()}")
    runtime = plugins.runtime(NODES)
    async with runtime:
        assert (await runtime.run(document("inline"))).status == "succeeded"
        assert (await runtime.run(document("failing"))).status == "failed"
    assert codes(runtime) == []
    assert seen in (["in", "out", "in"], [])


async def test_a_cancellation_while_wrappers_are_left_still_leaves_all_of_them(plugins: Plugins) -> None:
    from flowruntime.hooks.wrapping import AttemptWrappers

    left: list[str] = []
    leaving = asyncio.Event()

    def wrapper(name: str) -> Callable[..., Any]:
        @asynccontextmanager
        async def around() -> AsyncIterator[None]:
            try:
                yield
                leaving.set()
                await asyncio.Event().wait()
            finally:
                left.append(name)

        return lambda **_: around()

    wrappers = AttemptWrappers(plugins.load(), Net())
    wrappers._callers = {"a": wrapper("a"), "b": wrapper("b")}

    async def attempt() -> int:
        return 1

    anything: Any = None
    task = asyncio.create_task(wrappers.run(anything, anything, attempt))
    await leaving.wait()
    leaving.clear()
    task.cancel()
    await leaving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["b", "a"]
