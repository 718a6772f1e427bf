"""A Blob whose bytes are not what it says fails the node that gives it, and nothing else."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import pytest
from flowcore.errors import StoreError
from flowcore.events import NodeFailed
from flowcore.values import Blob
from flowruntime import Runtime
from flowruntime.authoring import Context, node

from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio


class Source:
    """Gives these bytes, or raises."""

    def __init__(self, gives: bytes | Exception) -> None:
        self._gives = gives

    def open(self) -> BinaryIO:
        if isinstance(self._gives, Exception):
            raise self._gives
        return io.BytesIO(self._gives)


def made(gives: bytes | Exception, *, says: bytes = b"x") -> Blob:
    """A Blob of this source that says it is those bytes."""
    digest = hashlib.sha256(says).hexdigest()
    return Blob(sha256=digest, size=len(says), media_type="text/plain", source=Source(gives))


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/flow.db"


@pytest.mark.parametrize(
    ("gives", "why"),
    [
        (b"y", "the SHA-256 a1fce4363854"),
        (b"xx", "2 bytes in place of 1"),
        (b"", "0 bytes in place of 1"),
        (OSError("gone"), "OSError: gone"),
        (RuntimeError("never"), "RuntimeError: never"),
    ],
)
@pytest.mark.parametrize("where", ["output", "inside", "state"])
async def test_a_blob_that_is_not_what_it_says_fails_its_node(
    url: str, gives: bytes | Exception, why: str, where: str
) -> None:
    @node("local.blob", effects="pure")
    async def blob(ctx: Context) -> Any:
        if where == "state":
            ctx.state["kept"] = made(gives)
            return None
        return made(gives) if where == "output" else {"parts": [made(gives)]}

    document = workflow({"b": {"node_type": "blob", "on_error": "continue"}, "g": "give"})
    async with Runtime(url, nodes=[*ALL, blob]) as runtime:
        result = await runtime.run(document)
        assert (result.status, result.failed_nodes) == ("succeeded", ("b",))
        events = [event async for event in runtime.follow(result.execution_id)]
        (error,) = [event.error for event in events if isinstance(event, NodeFailed)]
        assert error["code"] == "node.output_blob"
        assert why in error["message"]
        assert "Blob.from_bytes" in error["remedy"]


async def test_what_was_verified_is_what_is_handed_on_and_kept(url: str) -> None:
    given: list[Blob] = []

    @node("local.blob", effects="pure")
    async def blob() -> Blob:
        given.append(made(b"x"))
        return given[0]

    @node("local.read", effects="pure")
    async def read(value: Blob) -> list[Any]:
        return [value, value.read().decode()]

    async with Runtime(url, nodes=[blob, read]) as runtime:
        result = await runtime.run(workflow({"b": "blob", "r": "read"}, "b.result -> r.value"))
        assert result.node_outputs["r"]["result"][1] == "x"
        kept = runtime.snapshot(result.execution_id).nodes[(), "r"].outputs
    assert not isinstance(given[0].source, Source)
    assert kept == {"result": [given[0], "x"]}


async def test_a_source_that_raises_keeps_no_other_execution_from_being_written(tmp_path: Path) -> None:
    @node("local.any", effects="pure")
    async def take(value: Any) -> None:
        """Take it."""

    async with Runtime(f"sqlite:///{tmp_path}/flow.db", nodes=[take, *ALL]) as runtime:
        with anyio.fail_after(30):
            with pytest.raises(StoreError) as caught:
                await runtime.run(workflow({"t": "any"}), {"value": made(RuntimeError("never"))})
            assert caught.value.code == "store.blob_lost"
            assert (await runtime.run(workflow({"g": "give"}))).success
