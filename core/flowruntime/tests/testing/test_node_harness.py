"""The harness runs one node on a real engine: its own error comes out, and time, network and secrets are the test's."""

import os
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
from flowcore.errors import ExecutionError, FatalNodeError, RetryableNodeError, WorkflowInvalid
from flowcore.events import NodeRetrying, NodeWaiting, WorkflowCompleted
from flowcore.values import Blob
from flowruntime.authoring import Context, InstanceContext, Node, Port, Secret, Wait, node
from flowruntime.testing import ManualClock, NodeHarness, run_node


class OwnError(Exception):
    """Nobody else's."""


@node("acme.shout", effects="pure")
def shout(text: str, *, times: int = 1) -> str:
    return text.upper() + "!" * times


@node("acme.remind", effects="pure")
async def remind(ctx: Context, text: str, *, hours: float = 24, signal: str | None = None) -> str | Wait:
    if ctx.woken is None:
        ctx.state["asked"] = ctx.now().isoformat()
        return Wait(until=ctx.now() + timedelta(hours=hours) if hours else None, signal=signal)
    return f"{text} ({ctx.woken.reason}: {ctx.woken.value})"


@node("acme.flaky", effects="read", retry_policy={"max_attempts": 3, "delay_ms": 60_000})
async def flaky(ctx: Context, *, good_from: int = 3) -> int:
    await ctx.sleep(200)
    ctx.events.info(f"attempt {ctx.attempt}")
    ctx.state["last"] = ctx.attempt
    if ctx.attempt < good_from:
        raise OwnError(ctx.attempt)
    return ctx.attempt


@node("acme.fetch", effects="read")
async def fetch(url: str, ctx: Context, *, token: Secret) -> str:
    headers = {"token": token.reveal(), "other": ctx.secrets["OTHER"].reveal()}
    async with ctx.http.stream("GET", url, headers=headers) as answer:
        return (await answer.aread()).decode()


@node("acme.block", effects="read", timeout_ms=200)
def block(ctx: Context, *, seconds: float = 0) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)
    raise OwnError("on a thread")


@node("acme.nap", effects="read", timeout_ms=1000)
async def nap(ctx: Context, *, seconds: float) -> float:
    before = ctx.now()
    await ctx.sleep(seconds)
    return (ctx.now() - before).total_seconds()


@node("acme.wrong", effects="pure", outputs=[Port(name="a")])
def wrong() -> dict[str, Any]:
    return {"b": 1}


@node("acme.count", effects="pure", inputs=[], outputs=[Port(name="n")])
class Count(Node):
    """Counts, and says when it was shut down."""

    def __init__(self) -> None:
        self.n = 0
        self.ended = False

    async def execute(self, ctx: Context) -> dict[str, Any]:
        self.n += 1
        return {"n": self.n}

    async def shutdown(self) -> None:
        self.ended = True


@node("acme.unready", effects="pure", inputs=[], outputs=[])
class Unready(Node):
    @classmethod
    def create(cls, config: Mapping[str, Any]) -> "Unready":
        if os.environ.get("FLOW_SECRET_CREATE") == "no":
            raise OwnError("create")
        return cls()

    async def initialize(self, ctx: InstanceContext) -> None:
        raise OwnError("initialize")

    async def execute(self, ctx: Context) -> None:
        pass


# --- inputs, config, outputs -------------------------------------------------------------------------


async def test_a_node_of_a_pack_runs_under_its_own_id(node_harness: NodeHarness) -> None:
    ran = await node_harness.run(shout, {"text": "hi"}, {"times": 2})
    assert ran.outputs == {"result": "HI!!"}
    assert ran.attempts == 1
    assert ran.result.status == "succeeded"
    assert "acme.shout" in str(ran.events)


async def test_what_does_not_fit_the_declaration_is_refused_as_in_a_workflow(node_harness: NodeHarness) -> None:
    with pytest.raises(WorkflowInvalid, match="'time'"):
        await node_harness.run(shout, {"text": "hi"}, {"time": 2})
    with pytest.raises(WorkflowInvalid, match="'text'"):
        await node_harness.run(shout)


async def test_blobs_go_in_and_come_out(node_harness: NodeHarness) -> None:
    @node("acme.same", effects="pure", outputs=[Port(name="data")])
    def same(data: Blob) -> dict[str, Blob]:
        return {"data": data}

    blob = Blob.from_bytes(b"\x00\x01")
    assert (await node_harness.run(same, {"data": blob})).outputs == {"data": blob}


async def test_what_is_no_node_is_told(node_harness: NodeHarness) -> None:
    with pytest.raises(TypeError, match="Decorate it with @node"):
        await node_harness.run(lambda: 1)


# --- errors ------------------------------------------------------------------------------------------


async def test_the_exception_that_the_node_raised_comes_out_itself(node_harness: NodeHarness) -> None:
    with pytest.raises(OwnError) as raised:
        await node_harness.run(flaky, config={"good_from": 9})
    assert raised.value.args == (3,)  # that of the last attempt
    with pytest.raises(OwnError, match="on a thread"):
        await node_harness.run(block)


@pytest.mark.parametrize(("secrets", "where"), [({"CREATE": "no"}, "create"), ({}, "initialize")])
async def test_so_does_one_from_create_or_initialize(
    node_harness: NodeHarness, secrets: dict[str, str], where: str
) -> None:
    with pytest.raises(OwnError, match=where):
        await node_harness.run(Unready, secrets=secrets)


async def test_what_the_engine_finds_wrong_comes_out_with_its_code(node_harness: NodeHarness) -> None:
    with pytest.raises(FatalNodeError) as refused:
        await node_harness.run(wrong)
    assert refused.value.code == "node.output_port"
    with pytest.raises(RetryableNodeError) as late:
        await node_harness.run(nap, config={"seconds": 5})
    assert late.value.code == "node.timeout"


# --- time --------------------------------------------------------------------------------------------


async def test_sleeps_delays_and_waits_take_no_time(node_harness: NodeHarness) -> None:
    ran = await node_harness.run(flaky)
    assert ran.outputs == {"result": 3}
    assert ran.said == ["attempt 1", "attempt 2", "attempt 3"]
    assert (ran.state, ran.attempts) == ({"last": 3}, 3)
    assert ran.result.duration_ms > 3 * 200_000 + 2 * 50_000
    assert (await node_harness.run(nap, config={"seconds": 0.5})).outputs == {"result": 0.5}
    waited = await node_harness.run(remind, {"text": "call"}, {"hours": 48})
    assert waited.outputs == {"result": "call (due: None)"}
    assert waited.result.duration_ms == 48 * 3_600_000


async def test_a_busy_thread_does_not_run_into_its_timeout_by_a_jump_of_the_clock(node_harness: NodeHarness) -> None:
    with pytest.raises(OwnError):  # half a second of work, a timeout of 200 ms on a clock that stands still
        await node_harness.run(block, config={"seconds": 0.5})


async def test_a_clock_of_the_test_is_moved_by_the_test_alone(
    node_harness: NodeHarness, manual_clock: ManualClock
) -> None:
    async with node_harness.open(remind, {"hours": 5}, clock=manual_clock) as opened:
        assert opened.clock is manual_clock
        running = await opened.start({"text": "call"})
        waiting = await running.until(NodeWaiting)
        assert waiting.until_us == manual_clock.now_us() + 5 * 3_600_000_000
        with pytest.raises(TimeoutError, match="wait for the clock of the test"):
            await running.until(WorkflowCompleted, limit_seconds=0.05)
        manual_clock.advance(5 * 3600)
        assert (await running.ended()).outputs == {"result": "call (due: None)"}


async def test_a_node_is_run_step_by_step(node_harness: NodeHarness) -> None:
    async with node_harness.open(flaky, {"good_from": 2}) as opened:
        running = await opened.start()
        with pytest.raises(TimeoutError):
            await running.until(NodeRetrying, limit_seconds=0.05)  # it sleeps, and time stands still
        await anyio.wait_all_tasks_blocked()
        opened.clock.advance(200)
        retrying = await running.until(NodeRetrying)
        assert (retrying.attempt, running.state) == (1, {"last": 1})
        opened.clock.advance(70)
        with pytest.raises(TimeoutError):
            await running.until(WorkflowCompleted, limit_seconds=0.05)
        await anyio.wait_all_tasks_blocked()
        opened.clock.advance(200)
        assert (await running.ended()).outputs == {"result": 2}


# --- signals, cancelling, instances ------------------------------------------------------------------


async def test_signals_are_sent_when_the_node_waits_for_them(node_harness: NodeHarness) -> None:
    config = {"hours": 0, "signal": "go"}
    ran = await node_harness.run(remind, {"text": "call"}, config, signals={"go": {"by": "Ada"}})
    assert ran.outputs == {"result": "call (signal: {'by': 'Ada'})"}
    with pytest.raises(ExecutionError, match=r"signals=\{'go': …\}"):
        await node_harness.run(remind, {"text": "call"}, config)
    async with node_harness.open(remind, config) as opened:
        running = await opened.start({"text": "call"})
        assert (await running.until(NodeWaiting)).signal == "go"
        assert list(running.state) == ["asked"]
        running.signal("go", 1)
        assert (await running.ended()).outputs == {"result": "call (signal: 1)"}


async def test_a_cancelled_node_is_told_as_such(node_harness: NodeHarness) -> None:
    async with node_harness.open(remind) as opened:
        running = await opened.start({"text": "call"})
        await running.until(NodeWaiting)
        running.cancel()
        with pytest.raises(ExecutionError, match="was cancelled"):
            await running.ended()


async def test_an_event_that_does_not_come_is_told_with_the_last_one(node_harness: NodeHarness) -> None:
    async with node_harness.open(shout) as opened:
        running = await opened.start({"text": "hi"})
        with pytest.raises(LookupError, match="without NodeWaiting; its last event was WorkflowCompleted"):
            await running.until(NodeWaiting)


async def test_an_open_node_keeps_its_instance_and_is_shut_down(node_harness: NodeHarness) -> None:
    async with node_harness.open(Count) as opened:
        assert opened.instance is None
        assert [(await opened.run()).outputs["n"] for _ in range(3)] == [1, 2, 3]
        instance = opened.instance
        assert isinstance(instance, Count)
        assert not instance.ended
    assert instance.ended


# --- secrets and the network -------------------------------------------------------------------------


async def test_requests_are_answered_by_the_test_and_secrets_are_its_own(
    node_harness: NodeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOW_SECRET_OTHER", "from outside")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # would be asked by a client of the real network

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"url": str(request.url), **{key: request.headers[key] for key in keys}})

    keys = ("token", "other")
    ran = await node_harness.run(
        fetch,
        {"url": "https://example.com/"},
        {"token": "${{ secrets.TOKEN }}"},
        secrets={"TOKEN": "t-1", "OTHER": "o-1"},
        http=answer,
    )
    assert ran.outputs == {"result": '{"url":"https://example.com/","token":"t-1","other":"o-1"}'}
    assert "FLOW_SECRET_TOKEN" not in os.environ
    assert os.environ["FLOW_SECRET_OTHER"] == "from outside"


async def test_a_transport_can_answer_too(node_harness: NodeHarness) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="from a transport")

    transport = httpx.MockTransport(answer)
    secrets = {"TOKEN": "t", "OTHER": "o"}
    async with node_harness.open(fetch, {"token": "${{ secrets.TOKEN }}"}, secrets=secrets, http=transport) as opened:
        assert (await opened.run({"url": "https://example.com/"})).outputs == {"result": "from a transport"}


# --- run_node ----------------------------------------------------------------------------------------


async def test_run_node_gives_a_failure_as_a_result() -> None:
    failed = await run_node(block)
    assert failed.error is not None
    assert (failed.status, failed.error["type"]) == ("failed", "OwnError")
    assert (await run_node(shout, {"text": "hi"})).node_outputs == {"node": {"result": "HI!"}}
