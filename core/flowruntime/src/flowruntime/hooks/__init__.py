"""The hooks through which installed distributions add to Flownodes; the module `specs` lists them all.

A plugin is a module, named by an entry point in the group `flownodes.hooks`, with functions marked as `@hookimpl`:

```python
from flowruntime.hooks import ExpressionFunction, hookimpl


@hookimpl
def expression_functions() -> list[ExpressionFunction]:
    return [ExpressionFunction(name="slug", function=make_slug, arguments=(("string",),))]
```
"""

from flowruntime.authoring.functions import Call, ExpressionFunction, FunctionError
from flowruntime.hooks.loading import hooks_at, installed_hooks, load_hooks, permit_hooks, points_of
from flowruntime.hooks.plugins import HOOK_SECONDS, Hooks
from flowruntime.hooks.points import ENTRY_POINT_GROUP, PluginPoint, find_points
from flowruntime.hooks.specs import hookimpl

__all__ = [
    "ENTRY_POINT_GROUP",
    "HOOK_SECONDS",
    "Call",
    "ExpressionFunction",
    "FunctionError",
    "Hooks",
    "PluginPoint",
    "find_points",
    "hookimpl",
    "hooks_at",
    "installed_hooks",
    "load_hooks",
    "permit_hooks",
    "points_of",
]
