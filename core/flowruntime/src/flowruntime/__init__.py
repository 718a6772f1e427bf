"""The runtime of Flownodes: registry, engine, journal.

`from flowruntime import Runtime` is the door for programs that embed it, `WorkflowBuilder` for those that make
documents; node authors import `flowruntime.authoring`, which loads neither the engine nor an event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowruntime.builder import WorkflowBuilder
    from flowruntime.runtime import Runtime

__all__ = ["Runtime", "WorkflowBuilder"]


def __getattr__(name: str) -> Any:
    if name == "Runtime":
        from flowruntime.runtime import Runtime

        return Runtime
    if name == "WorkflowBuilder":
        from flowruntime.builder import WorkflowBuilder

        return WorkflowBuilder
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
