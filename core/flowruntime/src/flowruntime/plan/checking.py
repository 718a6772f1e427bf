"""From a document to a validated plan: all problems of the document at once, or the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from flowcore.documents import read_workflow, sort_problems, write_workflow
from flowcore.errors import Problem, ProblemList, Severity, WorkflowInvalid
from flowcore.nodes import NodeType
from flowcore.validation import NodePorts, Reference, Wiring, check_types, find_cycle, node_ports
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.expressions import OUTPUT_ROOTS, CompiledValue, compile_value
from flowruntime.plan.drafting import Draft, draft_node
from flowruntime.plan.model import Plan
from flowruntime.plan.schemas import SchemaCache
from flowruntime.plan.wiring import build_plan

__all__ = ["Checked", "TypeSource", "check_workflow", "require_plan"]

#: Rules by which ports depend on the config of the node.
_BY_NODE: Final = frozenset({"each", "signature"})


class TypeSource(Protocol):
    """What the plan needs of a registry."""

    def get(self, type_id: str, version: int | None = None) -> NodeType | None:
        """The node type of that id, its newest version for None."""
        ...

    def type_ids(self) -> Iterable[str]:
        """All known ids."""
        ...

    def explain_missing(self, type_id: str) -> str:
        """What to do about an unknown type."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A document checked: its problems, and the plan when none of them is an error."""

    workflow: Workflow | None
    plan: Plan | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the workflow from running."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def check_workflow(
    source: str | bytes | dict[str, Value] | Workflow, types: TypeSource, schemas: SchemaCache
) -> Checked:
    """Parse, check against the installed types, and compile. Never raises for what is wrong with the document."""
    read = read_workflow(write_workflow(source) if isinstance(source, Workflow) else source)
    workflow = read.workflow
    if workflow is None:
        return Checked(workflow=None, plan=None, problems=read.problems)
    problems = ProblemList()
    problems.extend(read.problems)
    problems.extend(_check_inputs(workflow, schemas))
    drafts: list[Draft | None] = []
    references: dict[str, list[Reference]] = {}
    for index, node in enumerate(workflow.nodes):
        node_type = types.get(node.node_type, node.type_version)
        draft = None
        if node_type is not None:
            draft = draft_node(node, node_type, f"/nodes/{index}", schemas, problems)
            if draft is not None and draft.references:
                references[node.id] = list(draft.references)
        drafts.append(draft)
    outputs = _compile_outputs(workflow, problems)
    if outputs is not None and outputs.references:
        references[""] = list(outputs.references)
    problems.extend(check_types(workflow, types.get, types.type_ids(), references, types.explain_missing))
    problems.extend(find_cycle(workflow, references))
    problems.extend(_not_yet(workflow))
    told = tuple(sort_problems(problems.told()))
    known = [draft for draft in drafts if draft is not None]
    if len(known) != len(drafts) or any(problem.severity == "error" for problem in told):
        return Checked(workflow=workflow, plan=None, problems=told)
    ports = _find_ports(workflow, known, references)
    return Checked(workflow=workflow, plan=build_plan(workflow, known, ports, outputs), problems=told)


def require_plan(checked: Checked) -> Plan:
    """The plan. Raises WorkflowInvalid with all problems when there is none."""
    if checked.plan is None:
        raise WorkflowInvalid(checked.problems)
    return checked.plan


def _check_inputs(workflow: Workflow, schemas: SchemaCache) -> Iterable[Problem]:
    if workflow.inputs is not None:
        try:
            schemas.get(workflow.inputs)
        except ValueError as error:
            yield Problem(
                code="document.schema",
                pointer="/inputs",
                message=f"'inputs' is no JSON Schema 2020-12: {error}.",
                remedy='Correct it; {"type": "object", "properties": {…}} is the usual form.',
            )


def _compile_outputs(workflow: Workflow, problems: list[Problem]) -> CompiledValue | None:
    if workflow.outputs is None:
        return None
    return compile_value(dict(workflow.outputs), pointer="/outputs", roots=OUTPUT_ROOTS, problems=problems)


def _find_ports(
    workflow: Workflow, drafts: Sequence[Draft], references: Mapping[str, Sequence[Reference]]
) -> list[NodePorts]:
    """The ports of each node; one object for all nodes of a type whose ports no node has a say in."""
    wiring = Wiring.of(workflow, references)
    shared: dict[int, NodePorts] = {}
    found: list[NodePorts] = []
    for index, draft in enumerate(drafts):
        node_type = draft.node_type
        ports = shared.get(id(node_type))
        if ports is None:
            ports = node_ports(workflow, index, node_type, wiring)
            if not any(side.passthrough or side.rule in _BY_NODE for side in (node_type.inputs, node_type.outputs)):
                shared[id(node_type)] = ports
        found.append(ports)
    return found


def _not_yet(workflow: Workflow) -> Iterable[Problem]:
    """What the document may say and this version does not do yet: told, never silently ignored."""
    settings = workflow.settings
    if settings.on_error_workflow is not None:
        yield _unsupported("/settings/on_error_workflow", "An error workflow", "error")
    for index, node in enumerate(workflow.nodes):
        if node.delivery == "at_most_once":
            yield _unsupported(f"/nodes/{index}/delivery", "'at_most_once'", "error")
        if node.cache is not None:
            yield _unsupported(f"/nodes/{index}/cache", "'cache'", "warning")


def _unsupported(pointer: str, what: str, severity: Severity) -> Problem:
    return Problem(
        severity=severity,
        code="document.not_supported_yet",
        pointer=pointer,
        message=f"{what} is not supported by this version yet.",
        remedy="Remove it." if severity == "error" else "It has no effect; remove it, or wait for a later version.",
    )
