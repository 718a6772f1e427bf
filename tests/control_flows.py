"""Short ways to write documents of any node types, and to run them on a clock that jumps."""

from functools import cache
from typing import Any

from flowcore.executions import ExecutionResult
from flowruntime import Runtime
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock

from tests.engine_nodes import ALL, connect

__all__ = ["case", "codes_of", "events_of", "flow", "of", "problems_of", "run", "runtime_on"]


def flow(nodes: dict[str, Any], *wires: str, **more: Any) -> dict[str, Any]:
    """A document of nodes `{id: type or {fields}}` and connections `a.x -> b.y`; types without a dot are `local.`."""
    made = []
    for node_id, given in nodes.items():
        fields = {"node_type": given} if isinstance(given, str) else dict(given)
        if "." not in fields["node_type"]:
            fields["node_type"] = f"local.{fields['node_type']}"
        made.append({"id": node_id, **fields})
    return {"name": "test", "nodes": made, "connections": connect(*wires), **more}


def case(port: str, when: str) -> dict[str, str]:
    """A case of control.switch."""
    return {"port": port, "when": when}


@cache
def _installed() -> Registry:
    return Registry.discover()  # once: looking at every pack takes longer than most runs


def runtime_on(clock: ManualClock) -> Runtime:
    """A runtime of all installed packs and the nodes of `engine_nodes`, on this clock."""
    return Runtime(registry=_installed(), nodes=ALL, clock=clock)


async def run(document: dict[str, Any], inputs: dict[str, Any] | None = None) -> ExecutionResult:
    """The result of a run to its end; time jumps when every task waits."""
    async with runtime_on(ManualClock(autojump=True)) as runtime:
        return await runtime.run(document, inputs)


async def events_of(document: dict[str, Any], inputs: dict[str, Any] | None = None) -> list[Any]:
    """All events of a run to its end."""
    async with runtime_on(ManualClock(autojump=True)) as runtime:
        return [event async for event in runtime.follow(await runtime.submit(document, inputs))]


def of(events: list[Any], kind: type) -> list[Any]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def problems_of(document: dict[str, Any]) -> list[Any]:
    """All that is wrong with a document, warnings too."""
    return list(runtime_on(ManualClock()).check(document).problems)


def codes_of(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Code and pointer of all that is wrong with a document."""
    return [(problem.code, problem.pointer) for problem in problems_of(document)]
