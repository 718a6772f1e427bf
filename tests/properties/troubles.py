"""Random workflows with a script of what goes wrong in each: failures, waits, slowness, cancels, signals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import anyio
from flowcore.errors import ExecutionError
from flowcore.nodes import Port
from flowruntime import Runtime
from flowruntime.authoring import Context, FatalNodeError, RetryableNodeError, Wait, node
from flowruntime.plan import Plan
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock
from hypothesis import strategies as st

from tests.properties.random_workflows import NEEDY_TYPE, NODE_TYPE, Scenario, check, scenarios

__all__ = ["Call", "Happening", "NodeScript", "Played", "Reaction", "Seen", "Trouble", "play", "troubles"]

#: Few values, so that things often happen at the same moment.
TAKES_MS = (0, 1, 300, 1000, 2500, 7000)
SIGNALS = ("one", "two")


Then: TypeAlias = Literal["wait", "give", "error", "fatal", "wish"]


@dataclass(frozen=True)
class Call:
    """What a node does when it is called: it takes some time, then waits or ends its attempt."""

    takes_us: int
    then: Then
    gives: tuple[str, ...] = ()
    until_us: int | None = None
    signal: str | None = None
    wish_seconds: float = 0


@dataclass(frozen=True)
class Reaction:
    """What an attempt does when it is cancelled."""

    takes_us: int
    then: Literal["cancelled", "late", "failed"]


@dataclass(frozen=True)
class NodeScript:
    """The calls of each attempt; the last attempt's hold for all that follow."""

    attempts: tuple[tuple[Call, ...], ...]
    reaction: Reaction

    def calls(self, attempt: int) -> tuple[Call, ...]:
        return self.attempts[min(attempt, len(self.attempts)) - 1]


@dataclass(frozen=True)
class Happening:
    """Something from outside, so long after the start."""

    at_us: int
    signal: str | None


@dataclass(frozen=True)
class Trouble:
    document: dict[str, Any]
    scripts: dict[str, NodeScript]
    happenings: tuple[Happening, ...]
    seed: int

    def plan(self) -> Plan:
        checked = check(self.document)
        assert checked.plan is not None, [str(problem) for problem in checked.problems]
        return checked.plan


@dataclass(frozen=True)
class Seen:
    """What a node saw when it was called."""

    attempt: int
    call: int
    inputs: dict[str, Any]
    woken: tuple[str, Any] | None
    #: How many calls its state knew of.
    known_calls: int
    key: str


@dataclass
class Played:
    """How it went: the log, what the nodes saw, and after which event something happened, and whether it was taken."""

    log: list[Any] = field(default_factory=list)
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    happened: list[tuple[int, int, Happening, bool]] = field(default_factory=list)
    result: Any = None


# --- drawing ----------------------------------------------------------------------------------------


@st.composite
def troubles(draw: st.DrawFn, *, max_nodes: int = 7, happenings: bool = True) -> Trouble:
    """A valid workflow in which much goes wrong."""
    scenario: Scenario = draw(scenarios(max_nodes=max_nodes))
    document = scenario.document
    for given in document["nodes"]:
        if given["on_error"] == "stop" and draw(st.booleans()):
            given["on_error"] = None
        given["retry_policy"] = draw(st.none() | _policies())
        given["timeout_ms"] = draw(st.sampled_from([None, None, 500, 2000, 4000]))
    document["settings"]["on_error"] = draw(
        st.sampled_from(["StopWorkflow", "ContinueOnError", *({"RetryWorkflow": {"max_attempts": n}} for n in (2, 3))])
    )
    document["settings"]["max_execution_time_ms"] = draw(st.sampled_from([None, None, None, 1013, 4007, 9011]))
    return Trouble(
        document=document,
        scripts={given["id"]: draw(_scripts()) for given in document["nodes"]},
        happenings=tuple(draw(st.lists(_happenings(), max_size=5))) if happenings else (),
        seed=draw(st.integers(0, 3)),
    )


def _takes() -> st.SearchStrategy[int]:
    return st.sampled_from([takes_ms * 1000 for takes_ms in TAKES_MS])


def _policies() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"max_attempts": st.integers(1, 4)},
        optional={
            "delay_ms": st.sampled_from([0, 1, 500, 1300]),
            "backoff_multiplier": st.sampled_from([1, 1.5, 3]),
            "max_delay_ms": st.sampled_from([400, 2000]),
            "jitter": st.sampled_from([0, 0.1, 1]),
            "retry_on_timeout": st.booleans(),
        },
    )


@st.composite
def _scripts(draw: st.DrawFn) -> NodeScript:
    reaction = Reaction(
        takes_us=draw(st.sampled_from([0, 0, 1_000_000, 9_000_000, 10_000_000, 15_000_000])),
        then=draw(st.sampled_from(["cancelled", "cancelled", "late", "failed"])),
    )
    attempts = draw(st.lists(_attempts(), min_size=1, max_size=3))
    return NodeScript(tuple(attempts), reaction)


@st.composite
def _attempts(draw: st.DrawFn) -> tuple[Call, ...]:
    waits = [
        Call(takes_us=draw(_takes()), then="wait", until_us=until_us, signal=signal)
        for until_us, signal in draw(
            st.lists(
                st.sampled_from([(0, None), (700_000, None), (3_000_000, "one"), (None, "two"), (20_000_000, "two")]),
                max_size=2,
            )
        )
    ]
    thens: tuple[Then, ...] = ("give", "give", "give", "error", "error", "fatal", "wish")
    then = draw(st.sampled_from(thens))
    last = Call(
        takes_us=draw(_takes()),
        then=then,
        gives=draw(st.sampled_from([("x",), ("y",), ("x", "y"), ()])) if then == "give" else (),
        wish_seconds=draw(st.sampled_from([0.2, 1, 90])) if then == "wish" else 0,
    )
    return (*waits, last)


@st.composite
def _happenings(draw: st.DrawFn) -> Happening:
    at_us = draw(st.sampled_from([0, 1000, 300_000, 1_000_000, 2_500_000, 4_000_000, 8_000_000, 13_000_000]))
    return Happening(at_us, draw(st.sampled_from([None, *SIGNALS, *SIGNALS])))


# --- playing ----------------------------------------------------------------------------------------

_PLAYING: list[tuple[Trouble, Played]] = []
_OUTPUTS = [Port(name="x"), Port(name="y")]


async def _act(ctx: Context) -> Any:
    trouble, played = _PLAYING[-1]
    script = trouble.scripts[ctx.node_id]
    seen = played.seen.setdefault(ctx.node_id, [])
    number = sum(earlier.attempt == ctx.attempt for earlier in seen)
    known_calls: Any = ctx.state.get("calls", 0)
    woken = None if ctx.woken is None else (ctx.woken.reason, ctx.woken.value)
    seen.append(Seen(ctx.attempt, number, dict(ctx.inputs), woken, known_calls, ctx.idempotency_key))
    ctx.state["calls"] = known_calls + 1
    ctx.events.info(f"call {number}")
    call = script.calls(ctx.attempt)[number]
    try:
        if call.takes_us:
            await ctx.sleep(call.takes_us / 1_000_000)
    except asyncio.CancelledError:
        if script.reaction.takes_us:
            await ctx.sleep(script.reaction.takes_us / 1_000_000)
        if script.reaction.then == "cancelled":
            raise
        if script.reaction.then == "failed":
            raise RetryableNodeError("It was cancelled.", code="test.cleanup") from None
        return {"x": f"{ctx.node_id}.late"}
    return _end(ctx, call)


def _end(ctx: Context, call: Call) -> Any:
    match call.then:
        case "wait":
            until = None if call.until_us is None else ctx.now() + timedelta(microseconds=call.until_us)
            return Wait(until=until, signal=call.signal)
        case "error":
            raise ValueError("It broke.")
        case "fatal":
            raise FatalNodeError("It is fatal.", code="test.fatal")
        case "wish":
            raise RetryableNodeError("Later.", code="test.wish", retry_after_seconds=call.wish_seconds)
        case "give":
            return {port: f"{ctx.node_id}.{port}" for port in call.gives}


@node("local.work", effects="pure", inputs=NODE_TYPE.inputs, outputs=_OUTPUTS)
async def _work(ctx: Context, **ports: Any) -> Any:
    return await _act(ctx)


@node("local.needy", effects="pure", inputs=NEEDY_TYPE.inputs, outputs=_OUTPUTS)
async def _needy(ctx: Context, **ports: Any) -> Any:
    return await _act(ctx)


REGISTRY = Registry.discover(search_path=[], cache_dir=None).with_local([_work, _needy])


def play(trouble: Trouble) -> Played:
    """Let the engine run it, on a clock that jumps."""
    played = Played()
    _PLAYING.append((trouble, played))

    async def main() -> None:
        clock = ManualClock(autojump=True)
        async with Runtime(registry=REGISTRY, clock=clock, seed=trouble.seed) as runtime:
            started_us = clock.now_us()
            execution_id = await runtime.submit(trouble.document)
            for happening in sorted(trouble.happenings, key=lambda one: one.at_us):
                await clock.sleep_until(started_us + happening.at_us)
                seq = runtime.snapshot(execution_id).seq
                try:
                    if happening.signal is None:
                        runtime.cancel(execution_id)
                    else:
                        runtime.signal(execution_id, happening.signal, seq)
                except ExecutionError:
                    played.happened.append((seq, clock.now_us(), happening, False))
                else:
                    played.happened.append((seq, clock.now_us(), happening, True))
            # A node may wait for a signal for ever.
            played.log = await _log_until_at_rest(runtime, clock, execution_id, played)
            played.result = await runtime.wait(execution_id)

    try:
        anyio.run(main)
    finally:
        _PLAYING.pop()
    return played


async def _log_until_at_rest(runtime: Runtime, clock: ManualClock, execution_id: str, played: Played) -> list[Any]:
    """The log; an execution that would wait for ever is cancelled after a day."""

    async def cancel_at_last() -> None:
        await clock.sleep_until(clock.now_us() + 86_400_000_000)
        played.happened.append((runtime.snapshot(execution_id).seq, clock.now_us(), Happening(0, None), True))
        runtime.cancel(execution_id)

    canceller = asyncio.create_task(cancel_at_last())
    log = [event async for event in runtime.follow(execution_id)]
    canceller.cancel()
    return log
