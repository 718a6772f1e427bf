"""Loops and subflows nested in each other at random come to what a few lines of plain Python say they come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeAlias

from flowcore.events import NodeCancelled, NodeCompleted, NodeFailed, NodeStarted
from flowruntime import Runtime
from flowruntime.authoring import Context, FatalNodeError, node
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.control_flows import flow

REGISTRY = Registry.discover()


@node("local.step", effects="pure")
async def step(ctx: Context, item: int) -> int:
    """Take some seconds, and fail for every seventh number."""
    await ctx.sleep(item % 4)
    if item % 7 == 0:
        raise FatalNodeError("It is one of the sevens.")
    return item


@dataclass(frozen=True)
class Leaf:
    """A single step."""


@dataclass(frozen=True)
class Sub:
    """The same, one deeper."""

    inner: Tree


@dataclass(frozen=True)
class Loop:
    """Runs its body for each of the items."""

    inner: Tree
    items: list[int]
    concurrency: int
    collects: bool
    break_at: int | None


Tree: TypeAlias = Leaf | Sub | Loop


class Failed(Exception):  # noqa: N818 - as long as the model needs it
    """The document failed."""


@st.composite
def loops(draw: st.DrawFn, inner: st.SearchStrategy[Tree]) -> Loop:
    collects, concurrency = draw(st.booleans()), draw(st.integers(1, 3))
    # Whether an item fails before another one breaks the loop depends on time, which the model does not know.
    may_break = collects or concurrency == 1
    return Loop(
        inner=draw(inner),
        items=draw(st.lists(st.integers(1, 14), max_size=4)),
        concurrency=concurrency,
        collects=collects,
        break_at=draw(st.none() | st.integers(1, 14)) if may_break else None,
    )


trees: st.SearchStrategy[Tree] = st.recursive(
    st.just(Leaf()), lambda inner: loops(inner) | st.builds(Sub, inner), max_leaves=4
)


def document(tree: Tree) -> dict[str, Any]:
    match tree:
        case Leaf():
            return flow({"n": {"node_type": "step"}}, outputs={"r": "${{ nodes.n.result }}"})
        case Sub(inner):
            made = {"node_type": "control.subflow", "config": {"workflow": document(inner)}}
            return flow({"n": made}, outputs={"r": "${{ nodes.n.r }}"})
        case Loop(inner, items, concurrency, collects, break_at):
            config = {
                "body": document(inner),
                "concurrency": concurrency,
                "on_item_error": "collect" if collects else "stop",
                "break_when": None if break_at is None else f"input.item == `{break_at}`",
            }
            made = {"node_type": "control.loop", "config": config, "inputs": {"items": items}}
            shown = "${{ [nodes.n.results, nodes.n.errors[*].index] }}"
            return flow({"n": made}, outputs={"r": shown})


def expected(tree: Tree, item: int) -> Any:
    """What the document gives when it is run for this item. Raises Failed."""
    match tree:
        case Leaf():
            if item % 7 == 0:
                raise Failed
            return {"r": item}
        case Sub(inner):
            return expected(inner, item)
        case Loop(inner, items, _, collects, break_at):
            results: list[Any] = []
            errors: list[int] = []
            for index, number in enumerate(items):
                try:
                    results.append(expected(inner, number))
                except Failed:
                    if not collects:
                        raise
                    results.append(None)
                    errors.append(index)
                if number == break_at:
                    break
            return {"r": [results, errors]}


@settings(deadline=None)
@given(tree=trees, slots=st.integers(1, 3), item=st.integers(1, 14))
async def test_nested_documents_come_to_what_the_model_says_and_every_node_ends_once(
    tree: Tree, slots: int, item: int
) -> None:
    made = {**document(tree), "settings": {"max_parallel_nodes": slots}}
    async with Runtime(registry=REGISTRY, nodes=[step], clock=ManualClock(autojump=True)) as runtime:
        execution_id = await runtime.submit(made, {"item": item})
        events: list[Any] = [event async for event in runtime.follow(execution_id)]
    try:
        wanted = ("succeeded", expected(tree, item))
    except Failed:
        wanted = ("failed", None)
    assert (events[-1].status, events[-1].outputs) == wanted
    begun = Counter((event.path, event.node_id) for event in events if isinstance(event, NodeStarted))
    ended = Counter(
        (event.path, event.node_id) for event in events if isinstance(event, NodeCompleted | NodeFailed | NodeCancelled)
    )
    assert begun == ended
    assert set(begun.values()) == {1}
    assert _most_at_once(events) <= slots


def _most_at_once(events: list[Any]) -> int:
    """How many steps ran at the same time."""
    running: set[Any] = set()
    most = 0
    steps = {(e.path, e.node_id) for e in events if isinstance(e, NodeStarted) and e.node_type == "local.step"}
    for event in events:
        if isinstance(event, NodeStarted | NodeCompleted | NodeFailed | NodeCancelled):
            place = (event.path, event.node_id)
            if isinstance(event, NodeStarted) and place in steps:
                running.add(place)
            else:
                running.discard(place)
            most = max(most, len(running))
    return most
