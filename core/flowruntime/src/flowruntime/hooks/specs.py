"""Every hook there is: what it gives, when and where it is called, and what becomes of its faults.

A plugin implements those that it needs, each as a function of that name under `@hookimpl`. An implementation may leave
out parameters, and may be a method: the entry point then names an object instead of a module.

All hooks are guarded alike. What one raises (SystemExit too), a hang of ten seconds, an answer of another type than
asked for: each becomes a record of the plugin's distribution, `hooks.…`, and everybody else works on. Plugins are asked
in the order of their distributions' names.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from flowcore.contracts import Observer
    from flowcore.nodes import NodeType

    from flowruntime.authoring import Context, Node
    from flowruntime.authoring.functions import ExpressionFunction
    from flowruntime.secrets import SecretProvider

__all__ = [
    "PROJECT",
    "around_attempt",
    "expression_functions",
    "hookimpl",
    "node_specs",
    "observers",
    "secret_providers",
]

PROJECT: Final = "flownodes"

_hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@_hookspec
def node_specs() -> Sequence[Callable[..., Any] | type[Node]]:  # type: ignore[empty-body]
    """Node types that are made at run time: functions and classes under `@node`, as many as there are today.

    For types that no catalog can know: one for each table of a database, each operation of an API, each command of the
    machine. Their ids lie in a namespace of the distribution's own: that of its pack, or the name of the plugin's entry
    point, which is claimed by the same rules as that of a pack.

    Called once a process, on a thread of its own, when node types are listed, or when a document names a type of such a
    namespace that no catalog has.
    """


@_hookspec
def expression_functions() -> Sequence[ExpressionFunction]:  # type: ignore[empty-body]
    """The functions that expressions can call beside those of JMESPath.

    Called once a process, on a thread of its own, when the first expression names a function that Flownodes does not
    have itself. A name that JMESPath, Flownodes or an earlier distribution has is refused.
    """


@_hookspec
def secret_providers() -> Sequence[SecretProvider]:  # type: ignore[empty-body]
    """Places where secrets are looked for that the environment does not have; the store is asked after them.

    Called once a runtime, on a thread of its own, when a secret is looked for there for the first time. What a provider
    is asked afterwards has the same ten seconds; one that hangs is not asked again.
    """


@_hookspec
def around_attempt(
    ctx: Context, node_type: NodeType
) -> AbstractAsyncContextManager[object] | AsyncGenerator[object, None] | None:
    """What is done before and after an attempt: an async context manager, or an async generator that yields once.

    Called on the loop's thread for each attempt, and for each child of a container; it must not block. The node's code
    runs inside, in the same task, so context variables that are set there are seen by the node, on its thread too;
    whoever sets one resets it. An exception or cancellation of the attempt passes through and stays what it is; what
    the wrapper itself raises or swallows changes nothing. None leaves the attempt alone.
    """


@_hookspec
def observers() -> Sequence[Observer]:  # type: ignore[empty-body]
    """Those who are told of every event of every execution that runs in this process, once it is durable.

    Called once a runtime, on a thread of its own, when the runtime is entered. Each observer is told on one thread of
    its own, which it may block: it is some way behind then, and when it is too far behind, misses events.
    """
