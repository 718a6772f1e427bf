"""What tests of nodes and packs need: a runner for a single node, a clock moved by hand, and the conformance suite.

Names are loaded when they are asked for: pytest imports this package at every start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowruntime.testing.clock import ManualClock
    from flowruntime.testing.harness import NodeHarness, NodeRun, OpenNode, RunningNode, run_node
    from flowruntime.testing.suite import CHECKS, Check, Finding, check_pack, conformance

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "ManualClock",
    "NodeHarness",
    "NodeRun",
    "OpenNode",
    "RunningNode",
    "check_pack",
    "conformance",
    "run_node",
]

_HOMES = {
    "CHECKS": "suite",
    "Check": "suite",
    "Finding": "suite",
    "ManualClock": "clock",
    "NodeHarness": "harness",
    "NodeRun": "harness",
    "OpenNode": "harness",
    "RunningNode": "harness",
    "check_pack": "suite",
    "conformance": "suite",
    "run_node": "harness",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
