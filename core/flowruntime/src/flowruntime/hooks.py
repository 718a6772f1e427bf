"""The hooks through which installed distributions add to Flownodes, and the guards under which they are called.

A plugin is a module, named by an entry point in the group `flownodes.hooks`, with functions marked as `@hookimpl`:

```python
from flowruntime.hooks import ExpressionFunction, hookimpl


@hookimpl
def expression_functions() -> list[ExpressionFunction]:
    return [ExpressionFunction(name="slug", function=make_slug, arguments=(("string",),))]
```

pluggy alone would let one plugin that raises keep the others out: each is loaded, registered and called by itself, and
what goes wrong becomes a record.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeVar

import pluggy
from flowcore.packs import PackProblem

from flowruntime.authoring.functions import Call, ExpressionFunction, FunctionError
from flowruntime.limited import TookTooLong, run_limited
from flowruntime.permits import Permits, hold_permits, permits_held

__all__ = [
    "ENTRY_POINT_GROUP",
    "Call",
    "ExpressionFunction",
    "FunctionError",
    "Hooks",
    "expression_functions",
    "hookimpl",
    "installed_hooks",
    "load_hooks",
    "permit_hooks",
]

T = TypeVar("T")

ENTRY_POINT_GROUP: Final = "flownodes.hooks"
_PROJECT: Final = "flownodes"
#: How long the import of a plugin, and each of its hooks, may take.
_LIMIT_SECONDS: Final = 10.0

_hookspec = pluggy.HookspecMarker(_PROJECT)
hookimpl = pluggy.HookimplMarker(_PROJECT)

# --- the hooks -----------------------------------------------------------------------------------------------------


@_hookspec
def expression_functions() -> Sequence[ExpressionFunction]:  # type: ignore[empty-body]
    """The functions that expressions can call beside those of JMESPath.

    Asked once a process, when the first expression names a function that Flownodes does not have itself. A name that
    JMESPath, Flownodes or an earlier distribution has is refused.
    """


# --- their plugins -------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True, eq=False)
class Hooks:
    """The plugins that were loaded, each under the name of its distribution, and what went wrong with the others."""

    manager: pluggy.PluginManager
    problems: list[PackProblem] = field(default_factory=list)
    limit_seconds: float = _LIMIT_SECONDS

    def call(self, hook: str) -> list[tuple[str, Any]]:
        """What each plugin gives for a hook, with the name of its distribution. Never raises."""
        answers: list[tuple[str, Any]] = []
        plugins = self.manager.list_name_plugin()
        for name, plugin in plugins:
            if plugin is None:
                continue
            caller = self.manager.subset_hook_caller(hook, [other for _, other in plugins if other is not plugin])
            try:
                given: list[Any] = self._run(caller)
                answers += [(name, answer) for answer in given]
            except KeyboardInterrupt:
                raise
            except TookTooLong as error:
                cause = f"Its hook {hook!r} hangs: {error}"
                self.record(name, "hung", cause, f"Update {name}, or report this to its author.")
            except BaseException as error:  # noqa: BLE001 - the guard: foreign code may raise anything, SystemExit too
                cause = f"Its hook {hook!r} raised {type(error).__name__}: {error}"
                self.record(name, "call", cause, f"Update {name}, or report this to its author.")
        return answers

    def add(self, distribution: str, load: Callable[[], object]) -> None:
        """Load a plugin and register it. What it raises is recorded."""
        try:
            plugin = self._run(load)
        except KeyboardInterrupt:
            raise
        except TookTooLong as error:
            cause = f"The import of its hooks hangs: {error}"
            self.record(distribution, "hung", cause, f"Update {distribution}, or remove it.")
            return
        except BaseException as error:  # noqa: BLE001 - the guard: foreign code may raise anything, SystemExit too
            cause = f"Its hooks cannot be imported: {type(error).__name__}: {error}"
            self.record(distribution, "import", cause, f"Reinstall {distribution}, or what it needs.")
            return
        known = {name for name in vars(sys.modules[__name__]) if self._is_hook(name)}
        try:
            named = {name for name in dir(plugin) if self.manager.parse_hookimpl_opts(plugin, name) is not None}
            if unknown := sorted(named - known):
                cause = f"It implements the hook {unknown[0]!r}, which this version of Flownodes does not have"
                self.record(distribution, "unknown", cause, f"The hooks are: {', '.join(sorted(known))}.")
            self.manager.register(plugin, name=distribution)
        except (pluggy.PluginValidationError, ValueError) as error:
            self.record(distribution, "register", f"Its hooks do not fit: {error}", f"Update {distribution}.")

    def record(self, distribution: str, fault: str, cause: str, remedy: str) -> None:
        """Keep what is wrong with a plugin."""
        message = cause if cause.endswith(".") else f"{cause}."
        self.problems.append(
            PackProblem(pack=distribution, stage="import", code=f"hooks.{fault}", message=message, remedy=remedy)
        )

    def _run(self, action: Callable[[], T]) -> T:
        # Stdout may be read by a machine.
        with contextlib.redirect_stdout(sys.stderr):
            return run_limited(action, limit_seconds=self.limit_seconds)

    def _is_hook(self, name: str) -> bool:
        return self.manager.parse_hookspec_opts(sys.modules[__name__], name) is not None


def load_hooks(
    search_path: Iterable[str] | None = None,
    *,
    permits: Permits = lambda _distribution: True,
    limit_seconds: float = _LIMIT_SECONDS,
) -> Hooks:
    """The plugins of the distributions on the search path (`sys.path` by default) that may load. Never raises.

    The import of each, and each of its hooks, may take `limit_seconds`.
    """
    import importlib_metadata

    manager = pluggy.PluginManager(_PROJECT)
    manager.add_hookspecs(sys.modules[__name__])
    hooks = Hooks(manager=manager, limit_seconds=limit_seconds)
    seen: set[str] = set()
    path = sys.path if search_path is None else list(search_path)
    for distribution in importlib_metadata.distributions(path=path):
        try:
            name = distribution.metadata["Name"]
            points = [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]
        except Exception:  # noqa: BLE001, S112 - broken metadata: the registry tells of it
            continue
        if not points or name in seen or not permits(name):
            continue
        seen.add(name)
        for number, point in enumerate(points):
            hooks.add(name if number == 0 else f"{name}:{point.name}", point.load)
    return hooks


# --- the plugins of this process -----------------------------------------------------------------------------------


def permit_hooks(permits: Permits) -> None:
    """Say which distributions may bring hooks, as the operator's settings do; counts for what is loaded after it."""
    hold_permits(permits)


def installed_hooks() -> Hooks:
    """The hooks of the installed distributions that may load, loaded at the first call."""
    return _hooks_under(permits_held())


@lru_cache(maxsize=1)
def _hooks_under(permits: Permits) -> Hooks:
    return load_hooks(permits=permits)
