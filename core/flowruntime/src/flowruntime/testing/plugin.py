"""The pytest plugin: fixtures that are there wherever flowruntime is installed. Loaded at every start of pytest.

So it imports nothing but pytest: neither an engine nor an event loop before a test asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flowruntime.testing import ManualClock, NodeHarness

__all__ = ["manual_clock", "node_harness"]


@pytest.fixture
def node_harness() -> NodeHarness:
    """Runs single nodes on a real engine: `await node_harness.run(my_node, inputs, config)`."""
    from flowruntime.testing import NodeHarness

    return NodeHarness()


@pytest.fixture
def manual_clock() -> ManualClock:
    """Time that stands still until the test moves it: `manual_clock.advance(seconds)`."""
    from flowruntime.testing import ManualClock

    return ManualClock()
