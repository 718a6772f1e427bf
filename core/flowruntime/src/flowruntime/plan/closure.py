"""A document with every workflow of the library that it can reach, drafted and built together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Protocol

from flowcore.documents import sort_problems
from flowcore.errors import Problem, ProblemList
from flowcore.nodes import Port
from flowcore.validation import is_any
from flowcore.values import did_you_mean
from flowcore.workflows import Workflow

from flowruntime.authoring import Body
from flowruntime.expressions import OPEN, has_expression
from flowruntime.plan.documents import Drafted, TypeSource, draft_document
from flowruntime.plan.model import Plan
from flowruntime.plan.schemas import CompiledSchema, SchemaCache
from flowruntime.plan.wiring import build_plan

__all__ = ["Closure", "Library"]


#: How many of a port's connections a message names.
_MOST_NAMED: Final = 3


class Library(Protocol):
    """The workflows that nodes may run by name."""

    def get(self, name: str) -> Workflow | None:
        """The workflow of that id, or else of that name."""
        ...

    def names(self) -> Iterable[str]:
        """All ids and names under which there is one."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Named:
    """A workflow of the library; `faults` are the errors in it and in the documents inside it."""

    body: Body
    uses: Mapping[str, Any]
    types: Mapping[str, int]
    faults: tuple[Problem, ...]


class Closure:
    """All documents of one check: the Surroundings of each of them.

    A workflow of the library is compiled once, however often it is named.
    """

    def __init__(self, types: TypeSource, schemas: SchemaCache, library: Library | None) -> None:
        self.types = types
        self.schemas = schemas
        self.inner: list[tuple[Body, Drafted]] = []
        self._library = library
        self._bodies: dict[str, Body] = {}
        #: Names whose workflows are still to be drafted: one after the other, not one inside the other, because they
        #: may name each other in circles and in long chains.
        self._waiting: deque[str] = deque()
        self._named: dict[str, _Named] = {}

    def draft(self, workflow: Workflow, problems: ProblemList) -> Drafted:
        """Draft the document and all that it can reach, and say everything that is wrong with it."""
        root = draft_document(workflow, self, problems)
        name = workflow.settings.on_error_workflow
        if name is not None:
            if self.named_body(name) is None:
                problems.append(self.unknown_name(name, "/settings/on_error_workflow"))
            else:
                root.uses.setdefault(name, []).append("/settings/on_error_workflow")
        while self._waiting:
            self._draft_named(self._waiting.popleft())
        problems.extend(self._broken(root))
        return root

    def build(self, root: Drafted) -> Plan:
        """The plan of the root, and those of all other documents into their bodies. Only when nothing had an error."""
        for body, drafted in self.inner:
            body.plan = self._plan(drafted)
        name = root.workflow.settings.on_error_workflow
        return self._plan(root, on_error=None if name is None else self._bodies[name])

    def find(self, name: str) -> Workflow | None:
        """The workflow of that name in the library."""
        return None if self._library is None else self._library.get(name)

    def named_body(self, name: str) -> Body | None:
        """The body for a name of the library, whose workflow will be drafted; None when there is none."""
        body = self._bodies.get(name)
        if body is None:
            workflow = self.find(name)
            if workflow is not None:
                body = self._bodies[name] = Body(workflow, name=name)
                self._waiting.append(name)
        return body

    def _draft_named(self, name: str) -> None:
        body = self._bodies[name]
        problems = ProblemList()
        drafted = draft_document(body.workflow, self, problems)
        body.workflow = drafted.workflow
        self.inner.append((body, drafted))
        errors = [problem for problem in problems.told() if problem.severity == "error"]
        self._named[name] = _Named(
            body=body, uses=drafted.uses, types=drafted.types, faults=tuple(sort_problems(errors))
        )

    def _plan(self, drafted: Drafted, *, on_error: Body | None = None) -> Plan:
        types = dict(drafted.types)
        names = self._reachable(drafted.uses)
        for name in names:
            types.update(self._named[name].types)
        return build_plan(
            drafted.workflow,
            [draft for draft in drafted.drafts if draft is not None],
            [ports for ports in drafted.typed.ports if ports is not None],
            drafted.outputs,
            types=types,
            names=frozenset(names),
            checked=self._checked(drafted),
            checked_outputs=self._checked_outputs(drafted),
            on_error=on_error,
        )

    def _checked(self, drafted: Drafted) -> dict[int, dict[str, CompiledSchema]]:
        """For each node the ports whose values are looked at when they come."""
        checked: dict[int, dict[str, CompiledSchema]] = {}
        with_arrows, unsure = drafted.typed.wiring.with_arrows, drafted.unsure
        declaring: dict[int, list[Port]] = {}  # by ports, which nodes of a type share
        for index, (node, ports) in enumerate(zip(drafted.workflow.nodes, drafted.typed.ports, strict=True)):
            if ports is None:
                continue
            if id(ports) not in declaring:
                declaring[id(ports)] = [port for port in ports.inputs if not is_any(port.schema)]
            for port in declaring[id(ports)]:
                if (
                    (unsure and (index, port.name) in unsure)
                    or index not in with_arrows
                    or (node.inputs and has_expression(node.inputs.get(port.name)))
                ):
                    schema = self.schemas.get(port.schema)
                    # With a fixed input beside connections, only the run knows what it was.
                    origin = "" if port.name in node.inputs else _origin(drafted, index, port.name)
                    checked.setdefault(index, {})[port.name] = replace(schema, origin=origin) if origin else schema
        return checked

    def _checked_outputs(self, drafted: Drafted) -> dict[int, tuple[tuple[str, CompiledSchema], ...]]:
        """For each node the output ports that say so."""
        checked: dict[int, tuple[tuple[str, CompiledSchema], ...]] = {}
        declaring: dict[int, tuple[tuple[str, CompiledSchema], ...]] = {}  # by ports, which nodes of a type share
        for index, ports in enumerate(drafted.typed.ports):
            if ports is None:
                continue
            if id(ports.outputs) not in declaring:
                found = [port for port in ports.outputs if port.checked and not is_any(port.schema)]
                declaring[id(ports.outputs)] = tuple([(port.name, self.schemas.get(port.schema)) for port in found])
            if declaring[id(ports.outputs)]:
                checked[index] = declaring[id(ports.outputs)]
        return checked

    def _reachable(self, names: Iterable[str]) -> list[str]:
        """The names, and all that their workflows refer to in turn, the nearest first."""
        found = dict.fromkeys(names)
        waiting = deque(found)
        while waiting:
            for name in self._named[waiting.popleft()].uses:
                if name not in found:
                    found[name] = None
                    waiting.append(name)
        return list(found)

    def _broken(self, root: Drafted) -> Iterator[Problem]:
        """For each place that names a workflow which cannot run, why it cannot."""
        for name, places in root.uses.items():
            faulty = [
                (other, self._named[other].faults)
                for other in self._reachable([name])
                # A document that names itself has told its own faults.
                if self._named[other].faults and self._named[other].body.workflow != root.workflow
            ]
            if faulty:
                first, faults = faulty[0]
                more = sum(len(faults) for _, faults in faulty) - 1
                through = "" if first == name else f"{first!r}, which it runs: "
                place = f"{faults[0].pointer}: " if faults[0].pointer else ""
                rest = f" (and {more} more)" if more else ""
                for pointer in places:
                    yield Problem(
                        code="workflow.broken",
                        pointer=pointer,
                        message=f"The workflow {name!r} cannot run: {through}{place}{faults[0].message}{rest}",
                        remedy=f"Correct {first!r}: {faults[0].remedy}",
                    )

    def unknown_name(self, name: str, pointer: str) -> Problem:
        """The problem that there is no workflow of that name, at this place."""
        if self._library is None:
            message = f"There is no library here in which to find the workflow {name!r}."
            remedy = 'Name its file: {"file": "PATH.json"}, relative to this one.'
        else:
            message = f"There is no workflow {name!r} in the library."
            remedy = did_you_mean(name, self._library.names()) or (
                'Add it to the library, or write its document, or {"file": PATH} in a file.'
            )
        if OPEN in name:
            remedy = "Write the name itself: it is looked up before anything runs, and no expression is evaluated here."
        return Problem(code="workflow.unknown", pointer=pointer, message=message, remedy=remedy)


def _origin(drafted: Drafted, index: int, port: str) -> str:
    """The connections into a port, as messages about its value end with them."""
    connections = drafted.workflow.connections
    into = [connections[place] for place in drafted.typed.wiring.into.get(index, ())]
    wires = (
        f"{wire.from_node}.{wire.from_port} → {wire.to_node}.{wire.to_port}" for wire in into if wire.to_port == port
    )
    named = list(islice(wires, _MOST_NAMED + 1))
    if not named:
        return ""
    more = " and more" if len(named) > _MOST_NAMED else ""
    return f", which comes by {', '.join(named[:_MOST_NAMED])}{more}"
