"""Drafts a document together with the documents that stand inside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from flowcore.documents import file_of, read_body
from flowcore.errors import Problem, ProblemList
from flowcore.validation import Reference, TypedWorkflow, check_fitting, check_types, find_cycle, find_types, is_any
from flowcore.values import pointer_of
from flowcore.workflows import Workflow, WorkflowNode

from flowruntime.authoring import Body
from flowruntime.expressions import OUTPUT_ROOTS, CompiledValue, compile_value, has_expression
from flowruntime.migrations import TypeVersions, bring_up_to_date
from flowruntime.plan.drafting import Draft, broken_type, compile_type, draft_node
from flowruntime.plan.schemas import CompiledSchema, SchemaCache

__all__ = ["Drafted", "Surroundings", "TypeSource", "draft_document"]


class TypeSource(TypeVersions, Protocol):
    """What the plan needs of a registry."""

    def type_ids(self) -> Iterable[str]:
        """All known ids."""
        ...

    def explain_missing(self, type_id: str) -> str:
        """What to do about an unknown type."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class Drafted:
    """A document whose parts are compiled. Its arrays are built once all documents are known to be good."""

    workflow: Workflow
    typed: TypedWorkflow
    drafts: list[Draft | None]
    outputs: CompiledValue | None
    #: Types used with their versions, and library names with the pointers of where they stand; both with those of
    #: the documents inside.
    types: dict[str, int] = field(default_factory=dict)
    uses: dict[str, list[str]] = field(default_factory=dict)
    #: (place of the node, port) where a connection may bring what does not fit.
    unsure: frozenset[tuple[int, str]] = frozenset()


class Surroundings(Protocol):
    """What a document needs of the check that it is part of."""

    types: TypeSource
    schemas: SchemaCache
    #: Every document that stands in another, with the body that waits for its plan.
    inner: list[tuple[Body, Drafted]]

    def find(self, name: str) -> Workflow | None:
        """The workflow of that name in the library."""
        ...

    def named_body(self, name: str) -> Body | None:
        """The body for a name of the library, which will be drafted; None when there is none."""
        ...

    def unknown_name(self, name: str, pointer: str) -> Problem:
        """The problem that there is no workflow of that name, at this place."""
        ...


def draft_document(workflow: Workflow, surroundings: Surroundings, problems: ProblemList) -> Drafted:
    """Check and compile a document and those inside it. Pointers of problems begin at it.

    What was saved with older node types is brought up to date: `Drafted.workflow` is what will run.
    """
    workflow = bring_up_to_date(workflow, surroundings.types, problems)
    return _Drafting(workflow, surroundings, problems).drafted()


class _Drafting:
    def __init__(self, workflow: Workflow, surroundings: Surroundings, problems: ProblemList) -> None:
        self.workflow = workflow
        self.surroundings = surroundings
        self.problems = problems
        self.types: dict[str, int] = {}
        self.uses: dict[str, list[str]] = {}

    def drafted(self) -> Drafted:
        workflow, problems = self.workflow, self.problems
        known, schemas = self.surroundings.types, self.surroundings.schemas
        problems.extend(_check_inputs(workflow, schemas))
        types = find_types(workflow, known.get)
        compiled: dict[int, CompiledSchema | str] = {}  # by type: workflows have many nodes of few types
        drafts: list[Draft | None] = []
        references: dict[str, list[Reference]] = {}
        for index, (node, node_type) in enumerate(zip(workflow.nodes, types, strict=True)):
            draft = None
            if node_type is not None:
                self.types[node_type.id] = node_type.version
                pointer = f"/nodes/{index}"
                schema = compiled.get(id(node_type))
                if schema is None:
                    schema = compiled[id(node_type)] = compile_type(node_type, schemas)
                if isinstance(schema, str):
                    problems.append(broken_type(node, node_type, pointer, schema))
                else:
                    draft = draft_node(node, node_type, schema, pointer, problems, make_body=self._body)
                    if draft.references:
                        references[node.id] = list(draft.references)
            drafts.append(draft)
        outputs = _compile_outputs(workflow, problems)
        if outputs is not None and outputs.references:
            references[""] = list(outputs.references)
        typed = TypedWorkflow.of(workflow, types, references, self.surroundings.find)
        problems.extend(check_types(typed, known.get, known.type_ids, known.explain_missing))
        unsure = check_fitting(typed, problems)
        _check_fixed_inputs(typed, schemas, problems)
        problems.extend(find_cycle(workflow, references))
        problems.extend(_without_force(workflow))
        return Drafted(
            workflow=workflow,
            typed=typed,
            drafts=drafts,
            outputs=outputs,
            types=self.types,
            uses=self.uses,
            unsure=unsure,
        )

    def _body(self, value: str | dict[str, Any], pointer: str, node: WorkflowNode) -> Body | None:
        """What a node gets for a document, a name or a file in its config."""
        if isinstance(value, str):
            body = self.surroundings.named_body(value)
            if body is None:
                self.problems.append(self.surroundings.unknown_name(value, pointer))
            else:
                self.uses.setdefault(value, []).append(pointer)
            return body
        if (file := file_of(value)) is not None:
            self.problems.append(_unread_file(file, pointer))
            return None
        return self._inner(value, pointer, node)

    def _inner(self, value: dict[str, Any], pointer: str, node: WorkflowNode) -> Body | None:
        found = ProblemList()
        workflow = read_body(value, node.id, self.workflow.vars, found)
        body = None
        if workflow is not None:
            found.extend(_without_effect(workflow))
            drafted = draft_document(workflow, self.surroundings, found)
            self.types.update(drafted.types)
            for name, places in drafted.uses.items():
                self.uses.setdefault(name, []).extend(pointer + place for place in places)
            body = Body(drafted.workflow)
            self.surroundings.inner.append((body, drafted))
        self.problems.extend(replace(problem, pointer=pointer + problem.pointer) for problem in found.told())
        return body


def _check_inputs(workflow: Workflow, schemas: SchemaCache) -> Iterator[Problem]:
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


def _check_fixed_inputs(typed: TypedWorkflow, schemas: SchemaCache, problems: ProblemList) -> None:
    """Fixed inputs without expressions against the schemas of their ports; the others are looked at for attempts."""
    for index, node in enumerate(typed.workflow.nodes):
        ports = typed.ports[index]
        if not node.inputs or ports is None:
            continue
        for name, value in node.inputs.items():
            port = ports.input(name)
            if port is None or is_any(port.schema) or has_expression(value):
                continue
            try:
                schema = schemas.get(port.schema)
            except ValueError:  # of a document in the config, where that is told
                continue
            whose = f" {name!r} of node {node.id!r}"
            pointer = f"/nodes/{index}/inputs" + pointer_of(name)
            problems.extend(schema.problems(value, pointer, "input", whose=whose))


def _compile_outputs(workflow: Workflow, problems: list[Problem]) -> CompiledValue | None:
    if workflow.outputs is None:
        return None
    outputs = dict(workflow.outputs)
    return compile_value(outputs, pointer="/outputs", roots=OUTPUT_ROOTS, problems=problems, checked=True)


def _without_effect(workflow: Workflow) -> Iterator[Problem]:
    """Settings of a document inside another that count only for what is run by itself."""
    settings = workflow.settings
    for name in ("on_error_workflow", "concurrency", "priority"):
        if getattr(settings, name) is not None:
            yield Problem(
                severity="warning",
                code="settings.root_only",
                pointer=f"/settings/{name}",
                message=f"'{name}' has no effect in a document inside another.",
                remedy="Remove it, or write it into the settings of the outermost document.",
            )


def _unread_file(file: str, pointer: str) -> Problem:
    return Problem(
        code="workflow.file",
        pointer=pointer,
        message=f"The file {file!r} has not been read.",
        remedy="Write the document itself here: files are read by `flow run`, `flow validate` and `flow workflows add` "
        "only, when they read the document around it.",
    )


def _without_force(workflow: Workflow) -> Iterator[Problem]:
    """What nodes say that does nothing: told, never silently ignored."""
    for index, node in enumerate(workflow.nodes):
        if node.cache is not None:
            yield Problem(
                severity="warning",
                code="document.not_supported_yet",
                pointer=f"/nodes/{index}/cache",
                message="'cache' is not supported by this version yet.",
                remedy="It has no effect; remove it, or wait for a later version.",
            )
        if node.delivery == "at_most_once" and node.retry_policy is not None:
            yield Problem(
                severity="warning",
                code="node.never_retried",
                pointer=f"/nodes/{index}/retry_policy",
                message="A node with `delivery: at_most_once` is never retried.",
                remedy="Remove the retry policy, or the delivery.",
            )
