"""Node types for tests of the engine, and short ways to write documents."""

from typing import Any

from flowcore.nodes import Port
from flowruntime.authoring import Context, FatalNodeError, RetryableNodeError, node

__all__ = ["ALL", "Pool", "connect", "workflow"]


@node("local.give", effects="pure")
def give(*, value: Any = 1) -> Any:
    """Give a value from the config."""
    return value


@node("local.add", effects="pure")
async def add(x: int, y: int = 10) -> int:
    """Add two numbers; `y` has a default of the function's own."""
    return x + y


@node("local.nap", effects="pure")
async def nap(ctx: Context, value: Any = None, *, seconds: float = 1.0) -> Any:
    """Sleep by the runtime's clock, then pass on."""
    await ctx.sleep(seconds)
    return value


@node(
    "local.split",
    effects="pure",
    outputs=[Port(name="low"), Port(name="high")],
)
async def split(x: int) -> dict[str, int]:
    """Give on one of two ports."""
    return {"low" if x < 10 else "high": x}


@node("local.collect", effects="pure", inputs=[Port(name="values", multiple=True), Port(name="extra")])
async def collect(values: Any = None, extra: Any = None) -> Any:
    """Show what came in."""
    return {"values": values, "extra": extra}


@node("local.race", effects="pure", inputs=[Port(name="value", join="first", required=True)])
async def race(value: Any) -> Any:
    """Take the first value that comes."""
    return value


@node("local.fail", effects="pure")
async def fail(value: Any = None, *, how: str = "error", times: int = 1_000_000, ctx: Context) -> Any:
    """Fail in the named way on the first attempts."""
    if ctx.attempt > times:
        return value
    match how:
        case "fatal":
            raise FatalNodeError("It is fatal.", code="test.fatal", details={"n": 1})
        case "retry":
            raise RetryableNodeError("Come again.", code="test.again", retry_after_seconds=5)
        case "exit":
            raise SystemExit(3)
        case _:
            raise ValueError("It broke.")


@node("local.bad", effects="pure", outputs=[Port(name="result")])
async def bad(*, what: str) -> Any:
    """Return what no node may return."""
    return {
        "port": {"rseult": 1},
        "set": {"result": {"a": [1, {2}]}},
        "nan": {"result": float("nan")},
        "list": [1],
        "key": {"result": {1: 2}},
        "big": {"result": 2**64},
    }[what]


@node("local.free", effects="pure")
async def free(**ports: Any) -> Any:
    """Take any ports."""
    return ports


ALL = [give, add, nap, split, collect, race, fail, bad, free]


class Pool:
    """Collects what instances lived through."""

    def __init__(self) -> None:
        self.seen: list[str] = []


def connect(*wires: str) -> list[dict[str, str]]:
    """Connections written as `a.result -> b.x`."""
    made = []
    for wire in wires:
        source, target = wire.split(" -> ")
        from_node, from_port = source.split(".")
        to_node, to_port = target.split(".")
        made.append({"from_node": from_node, "from_port": from_port, "to_node": to_node, "to_port": to_port})
    return made


def workflow(nodes: dict[str, Any], *wires: str, **more: Any) -> dict[str, Any]:
    """A document of nodes `{id: type or {fields}}`; the namespace `local.` may be left out."""
    made = []
    for node_id, given in nodes.items():
        fields = {"node_type": given} if isinstance(given, str) else dict(given)
        fields["node_type"] = f"local.{fields['node_type'].removeprefix('local.')}"
        made.append({"id": node_id, **fields})
    return {"name": "test", "nodes": made, "connections": connect(*wires), **more}
