"""A folder that the nodes may use, and a way to run them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flowruntime.testing import NodeHarness

Run: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The one folder that is allowed."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def run(node_harness: NodeHarness, data: Path) -> Run:
    """Runs a node that may use `data`; its outputs."""

    async def run_node(node: object, inputs: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
        return (await node_harness.run(node, inputs, config, settings={"roots": [str(data)]})).outputs

    return run_node
