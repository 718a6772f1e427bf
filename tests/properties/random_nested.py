"""Random documents within documents: loops, subflows and branches over a node that does what its config says.

A document holds all that happens in it, so that the JSON of one is its whole reproduction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import anyio
from flowcore.errors import ExecutionError
from flowcore.nodes import Port
from flowruntime import Runtime
from flowruntime.authoring import Context, FatalNodeError, RetryableNodeError, Wait, node
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock
from hypothesis import strategies as st

__all__ = ["CONTAINERS", "Happening", "Nested", "Played", "Seen", "nested", "play", "script_of"]

CONTAINERS = ("control.loop", "control.subflow")
SIGNALS = ("one", "two")
#: Few values, so that things often happen at the same moment.
_TAKES_MS = (0, 0, 1, 300, 1000, 2500, 7000)
#: An execution that would wait for ever is cancelled after a day.
_DAY_US = 86_400_000_000
#: More than any of these documents can write, unless it goes round for ever.
_MOST_EVENTS = 20_000


@dataclass(frozen=True)
class Happening:
    """Something from outside, so long after the start: a signal, or None for a cancel."""

    at_us: int
    signal: str | None


@dataclass(frozen=True)
class Nested:
    """A document, the library of those that it names, and what happens to its execution."""

    document: dict[str, Any]
    library: dict[str, dict[str, Any]]
    happenings: tuple[Happening, ...]
    seed: int


@dataclass(frozen=True)
class Seen:
    """What a node saw when it was called."""

    inputs: dict[str, Any]
    woken: tuple[str, Any] | None
    #: How many calls its state knew of.
    known_calls: int
    key: str


@dataclass
class Played:
    """How it went: the log, what was seen by path, node, attempt and call, and after which event something happened."""

    log: list[Any] = field(default_factory=list)
    seen: dict[tuple[Any, str, int, int], Seen] = field(default_factory=dict)
    happened: list[tuple[int, int, Happening, bool]] = field(default_factory=list)
    result: Any = None
    #: Tasks that outlived the runtime.
    tasks_left: int = 0


# --- the node ---------------------------------------------------------------------------------------

_PLAYED: list[Played] = []


def script_of(config: dict[str, Any], path: Any, attempt: int) -> list[dict[str, Any]]:
    """The calls of an attempt: another script for each item and each container attempt, the last attempt's for more."""
    scripts = config["scripts"]
    turn = sum((item or 0) + container_attempt - 1 for _, item, container_attempt in path)
    attempts = scripts[turn % len(scripts)]
    calls: list[dict[str, Any]] = attempts[min(attempt, len(attempts)) - 1]
    return calls


@node(
    "local.act",
    effects="pure",
    inputs=[Port(name="a"), Port(name="last"), Port(name="race", join="first"), Port(name="many", multiple=True)],
    outputs=[Port(name="x"), Port(name="y")],
)
async def act(ctx: Context, *, scripts: Any, reaction: Any, **ports: Any) -> Any:
    """Do what the script of this attempt says of this call."""
    played = _PLAYED[-1]
    number = 0
    while (ctx.path, ctx.node_id, ctx.attempt, number) in played.seen:
        number += 1
    known_calls: Any = ctx.state.get("calls", 0)
    woken = None if ctx.woken is None else (ctx.woken.reason, ctx.woken.value)
    played.seen[ctx.path, ctx.node_id, ctx.attempt, number] = Seen(
        dict(ctx.inputs), woken, known_calls, ctx.idempotency_key
    )
    ctx.state["calls"] = known_calls + 1
    ctx.events.info(f"call {number}")
    call = script_of({"scripts": scripts}, ctx.path, ctx.attempt)[number]
    try:
        if call["takes_ms"]:
            await ctx.sleep(call["takes_ms"] / 1000)
    except asyncio.CancelledError:
        if reaction["takes_ms"]:
            await ctx.sleep(reaction["takes_ms"] / 1000)
        if reaction["then"] == "cancelled":
            raise
        if reaction["then"] == "failed":
            raise RetryableNodeError("It was cancelled.", code="test.cleanup") from None
        return {"x": "late"}
    match call["then"]:
        case "wait":
            until_ms = call["until_ms"]
            until = None if until_ms is None else ctx.now() + timedelta(milliseconds=until_ms)
            return Wait(until=until, signal=call["signal"])
        case "error":
            raise RetryableNodeError("It broke.", code="test.error")
        case "fatal":
            raise FatalNodeError("It is fatal.", code="test.fatal")
        case _:
            where = "/".join(str(item) for _, item, _ in ctx.path)
            return {port: f"{ctx.node_id}.{port}@{where}" for port in call["gives"]}


# --- drawing ----------------------------------------------------------------------------------------

_POLICIES = st.fixed_dictionaries(
    {"max_attempts": st.integers(1, 3)},
    optional={
        "delay_ms": st.sampled_from([0, 1, 500, 1300]),
        "backoff_multiplier": st.sampled_from([1, 3]),
        "max_delay_ms": st.sampled_from([400, 2000]),
        "jitter": st.sampled_from([0, 0.1, 1]),
        "retry_on_timeout": st.booleans(),
    },
)
_WAITS = ((0, None), (700, None), (3000, "one"), (None, "two"), (20_000, "two"))


@st.composite
def _attempts(draw: st.DrawFn) -> list[dict[str, Any]]:
    calls = [
        {"takes_ms": draw(st.sampled_from(_TAKES_MS)), "then": "wait", "until_ms": until_ms, "signal": signal}
        for until_ms, signal in draw(st.lists(st.sampled_from(_WAITS), max_size=1))
    ]
    then = draw(st.sampled_from(["give", "give", "give", "give", "error", "error", "fatal"]))
    gives = draw(st.sampled_from([["x"], ["x", "y"], ["y"], []])) if then == "give" else []
    return [*calls, {"takes_ms": draw(st.sampled_from(_TAKES_MS)), "then": then, "gives": gives}]


@st.composite
def _acts(draw: st.DrawFn) -> dict[str, Any]:
    scripts = st.lists(_attempts(), min_size=1, max_size=2)
    return {
        "node_type": "local.act",
        "config": {
            "scripts": draw(st.lists(scripts, min_size=1, max_size=3)),
            "reaction": {
                "takes_ms": draw(st.sampled_from([0, 0, 0, 1000, 4000])),
                "then": draw(st.sampled_from(["cancelled", "cancelled", "late", "failed"])),
            },
        },
        "timeout_ms": draw(st.sampled_from([None, None, 500, 2000])),
    }


@st.composite
def _loops(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    mode = draw(st.sampled_from(["for_each", "for_each", "for_each", "times", "while", "until"]))
    count = draw(st.integers(0, 4))
    config: dict[str, Any] = {
        "mode": mode,
        "body": draw(_documents(depth + 1)),
        "on_item_error": draw(st.sampled_from(["stop", "collect"])),
    }
    given: dict[str, Any] = {"node_type": "control.loop", "config": config}
    match mode:
        case "for_each":
            given["inputs"] = {"items": [f"i{index}" for index in range(count)]}
        case "times":
            config["times"] = count
        case "while":
            config["while"] = f"input.index < `{count}`"
        case _:
            config["until"] = f"input.index >= `{count}`"
    if mode in {"for_each", "times"}:
        config["concurrency"] = draw(st.integers(1, 4))
    if draw(st.integers(0, 2)) == 0:
        config["break_when"] = f"input.index == `{draw(st.integers(0, 3))}`"
    return given


@st.composite
def _nodes(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    kinds = ["act", "act", "act", "if", "merge", "first"]
    if depth < 3:
        kinds += ["loop", "loop", "subflow"]
    kind = draw(st.sampled_from(kinds))
    if kind == "act":
        given = draw(_acts())
    elif kind in {"loop", "subflow"}:
        if kind == "loop":
            given = draw(_loops(depth))
        else:
            given = {"node_type": "control.subflow", "config": {"workflow": draw(_documents(depth + 1))}}
        # Other times at each level: nothing else is due at the same moment.
        given["timeout_ms"] = draw(st.sampled_from([None, None, None, 2003 + 110 * depth, 6007 + 110 * depth]))
    else:
        given = {"node_type": f"control.{kind}"}
        if kind == "if":
            given["config"] = {"condition": draw(st.sampled_from(["inputs.value", "!(inputs.value)"]))}
    if kind in {"act", "loop", "subflow"}:
        given["retry_policy"] = draw(st.none() | _POLICIES)
    return given


_GIVES = {
    "local.act": ("x", "x", "y", "done"),
    "control.if": ("true", "false", "done"),
    "control.merge": ("merged", "done"),
    "control.first": ("value", "done"),
    "control.loop": ("results", "errors", "done"),
    "control.subflow": ("output", "done"),
}
_TAKES = {
    "local.act": ("a", "race", "many", "after"),
    "control.if": ("value",),
    "control.merge": ("values",),
    "control.first": ("value",),
    "control.loop": ("after",),
    "control.subflow": ("after",),
}


@st.composite
def _documents(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    connections: list[dict[str, str]] = []
    for index in range(draw(st.integers(1, 4 if depth == 0 else 3))):
        given = draw(_nodes(depth))
        needs_wires = given["node_type"] in {"control.if", "control.merge", "control.first"}
        if needs_wires and not nodes:
            given = draw(_acts())
            needs_wires = False
        node_id = f"n{index}"
        sources = draw(st.lists(st.integers(0, index - 1), min_size=int(needs_wires), max_size=2)) if index else []
        for source in sources:
            connection = {
                "from_node": f"n{source}",
                "from_port": draw(st.sampled_from(_GIVES[nodes[source]["node_type"]])),
                "to_node": node_id,
                "to_port": draw(st.sampled_from(_TAKES[given["node_type"]])),
            }
            if connection not in connections:
                connections.append(connection)
        if not sources and depth and given["node_type"] == "local.act" and draw(st.booleans()):
            given["inputs"] = {"last": "${{ input.last }}"}
        nodes.append({"id": node_id, **given, "on_error": draw(st.sampled_from([None, None, "stop", "continue"]))})
    for index, given in enumerate(nodes):
        takers = [later for later in nodes[index + 1 :] if later["node_type"] in {"local.act", *CONTAINERS}]
        if takers and draw(st.integers(0, 5)) == 0:
            taker = draw(st.sampled_from(takers))
            port = draw(st.sampled_from(_TAKES[taker["node_type"]]))
            given["on_error"] = "route"
            connections.append(
                {"from_node": given["id"], "from_port": "error", "to_node": taker["id"], "to_port": port}
            )
    on_error = st.sampled_from(
        ["StopWorkflow", "StopWorkflow", "ContinueOnError", {"RetryWorkflow": {"max_attempts": 2}}]
    )
    return {
        "name": f"level {depth}",
        "nodes": nodes,
        "connections": draw(st.permutations(connections)),
        "settings": {
            "max_parallel_nodes": draw(st.sampled_from([1, 1, 2, 10, None])),
            "on_error": draw(on_error),
            "max_execution_time_ms": draw(st.sampled_from([None, None, None, 4013 + 110 * depth])),
        },
    }


def _name_some(document: dict[str, Any], library: dict[str, Any], names: list[bool]) -> None:
    """Put some of the documents within into the library, and their names where they were."""
    for given in document["nodes"]:
        for key in ("body", "workflow"):
            child = given.get("config", {}).get(key)
            if isinstance(child, dict):
                _name_some(child, library, names)
                if names and names.pop():
                    name = f"w{len(library)}"
                    library[name] = child
                    given["config"][key] = name


_HAPPENINGS = st.builds(
    Happening,
    st.sampled_from([0, 1000, 300_000, 1_000_000, 2_500_000, 4_000_000, 8_000_000, 13_000_000]),
    st.sampled_from([None, "one", "two", "two"]),
)


@st.composite
def nested(draw: st.DrawFn) -> Nested:
    """A valid document with others in it, in which much goes wrong."""
    document = draw(_documents(0))
    library: dict[str, Any] = {}
    _name_some(document, library, draw(st.lists(st.booleans(), max_size=4)))
    return Nested(
        document=document,
        library=library,
        happenings=tuple(sorted(draw(st.lists(_HAPPENINGS, max_size=3)), key=lambda one: one.at_us)),
        seed=draw(st.integers(0, 3)),
    )


# --- playing ----------------------------------------------------------------------------------------

_REGISTRY = Registry.discover().with_local([act])


def play(trouble: Nested) -> Played:
    """Let the engine run it, on a clock that jumps. Raises AssertionError when it does not end."""
    played = Played()
    _PLAYED.append(played)
    try:
        anyio.run(_main, trouble, played)
    finally:
        _PLAYED.pop()
    return played


async def _main(trouble: Nested, played: Played) -> None:
    clock = ManualClock(autojump=True)
    runtime = Runtime(registry=_REGISTRY, clock=clock, seed=trouble.seed)
    async with runtime:
        for name, document in trouble.library.items():
            runtime.workflows.add({**document, "id": name})
        started_us = clock.now_us()
        execution_id = await runtime.submit(trouble.document)
        last = Happening(_DAY_US, None)
        for happening in (*trouble.happenings, last):
            await clock.sleep_until(started_us + happening.at_us)
            execution = runtime.snapshot(execution_id)
            if happening is last and execution.status in {"succeeded", "failed", "cancelled"}:
                break
            try:
                if happening.signal is None:
                    runtime.cancel(execution_id)
                else:
                    runtime.signal(execution_id, happening.signal, execution.seq)
            except ExecutionError:
                played.happened.append((execution.seq, clock.now_us(), happening, False))
            else:
                played.happened.append((execution.seq, clock.now_us(), happening, True))
        await clock.sleep_until(started_us + 2 * _DAY_US)
        is_over = runtime.snapshot(execution_id).status in {"succeeded", "failed", "cancelled"}
        if not is_over:
            runtime._supervisor._open.clear()
        assert is_over, "it hangs"
        played.log = [event async for event in runtime.follow(execution_id)]
        assert len(played.log) < _MOST_EVENTS
        played.result = await runtime.wait(execution_id)
    played.tasks_left = len(asyncio.all_tasks()) - 1
