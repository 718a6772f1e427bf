"""The plans of a runtime: a document is compiled once and keeps its node instances as long as it is in use.

Two documents with the same content are the same workflow version and share plan and instances, in whatever form they
come. The most recently used ones are kept; of the others, instances are shut down once no execution uses them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcore.documents import write_workflow
from flowcore.values import write_json

from flowruntime.authoring import Secret
from flowruntime.engine.attempt import Instances
from flowruntime.plan import Checked, Plan, require_plan
from flowruntime.registry import Registry
from flowruntime.runtime.documents import Document, name_of

if TYPE_CHECKING:
    from flowruntime.hooks.wrapping import AttemptWrappers

__all__ = ["CompiledWorkflow", "PlanCache"]

_KEPT = 128


@dataclass(slots=True, eq=False)
class CompiledWorkflow:
    """A plan with its instances; `users` counts the executions that run on it."""

    plan: Plan
    instances: Instances
    content: str
    users: int = 0
    kept: bool = True


class PlanCache:
    """Compiled workflows by document. Used from the loop's thread."""

    def __init__(
        self,
        *,
        check: Callable[[Document], Checked],
        registry: Registry,
        secrets: Mapping[str, Secret],
        shut_down: Callable[[Instances], None],
        kept: int = _KEPT,
    ) -> None:
        self._check = check
        self._registry = registry
        self._secrets = secrets
        self._shut_down = shut_down
        self._kept = kept
        #: What plugins put around attempts; set before the first document is compiled.
        self.wrappers: AttemptWrappers | None = None
        #: By content, the least recently used first.
        self._workflows: OrderedDict[str, CompiledWorkflow] = OrderedDict()
        #: By the text or object that was given, which is pinned so that its id stays its own.
        self._given: OrderedDict[Hashable, tuple[Document, CompiledWorkflow]] = OrderedDict()
        #: Plans that have not run yet, by the id of their workflow, which they pin.
        self._checked: OrderedDict[int, Plan] = OrderedDict()

    def get(self, document: Document) -> CompiledWorkflow:
        """The compiled workflow; it counts as used until `release`. Raises WorkflowInvalid."""
        key = None if isinstance(document, dict) else _key(document)  # a dict may have changed since
        known = self._given.get(key) if key is not None else None
        if known is not None:
            compiled = known[1]
            self._given.move_to_end(key)
        else:
            compiled = self._compile(document)
            if key is not None:
                self._keep(key, document, compiled)
        if compiled.kept:
            self._workflows.move_to_end(compiled.content)
        compiled.users += 1
        return compiled

    def is_at_hand(self, document: Document) -> bool:
        """Whether nothing needs to be looked up in the library: no name is given, and none that may have changed."""
        known = None if isinstance(document, dict) else self._given.get(_key(document))
        if known is not None:
            return not known[1].plan.names
        if name_of(document) is not None:
            return False
        checked = self._checked.get(id(document))
        return checked is None or checked.workflow is not document or not checked.names

    def remember(self, plan: Plan) -> None:
        """Running `plan.workflow` will need no second check."""
        self._checked[id(plan.workflow)] = plan
        if len(self._checked) > self._kept:
            self._checked.popitem(last=False)

    def release(self, compiled: CompiledWorkflow) -> None:
        """An execution ended."""
        compiled.users -= 1
        if not compiled.kept and not compiled.users:
            self._shut_down(compiled.instances)

    def apart(self, plan: Plan) -> CompiledWorkflow:
        """A compiled workflow for one execution alone; it counts as used until `release`."""
        return CompiledWorkflow(plan, self._instances(plan), "", users=1, kept=False)

    def forget(self, names: frozenset[str]) -> None:
        """Workflows that refer to one of these names are compiled anew; executions keep the plan that they began on."""
        for compiled in [kept for kept in self._workflows.values() if not names.isdisjoint(kept.plan.names)]:
            del self._workflows[compiled.content]
            self._drop(compiled)
        for key in [key for key, plan in self._checked.items() if not names.isdisjoint(plan.names)]:
            del self._checked[key]

    def take_all(self) -> list[Instances]:
        """All instances that are kept, which nobody keeps any more."""
        kept = [compiled.instances for compiled in self._workflows.values()]
        self._workflows.clear()
        self._given.clear()
        self._checked.clear()
        return kept

    def _instances(self, plan: Plan) -> Instances:
        return Instances(plan, self._registry, self._secrets, self.wrappers)

    def _keep(self, key: Hashable, document: Document, compiled: CompiledWorkflow) -> None:
        self._given[key] = (document, compiled)
        if len(self._given) > self._kept:
            self._given.popitem(last=False)

    def _compile(self, document: Document) -> CompiledWorkflow:
        plan = self._checked.pop(id(document), None)
        if plan is None or plan.workflow is not document:
            plan = require_plan(self._check(document))
        content = write_json(write_workflow(plan.workflow), sort_keys=True)
        compiled = self._workflows.get(content)
        if compiled is None:
            compiled = CompiledWorkflow(plan, self._instances(plan), content)
            self._workflows[content] = compiled
            if len(self._workflows) > self._kept:
                self._drop(self._workflows.popitem(last=False)[1])
        return compiled

    def _drop(self, compiled: CompiledWorkflow) -> None:
        compiled.kept = False
        for key in [key for key, (_, other) in self._given.items() if other is compiled]:
            del self._given[key]
        if not compiled.users:
            self._shut_down(compiled.instances)


def _key(document: Document) -> Hashable:
    return document if isinstance(document, str | bytes) else id(document)
